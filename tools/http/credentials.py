"""Secrets for servers: from the configuration, to one origin, and out of everything said."""

import base64
import json
import re
from collections.abc import Mapping
from urllib.parse import quote

from cogwork.core.errors import ConfigurationError, ToolError, redact
from cogwork.tools.http.targets import Target, parse_target

__all__ = ["Credentials"]

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_SHORTEST = 6  # shorter values are no secrets, and would blacken ordinary words


class Credentials:
    """Headers that are sent to one origin only, and whose values are shown to nobody.

    Args:
        headers: By host, as `api.example.com`, which is exact and means https on any allowed
            port; or by origin, as `http://localhost:8080`.

    Raises:
        ConfigurationError: A key is no host or origin, or a header cannot be sent.
    """

    def __init__(self, headers: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.given = dict(headers or {})
        self._headers: dict[str, dict[str, str]] = {}
        for place, given in (headers or {}).items():
            checked = {name.lower(): value for name, value in given.items()}
            for name, value in checked.items():
                _check(place, name, value)
            self._headers[_key(place)] = checked
        values = [value for given in self._headers.values() for value in given.values()]
        self._secrets = _forms(values)

    def for_target(self, target: Target) -> dict[str, str]:
        """Return the headers for a target, by names in lower case."""
        hosts = self._headers.get(target.host, {}) if target.scheme == "https" else {}
        return {**hosts, **self._headers.get(target.origin, {})}

    def mask(self, text: str) -> str:
        """Replace what is secret, or looks like it, by `***`."""
        return redact(self.masked(text.encode("utf-8", "replace")).decode("utf-8", "replace"))

    def masked(self, content: bytes) -> bytes:
        """Replace the configured values in what a server sent back, and only them."""
        for secret in self._secrets:
            content = content.replace(secret, b"***")
        return content


def _key(place: str) -> str:
    try:
        target = parse_target(place if "://" in place else f"https://{place}")
    except ToolError as error:
        raise ConfigurationError(
            f"headers are for '{place.rpartition('@')[2]:.100}', which is no host: {error}"
        ) from error
    if target.path != "/":
        raise ConfigurationError(
            f"headers are for '{place:.100}'; write a host, or an origin without a path"
        )
    return target.origin if "://" in place or target.port != 443 else target.host


def _check(place: str, name: str, value: str) -> None:
    """Messages hold no value: it is a secret."""
    if not _TOKEN.fullmatch(name):
        raise ConfigurationError(f"the header {name!r:.60} for '{place:.100}' is no header's name")
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        raise ConfigurationError(
            f"the header '{name}' for '{place:.100}' is empty or holds characters that a header "
            "cannot; look for a line break"
        )


def _forms(values: list[str]) -> list[bytes]:
    """How a secret comes back: whole, without its scheme, decoded, and quoted."""
    found: set[str] = set()
    for value in values:
        _, _, bare = value.partition(" ")
        plain = {value, bare.strip()}
        if value.lower().startswith("basic "):
            plain |= _user_and_password(bare)
        for each in plain:
            found |= {each, quote(each, safe=""), json.dumps(each)[1:-1]}
    wanted = sorted((each for each in found if len(each) >= _SHORTEST), key=len, reverse=True)
    return [each.encode() for each in wanted]


def _user_and_password(encoded: str) -> set[str]:
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        return set()
    return {pair, pair.partition(":")[2]}
