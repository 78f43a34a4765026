import asyncio

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import interrupt
from scripted import ScriptedChatModel, calls

from cogwork.core.errors import AgentError, ConfigurationError, ModelError
from cogwork.graphs import create_plan_execute_agent, create_react_agent
from cogwork.runtime.assistant import Assistant
from cogwork.tools import load_tools, tool


async def test_it_chats_solves_and_keeps_users_apart():
    async with Assistant("offline", store=InMemoryStore()) as assistant:
        await assistant.chat("I live in Turin.", user="ada")
        assert "Turin" in (await assistant.chat("Where do I live?", user="ada", thread="2")).text
        assert "Turin" not in (await assistant.chat("Where do I live?", user="bob")).text
        assert (await assistant.solve("What is 6 * 7?", user="ada")).text


async def test_one_user_cannot_name_anothers_thread():
    saver = InMemorySaver()
    async with Assistant("offline", store=InMemoryStore(), checkpointer=saver) as assistant:
        await assistant.chat("I like tea.", user="ada", thread="1")
        reply = await assistant.chat("What do I like?", user="eve", thread="1")
    assert len(reply.state["messages"]) == 2


async def test_any_architecture_answers():
    plan = create_plan_execute_agent("offline", load_tools(["calculator"]))
    async with Assistant("offline", agent=plan, store=InMemoryStore()) as assistant:
        reply = await assistant.solve("Compute 6 * 7, and compute 10 / 4", user="ada")
        assert reply.text == "6 * 7 is 42. 10 / 4 is 2.5."
        assert assistant.capabilities().architecture == "plan"


async def test_bad_ratings_teach_what_is_recalled_next_time():
    store = InMemoryStore()
    async with Assistant("offline", store=store) as assistant:
        await assistant.chat("Write the report on sales.", user="ada")
        learned = await assistant.learn_from_feedback(1, "Too long, use a table.", user="ada")
        assert learned.episode.outcome == "failure"
        assert any("use a table" in one.text for one in learned.knowledge)
        reply = await assistant.chat("Write the report on sales.", user="ada", thread="2")
        assert any("use a table" in one.text for one in reply.state["recalled"])


async def test_good_ratings_are_remembered_without_an_analysis():
    model = ScriptedChatModel(script=["42."])
    async with Assistant(model, store=InMemoryStore()) as assistant:
        await assistant.chat("What is 6 * 7?", user="ada")
        learned = await assistant.learn_from_feedback(5, user="ada")
    assert learned.episode.outcome == "success"
    assert len(model.sent) == 1


@pytest.mark.parametrize("rating", [0, 6, 2.5, True, "5"])
async def test_a_rating_is_1_to_5(rating):
    async with Assistant("offline", store=InMemoryStore()) as assistant:
        with pytest.raises(ConfigurationError, match="rate from 1 to 5"):
            await assistant.learn_from_feedback(rating, user="ada")


async def test_feedback_needs_an_answer():
    async with Assistant("offline", store=InMemoryStore()) as assistant:
        with pytest.raises(AgentError, match="nothing was answered in thread 'main' of 'ada'"):
            await assistant.learn_from_feedback(5, user="ada")


async def test_conditions_and_replies_are_told():
    changes, replies = [], []
    assistant = Assistant(
        "offline",
        store=InMemoryStore(),
        on_change=lambda before, after: changes.append((before, after)),
        on_reply=replies.append,
    )
    with pytest.raises(AgentError, match="the assistant is idle; open it"):
        await assistant.chat("hi", user="ada")
    async with assistant:
        reply = await assistant.chat("What is 6 * 7?", user="ada")
    with pytest.raises(AgentError, match="the assistant is terminated"):
        await assistant.chat("hi", user="ada")
    assert replies == [reply]
    assert changes == [
        ("idle", "initializing"),
        ("initializing", "idle"),
        ("idle", "processing"),
        ("processing", "idle"),
        ("idle", "terminated"),
    ]


async def test_a_failure_is_told_and_the_next_question_is_answered():
    changes = []
    model = ScriptedChatModel(script=[ValueError("down"), "fine"])
    assistant = Assistant(
        model, store=InMemoryStore(), on_change=lambda *change: changes.append(change[1])
    )
    async with assistant:
        with pytest.raises(ModelError, match="down"):
            await assistant.chat("hi", user="ada")
        assert changes[-3:] == ["processing", "error", "idle"]
        assert (await assistant.chat("hi", user="ada")).text == "fine"


