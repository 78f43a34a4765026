"""Where tasks are, by the URL of a runner: a file for one machine, or a database for many."""

from pathlib import Path
from typing import TypeAlias

from cogwork.core.errors import ConfigurationError, redact
from cogwork.runtime.tasks.liveness import Presence
from cogwork.runtime.tasks.postgres import PostgresPresence

__all__ = ["Place", "checkpoints_beside", "place_of", "presence_at"]

Place: TypeAlias = Path | str
"""A file of SQLite, or the URL of a PostgreSQL database."""


def place_of(url: str) -> Place:
    """Return the place that a URL names.

    Raises:
        ConfigurationError: It names none.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"the URL of the tasks is {url!r}; it is text")
    if url.startswith(("postgresql://", "postgres://")):
        return url
    if not url.startswith("sqlite:///") or len(url) <= len("sqlite:///"):
        raise ConfigurationError(
            f"tasks '{redact(url)}': write sqlite:///relative.db, sqlite:////absolute.db, or "
            "postgresql://user:password@host:5432/database"
        )
    return Path(url.removeprefix("sqlite:///")).expanduser().absolute()


def checkpoints_beside(place: Place) -> str:
    """Return the URL of a checkpointer beside the tasks."""
    if isinstance(place, str):
        return place
    return f"sqlite:////{str(place.with_suffix('.checkpoints.db')).lstrip('/')}"


def presence_at(place: Place) -> Presence | PostgresPresence:
    """Leave a runner's sign of life where those of others are."""
    if isinstance(place, str):
        return PostgresPresence(place)
    return Presence(place.with_suffix(".runners"))
