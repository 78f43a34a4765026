"""Programs that try everything to get out; none gets anywhere."""

import json
import platform
import shutil
from pathlib import Path
from typing import Any

import pytest
from sandboxed import PRESENT, needs_bubblewrap

pytestmark = needs_bubblewrap

HERE = Path(__file__).parent
SECTIONS = ["outside", "network", "processes", "privileges", "system_calls"]
ATTACKS = {"python": "attack.py", "javascript": "attack.cjs", "bash": "attack.sh"}

# Written down again rather than imported: the test must not believe the filter's own table.
CALLS = {
    "x86_64": {
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
        "pidfd_getfd": 438, "unshare": 272, "setns": 308, "mount": 165, "umount2": 166,
        "pivot_root": 155, "chroot": 161, "open_tree": 428, "move_mount": 429, "fsopen": 430,
        "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "keyctl": 250,
        "add_key": 248, "request_key": 249, "bpf": 321, "userfaultfd": 323,
        "perf_event_open": 298, "io_uring_setup": 425, "io_uring_enter": 426,
        "io_uring_register": 427, "memfd_create": 319, "memfd_secret": 447, "shmget": 29,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "kexec_load": 246,
        "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
        "swapon": 167, "swapoff": 168, "acct": 163, "quotactl": 179, "syslog": 103,
        "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305,
        "iopl": 172, "ioperm": 173, "modify_ldt": 154, "fanotify_init": 300, "vmsplice": 278,
        "move_pages": 279, "migrate_pages": 256, "process_madvise": 440, "personality": 135,
    },
    "aarch64": {
        "ptrace": 117, "process_vm_readv": 270, "unshare": 97, "setns": 268, "mount": 40,
        "umount2": 39, "pivot_root": 41, "chroot": 51, "keyctl": 219, "add_key": 217,
        "bpf": 280, "userfaultfd": 282, "perf_event_open": 241, "io_uring_setup": 425,
        "memfd_create": 279, "open_by_handle_at": 265, "kexec_load": 104, "init_module": 105,
        "open_tree": 428, "fsopen": 430, "mount_setattr": 442, "pidfd_getfd": 438,
    },
}  # fmt: skip
CLONE = {"x86_64": 56, "aarch64": 220}
FAMILIES = {"vsock": 40, "packet": 17, "alg": 38, "tipc": 30, "bluetooth": 31, "netlink": 16}


def far_targets(surroundings: Any, backend: str, folder: str) -> dict[str, Any]:
    """Everything that an attack may aim at."""
    own, calls, families = [folder], dict(CALLS[platform.machine()]), dict(FAMILIES)
    if backend == "sandlock":
        own = []  # there the work folder has its own path
        del calls["chroot"]  # looks at its argument before it refuses
        del families["netlink"]  # is answered by sandlock itself
    world, neighbour = str(surroundings.world), str(surroundings.neighbour)
    return surroundings.targets(
        reads=[
            f"{world}/secret", f"{world}/folder", f"{neighbour}/secret", str(HERE / "conftest.py"),
            "/etc/shadow", "/etc/passwd", "/etc/fstab", "/root/.bashrc", "/root/.profile",
            "/var/log", "/var/lib", "/sys/kernel", "/boot", "/dev/mem", "/dev/vda", "/dev/sda",
            "/dev/kmsg", "/proc/kcore", "/proc/kmsg", *own,
        ],
        writes=[
            f"{place}/planted"
            for place in (
                world, neighbour, *own, "/usr", "/usr/bin", "/usr/local/lib", "/etc", "/dev",
                "/lib", "/bin", "/var", "/var/tmp", "/root", "/home", "/run", "/proc", "/sys", "",
            )
        ],
        kernel=[
            f"/proc/{name}"
            for name in (
                "sys/kernel/core_pattern", "sys/kernel/hostname", "sys/kernel/modprobe",
                "sys/vm/drop_caches", "sys/fs/binfmt_misc/register", "sysrq-trigger",
                "irq/default_smp_affinity", "sys/kernel/yama/ptrace_scope", "mtrr",
            )
        ],
        calls=calls,
        families=families,
        clone=CLONE[platform.machine()],
        sections=SECTIONS,
        proc=backend == "bubblewrap",
    )  # fmt: skip


def stdin_of(language: str, targets: dict[str, Any]) -> str:
    """The targets as the attack reads them."""
    if language != "bash":
        return json.dumps(targets)
    flat = []
    for kind, value in targets.items():
        values = value if isinstance(value, list) else [value]
        flat += [f"{kind} {each}\n" for each in values if not isinstance(each, dict)]
    return "".join(flat)


def outcome(language: str, result: dict[str, Any]) -> tuple[int, list[str]]:
    """How much was tried, and what was reached."""
    if "python" in (said := result.get("error", "")) and "Permission denied" in said:
        pytest.skip(f"a plain user cannot read this Python: {said}")
    assert result["exit_code"] == 0, result
    assert result["limit"] is None, result
    if language != "bash":
        said = json.loads(result["stdout"].splitlines()[-1])
        return said["tried"], said["breaches"]
    lines = result["stdout"].splitlines()
    assert lines[-1].startswith("TRIED ")
    return int(lines[-1].split()[1]), lines[:-1]


@pytest.mark.parametrize("language", PRESENT)
@pytest.mark.parametrize("backend", ["bubblewrap", "sandlock"])
def test_no_attack_gets_out(backend: str, language: str, host: Any, surroundings: Any) -> None:
    code = (HERE / "attacks" / ATTACKS[language]).read_text()
    task = host.task(language, code, backend=backend)
    stdin = stdin_of(language, far_targets(surroundings, backend, task["folder"]))
    tried, breaches = outcome(language, host.perform(task | {"stdin": stdin})[0])
    assert breaches == []
    assert surroundings.reached() == []
    assert tried >= 60


@pytest.mark.parametrize("language", PRESENT)
def test_the_same_attacks_reach_what_no_sandbox_holds(
    language: str, host: Any, surroundings: Any
) -> None:
    if host.user is not None:
        pytest.skip("without a sandbox, the interpreter would have to be readable by all")
    task = host.task(language, (HERE / "attacks" / ATTACKS[language]).read_text())
    world = str(surroundings.world)
    near = surroundings.targets(
        reads=[f"{world}/secret"], writes=[f"{world}/planted"], sections=["outside", "network"]
    )
    result = host.perform(task | {"backend": "unsafe host", "stdin": stdin_of(language, near)})[0]
    _, breaches = outcome(language, result)
    wanted = {f"read {world}/secret", f"write {world}/planted", "tcp 127.0.0.1"}
    assert wanted <= {breach.removeprefix("BREACH ") for breach in breaches}
    assert "the host's /tmp was written" in (reached := surroundings.reached())
    assert len(reached) >= 2
    Path("/tmp", surroundings.token).unlink()


def test_javascript_is_among_the_languages() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed; apt-get install nodejs")
    assert PRESENT == ("python", "javascript", "bash")