async def test_what_takes_too_long_is_ended():
    @tool(effect="read", timeout=None)
    async def hang() -> str:
        """Hang."""
        await asyncio.Event().wait()
        return ""

    model = ScriptedChatModel(script=[calls(("hang", {})), "done"])
    agent = create_react_agent(model, [hang])
    async with Assistant("offline", agent=agent, store=InMemoryStore(), timeout=0.1) as assistant:
        with pytest.raises(AgentError, match=r"no answer within 0\.1 s"):
            await assistant.chat("hang", user="ada")
        assert assistant.condition == "idle"


async def test_questions_come_with_the_reply_and_are_answered():
    @tool(effect="read")
    def ask(question: str) -> str:
        """Ask the user a question."""
        return str(interrupt(question))

    model = ScriptedChatModel(script=[calls(("ask", {"question": "Which city?"})), "Turin it is."])
    async with Assistant(model, [ask], store=InMemoryStore()) as assistant:
        reply = await assistant.chat("Book a hotel", user="ada")
        assert (reply.text, reply.questions) == ("", ("Which city?",))
        assert (await assistant.answer("Turin", user="ada")).text == "Turin it is."
        with pytest.raises(AgentError, match="asks nothing"):
            await assistant.answer("Turin", user="ada")


async def test_turns_of_a_thread_come_one_after_the_other():
    async with Assistant("offline", store=InMemoryStore()) as assistant:
        asked = [assistant.chat(f"What is {n} * 7?", user="ada") for n in range(5)]
        replies = await asyncio.gather(*asked)
        state = max(replies, key=lambda reply: len(reply.state["messages"])).state
    said = [m.text for m in state["messages"] if m.type == "human"]
    assert len(said) == 5


async def test_capabilities_name_tools_and_effects():
    tools = load_tools(["calculator", "files"])
    async with Assistant("offline", tools, store=InMemoryStore()) as assistant:
        able = assistant.capabilities()
    assert able.effects["calculator"] == "read"
    assert able.effects["write_file"] == "write"
    assert "expression" in able.tools["calculator"].lower()
    assert not able.remembers


def graph_of(reply):
    builder = StateGraph(MessagesState)
    builder.add_node("reply", reply)
    builder.add_edge(START, "reply")
    return builder.compile()


async def test_functions_are_among_its_capabilities():
    def double(number: int) -> int:
        """Double a number."""
        return 2 * number

    assistant = Assistant("offline", [double], store=InMemoryStore())
    assert assistant.capabilities().tools == {"double": "Double a number."}


async def test_a_timeout_inside_the_graph_is_not_taken_for_its_own():
    async def reply(state):
        raise TimeoutError("the database is away")

    async with Assistant("offline", agent=graph_of(reply), store=InMemoryStore()) as assistant:
        with pytest.raises(TimeoutError, match="the database is away"):
            await assistant.chat("Hello", user="ada")


async def test_feedback_is_not_taken_for_a_question_that_was_not_answered():
    async def reply(state):
        if len(state["messages"]) > 2:
            raise ValueError("no")
        return {"messages": [AIMessage("Paris")]}

    async with Assistant("offline", agent=graph_of(reply), store=InMemoryStore()) as assistant:
        await assistant.chat("The capital of France?", user="ada")
        with pytest.raises(ValueError, match="no"):
            await assistant.chat("The capital of Italy?", user="ada")
        with pytest.raises(AgentError, match="nothing was answered"):
            await assistant.learn_from_feedback(5, user="ada")


async def test_a_turn_that_outlives_the_assistant_leaves_it_terminated():
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def reply(state):
        begun.set()
        await go_on.wait()
        return {"messages": [AIMessage("late")]}

    async with Assistant("offline", agent=graph_of(reply), store=InMemoryStore()) as assistant:
        turn = asyncio.create_task(assistant.chat("Hello", user="ada"))
        await begun.wait()
    go_on.set()
    assert (await turn).text == "late"
    assert assistant.condition == "terminated"


async def test_a_listener_that_raises_does_not_leave_it_busy():
    def listen(before, after):
        if after == "processing":
            raise ValueError("listener")

    async with Assistant("offline", store=InMemoryStore(), on_change=listen) as assistant:
        with pytest.raises(ValueError, match="listener"):
            await assistant.chat("Hello", user="ada")
        assert assistant.condition == "idle"


def test_one_assistant_is_used_on_one_loop_after_another():
    async def reply(state):
        await asyncio.sleep(0)
        return {"messages": [AIMessage("Hi")]}

    assistant = Assistant("offline", agent=graph_of(reply), store=InMemoryStore())

    async def twice():
        async with assistant:
            replies = await asyncio.gather(*(assistant.chat("Hello", user="ada") for _ in "ab"))
        return [each.text for each in replies]

    assert asyncio.run(twice()) == ["Hi", "Hi"]
    assert asyncio.run(twice()) == ["Hi", "Hi"]
