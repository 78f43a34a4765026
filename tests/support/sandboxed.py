"""What the tests of the sandbox find on this machine."""

import pytest

from cogwork.tools.sandbox.bubblewrap import Bubblewrap
from cogwork.tools.sandbox.interpreters import interpreter
from cogwork.tools.sandbox.probes import examine
from cogwork.tools.sandbox.result import LANGUAGES

PRESENT = tuple(language for language in LANGUAGES if interpreter(language))

_missing = examine(Bubblewrap()).missing

# A breach is no reason to skip: the tests are there to show it.
needs_bubblewrap = pytest.mark.skipif(
    _missing is not None, reason=f"bubblewrap cannot be had here: {_missing}"
)
