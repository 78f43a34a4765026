import warnings

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError
from cogwork.tools.base import ToolSpec, tool, with_spec
from cogwork.tools.guard import Guard
from cogwork.tools.policy import (
    Policy,
    Rule,
    TrifectaWarning,
    check_trifecta,
    digest_of,
    load_policy,
)

READ = ToolSpec(effect="read", network=False)
FETCH = ToolSpec(effect="read")
WRITE = ToolSpec(effect="write", network=False)
SEND = ToolSpec(effect="external")


def decide(policy, name="t", spec=SEND, args=None, tainted=False):
    return policy.decide(name, spec, args or {}, tainted=tainted).decision


@pytest.mark.parametrize(
    ("spec", "clean", "tainted"),
    [
        (READ, "allow", "allow"),
        (FETCH, "allow", "allow"),
        (WRITE, "allow", "ask"),
        (SEND, "allow", "ask"),
        (ToolSpec(), "allow", "ask"),
    ],
)
def test_by_default_only_what_changes_something_in_a_tainted_run_asks(spec, clean, tainted):
    assert decide(Policy(), spec=spec) == clean
    assert decide(Policy(), spec=spec, tainted=True) == tainted


DECISIONS = st.sampled_from(["allow", "ask", "deny"])


@given(st.lists(DECISIONS, min_size=1), DECISIONS)
def test_the_strictest_rule_that_fits_decides_whatever_the_order(decisions, default):
    policy = Policy(rules=[Rule(then=each) for each in decisions], default=default)
    strictest = next(each for each in ("deny", "ask", "allow") if each in decisions)
    assert decide(policy) == strictest


def test_the_default_decides_what_no_rule_fits_and_what_it_leaves_open_asks():
    rules = [Rule(tool="other", then="deny")]
    assert decide(Policy(rules=rules, default="deny")) == "deny"
    assert decide(Policy(rules=rules, default=[Rule(effect="read", then="allow")])) == "ask"


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"tool": "mail_send"}, True),
        ({"tool": "mail_*"}, True),
        ({"tool": ["x", "*_send"]}, True),
        ({"tool": "mail"}, False),
        ({"tool": "MAIL_*"}, False),
        ({"effect": "external"}, True),
        ({"effect": ["read", "write"]}, False),
        ({"network": True}, True),
        ({"network": False}, False),
        ({"tainted": True}, True),
        ({"tainted": False}, False),
        ({"tool": "mail_*", "effect": "write"}, False),
    ],
)
def test_a_rule_fits_by_name_effect_network_and_taint(rule, fits):
    policy = Policy(rules=[{**rule, "then": "deny"}], default="allow")
    assert decide(policy, "mail_send", tainted=True) == ("deny" if fits else "allow")


COLLEAGUES = {"matches": r".*@corp\.com"}
ARGUMENTS = [
    # condition, arguments, whether a rule that allows fits, whether one that denies does
    ({"to": COLLEAGUES}, {"to": "ada@corp.com"}, True, True),
    ({"to": COLLEAGUES}, {"to": "eve@evil.com"}, False, False),
    ({"to": COLLEAGUES}, {"to": ["ada@corp.com", "eve@evil.com"]}, False, True),
    ({"to": COLLEAGUES}, {"to": []}, False, False),
    ({"to": COLLEAGUES}, {}, False, False),
    ({"to": COLLEAGUES}, {"to": {"0": "eve@evil.com"}}, False, False),
    ({"to": COLLEAGUES}, {"to": "ada@corp.com.evil.com"}, False, False),
    ({"to": COLLEAGUES}, {"to": "eve@evil.com\nada@corp.com"}, False, True),
    ({"to": {"not": COLLEAGUES}}, {"to": ["ada@corp.com", "eve@evil.com"]}, False, True),
    ({"to": {"not": COLLEAGUES}}, {"to": "eve@evil.com\nada@corp.com"}, False, True),
    ({"to": {"not": COLLEAGUES}}, {}, False, True),
    ({"n": {"at_most": 100}}, {"n": 100}, True, True),
    ({"n": {"at_most": 100}}, {"n": 101}, False, False),
    ({"n": {"at_least": 100}}, {"n": "5000"}, True, True),
    ({"n": {"at_least": 100}}, {"n": "much"}, False, True),
    ({"n": {"at_most": 100}}, {"n": "nan"}, False, True),
    ({"n": {"at_least": 1, "at_most": 2}}, {"n": 3}, False, False),
    ({"n": 5}, {"n": "5"}, True, True),
    ({"n": 5}, {"n": 5.0}, True, True),
    ({"n": [1, 2]}, {"n": 2}, True, True),
    ({"n": [1, 2]}, {"n": 3}, False, False),
    ({"flag": True}, {"flag": "true"}, True, True),
    ({"copy": {"present": False}}, {}, True, True),
    ({"copy": {"present": False}}, {"copy": "eve"}, False, False),
    ({"copy": {"present": True}}, {"copy": None}, True, True),
    ({"mail.to": COLLEAGUES}, {"mail": {"to": "ada@corp.com"}}, True, True),
    ({"mail.to": COLLEAGUES}, {"mail": [{"to": "ada@corp.com"}, {"to": "e@x.y"}]}, False, True),
    ({"mail.to": COLLEAGUES}, {"mail": "ada@corp.com"}, False, False),
    ({"*": {"matches": ".*secret.*"}}, {"a": {"b": ["my secret"]}, "c": 1}, False, True),
    ({"*.to": ["ada"]}, {"x": {"to": "ada"}, "y": {"to": "eve"}}, False, True),
    ({"to": {"matches": ".*"}}, {"to": "x" * 200_000}, False, True),
    ({"to": COLLEAGUES, "n": {"at_most": 1}}, {"to": "ada@corp.com", "n": 2}, False, False),
]


