"""Where code that nobody has read can run: sandboxes, tried before they are trusted."""

from cogwork.tools.sandbox.choose import choose
from cogwork.tools.sandbox.limits import Limits
from cogwork.tools.sandbox.probes import Finding, probe_sandbox
from cogwork.tools.sandbox.result import CodeResult, Program, SandboxError

__all__ = [
    "CodeResult",
    "Finding",
    "Limits",
    "Program",
    "SandboxError",
    "choose",
    "probe_sandbox",
]
