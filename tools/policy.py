r"""A policy: which calls of tools are allowed, which ask a person first, which are denied.

A policy is plain data, and may stand in a settings file:

    rules:
      - {tool: send_mail, args: {to: {matches: '[\w.]+@example\.com'}}, then: allow}
      - {tool: 'shell_*', then: deny, reason: no shells here}
      - {network: true, tainted: true, then: ask}

Of the rules that fit a call, one that denies wins over those that ask, and one that asks
over those that allow. What no rule fits, the default decides.
"""

import hashlib
import json
import warnings
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias

from langchain_core.tools import BaseTool
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cogwork.core.errors import ConfigurationError
from cogwork.tools.base import Effect, ToolSpec, spec_of
from cogwork.tools.conditions import Condition, as_condition, values_at

__all__ = [
    "DEFAULT_RULES",
    "Decision",
    "Policy",
    "Rule",
    "TrifectaWarning",
    "Verdict",
    "check_trifecta",
    "digest_of",
    "load_policy",
]

Decision: TypeAlias = Literal["allow", "ask", "deny"]

_STRICTEST: Final[tuple[Decision, ...]] = ("deny", "ask", "allow")


def _several(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


class Rule(BaseModel):
    """What is to be done with calls that fit all of it; what it does not say fits any.

    Attributes:
        then: What to do.
        tool: Names of tools, or patterns such as `mail_*`.
        effect: What the tools do.
        network: Whether they need the network.
        args: Conditions on the arguments, by their path: `to`, `message.to`, `*` for any key.
            Lists are looked into. A rule that allows needs every value at the path to fit,
            one that asks or denies needs one.
        tainted: Whether the run has read untrusted text.
        reason: Told to the person who is asked, and to the model that is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    then: Decision
    tool: Annotated[tuple[str, ...], BeforeValidator(_several)] = ("*",)
    effect: Annotated[tuple[Effect, ...] | None, BeforeValidator(_several)] = None
    network: bool | None = None
    args: dict[str, Annotated[Condition, BeforeValidator(as_condition)]] = {}
    tainted: bool | None = None
    reason: str = ""

    def fits(self, name: str, spec: ToolSpec, args: Any, *, tainted: bool) -> bool:
        """Return whether the rule is about this call."""
        return self.may_fit(name, spec, tainted=tainted) and all(
            condition.fits(list(values_at(args, path.split("."))), cautious=self.then != "allow")
            for path, condition in self.args.items()
        )

    def may_fit(self, name: str, spec: ToolSpec, *, tainted: bool) -> bool:
        """Return whether there are arguments with which the rule is about this tool."""
        return (
            (self.tainted is None or self.tainted == tainted)
            and (self.network is None or self.network == spec.network)
            and (self.effect is None or spec.effect in self.effect)
            and any(fnmatchcase(name, pattern) for pattern in self.tool)
        )


DEFAULT_RULES: Final = (
    Rule(
        then="ask",
        effect=("write", "external"),
        tainted=True,
        reason="it changes something, and the run has read text that is not trusted",
    ),
    Rule(then="allow"),
)
"""Everything is allowed as long as all that the model has read is trusted: it does what it was
asked. After that, what reads is still allowed, and what changes something asks first."""


class Verdict(NamedTuple):
    """What a policy says of a call, and why."""

    decision: Decision
    reason: str


def _as_rules(given: Any) -> Any:
    return ({"then": given},) if isinstance(given, str) else given


class Policy(BaseModel):
    """Which calls are allowed, ask first, or are denied.

    Attributes:
        rules: In any order; the strictest that fits decides.
        default: Rules for what none of them fits, or a bare decision. What they leave open,
            asks.
        approval_seconds: How long an approval is good for, from when it was asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...] = ()
    default: Annotated[tuple[Rule, ...], BeforeValidator(_as_rules)] = DEFAULT_RULES
    approval_seconds: Annotated[float, Field(gt=0)] = 86_400

    def decide(
        self, name: str, spec: ToolSpec, args: Mapping[str, Any], *, tainted: bool
    ) -> Verdict:
        """Return what is to be done with a call.

        Args:
            name: The tool's.
            spec: What it declares.
            args: As the model wrote them.
            tainted: Whether the run has read untrusted text.
        """
        for rules in (self.rules, self.default):
            found = [rule for rule in rules if rule.fits(name, spec, args, tainted=tainted)]
            for decision in _STRICTEST:
                fitting = [rule for rule in found if rule.then == decision]
                if fitting:
                    return Verdict(decision, "; ".join(r.reason for r in fitting if r.reason))
        return Verdict("ask", "no rule of the policy is about it")

    def may_allow(self, name: str, spec: ToolSpec, *, tainted: bool) -> bool:
        """Return whether there are arguments with which a call is allowed unasked."""
        for rules in (self.rules, self.default):
            about = [rule for rule in rules if rule.may_fit(name, spec, tainted=tainted)]
            if any(rule.then != "allow" and not rule.args for rule in about):
                return False
            if any(rule.then == "allow" for rule in about):
                return True
        return False


class TrifectaWarning(UserWarning):
    """An agent holds private data, reads untrusted text, and may act outwardly unasked."""


def check_trifecta(
    tools: Iterable[BaseTool], policy: Policy | None, *, pure: Collection[str] = ("calculator",)
) -> None:
    """Warn of an agent that could be talked into giving private data away.

    It is one that reads private data (what a tool reads without the network), reads
    untrusted text, and in a tainted run may unasked call what reaches out: a tool with an
    external effect, or one that needs the network, whose request can carry data too.

    Args:
        tools: Of the agent.
        policy: Of the agent; None allows everything.
        pure: Names of tools that know nothing but their arguments.
    """
    specs = {tool.name: spec_of(tool) for tool in tools}
    rules = policy or Policy(default="allow")
    private = [n for n, s in specs.items() if _is_private(s) and n not in pure]
    untrusted = [n for n, s in specs.items() if s.is_untrusted]
    outward = [
        name
        for name, spec in specs.items()
        if (spec.network or spec.effect == "external") and rules.may_allow(name, spec, tainted=True)
    ]
    if private and untrusted and outward:
        warnings.warn(
            f"this agent can read private data ({', '.join(private)}), reads untrusted text "
            f"({', '.join(untrusted)}), and may then unasked reach out ({', '.join(outward)}): "
            "a hostile text could have it give the data away; let the policy ask first, as by "
            "Rule(network=True, tainted=True, then='ask'), split the agent, or accept it by a "
            "filter of warnings for TrifectaWarning",
            TrifectaWarning,
            stacklevel=3,
        )


def _is_private(spec: ToolSpec) -> bool:
    return spec.effect == "read" and not spec.network


def digest_of(name: str, args: Mapping[str, Any], taint: Iterable[str]) -> str:
    """Return 32 hexadecimal digits that name a call, its arguments and the run's taint."""
    told = json.dumps([name, args, sorted(taint)], sort_keys=True, default=repr)
    return hashlib.blake2b(told.encode(errors="replace"), digest_size=16).hexdigest()


def load_policy(given: Mapping[str, Any]) -> Policy:
    """Return the policy that plain data describe.

    Raises:
        ConfigurationError: They describe none; every fault is named.
    """
    try:
        return Policy.model_validate(given)
    except ValueError as error:
        raise ConfigurationError(f"the policy cannot be read: {error}") from error
