"""Processes: steps, roles, deadlines, recovery, versions, and the trail."""

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.types import Command, interrupt
from processes import CONFIG, Instance
from scripted import ScriptedChatModel

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.graphs.process import create_process
from cogwork.graphs.react import create_react_agent
from cogwork.nodes.process.answering import inbox, reply
from cogwork.nodes.process.reading import parse_definition
from cogwork.tools.base import tool

HEAD = "process: test\nversion: 1\nroles: {boss: [mia, ida], chief: [leo]}\n"


def process(steps, head=HEAD):
    return f"{head}steps:\n" + "\n".join(f"  - {step}" for step in steps)


@tool(effect="read")
def double(n: float) -> float:
    """Double."""
    return n * 2


@tool(effect="read")
def echo(text: str) -> str:
    """Echo."""
    return text


class Flaky:
    """A tool that fails so often, and counts its calls."""

    def __init__(self, failures, error=None, effect="external"):
        self.calls = 0

        @tool(effect=effect)
        def flaky() -> str:
            """Fail, then work."""
            self.calls += 1
            if self.calls <= failures:
                raise error or ToolError("the line is busy")
            return "done"

        self.tool = flaky


APPROVAL = (
    '{id: ask, approval: {role: boss, question: "Go?", show: {n: 1}}, on: {reject: refused}}',
    "{end: agreed}",
    "{end: refused}",
)


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "approve", "by": "mia"},
        {"decisions": [{"type": "approve"}], "by": "mia"},
        {"decisions": [{"type": "approve", "by": "mia"}]},
    ],
)
def test_an_approval_takes_the_answers_of_existing_inboxes(answer):
    assert Instance(process(APPROVAL)).begin().answer("ask", answer).status == "agreed"


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ("approve", "does not say who gives it; add 'by', a person of role 'boss'"),
        ({"type": "approve", "by": "eve"}, "eve is not in the role 'boss'"),
        ({"type": "approve", "by": ["mia"]}, "does not say who gives it"),
        ({"type": "maybe", "by": "mia"}, "decides nothing; answer approve"),
        ({"by": "mia"}, "decides nothing"),
        ({"type": "respond", "by": "mia", "message": "hm"}, "'respond' is no answer here"),
        ({"type": "edit", "by": "mia"}, "the edit brings no values"),
        ({"type": "approve", "by": "mia", "digest": "0"}, "was for another question"),
        (7, "does not say who"),
        (None, "does not say who"),
    ],
)
def test_an_answer_that_does_not_count_is_refused_noted_and_asked_again(answer, trouble):
    instance = Instance(process(APPROVAL)).begin()
    (item,) = inbox(instance.graph.get_state(CONFIG))
    instance.state = instance.graph.invoke(Command(resume={item.id: answer}), CONFIG)
    assert trouble in instance.waits["ask"].trouble
    instance.approve("ask", "ida")
    assert instance.status == "agreed"
    (refused,) = (each for each in instance.state["trail"] if each["event"] == "refused")
    assert trouble in refused["note"]
    assert refused["result"] == answer


def test_a_tick_before_its_time_changes_nothing():
    instance = Instance(process(APPROVAL)).begin().answer("ask", "tick")
    assert instance.waits["ask"].trouble == ""
    assert instance.reject("ask", "mia").events("ask") == ["asked", "decided", "completed"]


def test_whom_the_server_signed_in_counts_whatever_the_answer_says():
    instance = Instance(process(APPROVAL)).begin()
    signed_in = {
        "configurable": {**CONFIG["configurable"], "langgraph_auth_user": {"identity": "eve"}}
    }
    command = reply(instance.graph.get_state(CONFIG), "ask", {"type": "approve", "by": "mia"})
    instance.graph.invoke(command, signed_in)
    assert instance.waits["ask"].trouble.startswith("eve is not in the role")


