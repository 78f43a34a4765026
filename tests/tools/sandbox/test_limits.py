"""Programs that take too much are stopped, and leave nothing behind."""

import os
import secrets
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sandboxed import PRESENT, needs_bubblewrap

from cogwork.core.errors import ConfigurationError
from cogwork.tools.sandbox.limits import MIB, Limits

pytestmark = needs_bubblewrap

PYTHON_FORKS = "import os\nn = 0\ntry:\n  while n < 500:\n    if os.fork() == 0:\n      import time; time.sleep(60)\n    n += 1\nexcept OSError: pass\nprint(n)"
MANY_EATERS = "import os, time\nfor _ in range(7): os.fork() or exec('x = bytearray(40_000_000); time.sleep(60)')\ntime.sleep(60)"

HIDDEN_EATER = "import ctypes, time\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\nx = []\nwhile True: x.append(bytearray(1_000_000))"
SOCKETS = "import os, socket\nkeep = []\nfor _ in range(3): os.fork()\nwhile True:\n  keep.append(socket.socketpair())\n  for end in keep[-1]:\n    end.setblocking(False)\n    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10**8)\n    try:\n      while True: end.send(bytes(65536))\n    except BlockingIOError: pass"

RESERVED = "import os, time\nkeep = []\nwhile True:\n  keep.append(open('f', 'wb')); os.unlink('f')\n  os.posix_fallocate(keep[-1].fileno(), 0, 3_000_000)"
CHILDREN = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what a child wrote is then counted for nobody
keep = []
for _ in range(20):
    keep.append(open("f", "wb"))
    os.unlink("f")
    if os.fork() == 0:
        keep[-1].write(bytes(1_000_000))
        os._exit(keep[-1].flush() or 0)
    time.sleep(0.01)
