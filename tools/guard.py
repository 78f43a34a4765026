"""What stands before a call: the policy, and where it says so, a person."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig

from cogwork.core.bridge import in_thread
from cogwork.core.registry import nearest
from cogwork.tools.approval import ask_person
from cogwork.tools.audit import AuditLog
from cogwork.tools.base import ToolSpec
from cogwork.tools.policy import Policy, Verdict
from cogwork.tools.taint import SOURCE, TRUSTED

__all__ = ["EDITED", "Guard"]

EDITED = (
    "[A person changed this call before it was made: {name} was called with {args}. That was "
    "intended; do not repeat the original call.]\n"
)


class Guard:
    """Admits calls of an agent's tools as a policy says.

    Args:
        policy: What is allowed.
        specs: What the tools declare, by name.
        audit: Where decisions are noted, but that a call is allowed unasked.
    """

    def __init__(
        self, policy: Policy, specs: Mapping[str, ToolSpec], audit: AuditLog | None = None
    ) -> None:
        self._policy = policy
        self._audit = audit
        self._specs = specs
        self.trusted: Container[str] = _Trusted(specs)

    async def admit(
        self,
        call: Mapping[str, Any],
        taint: Iterable[str],
        config: RunnableConfig,
        *,
        place: str | None = None,
    ) -> Mapping[str, Any] | ToolMessage:
        """Return the call to make: this one, or what a person made of it; or its answer.

        Args:
            call: The model's call of a tool that is known.
            taint: The untrusted sources that the run has read.
            config: Of the node.
            place: Names the call within its node; its id unless given.

        Raises:
            GraphInterrupt: A person is asked, and has not answered yet.
        """
        name, args, taint = str(call["name"]), call["args"], list(taint)
        spec = self._specs.get(name, ToolSpec())
        decision, reason = self._decided(name, spec, args, tainted=bool(taint))
        if decision == "allow":
            return call
        if decision == "deny":
            await self._note(call, config, {"decision": "deny", "reason": reason, "taint": taint})
            return _answer(call, f"Error: the policy does not allow this call{_because(reason)}")
        decided = await ask_person(
            {"name": name, "args": args},
            config,
            place=place or str(call["id"]),
            reason=reason,
            taint=taint,
            seconds=self._policy.approval_seconds,
            check=lambda action: self._trouble(action, bool(taint)),
        )
        await self._note(call, config, {"by": "person", **_told(decided), "taint": taint})
        said = str(decided.get("message") or "")
        if decided["type"] == "respond":
            return _answer(call, said, status="success")
        if decided["type"] == "reject":
            why = _because(said) if said else "; do not make it again unless the user asks for it"
            return _answer(call, f"Error: a person rejected this call{why}")
        if decided["type"] == "edit":
            action = decided["edited_action"]
            return {**call, "name": action["name"], "args": dict(action["args"])}
        return call

    def _decided(self, name: str, spec: ToolSpec, args: Any, *, tainted: bool) -> Verdict:
        try:
            return self._policy.decide(name, spec, args, tainted=tainted)
        except (RecursionError, ValueError):  # nested beyond reason, or a number of 5,000 digits
            return Verdict("deny", "its arguments are too deeply nested or too long to judge")

    async def _note(
        self, call: Mapping[str, Any], config: RunnableConfig, decided: Mapping[str, Any]
    ) -> None:
        if self._audit is not None:
            thread = (config.get("configurable") or {}).get("thread_id")
            about = {"tool": call["name"], "args": call["args"], "call": call["id"]}
            record = {"event": "decided", **about, "thread": thread, **decided}
            await in_thread(None, self._audit.append, record)

    def _trouble(self, action: Mapping[str, Any], tainted: bool) -> str:
        """Why an edited action cannot be made."""
        name, args = action.get("name"), action.get("args")
        if not isinstance(name, str) or not isinstance(args, Mapping):
            return "an edit brings edited_action with a name and args"
        if name not in self._specs:
            return f"no tool is called '{name}'; {nearest(name, list(self._specs))}"
        decision, reason = self._decided(name, self._specs[name], args, tainted=tainted)
        return f"the policy does not allow the edited call{_because(reason)}" * (decision == "deny")


class _Trusted:
    """The names of tools whose results are trusted."""

    def __init__(self, specs: Mapping[str, ToolSpec]) -> None:
        self._specs = specs

    def __contains__(self, name: object) -> bool:
        return name in self._specs and not self._specs[str(name)].is_untrusted


def _told(decided: Mapping[str, Any]) -> dict[str, Any]:
    told = {"decision": decided["type"], "message": decided.get("message")}
    return told | ({"edited": decided["edited_action"]} if decided["type"] == "edit" else {})


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _answer(call: Mapping[str, Any], text: str, status: Any = "error") -> ToolMessage:
    return ToolMessage(
        text,
        name=call["name"],
        tool_call_id=call["id"],
        status=status,
        response_metadata={SOURCE: TRUSTED},
    )
