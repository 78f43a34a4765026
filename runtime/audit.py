"""`cogwork audit`: whether the log of what agents did is whole."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cogwork.core.errors import ToolError
from cogwork.runtime.options import Config, Json
from cogwork.runtime.wording import counted

__all__ = ["app"]

app = typer.Typer(name="audit", help="Check the log of what agents did.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Check the log of what agents did."""


@app.command("verify")
def verify_command(
    log: Annotated[
        Path | None,
        typer.Argument(help="The log.", show_default="the one of the settings"),
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(help="A hash kept from an earlier check; repeatable.", show_default=False),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Check that no record was changed, removed, moved or cut off; exit with 1 if one was.

    The setting `audit_key`, or COGWORK_AUDIT_KEY, is the key that the log is written with.
    """
    from cogwork.core.settings import load_settings
    from cogwork.tools.audit import verify_audit_log

    settings = load_settings(config)
    path, key = log or settings.audit_log, settings.audit_key
    if not path.exists():
        raise ToolError(
            f"there is no audit log '{path}'; runs write it where the setting audit_log says, and "
            "an argument names another"
        )
    secret = key.get_secret_value() if key else None
    report = verify_audit_log(path, key=secret, known=known or ())
    if as_json:
        told = {"entries": report.entries, "last": report.last, "faults": report.faults}
        typer.echo(json.dumps(told))
    else:
        for fault in report.faults:
            typer.echo(f"✗ {fault}")
        typer.echo(f"{counted(report.entries, 'record')} in {path}; the last is {report.last}")
        typer.echo("the log is NOT whole" if report.faults else "the log is whole")
    if report.faults:
        raise typer.Exit(1)
