"""What agents act with: LangChain tools that say what they do, and a registry of them.

`base` declares a tool's effect, timeout and retries; `calculator`, `files`, `data`, `database`,
`api`, `search`, `code` and `mcp` are tools; `registry` knows them by name, `discovery` by what they
are for. `policy`, `approval`, `taint`, `effects` and `audit` make them safe to hand out. Names are imported on first use, because LangChain takes a
second to import.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cogwork.tools.base import Effect, ToolSpec, spec_of, tool, with_spec
    from cogwork.tools.discovery import ToolRegistry
    from cogwork.tools.effects import idempotency_key
    from cogwork.tools.files import file_tools
    from cogwork.tools.policy import Policy, Rule
    from cogwork.tools.registry import load_tools, tools

__all__ = [
    "Effect",
    "Policy",
    "Rule",
    "ToolRegistry",
    "ToolSpec",
    "file_tools",
    "idempotency_key",
    "load_tools",
    "spec_of",
    "tool",
    "tools",
    "with_spec",
]

_HOMES = {
    "Effect": "base",
    "Policy": "policy",
    "Rule": "policy",
    "ToolRegistry": "discovery",
    "ToolSpec": "base",
    "file_tools": "files",
    "idempotency_key": "effects",
    "load_tools": "registry",
    "spec_of": "base",
    "tool": "base",
    "tools": "registry",
    "with_spec": "base",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"cogwork.tools.{_HOMES[name]}"), name)
