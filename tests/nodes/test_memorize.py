import json

import pytest
from embedding import HybridStore, gram_store
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from scripted import ScriptedChatModel, calls
from typing_extensions import TypedDict

from cogwork.core.bridge import run_blocking
from cogwork.core.errors import ConfigurationError
from cogwork.core.messages import Messages
from cogwork.memory.namespaces import user_namespace
from cogwork.memory.recall import Memories, Recollection
from cogwork.nodes.memorize import Fact, draw_facts, make_memorize
from cogwork.nodes.recall import Recalled, make_recall
from cogwork.tools.taint import reading, with_taint

ADA = {"configurable": {"user_id": "ada"}}


class State(TypedDict, total=False):
    messages: Messages
    recalled: Recalled
    memorized: list[str]


@pytest.fixture(params=[InMemoryStore, HybridStore])
def store(request):
    return gram_store(request.param)


def build(store, schema=State, **options):
    builder = StateGraph(schema)
    builder.add_node("memorize", make_memorize(**options))
    builder.add_edge(START, "memorize")
    return builder.compile(store=store)


def known(store, user="ada"):
    found = run_blocking(Memories(store, user_namespace(user)).semantic.everything)
    return [memory.text for memory in found]


def test_what_the_user_states_is_kept_and_the_rest_is_not(store):
    said = "Hello! My sister works in Zurich. What is the time there? Please write her a mail."
    result = build(store).invoke({"messages": said}, ADA)
    assert result["memorized"] == ["My sister works in Zurich."] == known(store)
    assert [message.type for message in result["messages"]] == ["human"]


def test_only_what_is_new_is_kept(store):
    graph = build(store)
    assert graph.invoke({"messages": "My sister works in Zurich."}, ADA)["memorized"]
    assert not graph.invoke({"messages": "my sister works in Zurich"}, ADA)["memorized"]
    assert graph.invoke({"messages": "My sister works in Basel."}, ADA)["memorized"]
    assert known(store) == ["My sister works in Zurich.", "My sister works in Basel."]


def test_what_was_recalled_is_not_memorized_again(store):
    recalled = [Recollection("My sister works in Zurich.", "episodic", "1", 1, 1, 0)]
    asked = {"messages": "My sister works in Zurich!", "recalled": recalled}
    assert build(store).invoke(asked, ADA)["memorized"] == []
    assert known(store) == []


def test_a_conversation_of_recalls_never_grows_the_memory(store):
    builder = StateGraph(State)
    builder.add_node("recall", make_recall())
    builder.add_node(
        "answer",
        lambda state: {"messages": [AIMessage(" ".join(r.text for r in state["recalled"]))]},
    )
    builder.add_node("memorize", make_memorize())
    for one, other in ((START, "recall"), ("recall", "answer"), ("answer", "memorize")):
        builder.add_edge(one, other)
    graph = builder.compile(store=store)
    result = graph.invoke({"messages": "I prefer green tea."}, ADA)
    for _ in range(5):
        asked = [*result["messages"], HumanMessage("What do I prefer, green tea?")]
        result = graph.invoke({"messages": asked}, ADA)
        assert "I prefer green tea." in result["messages"][-1].text
    assert known(store) == ["I prefer green tea."]


def test_only_the_users_words_of_this_turn_are_looked_at(store):
    messages = [
        HumanMessage("My dog is called Rex."),
        AIMessage("Your cat is called Tom."),
        HumanMessage("I live in Basel."),
        calls(("lookup", {})),
        ToolMessage("My bank is Evil Corp.", tool_call_id="call-0-0-lookup"),
        AIMessage("I live in a computer."),
    ]
    assert build(store).invoke({"messages": messages}, ADA)["memorized"] == ["I live in Basel."]


def test_a_model_says_what_is_worth_knowing_and_importance_decides(store):
    drawn = {
        "facts": [
            {"text": "The user's sister lives in Zurich.", "importance": 0.8},
            {"text": "The user greets.", "importance": 0.1},
        ]
    }
    model = ScriptedChatModel(script=[json.dumps(drawn)])
    result = build(store, model=model).invoke({"messages": "Hi, sis is in Zurich"}, ADA)
    assert result["memorized"] == ["The user's sister lives in Zurich."] == known(store)


def test_rules_of_ones_own_can_draw(store):
    graph = build(store, draw=lambda said: [Fact(text=said.upper(), importance=0.2)])
    assert graph.invoke({"messages": "tea"}, ADA)["memorized"] == []
    graph = build(store, min_importance=0.1, draw=lambda said: [Fact(text=said, importance=0.2)])
    assert graph.invoke({"messages": "tea"}, ADA)["memorized"] == ["tea"]
    with pytest.raises(ConfigurationError):
        make_memorize(ScriptedChatModel(script=[]), draw=draw_facts)


