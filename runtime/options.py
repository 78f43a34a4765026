"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Config", "Json", "Model"]

Config = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file of settings.", show_default="cogwork.yaml"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[
    str | None, typer.Option(help="Such as openai:gpt-5.5, ollama:qwen3, or offline.")
]