def test_an_answer_that_came_before_the_question_is_not_taken_for_one():
    instance = Instance(process(APPROVAL))
    instance.graph.invoke({"input": {}}, CONFIG, interrupt_before=["ask@1"])
    instance.graph.invoke(Command(resume={"type": "approve", "by": "mia"}), CONFIG)
    assert instance.waits["ask"].trouble == "the answer came before this was asked"
    assert instance.approve("ask", "mia").status == "agreed"


def test_a_role_that_nobody_has_fails_the_step_with_the_way_out():
    instance = Instance(process(APPROVAL, "process: x\nversion: 1\nroles: {boss: []}\n")).begin()
    assert instance.status == "failed"
    assert "nobody is in the role 'boss'; name persons" in instance.state["failed"]["ask"]


def test_persons_of_roles_can_be_given_besides_the_definition():
    instance = Instance(process(APPROVAL), roles={"boss": ["eve"]}).begin()
    assert instance.approve("ask", "eve").status == "agreed"


def test_a_step_whose_condition_does_not_hold_is_skipped():
    steps = [
        "{id: a, tool: double, args: {n: 2}, when: input.n > 1}",
        '{id: b, rule: [{when: "a == {}", set: {x: 1}}, {set: {x: "${a}"}}]}',
    ]
    text = process(steps, HEAD + "input: {n: number}\n")
    assert Instance(text, [double]).begin(n=2).state["results"] == {"a": 4, "b": {"x": 4}}
    skipped = Instance(text, [double]).begin(n=1)
    assert skipped.status == "completed"
    assert skipped.events("a") == ["skipped"]


def test_text_that_a_tool_returns_is_read_as_the_step_says():
    steps = [
        "{id: j, tool: echo, args: {text: '[{\"a\": 1}]'}, parse: json}",
        '{id: c, tool: echo, args: {text: "a,b\\n1,2\\n"}, parse: csv}',
        '{id: bad, tool: echo, args: {text: "no"}, parse: json, failed: late}',
        "{id: late, rule: [{set: {why: '${bad.error}'}}]}",
    ]
    results = Instance(process(steps), [echo]).begin().state["results"]
    assert results["j"] == [{"a": 1}]
    assert results["c"] == [{"a": "1", "b": "2"}]
    assert "is no JSON" in results["late"]["why"]


def test_values_that_look_like_references_reach_a_tool_as_they_are():
    steps = ['{id: a, tool: echo, args: {text: "${input.t}"}}']
    head = HEAD + "input: {t: text}\n"
    for text in ("{x.result}", "${input.t}", "{given.result['text']}", "'\"{}"):
        assert Instance(process(steps, head), [echo]).begin(t=text).state["results"] == {"a": text}


def test_a_transient_failure_is_tried_again():
    flaky = Flaky(2, ConnectionError("reset"), effect="read")
    steps = ["{id: a, tool: flaky, recovery: [{retry: 2, wait: 0.001s}]}"]
    instance = Instance(process(steps), [flaky.tool]).begin()
    assert (instance.status, flaky.calls) == ("completed", 3)
    assert instance.state["trail"][-1]["note"] == "by 'retry', at attempt 3"


def test_a_failure_falls_back_then_is_skipped_or_leads_elsewhere_or_fails_the_process():
    def run(recovery, after=""):
        broken = Flaky(9)
        steps = [
            f"{{id: a, tool: flaky, recovery: [{recovery}]{after}}}",
            "{end: fine}",
            "{end: sad}",
        ]
        if not after:
            steps.pop()
        args = {"n": 1}
        return Instance(process(steps), [broken.tool, double, ok]).begin(), args

    @tool(effect="read")
    def ok() -> str:
        """Work."""
        return "ok"

    assert run("{fallback: ok}")[0].state["results"] == {"a": "ok"}
    skipped = run("{skip: true}")[0]
    assert (skipped.status, skipped.events("a")) == ("fine", ["began", "skipped"])
    assert run("", ", failed: sad")[0].status == "sad"
    failed = run("")[0]
    assert (failed.status, failed.state["failed"]) == ("failed", {"a": "the line is busy"})


