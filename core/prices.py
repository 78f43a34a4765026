"""What a call of a model costs, from the prices that `genai-prices` maintains.

The table is part of the installed package: nothing is requested, and `pip install -U
genai-prices` brings newer prices.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["price_of"]

_log = logging.getLogger(__name__)
_LOCAL: Final = frozenset({"cogwork", "ollama", "llamacpp"})  # run on a machine of one's own
_FRESH: Final = 60.0  # seconds; some prices depend on the hour
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Prices:
    """Dollars for a token; `None` for all of them where they depend on the size of the call."""

    found_at: float
    unknown: str = ""
    flat: tuple[float, float, float, float] | None = None


_known: dict[tuple[str | None, str], _Prices] = {}
_said: set[tuple[str | None, str]] = set()
_guard = threading.Lock()


def price_of(
    model: str, usage: Mapping[str, Any], *, provider: str | None = None, say: bool = True
) -> float | None:
    """Return the dollars that a call costs; None for a model that has no known price.

    A model without a price is said once, in the log `cogwork.core.prices`.

    Args:
        model: Its name, as the provider knows it.
        usage: LangChain's `usage_metadata`: `input_tokens`, `output_tokens`, and perhaps
            `input_token_details` with what was read from and written to a cache.
        provider: Its name, as LangChain's `ls_provider`; where it is not in the table, the
            model's name decides alone.
        say: Whether to log that there is no price.

    Examples:
        >>> price_of("gpt-4o", {"input_tokens": 1000, "output_tokens": 100}, provider="openai")
        0.0035
    """
    if provider in _LOCAL:
        return 0.0
    prices = _known.get((provider, model))
    if prices is None or time.monotonic() - prices.found_at > _FRESH:
        prices = _known[provider, model] = _look_up(model, provider)
    if prices.unknown:
        if say:
            _say_once(model, provider, prices.unknown)
        return None
    flat = prices.flat
    if flat is not None and not usage.get("input_token_details"):
        tokens = usage.get("input_tokens") or 0, usage.get("output_tokens") or 0
        return round(tokens[0] * flat[0] + tokens[1] * flat[1], 12)
    given, answered, read, written = _counts(usage)
    if flat is None:
        return _calculated(model, provider, given, answered, read, written)
    of_input, of_output, of_read, of_write = flat
    fresh = given - read - written
    total = fresh * of_input + answered * of_output + read * of_read + written * of_write
    return round(total, 12)


def _counts(usage: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Tokens of input, of output, read from a cache and written to one."""
    given, answered = usage.get("input_tokens") or 0, usage.get("output_tokens") or 0
    details = usage.get("input_token_details") or {}
    read, written = details.get("cache_read") or 0, details.get("cache_creation") or 0
    if read + written > given:  # a server that counts them apart
        return given, answered, 0, 0
    return given, answered, read, written


def _look_up(model: str, provider: str | None) -> _Prices:
    now = time.monotonic()
    try:
        few, many = (
            _calculated(model, provider, count, count, 0, 0) for count in (1_000, _MILLION)
        )
        if abs(few * 1_000 - many) > 1e-9 * many:
            return _Prices(now)
        kinds = ((1, 0, 0, 0), (0, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 1))
        flat = [
            _calculated(model, provider, *(count * _MILLION for count in kind)) / _MILLION
            for kind in kinds
        ]
    except (LookupError, ValueError) as error:
        return _Prices(now, unknown=str(error))
    return _Prices(now, flat=(flat[0], flat[1], flat[2], flat[3]))


def _calculated(model: str, provider: str | None, given: int, answered: int, *cached: int) -> float:
    from genai_prices import Usage, calc_price
    from genai_prices.data_snapshot import get_snapshot

    names = ("cache_read_tokens", "cache_write_tokens")
    details = {name: count for name, count in zip(names, cached, strict=True) if count}
    usage = Usage(input_tokens=given, output_tokens=answered, **details)
    known = provider and any(provider == each.id for each in get_snapshot().providers)
    priced = calc_price(usage, model, provider_id=provider if known else None)
    return float(priced.total_price)


def _say_once(model: str, provider: str | None, reason: str) -> None:
    with _guard:
        if (provider, model) in _said:
            return
        _said.add((provider, model))
    _log.warning(
        "the price of model '%s' is not known (%s), so max_cost does not count it; "
        "limit it by max_tokens",
        model,
        reason,
    )
