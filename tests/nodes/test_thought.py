import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.types import Command
from scripted import ScriptedChatModel, calls

from cogwork.core.errors import ConfigurationError, ModelError
from cogwork.graphs.react import create_react_agent
from cogwork.memory import create_checkpointer
from cogwork.memory.strict_serializer import StrictSerializer
from cogwork.nodes.thought import make_think


@tool
def look(place: str) -> str:
    """Look at a place."""
    return place


def asked(*more, **keys):
    return {"messages": [HumanMessage("where?"), *more], **keys}


def step():
    return [calls(("look", {"place": "here"})), ToolMessage("sand", tool_call_id="call-0-0-look")]


def test_a_call_is_passed_on_and_an_answer_says_so():
    think = make_think(ScriptedChatModel(script=[calls(("look", {"place": "x"})), "here"]), [look])
    called = think.invoke(asked())
    assert called["messages"][0].tool_calls[0]["name"] == "look"
    assert "stop_reason" not in called
    assert think.invoke(asked())["stop_reason"] == "answered"


@pytest.mark.parametrize("prompt", ["Be brief.", SystemMessage("Be brief.")])
def test_the_prompt_comes_first(prompt):
    model = ScriptedChatModel(script=["here"])
    make_think(model, prompt=prompt).invoke(asked())
    assert [m.text for m in model.sent[0]] == ["Be brief.", "where?"]


def test_a_prompt_function_sees_the_state_and_decides_what_is_sent():
    model = ScriptedChatModel(script=["here"])
    think = make_think(
        model, prompt=lambda state: [SystemMessage(state["mood"]), *state["messages"]]
    )
    think.invoke(asked(mood="cheerful"))
    assert [m.text for m in model.sent[0]] == ["cheerful", "where?"]


def test_a_prompt_function_may_return_a_system_prompt():
    model = ScriptedChatModel(script=["here"])
    make_think(model, prompt=lambda state: f"{len(state['messages'])} so far").invoke(asked())
    assert [m.text for m in model.sent[0]] == ["1 so far", "where?"]


@pytest.mark.parametrize(
    ("reason", "said"), [("step_limit", "step limit"), ("no_progress", "same result")]
)
def test_a_stopped_turn_is_concluded_without_tools(reason, said):
    model = ScriptedChatModel(script=["it is sand"])
    update = make_think(model, [look]).invoke(asked(*step(), stop_reason=reason))
    assert model.bound == [[]]
    assert said in model.sent[0][-1].text
    assert update["stop_reason"] == reason
    assert update["messages"][0].text == "it is sand"


def test_what_stopped_an_earlier_turn_does_not_stop_a_new_one():
    model = ScriptedChatModel(script=["here"])
    state = asked(*step(), AIMessage("sand"), HumanMessage("and now?"), stop_reason="step_limit")
    assert make_think(model, [look]).invoke(state)["stop_reason"] == "answered"
    assert model.bound == [["look"]]


@pytest.mark.parametrize("words", ["sand, I think", ""])
def test_a_model_that_calls_on_in_its_conclusion_is_not_obeyed(words):
    model = ScriptedChatModel(script=[calls(("look", {"place": "x"}), say=words)])
    (answer,) = make_think(model, [look]).invoke(asked(*step(), stop_reason="step_limit"))[
        "messages"
    ]
    assert not answer.tool_calls
    assert answer.text.startswith(words)
    assert "There is no answer" in answer.text


def test_an_empty_message_is_asked_about_once():
    model = ScriptedChatModel(script=["", "here"])
    assert make_think(model).invoke(asked())["messages"][0].text == "here"
    assert "empty" in model.sent[1][-1].text