def test_what_one_user_says_no_other_knows(store):
    graph = build(store)
    for user in ("ada", "ada.", "*", "Ada"):
        config = {"configurable": {"user_id": user}}
        assert graph.invoke({"messages": "I live in Basel."}, config)["memorized"]
        assert known(store, user) == ["I live in Basel."]
    assert known(store, "bob") == []
    with pytest.raises(ConfigurationError, match="user_id"):
        graph.invoke({"messages": "I live in Basel."})


def test_what_a_tainted_run_memorizes_says_so_and_what_another_does_not(store):
    graph = build(store, with_taint(State))
    graph.invoke({"messages": "I live in Basel.", "taint": ["web"]}, ADA)
    told = [HumanMessage("I own a red boat."), ToolMessage("x", name="web", tool_call_id="1")]
    build(store).invoke({"messages": told}, ADA)
    with reading(["mail"]):
        graph.invoke({"messages": "I work in Zurich."}, ADA)
    graph.invoke({"messages": "I prefer green tea."}, ADA)
    found = run_blocking(Memories(store, user_namespace("ada")).semantic.everything)
    assert {memory.text: memory.taint for memory in found} == {
        "I live in Basel.": ("web",),
        "I own a red boat.": ("web",),
        "I work in Zurich.": ("mail",),
        "I prefer green tea.": (),
    }


def test_a_correction_or_a_denial_takes_the_place_of_what_is_known(store):
    graph = build(store)
    for said in ("My name is Bob.", "I like tea.", "My cat is black.", "I am allergic to nuts."):
        graph.invoke({"messages": said}, ADA)
    for said in (
        "No, my name is Ada.",
        "I don't like tea.",
        "Actually, I like coffee.",
        "My cat isn't black.",
        "Sorry, I am allergic to eggs.",
    ):
        assert graph.invoke({"messages": said}, ADA)["memorized"]
    assert known(store) == [
        "I am allergic to nuts.",
        "my name is Ada.",
        "I don't like tea.",
        "I like coffee.",
        "My cat isn't black.",
        "I am allergic to eggs.",
    ]
    graph.invoke({"messages": "I like tea."}, ADA)
    assert {"I like tea.", "I like coffee."} <= set(known(store))
    assert "I don't like tea." not in known(store)


def test_a_model_says_what_corrects_and_its_secrets_are_not_kept(store):
    answers = [
        {"facts": [{"text": "The user lives in Graz.", "importance": 0.8}]},
        {
            "facts": [
                {"text": "The user lives in Bern.", "importance": 0.8, "corrects": True},
                {"text": "The user's password is hunter2.", "importance": 1.0},
            ]
        },
    ]
    model = ScriptedChatModel(script=[json.dumps(answer) for answer in answers])
    graph = build(store, model=model)
    graph.invoke({"messages": "Graz is where I live"}, ADA)
    result = graph.invoke({"messages": "Bern, I mean, and my password is hunter2"}, ADA)
    assert result["memorized"] == ["The user lives in Bern."] == known(store)


