"""Hosts of sandboxes as root and as a plain user, and what programs in them try to reach."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PLAIN_USER = 54_321
CANARY = "c4nary-" + secrets.token_hex(12)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As whom the host runs: as root and as a plain user, where there is root to give up."""
    if "user" in metafunc.fixturenames:
        metafunc.parametrize("user", ["root", "plain"], scope="module")


@pytest.fixture
def host(user: str) -> Iterator["Host"]:
    """A host that runs as `user`."""
    if user == "root" and os.geteuid() != 0:
        pytest.skip("needs root, to be run by root")
    base = Path(tempfile.mkdtemp(prefix="cogwork-sandbox-test-"))
    base.chmod(0o755)
    yield Host(base, PLAIN_USER if user == "plain" and os.geteuid() == 0 else None)
    shutil.rmtree(base)


@dataclass(frozen=True)
class Host:
    """Starts processes that run sandboxes."""

    base: Path
    user: int | None

    def folder(self) -> str:
        """A new work folder."""
        made = self.base / f"work-{secrets.token_hex(4)}"
        made.mkdir(mode=0o700)
        if self.user is not None:
            os.chown(made, self.user, self.user)
        return str(made)

    def task(self, language: str, code: str, **more: Any) -> dict[str, Any]:
        """What to run, in a work folder of its own."""
        return {
            "backend": "bubblewrap",
            "language": language,
            "code": code,
            "folder": self.folder(),
        } | more

    def start(
        self, *tasks: dict[str, Any], refused: list[int] | None = None
    ) -> "subprocess.Popen[str]":
        """Start a host that performs the tasks, with a secret in its variables and arguments."""
        process = subprocess.Popen(
            [sys.executable, str(HERE / "sandbox_driver.py"), CANARY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PLANTED_KEY": CANARY, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps({"user": self.user, "tasks": tasks, "refused": refused}))
        process.stdin.close()
        process.stdin = None
        return process

    def perform(
        self, *tasks: dict[str, Any], refused: list[int] | None = None
    ) -> list[dict[str, Any]]:
        """Perform the tasks and return what came of them."""
        with self.start(*tasks, refused=refused) as process:
            said = process.communicate(timeout=120)[0]
        assert process.returncode == 0
        assert CANARY not in said
        return json.loads(said)


class Surroundings:
    """Things of the host that programs try to reach, and what arrived at them."""

    def __init__(self, host: Host) -> None:
        self.world = host.base / "world"
        self.world.mkdir()
        self.world.chmod(0o777)
        (self.world / "secret").write_text(CANARY)
        (self.world / "folder").mkdir()
        (self.world / "folder" / "secret").write_text(CANARY)
        self.neighbour = Path(host.folder())
        (self.neighbour / "secret").write_text(CANARY)
        self.token = f"cogwork-{secrets.token_hex(8)}"
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0{self.token}")
        self.file = socket.socket(socket.AF_UNIX)
        self.file.bind(str(self.world / "socket"))
        (self.world / "socket").chmod(0o777)
        self.listening = [self.tcp, self.abstract, self.file]
        for listener in self.listening:
            listener.listen()
            listener.setblocking(False)
        self.udp.setblocking(False)

    def targets(self, **more: Any) -> dict[str, Any]:
        """What an attack is told."""
        return {
            "canary": CANARY,
            "token": self.token,
            "world": str(self.world),
            "socket": str(self.world / "socket"),
            "abstract": self.token,
            "address": "127.0.1.1",
            "port": self.tcp.getsockname()[1],
            "udp": self.udp.getsockname()[1],
            "pid": os.getpid(),
            "proc": True,
            "kernel": [],
            "calls": {},
            "families": {},
            "clone": -1,
        } | more

    def reached(self) -> list[str]:
        """What arrived here from a program."""
        found = [
            f"{each.name} appeared"
            for each in self.world.iterdir()
            if each.name not in {"secret", "folder", "socket"}
        ]
        found += [
            f"{each.name} appeared" for each in self.neighbour.iterdir() if each.name != "secret"
        ]
        if (Path(tempfile.gettempdir()) / self.token).exists():
            found.append("the host's /tmp was written")
        for listener in self.listening:
            try:
                listener.accept()[0].close()
                found.append(f"connection to {listener.getsockname()}")
            except BlockingIOError:
                pass
        try:
            self.udp.recv(16)
            found.append("datagram")
        except BlockingIOError:
            pass
        return found

    def close(self) -> None:
        for each in (*self.listening, self.udp):
            each.close()


@pytest.fixture
def surroundings(host: Host) -> Iterator[Surroundings]:
    """Secrets, folders and sockets that anyone on this machine could reach."""
    made = Surroundings(host)
    yield made
    made.close()
