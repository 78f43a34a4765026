# ruff: noqa: B023, PTH101, PTH104, PTH108, PTH112, PTH120, PTH123, PTH207, PTH208, PTH211, T201 - a
# program that shows plainly what it tries, and calls every function where it makes it
"""Tries to get out of a sandbox; standard input says where to. Prints what was tried and reached."""

import ctypes
import errno
import fcntl
import glob
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

targets = json.load(sys.stdin)
tried, breaches = [], []


def attempt(name, act):
    """A breach is what neither raises nor returns something false."""
    tried.append(name)
    try:
        if act():
            breaches.append(name)
    except (OSError, ValueError, KeyError, subprocess.SubprocessError):
        pass


def read(path):
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as file:
        return file.read(16)


def write(path):
    with open(path, "ab"):
        pass
    return True


def make(path):
    write(path)
    os.unlink(path)
    return True


def canary_in(path):
    with open(path, "rb") as file:
        return targets["canary"].encode() in file.read()


def reach(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as made:
        made.settimeout(1)
        made.connect(address)
        made.send(b"x")
    return True


def run(*command):
    return subprocess.run(command, capture_output=True, timeout=5).returncode == 0


def outside():
    for path in targets["reads"]:
        attempt(f"read {path}", lambda: read(path))
        attempt(f"read /proc/self/root{path}", lambda: read(f"/proc/self/root{path}"))
    for path in targets["writes"]:
        attempt(f"write {path}", lambda: make(path))
    for number, path in enumerate(targets["reads"][:4]):
        link = f"link{number}"
        os.symlink(path, link)
        attempt(f"read through a link to {path}", lambda: read(link))
        attempt(f"second name for {path}", lambda: os.link(path, f"{link}-2") or True)
    os.symlink("/", "root-link")
    attempt("read through a link to /", lambda: read("root-link" + targets["reads"][0]))
    climbing = "../" * 40 + targets["reads"][0].lstrip("/")
    attempt("read by climbing", lambda: read(climbing))
    os.symlink(targets["world"], "world-link")
    attempt("write through a link", lambda: make("world-link/planted"))
    attempt(
        "rename to outside", lambda: os.rename("root-link", targets["world"] + "/moved") or True
    )
    attempt("device file", lambda: os.mknod("disk", 0o660 | 0o060000, os.makedev(8, 0)) or True)
    attempt("the interpreter", lambda: write(sys.executable))
    attempt("the library", lambda: make(os.path.dirname(os.__file__) + "/planted.py"))
    # Its own /tmp is no breach; the host looks whether it is that of all.
    attempt("the host's /tmp", lambda: Path("/tmp", targets["token"]).write_text("x") and False)


def network():
    port, udp = targets["port"], targets["udp"]
    for address in ("127.0.0.1", "0.0.0.0", targets["address"]):
        attempt(f"tcp {address}", lambda: reach(socket.AF_INET, (address, port)))
        attempt(
            f"udp {address}",
            lambda: reach(socket.AF_INET, (address, udp), socket.SOCK_DGRAM) and False,
        )
    attempt("tcp ::1", lambda: reach(socket.AF_INET6, ("::1", port)))
    attempt("abstract socket", lambda: reach(socket.AF_UNIX, "\0" + targets["abstract"]))
    attempt("socket file", lambda: reach(socket.AF_UNIX, targets["socket"]))
    attempt("metadata address", lambda: reach(socket.AF_INET, ("169.254.169.254", 80)))
    attempt("a name", lambda: socket.getaddrinfo("example.com", 80))
    for name, family in targets["families"].items():
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            attempt(f"socket {name} {kind}", lambda: socket.socket(family, kind).close() or True)
    raw = socket.SOCK_RAW
    attempt("raw socket", lambda: socket.socket(socket.AF_INET, raw, socket.IPPROTO_ICMP))


def processes():
    host, seen = targets["pid"], [int(path[6:]) for path in glob.glob("/proc/[0-9]*")]
    attempt("host among processes", lambda: host in seen)
    attempt("signal to the host", lambda: os.kill(host, 0) is None)
    attempt("signal to the host's group", lambda: os.killpg(host, 0) is None)
    for part in ("environ", "cmdline", "maps", "mem", "root/etc", "cwd", "fd"):
        attempt(f"/proc of the host: {part}", lambda: read(f"/proc/{host}/{part}"))
    for process in {1, os.getppid(), *seen}:
        attempt(f"secret in environ of {process}", lambda: canary_in(f"/proc/{process}/environ"))
        attempt(f"secret in cmdline of {process}", lambda: canary_in(f"/proc/{process}/cmdline"))
        attempt(
            f"host through root of {process}",
            lambda: read(f"/proc/{process}/root" + targets["reads"][0]),
        )
        attempt(
            f"host through cwd of {process}",
            lambda: read(f"/proc/{process}/cwd" + "/.." * 9 + targets["reads"][0]),
        )
    attempt(
        "secret in variables",
        lambda: any(targets["canary"] in value for value in os.environ.values()),
    )
    attempt("descriptors of others", lambda: [fd for fd in range(3, 256) if _is_open(fd)])
    attempt("priority", lambda: os.nice(-5))
    attempt("terminal input", lambda: _errno(lambda: fcntl.ioctl(0, 0x5412, b"x")) != errno.EPERM)


def _is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _errno(act):
    try:
        act()
    except OSError as error:
        return error.errno
    return 0


def privileges():
    attempt("user 0", lambda: os.setuid(0) is None)
    attempt("group 0", lambda: os.setgid(0) is None)
    attempt("groups", lambda: os.setgroups([0]) is None)
    attempt("is root", lambda: 0 in (os.getuid(), os.geteuid(), os.getgid(), os.getegid()))
    if targets["proc"]:
        status = dict(
            line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines()
        )
        for name in ("CapEff", "CapPrm", "CapAmb"):
            attempt(name, lambda: int(status[name], 16))
        attempt("new privileges", lambda: status["NoNewPrivs"] != "1")
        attempt("file that runs as its owner", lambda: special(lambda: os.chmod("f", 0o4755)))
        made = os.O_CREAT | os.O_WRONLY
        attempt("one made so", lambda: special(lambda: os.close(os.open("f", made, 0o6755))))
        attempt("no filter", lambda: status["Seccomp"] != "2")
    for name in ("NPROC", "FSIZE", "DATA", "CPU", "NOFILE"):
        number = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(number)[1]
        if name == "NPROC" and not targets["proc"]:
            continue
        attempt(f"no limit {name}", lambda: hard == resource.RLIM_INFINITY)
        attempt(
            f"higher limit {name}", lambda: resource.setrlimit(number, (hard + 1, hard + 1)) is None
        )
    attempt("mount", lambda: run("mount", "-t", "tmpfs", "none", "/tmp"))
    attempt("bind mount", lambda: run("mount", "--bind", "/", "/tmp"))
    attempt("remount", lambda: run("mount", "-o", "remount,rw", "/usr"))
    attempt("umount", lambda: run("umount", "-l", "/usr"))
    attempt("user namespace", lambda: run("unshare", "-Ur", "true"))
    attempt("all namespaces", lambda: run("unshare", "-Urmpfn", "true"))
    attempt("namespace of 1", lambda: run("nsenter", "-t", "1", "-m", "true"))
    attempt("chroot", lambda: os.chroot("/") is None)
    attempt("su", lambda: run("su", "-c", "true"))
    attempt("host name", lambda: socket.sethostname("x") is None)
    for path in targets["kernel"]:
        attempt(f"write {path}", lambda: write(path))


def special(act):
    """Whether the file is one that runs as somebody else, after all."""
    Path("f").unlink(missing_ok=True)
    Path("f").touch() if "chmod" in act.__code__.co_names else None
    act()
    return Path("f").stat().st_mode & 0o6000


def system_calls():
    library = ctypes.CDLL(None, use_errno=True)

    def call(number, *arguments):
        ctypes.set_errno(0)
        result = library.syscall(
            number, *map(ctypes.c_long, (*arguments, *[0] * (6 - len(arguments))))
        )
        if number == targets["clone"] and result == 0:
            os._exit(0)
        return result != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS)

    for name, number in targets["calls"].items():
        attempt(f"call {name}", lambda: call(number))
    for name in ("NS", "CGROUP", "UTS", "IPC", "USER", "PID", "NET"):
        flags = {"NS": 0x20000, "CGROUP": 0x2000000, "UTS": 0x4000000, "IPC": 0x8000000}.get(name)
        flags = flags or {"USER": 0x10000000, "PID": 0x20000000, "NET": 0x40000000}[name]
        attempt(f"clone NEW{name}", lambda: call(targets["clone"], flags | signal.SIGCHLD))
    attempt("clone3", lambda: call(435))
    if os.uname().machine == "x86_64":
        attempt("x32 numbers", lambda: survives(lambda: call(0x40000000 + 39)))
        attempt("32-bit calls", lambda: survives(old_getpid))


def survives(act):
    """Whether a child that does this gets an answer; the filter may kill it instead."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os._exit(7 if act() else 8)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def old_getpid():
    """getpid the way of 32-bit programs, which a filter for 64 bit alone does not see."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_long)(start)() > 0


for section in targets["sections"]:
    globals()[section]()
print(json.dumps({"tried": len(tried), "breaches": breaches}))