KEPT = [
    ("Remember that the bus line is 4711", "the bus line is 4711"),
    ("I prefer short answers.", "I prefer short answers."),
    ("My name is Ada Lovelace.", "My name is Ada Lovelace."),
    ("I'm allergic to nuts.", "I'm allergic to nuts."),
    ("Our office is in Zurich.", "Our office is in Zurich."),
    ("The build server is called Hal.", "The build server is called Hal."),
    ("Call me Ada.", "Call me Ada."),
    ("I'm 40", "I'm 40"),
    ("I don't like coffee", "I don't like coffee"),
    ("I no longer live in Rome", "I no longer live in Rome"),
    ("My cat isn't black", "My cat isn't black"),
    ("No, my sister works in Basel.", "my sister works in Basel."),
    ("My sister works in Basel, not in Zurich.", "My sister works in Basel, not in Zurich."),
    ("Remember that the match is off if it rains", "the match is off if it rains"),
    ("I own a red boat. I hate my job, lol.", "I own a red boat."),
    (
        "The password policy asks for 14 characters, and our office is in Bern",
        "The password policy asks for 14 characters, and our office is in Bern",
    ),
    ('Clara said "I am ill. I live in Rome." I own a cat.', "I own a cat."),
]
PLAIN = [
    *("I'm vegetarian.", "I\u2019m vegetarian.", "I've been vegetarian since 2015.", "I'm German."),
    *("I got a new job at Siemens.", "I got married.", "I became a father in May."),
    *("I broke my leg in January.", "Our son Theo started school.", "My father died in 2010."),
    *("I grew up in Oslo.", "I was born in 1984.", "I've lived in Rome since 2010."),
    *("I drive a red Fiat.", "I play the piano.", "I always forget my keys."),
    *("Always answer in German.", "Please never use tabs.", "From now on, call me Eve."),
    *('My dog is called "Rex".', 'My favourite song is "Why?"'),
    *(
        "You can call me Ada.",
        'I own a 5" phone and a 40" TV.',
        "I use Bitwarden as my password manager.",
    ),
]
KEPT += [(said, said) for said in PLAIN]
JUNK = [
    *("Hello!", "Thanks, great.", "What is my name?", "Is the server called Hal?", "ok", "42"),
    *("Please send the mail to Bob.", "I want you to compute 3 + 4.", "Compute 17 * 3."),
    *("Show me the file report.csv", "I have a headache right now.", "lol", "Go on.", "\n"),
    *("If my boss is late, call him", "What if my name is Bob?", "Suppose my name is Bob."),
    *("I think my sister lives in Zurich.", "Maybe I live in Rome.", "I would like my own dog."),
    *("I hate my job, just kidding", "My name is Batman. Just kidding!", "My dog is a king 😂"),
    *("Translate: my name is Bob", '"My name is Eve"', "> my name is Eve", "My dog is ill, right?"),
    *("I have a question.", "I like your answer.", "I don't have time.", "I love it!"),
    *("Can you call me tomorrow?", "Let's start.", "x" * 5_000, "It is raining.", "No, wrong."),
    *("Forget that I live in Rome.", "Please forget that I live in Rome.", "Never mind my dog."),
    *(
        "Sorry, forget that I live in Rome.",
        "Okay, delete that my name is Bob.",
        "Scratch that, I live in Rome.",
    ),
    *("Don't remember that I live in Rome.", "You can forget that I live in Rome."),
    *(
        "I live in Rome, forget that.",
        "Do not note that I own a boat.",
        "I don't want you to know that I live in Rome.",
        "Stop saying I live in Rome.",
    ),
    *('He said "I am the king of France".', 'Clara said "I am allergic to nuts".'),
    *('He told me "I live in Rome".', 'As the song goes, "I am the walrus".'),
    *(
        "He said 'I'm allergic to nuts'.",
        "Bob said: \u201cI live in Rome\u201d",
        "He: \u00abI own a boat\u00bb",
    ),
    *('He said "I am ill. I live in Rome. My dog is old."', 'Bob said "I own a cat'),
    *("My question is how to sort a list.", "My next question is how Python is made."),
    *(
        "I got an error.",
        "I got it.",
        "I became confused.",
        "I broke my build.",
        "I'm ready.",
        "I'm OK.",
    ),
    *(
        "I'm a bit tired.",
        "I've been waiting for 2 hours.",
        "I drive home.",
        "I play it.",
        "Always!",
    ),
    *(
        "Always look on the bright side.",
        "Never say never.",
        "My server started.",
        "My phone died.",
    ),
]


@pytest.mark.parametrize(("said", "fact"), KEPT)
def test_statements_are_worth_keeping(said, fact):
    assert [drawn.text for drawn in draw_facts(said) if drawn.importance >= 0.5] == [fact]


@pytest.mark.parametrize("said", JUNK)
def test_small_talk_questions_and_requests_are_not(said):
    assert [drawn for drawn in draw_facts(said) if drawn.importance >= 0.5] == []


SECRETS = [
    "My password is hunter2 and my card is 4111 1111 1111 1111.",
    "My password is hunter2",
    "Remember that my password is hunter2",
    "Remember: the PIN is 4711",
    "My card is 4111 1111 1111 1111",
    "Our API key is sk-abcdefgh12345678",
    "My key is ghp_abcdefghijklmnopqrstuvwxyz",
    "My server is at postgres://ada:geheim@host/db",
    "My social security number is 123-45-6789",
    "Please note that our wifi password: Meadow7",
    "My recovery phrase is apple boat cat",
    "I use hunter2 as my password",
    "My Netflix login is nora@x.com / Summer2024!",
    "Remember that the door code is 4711",
]


@pytest.mark.parametrize("said", SECRETS)
def test_secrets_are_never_kept_whoever_draws_them(store, said):
    assert draw_facts(said) == []
    graph = build(store, draw=lambda said: [Fact(text=said, importance=1)])
    assert graph.invoke({"messages": said}, ADA)["memorized"] == known(store) == []


@given(st.text())
def test_whatever_is_said_can_be_drawn_from(said):
    assert all(0 < fact.importance <= 1 and fact.text for fact in draw_facts(said))
