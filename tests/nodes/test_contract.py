"""Each node reads and writes what the first lines of its docstring say, and nothing else."""

import re

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel
from scripted import ScriptedChatModel, calls

from cogwork.graphs.react import create_react_agent
from cogwork.nodes.action import make_act
from cogwork.nodes.agent import make_agent
from cogwork.nodes.aggregation import Answer, vote
from cogwork.nodes.analysis import analyze_query, make_analyze_query
from cogwork.nodes.answer import make_answer
from cogwork.nodes.contracts import Award, Bid, Contract, Contractor, Ledger
from cogwork.nodes.debate import make_compare, make_conclude, make_pose, make_propose
from cogwork.nodes.decision import make_decide
from cogwork.nodes.evaluation import make_evaluate
from cogwork.nodes.layers import Directive, Goal, Orders, Setback, report_of
from cogwork.nodes.lessons import lesson_memories, make_learn, make_remind
from cogwork.nodes.memorize import make_memorize
from cogwork.nodes.negotiation import make_announce, make_award, make_bid
from cogwork.nodes.observation import make_observe
from cogwork.nodes.operations import make_prepare, make_report
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.planning import make_plan, make_review
from cogwork.nodes.queueing import make_enqueue
from cogwork.nodes.ranking import expected_utility
from cogwork.nodes.recall import make_recall
from cogwork.nodes.reflection import make_reflect
from cogwork.nodes.requirements import make_analyze
from cogwork.nodes.research.contradictions import make_compare_evidence
from cogwork.nodes.research.evidence import Evidence, Outline, SubQuestion, make_weigh
from cogwork.nodes.research.outline import make_deepen, make_outline
from cogwork.nodes.research.reasoning import Reasoning, make_reason
from cogwork.nodes.research.searching import make_search_source
from cogwork.nodes.research.sources import function_source
from cogwork.nodes.research.writing import make_write_report
from cogwork.nodes.response import make_respond
from cogwork.nodes.roles import ROLES, Assignment, Requirement
from cogwork.nodes.settlement import make_settle
from cogwork.nodes.strategy import make_clarify, make_direct, make_reconsider
from cogwork.nodes.supervision import make_move, make_receive
from cogwork.nodes.synthesis import make_synthesize
from cogwork.nodes.tactics import make_break_down, make_order, make_review_report
from cogwork.nodes.teamwork import make_assign, make_integrate
from cogwork.nodes.thought import make_think
from cogwork.nodes.trial import Trial, make_attempt
from cogwork.tools.base import tool
from cogwork.tools.search import Hit


class Recorder(dict):
    """A state that remembers which of its keys were read."""

    def __init__(self, values):
        super().__init__(values)
        self.read = set()

    def __getitem__(self, key):
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.read.add(key)
        return super().get(key, default)


class Sum(BaseModel):
    total: int


@tool(effect="read")
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


CALL = calls(("add", {"a": 1, "b": 2}))
RESULT = ToolMessage("3", tool_call_id="call-0-0-add")
ASKED = {"messages": [HumanMessage("1 + 2?")], "stop_reason": None, "other": 1}
ACTED = {**ASKED, "messages": [*ASKED["messages"], CALL, RESULT], "stop_reason": "step_limit"}


def model(*script):
    return ScriptedChatModel(script=list(script))


PLAN = Plan(goal="1 + 2?", steps=[Step(id="add", tool="add", args={"a": 1, "b": 2})])
PLANNED = {**ASKED, "plan": PLAN, "results": {}}
DONE = {**PLANNED, "results": {"add": StepResult(id="add", status="completed", result=3)}}
NEEDS = [Requirement(id="add", description="1 + 2?", capability="analyst")]
WHO = {"add": Assignment(requirement="add", members=("analyst",), scores=(1.0,))}
CREW = [Contractor(name="analyst", capabilities=("add",))]
WORK = Contract(id="add", description="1 + 2?", capability="add")
BID = Bid(contract="add", contractor="analyst", matched=("add",))
AWARD = Award(contract="add", contractor="analyst", score=18)
NET = {
    **PLANNED,
    "needs": [WORK],
    "met": {"add": {"analyst": ("add",)}},
    "awards": [],
    "bids": [BID],
    "ledger": Ledger.of(CREW),
    "assignments": {},
}
WORKED = {
    **NET,
    "awards": [AWARD],
    "ledger": Ledger.of(CREW).reserve("analyst", WORK),
    "outcomes": {"add~analyst": StepResult(id="add~analyst", status="completed", result=3)},
}