def test_escalations_go_from_role_to_role():
    flaky = Flaky(2)
    steps = ["{id: a, tool: flaky, recovery: [{escalate: boss}, {escalate: chief}]}"]
    instance = Instance(process(steps), [flaky.tool]).begin()
    assert instance.waits["a"].question == "the line is busy"
    instance.answer("a", {"action": "skip", "by": "mia"})
    assert "answer retry, fail" in instance.waits["a"].trouble
    instance.answer("a", {"action": "retry", "by": "mia"})
    assert (instance.waits["a"].role, flaky.calls) == ("chief", 2)
    instance.answer("a", {"action": "retry", "by": "leo"})
    assert (instance.status, flaky.calls) == ("completed", 3)


def test_a_call_that_is_cut_off_is_not_repeated_unasked():
    lost = Flaky(1, ConnectionError("reset"))
    steps = ["{id: a, tool: flaky, recovery: [{retry: 3}, {escalate: boss}]}"]
    instance = Instance(process(steps), [lost.tool]).begin()
    assert (instance.waits["a"].value["type"], lost.calls) == ("in_doubt", 1)
    instance.answer("a", {"action": "result", "result": "paid", "by": "mia"})
    assert (instance.state["results"], lost.calls) == ({"a": "paid"}, 1)


def test_an_agent_is_any_graph_or_the_model_itself():
    model = ScriptedChatModel(script=["from the model"])
    agents = {
        "poet": RunnableLambda(
            lambda state: {"messages": [AIMessage(state["messages"][0].text[::-1])]}
        )
    }
    steps = ["{id: a, agent: poet, task: abc}", '{id: b, agent: model, task: "${a}?"}']
    instance = Instance(process(steps), model=model, agents=agents).begin()
    assert instance.state["results"] == {"a": "cba", "b": "from the model"}
    assert model.sent[0][-1].text == "cba?"


def test_an_agent_that_asks_is_answered_once_per_question():
    @tool(effect="read")
    def ask_twice() -> str:
        """Ask."""
        return f"{interrupt('first?')} {interrupt('second?')}"

    call = AIMessage("", tool_calls=[{"name": "ask_twice", "args": {}, "id": "1"}])
    agent = create_react_agent(ScriptedChatModel(script=[call, "asked"]), [ask_twice])
    instance = Instance(
        process(["{id: a, agent: clerk, task: x}"]), agents={"clerk": agent}
    ).begin()
    assert instance.waits["a"].question == "first?"
    instance.answer("a", "one")
    assert instance.waits["a"].question == "second?"
    assert instance.answer("a", "two").state["results"] == {"a": "asked"}


def test_a_branch_that_fails_lets_the_others_end_and_fails_the_step():
    flaky = Flaky(9)
    branches = "{one: [{id: a, tool: flaky}], two: [{id: b, tool: double, args: {n: 1}}]}"
    steps = [f"{{id: p, failed: sad, parallel: {branches}}}", "{end: fine}", "{end: sad}"]
    instance = Instance(process(steps), [flaky.tool, double]).begin()
    assert (instance.status, instance.state["results"]["b"]) == ("sad", 2)
    assert instance.state["results"]["p"] == {"error": "a: the line is busy"}


def test_branches_within_branches_join_and_can_be_skipped():
    inner = "{id: q, when: input.deep, parallel: {x: [{id: a, tool: double, args: {n: 1}}], y: [{id: b, wait: {event: go}}]}}"
    steps = [
        f"{{id: p, parallel: {{one: [{inner}], two: [{{id: c, tool: double, args: {{n: 3}}}}]}}}}"
    ]
    text = process(steps, HEAD + "input: {deep: boolean}\n")
    instance = Instance(text, [double]).begin(deep=True)
    assert instance.answer("b", "go").status == "completed"
    assert sorted(instance.state["results"]) == ["a", "b", "c"]
    assert sorted(Instance(text, [double]).begin(deep=False).state["results"]) == ["c"]


