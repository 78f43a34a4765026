"""Tools of the invoice example: files, a sum, and payments in a file that stands for a bank."""

import csv
import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from cogwork import tool
from cogwork.tools import idempotency_key
from cogwork.tools.files import make_read_file


def invoice_tools(folder: Path) -> list[BaseTool]:
    """Return the tools, over a copy of the folder `data`."""
    ledger = folder / "payments.csv"

    @tool(effect="read", network=False)
    def add_up(lines: list[dict[str, Any]]) -> float:
        """Add up the lines of an invoice."""
        return round(sum(line["quantity"] * line["price"] for line in lines), 2)

    def find_payment(args: Mapping[str, Any], key: str) -> str | None:  # noqa: ARG001 - the signature of a probe
        """What became of a payment that was cut off."""
        with ledger.open(newline="") as file:
            found = [row for row in csv.DictReader(file) if row["key"] == key]
        return f"paid {found[0]['amount']} to {found[0]['supplier']}" if found else None

    @tool(effect="external", network=False, probe=find_payment)
    def pay_invoice(invoice: str, supplier: str, amount: float) -> str:
        """Pay an invoice."""
        with ledger.open("a", newline="") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            csv.writer(file).writerow([idempotency_key(), invoice, supplier, amount])
        return f"paid {amount} to {supplier}"

    return [make_read_file(folder), add_up, pay_invoice]