TRIED = {**ASKED, "trials": [Trial(number=1, answer="4")]}
FAILED = {**ASKED, "trials": [Trial(number=1, answer="4", score=0.1, feedback="wrong")]}
REFLECTED = '{"reflections": ["it is 3"], "improvements": ["add"]}'
LESSONS = lesson_memories(InMemoryStore(), ("ada",))
GOAL = Goal(intent="1 + 2?", outcomes=("sum",))
DIRECTIVE = Directive(goal=GOAL, strategy="divide", budget={"operational": 9})
ORDERS = Orders(plan=PLAN, assignments=WHO, budget={"add": 9})
BROKEN = {"add": StepResult(id="add", status="failed", error="no")}
LAYERED = {
    **ASKED,
    "goal": GOAL,
    "directive": DIRECTIVE,
    "decision": {"choice": "divide", "scores": {}, "tied": []},
    "needs": NEEDS,
    "orders": ORDERS,
    "report": report_of(ORDERS, BROKEN, {}),
    "setback": None,
}
STUCK = {**LAYERED, "setback": Setback(layer="tactical", reason="no")}

SAYS = RunnableLambda(lambda _: {"messages": [AIMessage("3")]})
ADA = make_agent("ada", SAYS, ["ada"])
SENT = {"agent": "ada", "round": 1, "messages": ASKED["messages"], "own": "4", "others": {"b": "3"}}
SAID = [Answer("ada", "3", 1.0, {"round": 0}), Answer("bob", "4", 1.0, {"round": 0})]
GAVE = {**ASKED, "answers": SAID, "round": 0, "aggregate": vote(SAID)}
MOVED = {**ASKED, "messages": [*ASKED["messages"], calls(("transfer_to_ada", {}))]}


QUESTION = SubQuestion(id="q1", text="1 + 2?", query="1 + 2?")
LOOKED_UP = {
    **ASKED,
    "analysis": analyze_query("1 + 2?"),
    "outline": Outline(question="1 + 2?", subquestions=(QUESTION,), sources=("shelf",)),
    "searches": [],
    "evidence": (
        Evidence(
            id="e1",
            quote="1 + 2 is 3.",
            passage="1 + 2 is 3.",
            title="Sums",
            source="shelf",
            document="a.md",
            locator="a.md:1",
            relevance=0.5,
        ),
    ),
    "contradictions": (),
    "reasoning": Reasoning(),
}
TO_SEARCH = {"subquestion": QUESTION, "question": "1 + 2?", "source": "shelf", "k": 3}


async def shelf(query, k):
    return [Hit("Sums", "a.md#L1", "The sum of 1 and 2 is 3.", 0.9, "shelf")]


SHELF = {"shelf": function_source(shelf)}


async def planned(request, config):
    return PLAN