CHILD = "process: child\nversion: {}\nroles: {{boss: [mia]}}\ninput: {{n: number}}\nsteps:\n"
ASKING = (
    CHILD + '  - {{id: ok, approval: {{role: boss, question: "{}?"}}, on: {{reject: bad}}}}\n'
    "  - {{id: fail_, tool: double, args: {{n: no_number}}, when: input.n > 5}}\n  - {{end: good}}\n  - {{end: bad}}\n"
)
PARENT = process(
    ['{id: sub, subprocess: child, input: {n: "${input.n}"}}', "{end: fine}"],
    HEAD + "input: {n: number}\n",
)


def test_a_subprocess_runs_another_definition_and_its_trail_is_in_the_trail():
    definitions = [parse_definition(PARENT), parse_definition(ASKING.format(1, "sure"))]
    instance = Instance(definitions, [double]).begin(n=1)
    assert instance.waits["ok"].question == "sure?"
    instance.approve("ok", "mia")
    assert instance.status == "fine"
    assert instance.state["results"]["sub"]["status"] == "good"
    assert instance.events("sub/ok") == ["asked", "decided", "completed"]

    lost = Instance(definitions, [double]).begin(n=6).approve("ok", "mia")
    assert lost.status == "failed"
    assert "invalid arguments for double" in lost.state["failed"]["sub"]


def test_processes_that_run_each_other_in_a_circle_are_refused():
    other = process(["{id: back, subprocess: test}"], HEAD.replace("test", "child"))
    loop = process(["{id: sub, subprocess: child}"])
    with pytest.raises(ConfigurationError, match=r"in a circle, (test|child) → (test|child) → "):
        create_process([parse_definition(other), parse_definition(loop)])


def test_what_steps_name_must_be_there():
    steps = ["{id: a, tool: dubble}", "{id: b, agent: poet, task: x}", "{id: c, subprocess: child}"]
    with pytest.raises(ConfigurationError) as raised:
        create_process(parse_definition(process(steps), "t.yaml"), [double])
    assert str(raised.value).splitlines() == [
        "t.yaml, line 5: no tool is called 'dubble'; did you mean 'double'? Known: double",
        "t.yaml, line 6: no agent is called 'poet'; known: model",
        "t.yaml, line 7: no process is called 'child'; known: test",
    ]


def test_several_processes_need_a_choice():
    both = [
        parse_definition(process(APPROVAL, HEAD.replace("test", name))) for name in ("one", "two")
    ]
    with pytest.raises(ConfigurationError, match="several processes, one, two; say which"):
        create_process(both)
    assert create_process(both, process="two").name == "two"
    with pytest.raises(ConfigurationError, match="no process is called 'three'"):
        create_process(both, process="three")


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "has no 'n', a number; add it"),
        ({"n": "1"}, "'n' is '1', which is no number"),
        ({"n": True}, "'n' is True, which is no number"),
        ({"n": 1, "m": 2}, "has an unknown 'm'; it takes n"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(given, fault):
    with pytest.raises(ConfigurationError, match=fault):
        Instance(PARENT.replace("subprocess: child, input", "tool: double, args"), [double]).begin(
            **given
        )


async def test_an_input_that_is_refused_leaves_no_instance():
    graph = Instance(PARENT.replace("subprocess: child, input", "tool: double, args"), [double])
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="has no 'n'"):
            graph.begin()
        with pytest.raises(ConfigurationError, match="has no 'n'"):
            await graph.graph.ainvoke({"input": {}}, CONFIG)
    assert graph.graph.get_state(CONFIG).values == {}
    assert graph.begin(n=2).state["status"] == "fine"
