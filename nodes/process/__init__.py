"""Business processes: their definitions, what their steps do, and the trail that they leave."""

from cogwork.nodes.process.answering import Item, due, inbox, reply
from cogwork.nodes.process.definition import Definition
from cogwork.nodes.process.reading import parse_definition, read_definition, read_definitions
from cogwork.nodes.process.trail import Entry, trail_to_csv, trail_to_json

__all__ = [
    "Definition",
    "Entry",
    "Item",
    "due",
    "inbox",
    "parse_definition",
    "read_definition",
    "read_definitions",
    "reply",
    "trail_to_csv",
    "trail_to_json",
]