@pytest.mark.parametrize(("condition", "args", "allows", "denies"), ARGUMENTS)
def test_what_cannot_be_told_is_not_allowed_and_is_denied(condition, args, allows, denies):
    allowing = Policy(rules=[{"args": condition, "then": "allow"}], default="ask")
    denying = Policy(rules=[{"args": condition, "then": "deny"}], default="ask")
    assert decide(allowing, args=args) == ("allow" if allows else "ask")
    assert decide(denying, args=args) == ("deny" if denies else "ask")


def test_it_may_stand_in_a_settings_file():
    text = r"""
    rules:
      - {tool: send_mail, args: {to: {matches: '.*@corp\.com'}}, then: allow}
      - {tool: 'shell_*', then: deny, reason: no shells here}
      - {effect: [write, external], args: {path: {not: {matches: 'out/.*'}}}, then: ask}
    default: allow
    approval_seconds: 60
    """
    policy = load_policy(yaml.safe_load(text))
    assert policy.decide("shell_run", SEND, {}, tainted=False) == ("deny", "no shells here")
    assert decide(policy, "write_file", WRITE, {"path": "src/x"}) == "ask"
    assert decide(policy, "write_file", WRITE, {"path": "out/x"}) == "allow"
    assert load_policy(policy.model_dump(by_alias=True)) == policy


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rules": [{"then": "perhaps"}]}, "then"),
        ({"rules": [{"tool": "x"}]}, "then"),
        ({"rules": [{"then": "deny", "colour": 1}]}, "colour"),
        ({"rules": [{"then": "deny", "effect": "explode"}]}, "effect"),
        ({"rules": [{"then": "deny", "args": {"to": {"matches": "("}}}]}, "matches"),
        ({"rules": [{"then": "deny", "args": {"to": {"like": "x"}}}]}, "like"),
        ({"approval_seconds": 0}, "approval_seconds"),
    ],
)
def test_a_policy_that_is_none_is_refused_with_its_fault(given, said):
    with pytest.raises(ConfigurationError, match=said):
        load_policy(given)


@given(st.dictionaries(st.text(), st.integers() | st.text()), st.lists(st.text()))
def test_a_digest_names_the_tool_the_arguments_and_the_taint(args, taint):
    digest = digest_of("t", args, taint)
    assert digest == digest_of("t", dict(reversed(args.items())), reversed(taint))
    assert digest != digest_of("u", args, taint)
    assert digest != digest_of("t", {**args, "more": 1.5}, taint)
    assert digest != digest_of("t", args, [*taint, "more than text"])


def made(name, **spec):
    @tool(name, **spec)
    def act() -> str:
        """Act."""
        return ""

    return act


FILES = made("files", effect="read", network=False)
WEB = made("web", effect="read")
PAGE = made("page", effect="read", network=False, untrusted=True)
MAIL = made("mail", effect="external", untrusted=False)
SUM = made("calculator", effect="read", network=False)
DEFAULT, ASKING = Policy(), Policy(rules=[Rule(network=True, tainted=True, then="ask")])
MAILING = Policy(rules=[Rule(tool="mail", then="allow", args={"to": "ada"})])


@pytest.mark.parametrize(
    ("tools", "policy", "warned"),
    [
        ([FILES, WEB], DEFAULT, "web"),
        ([FILES, PAGE, MAIL], DEFAULT, None),
        ([FILES, PAGE, MAIL], MAILING, "mail"),
        ([FILES, PAGE, MAIL], None, "mail"),
        ([FILES, WEB, MAIL], ASKING, None),
        ([SUM, WEB, MAIL], DEFAULT, None),
        ([FILES, MAIL], MAILING, None),
        ([WEB, MAIL], MAILING, None),
        ([FILES, PAGE, MAIL], Policy(default="allow"), "mail"),
        ([FILES, PAGE, MAIL], Policy(default="deny"), None),
    ],
)
def test_an_agent_that_could_give_private_data_away_is_warned_of(tools, policy, warned):
    if warned is None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_trifecta(tools, policy)
    else:
        with pytest.warns(TrifectaWarning, match=rf"reach out \({warned}\)"):
            check_trifecta(tools, policy)


def test_what_the_network_or_a_stranger_says_is_untrusted_unless_declared():
    assert [ToolSpec().is_untrusted, FETCH.is_untrusted, SEND.is_untrusted] == [True] * 3
    assert [READ.is_untrusted, WRITE.is_untrusted] == [False] * 2
    assert ToolSpec(effect="external", network=False).is_untrusted
    assert not ToolSpec(untrusted=False).is_untrusted
    declared = with_spec(FILES, untrusted=True)
    assert with_spec(declared, timeout=5).metadata["cogwork"]["untrusted"] is True
    with pytest.raises(ConfigurationError, match="untrusted 'yes'"):
        ToolSpec(untrusted="yes")


def nested(depth):
    found = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize("odd", [nested(5_000), 10**5_000], ids=["nested", "number"])
async def test_arguments_that_cannot_be_judged_are_refused(odd):
    policy = Policy(rules=[Rule(args={"to": {"matches": "a.*"}}, then="allow")])
    call = {"name": "send", "args": {"to": odd}, "id": "1", "type": "tool_call"}
    refused = await Guard(policy, {"send": SEND}).admit(call, [], {})
    assert refused.status == "error"
    assert "too deeply nested or too long to judge" in refused.text
