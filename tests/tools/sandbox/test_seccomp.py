"""The filter, run by an interpreter of its own, for processors that are not this one too."""

import errno
import struct

import pytest

from cogwork.tools.sandbox.seccomp import filter_program

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
IDENTITY = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# name: x86_64, aarch64, of the kernel's own tables
ORDINARY = {
    "read": (0, 63), "write": (1, 64), "openat": (257, 56), "mmap": (9, 222), "execve": (59, 221),
    "wait4": (61, 260), "kill": (62, 129), "futex": (202, 98), "epoll_create1": (291, 20),
    "pipe2": (293, 59), "getrandom": (318, 278), "prlimit64": (302, 261), "statx": (332, 291),
    "setuid": (105, 146), "exit_group": (231, 94),
}  # fmt: skip
RISKY = {
    "ptrace": (101, 117), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40),
    "bpf": (321, 280), "keyctl": (250, 219), "userfaultfd": (323, 282), "kcmp": (312, 272),
    "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "memfd_create": (319, 279),
    "process_vm_writev": (311, 271), "open_by_handle_at": (304, 265), "reboot": (169, 142),
    "init_module": (175, 105), "kexec_load": (246, 104), "personality": (135, 92),
}  # fmt: skip
CLONE, SOCKET, SOCKETPAIR, IOCTL, SETSOCKOPT = (56, 220), (41, 198), (53, 199), (16, 29), (54, 208)


def verdict(machine: str, number: int, *arguments: int, identity: int | None = None) -> int:
    """What the filter answers to a call, as the kernel would compute it."""
    six = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, identity or IDENTITY[machine], 0, *six)
    program = [*struct.iter_unpack("<HBBI", filter_program(machine))]
    at = register = 0
    while True:
        code, if_true, if_false, value = program[at]
        if code == 0x06:
            return value
        if code == 0x20:
            register = struct.unpack_from("<I", data, value)[0]
            at += 1
            continue
        holds = {0x15: register == value, 0x35: register >= value, 0x45: register & value}[code]
        at += 1 + (if_true if holds else if_false)


def refused(number: int) -> int:
    return 0x00050000 | number


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def column(machine: str) -> int:
    return list(IDENTITY).index(machine)


def test_ordinary_calls_pass_and_risky_ones_do_not(machine: str, column: int) -> None:
    for numbers in ORDINARY.values():
        assert verdict(machine, numbers[column]) == ALLOWED
    for numbers in RISKY.values():
        assert verdict(machine, numbers[column]) == refused(errno.EPERM)
    assert verdict(machine, 435) == verdict(machine, 437) == refused(errno.ENOSYS)


def test_processes_and_threads_can_be_made_but_no_namespaces(machine: str, column: int) -> None:
    for flags in (17, 0x3D0F00, 0x1200011):
        assert verdict(machine, CLONE[column], flags) == ALLOWED
    for bit in (17, 25, 26, 27, 28, 29, 30):
        assert verdict(machine, CLONE[column], 1 << bit | 17) == refused(errno.EPERM)
        assert verdict(machine, CLONE[column], 1 << 40 | 1 << bit) == refused(errno.EPERM)


def test_only_local_sockets_can_be_made(machine: str, column: int) -> None:
    for call in (SOCKET, SOCKETPAIR):
        assert verdict(machine, call[column], 1, 1) == ALLOWED
        for family in (0, 2, 10, 16, 17, 38, 40):
            assert verdict(machine, call[column], family, 1) == refused(errno.EAFNOSUPPORT)


def test_buffers_of_sockets_keep_their_size(machine: str, column: int) -> None:
    assert verdict(machine, SETSOCKOPT[column], 5, 1, 2) == ALLOWED
    for option in (7, 8, 32, 33):
        assert verdict(machine, SETSOCKOPT[column], 5, 1, option) == refused(0)


def test_no_file_is_made_that_runs_as_its_owner(machine: str, column: int) -> None:
    for name, call in {"fchmod": (91, 52), "fchmodat": (268, 53), "mknodat": (259, 33)}.items():
        before = (0,) * (1 if name == "fchmod" else 2)
        assert verdict(machine, call[column], *before, 0o1777) == ALLOWED
        for mode in (0o4755, 0o2755, 0o6000):
            assert verdict(machine, call[column], *before, mode) == refused(errno.EPERM)
    openat = (257, 56)[column]
    assert verdict(machine, openat, 0, 0, 0x41, 0o644) == ALLOWED
    assert verdict(machine, openat, 0, 0, 0, 0o4755) == ALLOWED  # the mode means nothing
    for flags in (0x40, 0x41, 0x400000):
        assert verdict(machine, openat, 0, 0, flags, 0o4755) == refused(errno.EPERM)


def test_nothing_can_be_typed_on_the_terminal(machine: str, column: int) -> None:
    assert verdict(machine, IOCTL[column], 0, 0x5401) == ALLOWED
    assert verdict(machine, IOCTL[column], 0, 0x5412) == refused(errno.EPERM)
    assert verdict(machine, IOCTL[column], 0, 1 << 32 | 0x5412) == refused(errno.EPERM)


def test_calls_in_another_numbering_do_not_pass(machine: str) -> None:
    assert verdict(machine, 0, identity=0x40000003) == KILLED
    if machine == "x86_64":
        assert verdict(machine, 0x40000000) == refused(errno.ENOSYS)


def test_an_unknown_processor_gets_no_filter() -> None:
    with pytest.raises(KeyError, match="riscv64"):
        filter_program("riscv64")