time.sleep(60)
"""

# What takes too much, the limit it gets, and which limit has to be named.
GREED = {
    "python takes memory": ("python", "x = []\nwhile True: x.append(bytearray(1_000_000))", {"memory_bytes": 64 * MIB}, "memory_bytes"),
    "javascript takes memory": ("javascript", "const a = []; while (true) a.push(Buffer.alloc(1e6, 1))", {"memory_bytes": 96 * MIB}, "memory_bytes"),
    "bash takes memory": ("bash", "x=1; while :; do x=$x$x; done", {"memory_bytes": 64 * MIB}, "memory_bytes"),
    "many take memory": ("python", MANY_EATERS, {"memory_bytes": 128 * MIB}, "memory_bytes"),
    "one that hides takes memory": ("python", HIDDEN_EATER, {"memory_bytes": 64 * MIB}, "memory_bytes"),
    "sockets take memory": ("python", SOCKETS, {"memory_bytes": 128 * MIB}, "memory_bytes"),
    "python computes": ("python", "while True: pass", {"cpu_seconds": 1}, "cpu_seconds"),
    "javascript computes": ("javascript", "while (true);", {"cpu_seconds": 1}, "cpu_seconds"),
    "bash computes": ("bash", "while :; do :; done", {"cpu_seconds": 1}, "cpu_seconds"),
    "many compute": ("bash", "for i in 1 2 3 4 5 6; do (while :; do :; done) & done; wait", {"cpu_seconds": 1}, "cpu_seconds"),
    "one after another computes": ("bash", "while :; do timeout 0.2 bash -c 'while :; do :; done'; done", {"cpu_seconds": 1}, "cpu_seconds"),
    "python says a gigabyte": ("python", "import sys\nfor _ in range(1000): sys.stdout.write('x' * 1_000_000)", {}, "output_bytes"),
    "javascript says a gigabyte": ("javascript", "const b = Buffer.alloc(1e6, 120); for (let i = 0; i < 1000; i++) require('fs').writeSync(2, b)", {}, "output_bytes"),
    "bash says a gigabyte": ("bash", "head -c 1000000000 /dev/zero", {}, "output_bytes"),
    "one file fills the disk": ("bash", "cat /dev/zero > full", {"file_bytes": 4 * MIB}, "file_bytes"),
    "many files fill the disk": ("bash", "for i in {1..1000}; do head -c 1000000 /dev/zero > f$i; done", {"disk_bytes": 16 * MIB}, "disk_bytes"),
    "files without a name fill the disk": ("python", "import os\nwhile True:\n  f = open('f', 'wb'); os.unlink('f')\n  f.write(bytes(1_000_000)); f.flush(); os.fsync(f.fileno())", {"disk_bytes": 4 * MIB}, "disk_bytes"),
    "empty files fill the disk": ("python", "import os\nfor n in range(10**7): os.mkdir(str(n)) if n % 2 else open(str(n), 'w').close()", {"files": 300}, "files"),
    "a folder that cannot be listed hides files": ("bash", "mkdir d; chmod 300 d; cd d; head -c 3000000 /dev/zero > f; sleep 60", {"disk_bytes": MIB}, "disk_bytes"),
    "a deep folder hides files": ("python", "import os\nfor _ in range(30): os.mkdir('x' * 250); os.chdir('x' * 250)\nimport time; time.sleep(60)", {"seconds": 9}, "disk_bytes"),
    "reserved files without a name fill the disk": ("python", RESERVED, {"disk_bytes": 8 * MIB}, "disk_bytes"),
    "files of many children fill the disk": ("python", CHILDREN, {"disk_bytes": 8 * MIB}, "disk_bytes"),
    "empty files fill the memory": ("bash", "cd /tmp; for i in {1..20000}; do : > $i; done; sleep 60", {"files": 2000}, "files"),
    "python waits": ("python", "import time; time.sleep(60)", {"seconds": 1}, "seconds"),
    "javascript waits": ("javascript", "setTimeout(() => {}, 60000)", {"seconds": 1}, "seconds"),
    "bash waits": ("bash", "sleep 60", {"seconds": 1}, "seconds"),
    "output is closed and it waits": ("bash", "exec >&- 2>&-; sleep 60", {"seconds": 1}, "seconds"),
    "signals are ignored": ("bash", "trap '' TERM INT HUP XCPU; while :; do sleep 1; done", {"seconds": 1}, "seconds"),
}  # fmt: skip


def processes_with(marker: str) -> list[int]:
    """Every process of this machine that has the marker in its arguments, but for this one."""
    found = []
    for process in map(int, filter(str.isdigit, os.listdir("/proc"))):  # noqa: PTH208 - one may end
        with suppress(OSError):
            arguments = Path(f"/proc/{process}/cmdline").read_bytes()
            if marker.encode() in arguments and process != os.getpid():
                found.append(process)
    return found


def await_processes(marker: str, *, there: bool) -> bool:
    """Whether processes with the marker appear, or disappear, within ten seconds."""
    end = time.monotonic() + 10
    while bool(processes_with(marker)) is not there and time.monotonic() < end:
        time.sleep(0.01)
    return bool(processes_with(marker)) is there


def children_of(process: int) -> list[str]:
    """The processes that it started."""
    found: list[str] = []
    for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - one may end
        with suppress(OSError):
            found += Path(f"/proc/{process}/task/{thread}/children").read_text().split()
    return found


def lingering(marker: str) -> str:
    """A program whose children let go of it in every way there is, and that then waits."""
    return f"""
sleep {marker} &
(setsid sleep {marker} &)
nohup sleep {marker} >/dev/null 2>&1 &
(trap '' TERM HUP INT; setsid bash -c "trap '' TERM HUP INT; sleep {marker}; sleep {marker}" &)
disown -a
sleep {marker}
"""


def marker() -> str:
    return f"9{secrets.randbelow(10**9):09d}.25"


def test_the_limit_that_was_reached_is_named(host: Any) -> None:
    tasks = {
        name: host.task(language, code, limits={"seconds": 20} | limits)
        for name, (language, code, limits, _) in GREED.items()
        if language in PRESENT
    }
    results = dict(zip(tasks, host.perform(*tasks.values()), strict=True))
    expected = {name: GREED[name][3] for name in tasks}
    assert {name: result["limit"] for name, result in results.items()} == expected
    said = [len(result["stdout"]) + len(result["stderr"]) for result in results.values()]
    assert max(said) <= MIB


def test_processes_are_limited_without_harm_to_others(host: Any) -> None:
    bash = ":(){ :|:& };:; sleep 1; echo survived"
    forks, bomb, threads = host.perform(
        host.task("python", PYTHON_FORKS, limits={"processes": 20}),
        host.task("bash", bash, limits={"processes": 20, "seconds": 3}),
        host.task(
            "python",
            "import threading, time\nfor n in range(100): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
            limits={"processes": 20, "seconds": 20},
        ),
    )
    assert 5 < int(forks["stdout"]) < 20
    assert bomb["limit"] in {None, "processes", "seconds"}
    assert "can't start new thread" in threads["stderr"]


def test_memory_that_shows_in_no_process_is_limited(host: Any) -> None:
    code = """
