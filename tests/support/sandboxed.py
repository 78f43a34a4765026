"""What the tests of the sandbox find on this machine."""

import pytest

from cogwork.tools.sandbox.bubblewrap import Bubblewrap
from cogwork.tools.sandbox.interpreters import interpreter
from cogwork.tools.sandbox.probes import examine
from cogwork.tools.sandbox.result import LANGUAGES

PRESENT = tuple(language for language in LANGUAGES if interpreter(language))

_missing = examine(Bubblewrap()).missing or ""
_cannot_be_had = "no bwrap" in _missing or "could not make a sandbox: bwrap:" in _missing

# A breach, or a fault of ours, is no reason to skip: the tests are there to show it.
needs_bubblewrap = pytest.mark.skipif(
    _cannot_be_had, reason=f"bubblewrap cannot be had here: {_missing}"
)