def test_a_call_where_there_are_no_tools_is_no_answer():
    guess = calls(("look", {"place": "x"}))
    model = ScriptedChatModel(script=[guess, "here"])
    done = create_react_agent(model).invoke({"messages": "where?"})
    assert (done["messages"][-1].text, done["stop_reason"]) == ("here", "answered")
    assert "there are no tools" in model.sent[1][-1].text
    with pytest.raises(ModelError, match="empty message, twice"):
        create_react_agent(ScriptedChatModel(script=[guess] * 2)).invoke({"messages": "where?"})


def test_a_call_beside_words_is_left_out_where_there_are_no_tools():
    said = calls(("look", {"place": "x"}), say="on the beach")
    done = create_react_agent(ScriptedChatModel(script=[said])).invoke({"messages": "where?"})
    assert (done["messages"][-1].text, done["messages"][-1].tool_calls) == ("on the beach", [])


def test_a_model_that_was_bound_before_calls_for_whoever_bound_it():
    model = ScriptedChatModel(script=[calls(("look", {"place": "x"}))]).bind_tools([look])
    assert make_think(model).invoke(asked())["messages"][0].tool_calls


def test_two_empty_messages_are_an_error_that_says_so():
    with pytest.raises(ModelError, match="empty message, twice"):
        make_think(ScriptedChatModel(script=["", " "])).invoke(asked())


def test_a_failing_model_is_explained():
    model = ScriptedChatModel(script=[ConnectionError("refused")])
    with pytest.raises(ModelError) as caught:
        make_think(model).invoke(asked())
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_something_that_is_no_chat_model_is_named():
    with pytest.raises(ModelError, match="answered with str"):
        make_think(RunnableLambda(lambda messages: "hi")).invoke(asked())


def test_a_model_that_cannot_call_tools_is_refused_when_the_node_is_made():
    with pytest.raises(ConfigurationError, match="RunnableLambda cannot call tools"):
        make_think(RunnableLambda(lambda messages: AIMessage("hi")), [look])


def test_a_route_turns_the_update_into_a_command():
    think = make_think(ScriptedChatModel(script=["here"]), route=lambda answer: answer.text)
    command = think.invoke(asked())
    assert isinstance(command, Command)
    assert command.goto == "here"


async def test_the_history_is_bounded_and_the_question_kept():
    model = ScriptedChatModel(script=["here"])
    old = [HumanMessage("old " * 400), AIMessage("older " * 400)]
    state = {"messages": [*old, HumanMessage("where?")]}
    await make_think(model, max_history_tokens=50).ainvoke(state)
    assert [m.text for m in model.sent[0]] == ["where?"]


def nested(levels):
    value = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("worst", [nested(300), [10**5000]], ids=["deep", "long"])
def test_arguments_that_no_checkpointer_holds_make_the_call_invalid(worst):
    said = calls(("look", {"place": "x"}), ("look", {"place": worst}))
    said.content = [{"type": "text", "text": "so"}, {"type": "tool_use", "input": worst}]
    update = make_think(ScriptedChatModel(script=[said]), [look]).invoke(asked())
    (answer,) = update["messages"]
    assert (answer.tool_calls, answer.text) == (said.tool_calls[:1], "so")
    (invalid,) = answer.invalid_tool_calls
    assert invalid["error"].startswith("the arguments cannot be kept: place: ")
    assert invalid["id"] == said.tool_calls[1]["id"]
    StrictSerializer().dumps_typed(update)  # raises when it cannot be saved


async def test_a_durable_agent_survives_such_arguments_and_can_correct_them():
    script = [
        calls(("look", {"place": nested(300)})),
        calls(("look", {"place": "x"}), turn=1),
        "ok",
    ]
    graph = create_react_agent(
        ScriptedChatModel(script=script), [look], checkpointer=create_checkpointer("memory://")
    )
    done = await graph.ainvoke({"messages": "go"}, {"configurable": {"thread_id": "1"}})
    refused, seen = [each for each in done["messages"] if each.type == "tool"]
    assert (refused.status, seen.text, done["messages"][-1].text) == ("error", "x", "ok")
    assert "place: is nested more than 100 levels deep; send less" in refused.text
