"""Writes docs/commands.md from the command line's own help; a test keeps the two equal.

python docs/commands.py
"""

from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from cogwork.runtime.cli import app


def page() -> str:
    """Return the page as it ought to be."""
    command = get_command(app)
    context = typer.Context(command, info_name="cogwork")
    text = get_docs_for_click(obj=command, ctx=context, name="cogwork", title="Commands")
    return text.rstrip() + "\n"


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")
