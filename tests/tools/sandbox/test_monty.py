"""The small Python: what it runs, what it refuses, and that its limits hold."""

from pathlib import Path

import pytest

from cogwork.tools.sandbox.limits import Limits
from cogwork.tools.sandbox.monty import Monty
from cogwork.tools.sandbox.result import CodeResult, ProducedFile, Program

ESCAPES = [
    "open('/etc/passwd').read()",
    "open('/sandbox/../etc/passwd').read()",
    "open('../../../../etc/passwd').read()",
    "open('/proc/self/environ').read()",
    "open('/planted', 'w').write('x')",
    "open('/sandbox/../planted', 'w').write('x')",
    "open('link').read()",
    "open('link', 'w').write('x')",
    "from pathlib import Path\nPath('/etc/passwd').read_text()",
    "from pathlib import Path\nlist(Path('/etc').iterdir())",
    "from pathlib import Path\nPath('/sandbox').rename('/moved')",
    "import os\nos.environ['PATH']",
    "import os\nos.getenv('PATH')",
    "import os\nos.system('true')",
    "import os\nos.kill(1, 9)",
    "import os\nos.fork()",
    "import socket",
    "import subprocess",
    "import ctypes",
    "import importlib",
    "import urllib.request",
    "import http.client",
    "__import__('socket')",
    "eval(\"__import__('socket')\")",
    "exec('import socket')",
    "().__class__.__base__.__subclasses__()",
    "(lambda: 0).__globals__",
    "(lambda: 0).__code__",
    "print.__self__",
    "[].__reduce_ex__(2)",
    "''.__class__.__mro__[1].__subclasses__()",
]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "work" / "link").symlink_to(tmp_path / "secret")
    return tmp_path / "work"


def run(code: str, folder: Path, stdin: str = "", **limits: float) -> CodeResult:
    return Monty().run(Program("python", code, folder, stdin), Limits(**limits))


def test_it_computes_reads_its_input_and_keeps_files(work: Path) -> None:
    first = run("name = input()\nopen('a', 'w').write(name)\nprint(len(name))", work, "Ada\n")
    assert (first.stdout, first.exit_code) == ("3\n", 0)
    assert first.files == (ProducedFile("a", 3),)
    assert run("print(open('a').read())", work).stdout == "Ada\n"


def test_an_error_is_shown_with_its_line(work: Path) -> None:
    result = run("a = 1\na / 0", work)
    assert result.exit_code == 1
    assert "line 2" in result.stderr
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert "parameter" in run("def f(:", work).stderr
    assert "EOF when reading a line" in run("input()", work).stderr


@pytest.mark.parametrize("code", ESCAPES)
def test_no_escape_succeeds(code: str, work: Path) -> None:
    assert run(code, work).exit_code == 1
    assert (work.parent / "secret").read_text() == "secret"


@pytest.mark.parametrize(
    ("code", "limits", "limit"),
    [
        ("while True: pass", {"seconds": 1}, "seconds"),
        ("while True: pass", {"cpu_seconds": 1}, "cpu_seconds"),
        ("import time\ntime.sleep(60)", {"seconds": 1}, "seconds"),
        ("x = [0] * 10**9", {}, "memory_bytes"),
        ("x = 'a'\nwhile True: x += x", {}, "memory_bytes"),
        ("while True: print('x' * 1000)", {}, "output_bytes"),
        ("open('a', 'w').write('x' * 10**6)", {"disk_bytes": 10**5}, "disk_bytes"),
    ],
)
def test_the_limit_that_was_reached_is_named(
    code: str, limits: dict[str, float], limit: str, work: Path
) -> None:
    result = run(code, work, **limits)
    assert (result.limit, result.exit_code) == (limit, 1)
    assert len(result.stdout) <= 1024 * 1024
