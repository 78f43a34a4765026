"""Tools of the onboarding example: each writes a line into a file that stands for other systems."""

import fcntl
import json
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from cogwork import tool
from cogwork.core.errors import ToolError


def onboarding_tools(folder: Path) -> list[BaseTool]:
    """Return the tools; a file `<tool>.down` in the folder makes one fail."""

    def done(name: str, **told: Any) -> dict[str, Any]:
        if (folder / f"{name}.down").exists():
            raise ToolError(f"{name} is out of order")
        with (folder / "systems.jsonl").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps({"did": name, **told}) + "\n")
        return told

    @tool(effect="external", network=False)
    def create_account(person: str, system: str) -> dict[str, Any]:
        """Create an account of a person in a system."""
        return done("create_account", person=person, system=system)

    @tool(effect="external", network=False)
    def order_laptop(person: str) -> dict[str, Any]:
        """Order a laptop."""
        return done("order_laptop", person=person)

    @tool(effect="write", network=False)
    def take_from_stock(person: str) -> dict[str, Any]:
        """Reserve a used laptop."""
        return done("take_from_stock", person=person)

    @tool(effect="external", network=False)
    def send_contract(person: str, start: str) -> dict[str, Any]:
        """Send the contract."""
        return done("send_contract", person=person, start=start)

    @tool(effect="external", network=False)
    def close_accounts(person: str) -> dict[str, Any]:
        """Close all accounts of a person."""
        return done("close_accounts", person=person)

    return [create_account, order_laptop, take_from_stock, send_contract, close_accounts]
