"""What the documents say is true: their code runs, their links lead somewhere."""

import doctest
import importlib
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import fresh
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/**/*.md")]
)
CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)")
FOLDERS = ("core", "graphs", "memory", "nodes", "runtime", "tools")
WITH_DOCTESTS = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if ">>> " in path.read_text()
)
EXAMPLES = [
    pytest.param(code, id=f"{path.relative_to(ROOT)}:{number}")
    for path in DOCUMENTS
    for number, code in enumerate(CODE.findall(path.read_text()), 1)
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_runs_as_it_is_written(code, tmp_path):
    shutil.copytree(ROOT / "notebooks" / "data", tmp_path / "notebooks" / "data")
    ran = fresh.run(code=code)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


def test_the_readme_example_finds_the_answer(tmp_path):
    shutil.copytree(ROOT / "notebooks" / "data", tmp_path / "notebooks" / "data")
    (code, *_) = CODE.findall((ROOT / "README.md").read_text())
    said = subprocess.check_output([sys.executable, "-W", "error", "-c", code], text=True)
    assert "2666.612" in said.splitlines()[-1]


@pytest.mark.parametrize("path", WITH_DOCTESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_docstrings_are_true(path):
    name = "cogwork." + ".".join(path.relative_to(ROOT).with_suffix("").parts)
    tested = doctest.testmod(importlib.import_module(name))
    assert tested.attempted
    assert not tested.failed


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    for target, anchor in LINK.findall(path.read_text()):
        goal = (path.parent / target).resolve() if target else path
        assert goal.exists(), target
        if anchor:
            assert anchor in anchors(goal), f"{target}#{anchor}"


@pytest.mark.parametrize("folder", ["graphs", "memory", "nodes", "tools"])
def test_the_reference_has_every_public_name(folder):
    package = importlib.import_module(f"cogwork.{folder}")
    pages = "".join(path.read_text() for path in ROOT.glob("docs/reference/*.md"))
    modules = set(re.findall(r"^::: (\S+)", pages, re.MULTILINE))
    told = {name for module in modules for name in importlib.import_module(module).__all__}
    assert set(package.__all__) <= told


def test_the_page_of_commands_is_what_their_help_says():
    page = runpy.run_path(str(ROOT / "docs" / "commands.py"))["page"]
    assert (ROOT / "docs" / "commands.md").read_text() == page(), "run: python docs/commands.py"


def test_the_site_has_every_page():
    listed = set(re.findall(r"[\w/.-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert listed == {str(path.relative_to(ROOT / "docs")) for path in ROOT.glob("docs/**/*.md")}


@pytest.mark.parametrize("name", ["react", "plan"])
def test_the_picture_of_the_graph_is_the_graph(name):
    drawn = fresh.run("show", name, "--format", "svg").stdout
    assert (ROOT / "docs" / "images" / f"{name}.svg").read_text() == drawn


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path):
    shutil.copytree(ROOT / "notebooks" / "data", tmp_path / "data")
    notebook = nbformat.read(path, as_version=4)
    os.environ["PYTHONWARNINGS"] = "default"
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    pictures = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/svg+xml" in output.get("data", {})
    ]
    assert pictures
