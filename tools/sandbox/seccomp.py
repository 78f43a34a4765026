"""The system calls that a program in the sandbox is refused, as a seccomp filter.

A deny-list, because programs of three languages need hundreds of calls. Refused is what
reaches other processes, namespaces, mounts, keys or the kernel's less tested corners, what
holds memory or disk that no limit sees, and files that would run as their owner. The filter
is put together here rather than by libseccomp's bindings, which need a compiler: it is two
tables and six kinds of instruction (Linux, Documentation/userspace-api/seccomp_filter.rst).
"""

import errno
import platform
import struct

__all__ = ["filter_program"]

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000  # the second numbering of the calls on x86_64

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _argument(index: int) -> bytes:
    """Load the low half of an argument."""
    return _instruction(_LOAD, _FIRST_ARGUMENT + 8 * index)


def _refuse(number: int) -> bytes:
    return _instruction(_RETURN, _ERRNO | number)


def _any(values: tuple[int, ...], number: int) -> list[bytes]:
    """Refuse each of `values`."""
    tests = ((_instruction(_JUMP_EQUAL, value, 0, 1), _refuse(number)) for value in values)
    return [part for pair in tests for part in pair]


def _other(value: int, number: int) -> list[bytes]:
    """Refuse all but one value."""
    return [_instruction(_JUMP_EQUAL, value, 1, 0), _refuse(number)]


def _bits(mask: int, number: int) -> list[bytes]:
    """Refuse values that have one of the bits."""
    return [_instruction(_JUMP_ANY_BIT, mask, 0, 1), _refuse(number)]


def _created(mode: int) -> list[bytes]:
    """Refuse to make a file that runs as its owner; the mode counts if a file is made."""
    inner = [_argument(mode), *_SET_USER]
    return [_instruction(_JUMP_ANY_BIT, _O_CREAT | _O_TMPFILE, 0, len(inner)), *inner]


_O_CREAT, _O_TMPFILE = 0x40, 0x400000
_SET_USER = _bits(0o6000, errno.EPERM)  # inside they do nothing, outside they would
_NEW_NAMESPACES = _bits(0x7E020000, errno.EPERM)
# The packets of other sockets count as nobody's memory, and vsock knows no namespace.
_LOCAL_ONLY = _other(1, errno.EAFNOSUPPORT)

# Number on x86_64, on aarch64; None where it does not exist.
_Numbers = tuple[int | None, int | None]
_REFUSED: dict[str, _Numbers] = {
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272), "pidfd_getfd": (438, 438),
    "move_pages": (279, 239), "migrate_pages": (256, 238),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    # keys, programs inside the kernel, and its less tested corners
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280),
    "userfaultfd": (323, 282), "perf_event_open": (298, 241), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "vmsplice": (278, 75),
    "personality": (135, 92), "mbind": (237, 235), "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450), "lookup_dcookie": (212, 18), "modify_ldt": (154, None),
    "iopl": (172, None), "ioperm": (173, None), "uselib": (134, None), "ustat": (136, None),
    "sysfs": (139, None), "_sysctl": (156, None),
    # memory that belongs to no process
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    # the machine
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "syslog": (103, 116), "vhangup": (153, 58),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    # what a filter cannot look into, or no limit sees; libraries do without
    "clone3": (435, 435), "openat2": (437, 437), "fallocate": (285, 47),
}  # fmt: skip
_ERRORS = {"clone3": errno.ENOSYS, "openat2": errno.ENOSYS, "fallocate": errno.EOPNOTSUPP}

# The numbers, which argument, and what is refused of it.
_REFUSED_ARGUMENTS: dict[str, tuple[_Numbers, int, list[bytes]]] = {
    "clone": ((56, 220), 0, _NEW_NAMESPACES),
    "socket": ((41, 198), 0, _LOCAL_ONLY),
    "socketpair": ((53, 199), 0, _LOCAL_ONLY),
    "setsockopt": ((54, 208), 2, _any((7, 8, 32, 33), 0)),  # buffers, as if it had been done
    "ioctl": ((16, 29), 1, _any((0x5412, 0x541C), errno.EPERM)),  # typing on the terminal
    "chmod": ((90, None), 1, _SET_USER),
    "fchmod": ((91, 52), 1, _SET_USER),
    "fchmodat": ((268, 53), 2, _SET_USER),
    "fchmodat2": ((452, 452), 2, _SET_USER),
    "creat": ((85, None), 1, _SET_USER),
    "mknod": ((133, None), 1, _SET_USER),
    "mknodat": ((259, 33), 2, _SET_USER),
    "open": ((2, None), 1, _created(mode=2)),
    "openat": ((257, 56), 2, _created(mode=3)),
}


def filter_program(machine: str | None = None) -> bytes:
    """Return the filter as the array of instructions that the kernel takes.

    Args:
        machine: The processor, as `platform.machine()` names it; None for this one.

    Raises:
        KeyError: The processor is unknown here, so nothing can be filtered.
    """
    architecture, column = _ARCHITECTURES[machine or platform.machine()]
    parts = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_JUMP_EQUAL, architecture, 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
    ]
    if column == 0:
        parts += [_instruction(_JUMP_GREATER_EQUAL, _X32, 0, 1), _refuse(errno.ENOSYS)]
    for name, numbers in _REFUSED.items():
        parts += _if_called(numbers[column], [_refuse(_ERRORS.get(name, errno.EPERM))])
    for numbers, index, tests in _REFUSED_ARGUMENTS.values():
        inner = [_argument(index), *tests, _instruction(_LOAD, _NUMBER)]
        parts += _if_called(numbers[column], inner)
    return b"".join([*parts, _instruction(_RETURN, _ALLOW)])


def _if_called(number: int | None, inner: list[bytes]) -> list[bytes]:
    if number is None:
        return []
    return [_instruction(_JUMP_EQUAL, number, 0, len(inner)), *inner]
