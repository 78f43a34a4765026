"""The house stands: links lead home, modules import alone, and `import cogwork` is light."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "cogwork"
FLOORS = {"core", "graphs", "memory", "nodes", "runtime", "tools"}
HEAVY = {
    "anyio",
    "chromadb",
    "httpx",
    "langchain",
    "langchain_core",
    "langchain_openai",
    "langgraph",
    "numpy",
    "openai",
    "pydantic",
    "pydantic_settings",
    "rich",
    "torch",
    "typer",
    "yaml",
}

# Third-party packages are imported first and once. A module that is imported alone imports the
# packages that it is in before it; so each is imported in a fork of an interpreter that has
# imported just those. What came with them need not be imported again.
IMPORT_ALONE = """
import gc, importlib, os, sys, traceback, warnings
for name in ("langgraph.graph", "langchain_openai", "pydantic_settings", "typer", "rich", "numpy"):
    importlib.import_module(name)
gc.disable()
gc.freeze()  # so that forks share what they do not change
warnings.simplefilter("error")

def import_alone(name):
    try:
        importlib.import_module(name)
    except BaseException:
        print(f"--- {name}", traceback.format_exc(), sep="\\n", file=sys.stderr, flush=True)
    else:
        import_those_in(name)

def import_those_in(package):
    for name in sys.argv[1:]:
        if name.rpartition(".")[0] != package:
            continue
        if name in sys.modules:
            import_those_in(name)
            continue
        child = os.fork()
        if not child:
            import_alone(name)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            print(f"--- {name} ended with {status}", file=sys.stderr, flush=True)

import_alone("cogwork")
"""


def interpreter(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=120
    )


def modules() -> list[str]:
    """Every module but `__main__`, whose import is a run of the command line."""
    files = [file for floor in FLOORS for file in (ROOT / floor).rglob("*.py")]
    names = {".".join(("cogwork", *file.relative_to(ROOT).with_suffix("").parts)) for file in files}
    return sorted({name.removesuffix(".__init__") for name in names})


@pytest.mark.parametrize("floor", sorted(FLOORS))
def test_link_leads_to_the_folder_at_the_root(floor):
    link = PACKAGE / floor

    assert link.is_symlink()
    assert link.readlink() == Path("..", "..", floor)
    assert link.resolve() == ROOT / floor
    assert (link / "__init__.py").is_file()


def test_every_link_is_a_floor_and_goes_into_the_wheel():
    links = {entry.name for entry in PACKAGE.iterdir() if entry.is_symlink()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert links == FLOORS
    assert set(wheel["only-include"]) >= FLOORS
    assert wheel["sources"] == {
        "src/cogwork": "cogwork",
        **{floor: f"cogwork/{floor}" for floor in FLOORS},
    }


@pytest.mark.slow
def test_every_module_imports_alone_with_warnings_as_errors():
    found = interpreter("-c", IMPORT_ALONE, *modules())

    assert found.stderr == ""
    assert found.returncode == 0


def test_importing_cogwork_imports_nothing_heavy():
    script = "import json, sys, cogwork; print(json.dumps(sorted(sys.modules)))"

    loaded = interpreter("-W", "error", "-c", script)

    assert loaded.stderr == ""
    roots = {name.split(".")[0] for name in json.loads(loaded.stdout)}
    assert roots & HEAVY == set()


def test_a_store_that_is_used_loads_neither_chroma_nor_a_model(tmp_path):
    script = (
        "import json, sys\n"
        "from cogwork.memory import ChromaStore\n"
        f"with ChromaStore({str(tmp_path / 'store')!r}) as store:\n"
        "    store.put(('a',), 'k', {'text': 'tea'})\n"
        "    assert store.search(('a',), query='a drink')[0].key == 'k'\n"
        "print(json.dumps(sorted(sys.modules)))"
    )

    used = interpreter("-c", script)

    assert used.stderr == ""
    roots = {name.split(".")[0] for name in json.loads(used.stdout)}
    assert roots.isdisjoint({"chromadb", "torch", "transformers", "sentence_transformers"})


def test_every_public_name_is_there_and_listed():
    script = (
        "import cogwork\n"
        "assert set(cogwork.__all__) <= set(dir(cogwork)), 'dir() hides some'\n"
        "for name in cogwork.__all__: getattr(cogwork, name)\n"
        "try: cogwork.absent\n"
        "except AttributeError as error: print(error)\n"
    )

    found = interpreter("-c", script)

    assert (found.stderr, found.returncode) == ("", 0)
    assert "absent" in found.stdout
