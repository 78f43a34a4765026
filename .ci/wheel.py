"""Build the wheel, install it in a clean environment and import every module from there."""

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("core", "graphs", "memory", "nodes", "runtime", "tools")
IMPORT_ALL = """
import cogwork, importlib, pathlib, pkgutil, sys
assert pathlib.Path(cogwork.__file__).is_relative_to(sys.prefix), cogwork.__file__
left_out = {"cogwork.__main__", "cogwork.memory.saver.postgres"}  # a run; needs an extra
names = [m.name for m in pkgutil.walk_packages(cogwork.__path__, "cogwork.")]
names = [name for name in names if name not in left_out]
for name in names:
    importlib.import_module(name)
print(f"imported {len(names)} modules from the wheel")
"""


def run(*command: object, **kwargs: object) -> None:
    """Run a command, or end with its exit code."""
    if code := subprocess.run([str(part) for part in command], check=False, **kwargs).returncode:  # type: ignore[call-overload]
        sys.exit(code)


def check_contents(wheel: Path) -> None:
    """The wheel holds every file of the folders once, and no link."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("cogwork/")}
        links = [
            i.filename for i in archive.infolist() if (i.external_attr >> 16) & 0o170000 == 0o120000
        ]
    expected = {
        f"cogwork/{path.relative_to(ROOT)}"
        for layer in LAYERS
        for path in (ROOT / layer).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {f"cogwork/{name}" for name in ("__init__.py", "__main__.py", "py.typed")}
    if links or inside != expected:
        sys.exit(f"the wheel differs from the folders: links {links}, {sorted(inside ^ expected)}")


def main() -> None:
    """Do it all in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--outdir", folder, ROOT, stdout=subprocess.DEVNULL)
        (wheel,) = folder.glob("*.whl")
        check_contents(wheel)
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        run(
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "-c",
            ROOT / "constraints.txt",
            wheel,
        )
        run(python, "-I", "-W", "error", "-c", IMPORT_ALL, cwd=folder)
        run(folder / "env" / "bin" / "cogwork", "--help", cwd=folder, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