import os
for folder in ("/tmp", "/dev/shm"):
    try:
        for n in range(20):
            with open(f"{folder}/{n}", "wb") as file:
                file.write(bytes(10_000_000))
        print("filled")
    except OSError as error:
        print(error.errno)
"""
    (result,) = host.perform(host.task("python", code))
    assert result["stdout"] == "28\n28\n"


@pytest.fixture(params=["bubblewrap", "sandlock", "unsafe host"])
def backend(request: pytest.FixtureRequest, host: Any) -> str:
    if host.user is not None and request.param != "bubblewrap":
        pytest.skip("its helper is a Python, which would have to be readable by all")
    return str(request.param)


def test_nothing_is_left_when_the_time_is_over(backend: str, host: Any) -> None:
    mark = marker()
    task = host.task("bash", lingering(mark), limits={"seconds": 1}, backend=backend)
    (result,) = host.perform(task)
    assert result["limit"] == "seconds"
    assert await_processes(mark, there=False)


def test_a_program_that_kills_all_it_can_kills_only_itself(host: Any) -> None:
    killer, other = host.perform(
        host.task("bash", "sleep 0.3; kill -9 -1; kill -9 1; echo alone"),
        host.task("bash", "sleep 1; echo unharmed"),
    )
    assert (killer["exit_code"], killer["limit"]) in {(137, None), (0, None)}
    assert other["stdout"] == "unharmed\n"


def test_nothing_is_left_when_the_program_ends(backend: str, host: Any) -> None:
    mark = marker()
    code = lingering(mark).rstrip().removesuffix(f"sleep {mark}") + "echo done\n"
    (result,) = host.perform(host.task("bash", code, backend=backend))
    assert (result["stdout"], result["limit"]) == ("done\n", None)
    assert await_processes(mark, there=False)


def test_nothing_is_left_when_the_host_is_killed(backend: str, host: Any) -> None:
    mark = marker()
    with host.start(host.task("bash", lingering(mark), backend=backend)) as process:
        assert await_processes(mark, there=True)
        process.send_signal(signal.SIGKILL)
    assert await_processes(mark, there=False)


def test_the_small_python_ends_at_its_time_when_the_host_is_killed(host: Any) -> None:
    task = host.task("python", "while True: pass", backend="pydantic-monty", limits={"seconds": 2})
    with host.start(task) as process:
        end = time.monotonic() + 10
        while not (workers := children_of(process.pid)) and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert workers
    while any(Path(f"/proc/{each}").exists() for each in workers) and time.monotonic() < end + 10:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{each}").exists() for each in workers)


@pytest.mark.slow
def test_nothing_is_left_whenever_the_host_is_killed(host: Any) -> None:
    for moment in range(60):
        mark = marker()
        task = host.task("bash", lingering(mark))
        with host.start(task) as process:
            assert await_processes(task["folder"], there=True)  # bubblewrap's arguments have it
            time.sleep(moment / 2000)  # from before its first process to after its last
            process.send_signal(signal.SIGKILL)
        assert await_processes(task["folder"], there=False)
        assert await_processes(mark, there=False)


def test_a_folder_that_was_too_large_before_can_still_be_read_and_cleared(host: Any) -> None:
    task = host.task("bash", "sleep 0.5; cat large | wc -c; rm large", limits={"disk_bytes": MIB})
    Path(task["folder"], "large").write_bytes(bytes(3 * MIB))
    Path(task["folder"], "large").chmod(0o644)
    if host.user is not None:
        os.chown(Path(task["folder"], "large"), host.user, host.user)
    (result,) = host.perform(task)
    assert (result["stdout"], result["limit"]) == (f"{3 * MIB}\n", None)


@pytest.mark.parametrize("field", ["seconds", "memory_bytes", "processes", "files"])
def test_a_limit_has_to_be_positive(field: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{field}=0 is not positive"):
        Limits(**{field: 0})