NODES = {
    "think, a call": (make_think(model(CALL), [add]), ASKED),
    "think, an answer": (make_think(model("3"), [add]), ASKED),
    "think, the conclusion": (make_think(model("3"), [add]), ACTED),
    "act": (make_act([add]), CALL.tool_calls[0]),
    "observe": (make_observe(), ACTED),
    "observe, the limit": (make_observe(max_steps=1), ACTED),
    "answer": (make_answer(create_react_agent("offline")), {**ASKED, "recalled": []}),
    "recall": (make_recall(user="ada", store=InMemoryStore()), ASKED),
    "recall, promoting": (make_recall(user="ada", store=InMemoryStore(), promote=True), ASKED),
    "memorize": (make_memorize(user="ada", store=InMemoryStore()), ASKED),
    "decide": (make_decide(expected_utility), {**ASKED, "options": {"a": {"value": 1}}}),
    "plan": (make_plan(planned, [add]), ASKED),
    "review": (make_review(1), DONE),
    "synthesize": (make_synthesize(model("3")), DONE),
    "analyze": (make_analyze(model("none", "none"), ROLES), ASKED),
    "analyze, given": (make_analyze(model(), ROLES), {**ASKED, "requirements": NEEDS}),
    "analyze a query": (make_analyze_query(), ASKED),
    "assign": (make_assign(ROLES), {**ASKED, "needs": NEEDS}),
    "integrate": (make_integrate(model("3")), {**DONE, "assignments": WHO, "gaps": []}),
    "announce": (make_announce(CREW), {**ASKED, "needs": [WORK]}),
    "bid": (make_bid(CREW), NET),
    "award": (make_award(), NET),
    "settle": (make_settle(), WORKED),
    "enqueue": (make_enqueue(model("none", "none"), ROLES), ASKED),
    "enqueue, given": (make_enqueue(model(), ROLES), {**ASKED, "requirements": NEEDS}),
    "attempt": (make_attempt(model("3"), to_input=lambda state: state["messages"]), TRIED),
    "evaluate": (make_evaluate(lambda *_: 0.1), TRIED),
    "evaluate, at last": (make_evaluate(lambda *_: 0.9), TRIED),
    "reflect": (make_reflect(model(REFLECTED)), FAILED),
    "remind": (make_remind(LESSONS), ASKED),
    "learn": (make_learn(LESSONS), FAILED),
    "clarify": (make_clarify(model("none", "none")), ASKED),
    "direct": (make_direct(100), LAYERED),
    "reconsider": (make_reconsider([]), STUCK),
    "break down": (make_break_down(model("none", "none"), ROLES), LAYERED),
    "order": (make_order(ROLES), LAYERED),
    "review a report": (make_review_report([]), LAYERED),
    "prepare": (make_prepare([add]), LAYERED),
    "report": (make_report(), {**LAYERED, "results": BROKEN}),
    "pose": (make_pose(), ASKED),
    "propose": (make_propose({"ada": SAYS}), SENT),
    "compare": (make_compare(vote, 1), GAVE),
    "conclude": (make_conclude(), GAVE),
    "receive": (make_receive(["ada"]), ASKED),
    "agent": (ADA, ASKED),
    "move": (make_move(["transfer_to_ada"]), MOVED),
    "move, on": (make_move([]), ACTED),
    "outline": (make_outline(["shelf"]), LOOKED_UP),
    "search": (make_search_source(SHELF), TO_SEARCH),
    "weigh": (make_weigh(), LOOKED_UP),
    "compare evidence": (make_compare_evidence(), LOOKED_UP),
    "deepen": (make_deepen(), LOOKED_UP),
    "reason": (make_reason(), LOOKED_UP),
    "reason, a model": (make_reason(model=model('{"claims": []}')), LOOKED_UP),
    "write": (make_write_report(SHELF), LOOKED_UP),
    "respond": (make_respond(model('{"total": 3}'), Sum), ACTED),
}


def declared(node, kind):
    (line,) = re.findall(rf"^ *{kind}: (.*)$", node.__doc__, re.MULTILINE)
    return set(line.split(", "))


@pytest.mark.parametrize("case", NODES)
def test_a_node_keeps_to_what_it_declares(case):
    node, state = NODES[case]
    recorder = Recorder(state)
    written = node.invoke(recorder)
    assert set(written) <= declared(node, "Writes")
    if case != "act":
        assert recorder.read <= declared(node, "Reads")
        assert recorder.read
