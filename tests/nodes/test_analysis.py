"""What queries ask: intent and domains by meaning, the rest by rules, a model where there is one."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from scripted import ScriptedChatModel
from typing_extensions import TypedDict

from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError, ModelError
from cogwork.core.words import content_words
from cogwork.nodes.analysis import (
    QueryAnalysis,
    aanalyze_query,
    analyze_query,
    find_concepts,
    make_analyze_query,
)
from cogwork.nodes.capabilities import CAPABILITIES, needed_capabilities
from cogwork.nodes.classification import TextClassifier, class_scores
from cogwork.nodes.complexity import rate_complexity
from cogwork.nodes.entities import find_entities
from cogwork.nodes.query_classes import QueryClass, default_domains, default_intents

SAID = (
    '{"intent": "analysis", "confidence": 0.9, "domains": ["legal", "financial", "legal"], '
    '"concepts": ["rent"], "capabilities": ["documents"]}'
)


@pytest.mark.parametrize(
    ("query", "intent", "domain"),
    [
        ("Is a violin harder to play than a cello?", "comparison", "general"),
        ("Which weaknesses show up in these server logs?", "analysis", "technical"),
        ("Why do muscles cramp?", "explanation", "medical"),
        ("Is the volcano going to erupt this year?", "prediction", "scientific"),
        ("Who is the minister of justice?", "lookup", "legal"),
        ("What do I pay on 4,000 at 3.1% over 18 months?", "calculation", "financial"),
        ("Write a birthday card for Tom.", "action", "general"),
    ],
)
def test_intent_and_domain_are_found_by_meaning(query, intent, domain):
    found = analyze_query(query)
    assert (found.intent, found.domains[0]) == (intent, domain)
    assert found.method == "embeddings"
    assert found.note == ""


def test_probabilities_of_intents_sum_to_one_with_the_intent_first():
    found = analyze_query("Why do muscles cramp?")
    assert sum(found.intent_scores.values()) == pytest.approx(1, abs=0.001)
    assert next(iter(found.intent_scores.items())) == (found.intent, found.confidence)
    assert list(found.domain_scores.values()) == sorted(found.domain_scores.values(), reverse=True)


def test_a_query_may_belong_to_several_domains():
    found = analyze_query("Which side effects of the drug led to lawsuits against the maker?")
    assert {"medical", "legal"} <= set(found.domains)


MARINE = QueryClass(
    name="marine",
    description="boats, sailing and harbours",
    examples=("How do I tie up a boat?", "rigging of a sailing boat", "harbour fees", "sails"),
)


@pytest.mark.parametrize("marine", [MARINE, MARINE.model_copy(update={"examples": ()})])
def test_a_domain_of_ones_own_is_found_with_and_without_examples(marine):
    domains = (*default_domains(), marine)
    found = analyze_query("Which sails suit an old sailing boat?", domains=domains)
    assert found.domains[0] == "marine"
    assert analyze_query("Why do muscles cramp?", domains=domains).domains == ("medical",)


def test_intents_of_ones_own_replace_the_known_ones():
    intents = [
        QueryClass(name="greeting", description="hello", examples=("Hello there", "Good morning")),
        QueryClass(name="farewell", description="bye", examples=("Goodbye", "See you tomorrow")),
    ]
    assert analyze_query("good morning everyone", intents=intents).intent == "greeting"


@pytest.mark.parametrize("classes", [[MARINE], [MARINE, MARINE]])
def test_classes_that_leave_no_choice_are_refused(classes):
    with pytest.raises(ConfigurationError, match="marine"):
        analyze_query("sails?", domains=classes)


@pytest.mark.parametrize("query", ["", " \n"])
def test_an_empty_query_is_refused(query):
    with pytest.raises(ConfigurationError, match="empty"):
        analyze_query(query)


def test_any_embeddings_serve_and_learn_the_classes_once():
    class Counted(Embeddings):
        asked = 0
        inner = create_embeddings("static")

        def embed_documents(self, texts):
            self.asked += 1
            return self.inner.embed_documents(texts)

        def embed_query(self, text):
            return self.inner.embed_query(text)

    counted = Counted()
    first = analyze_query("Why do muscles cramp?", embeddings=counted)
    once = counted.asked
    assert analyze_query("Why do muscles cramp?", embeddings=counted) == first
    assert once == counted.asked > 0


def test_embeddings_that_fail_are_an_error():
    class Broken(Embeddings):
        def embed_documents(self, texts):
            raise OSError("no route")

        def embed_query(self, text):
            raise OSError("no route")

    with pytest.raises(ModelError, match="no route"):
        analyze_query("Why?", embeddings=Broken())


def test_the_end_of_a_long_query_is_read_too():
    def legal(end):
        return analyze_query("Here are my notes. " * 5_000 + end).domain_scores["legal"]

    assert legal("What does the tenant owe under the lease?") > legal("How long does rice boil?")


def test_a_model_says_intent_domains_concepts_and_capabilities():
    model = ScriptedChatModel(script=[SAID])
    found = analyze_query("Is the rent of 900 euros too high?", model=model)
    assert (found.intent, found.confidence) == ("analysis", 0.9)
    assert found.domains == ("legal", "financial")
    assert found.concepts == ("rent",)
    assert found.capabilities == ("data_analysis", "documents")
    assert (found.method, found.note) == ("model", "")
    assert [each.value for each in found.entities] == [900]


def test_a_model_is_told_the_classes_that_are_configured():
    model = ScriptedChatModel(script=['{"intent": "lookup", "domains": ["marine"]}'])
    found = analyze_query("Which sails?", model=model, domains=(*default_domains(), MARINE))
    assert found.domains == ("marine",)
    assert "marine: boats, sailing and harbours" in str(model.sent[0])


@pytest.mark.parametrize(
    "script",
    [
        ["none", "none"],
        ['{"intent": "dancing", "domains": ["legal"]}'] * 2,
        ['{"intent": "lookup", "domains": []}'] * 2,
        [ModelError("the model cannot be reached")],
    ],
)
def test_a_model_that_fails_is_replaced_by_embeddings_and_the_result_says_so(script):
    found = analyze_query("Why do muscles cramp?", model=ScriptedChatModel(script=script))
    assert (found.intent, found.domains) == ("explanation", ("medical",))
    assert found.method == "embeddings"
    assert "model" in found.note


async def test_both_ways_of_calling_say_the_same():
    query = "Why do muscles cramp?"
    assert await aanalyze_query(query) == analyze_query(query)
    several = await asyncio.gather(*(aanalyze_query(query) for _ in range(3)))
    assert several == [analyze_query(query)] * 3


class State(TypedDict, total=False):
    messages: list
    analysis: QueryAnalysis


def test_the_node_analyzes_the_last_question_in_a_graph():
    builder = StateGraph(State)
    builder.add_node("analyze", make_analyze_query())
    builder.add_edge(START, "analyze")
    builder.add_edge("analyze", END)
    messages = [HumanMessage("Hi"), AIMessage("Hello"), HumanMessage("Why do muscles cramp?")]
    given = builder.compile(InMemorySaver()).invoke(
        {"messages": messages}, {"configurable": {"thread_id": "1"}}
    )
    assert given["analysis"] == analyze_query("Why do muscles cramp?")


def test_the_node_refuses_a_state_without_a_question():
    with pytest.raises(ConfigurationError, match="empty"):
        make_analyze_query().invoke({"messages": []})


def test_an_analysis_survives_json():
    found = analyze_query("Is 5 km in 25 minutes faster than 10 km in 52?")
    assert QueryAnalysis.model_validate_json(found.model_dump_json()) == found


def test_examples_are_scored_as_their_own_class():
    scores = class_scores("How does a rainbow form?", default_intents(), by_form=True)
    assert max(scores, key=scores.get) == "explanation"


def test_a_classifier_names_its_classes_in_their_order():
    classifier = TextClassifier(default_domains(), create_embeddings("static"), by_form=False)
    assert list(classifier.scores("x")) == [each.name for each in default_domains()]


def test_no_labelled_query_of_the_benchmark_is_an_example():
    data = Path(__file__).parents[2] / "benchmarks" / "data" / "queries"
    lines = [
        line
        for name in ("tune", "test")
        for line in (data / f"{name}.tsv").read_text().splitlines()
    ]
    asked = [set(content_words(line.split("\t")[2])) for line in lines]
    examples = [
        set(content_words(text))
        for each in (*default_intents(), *default_domains())
        for text in each.examples
        if len(text.split()) > 3
    ]
    assert len(asked) >= 150
    for words in asked:
        nearest = max(examples, key=lambda other: len(words & other) / len(words | other))
        assert len(words & nearest) / len(words | nearest) <= 0.6, (words, nearest)


def test_every_default_class_has_many_examples():
    for each in (*default_intents(), *default_domains()):
        assert len(each.examples) >= 90
        assert each.description


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Why do bond prices drop when interest rates go up?", "bond prices drop"),
        ("What is the point of a reverse proxy in front of an app server?", "reverse proxy"),
        ("solar panels, and again solar panels", "solar panels"),
    ],
)
def test_key_phrases_stand_first_among_concepts(text, first):
    assert find_concepts(text)[0] == first


@given(st.text(max_size=200))
def test_concepts_are_words_of_the_text(text):
    for each in find_concepts(text):
        assert all(word in text for word in each.split(" "))


MOVE = (
    "We must cut hosting costs by 30% before June, without more than 10 minutes of downtime. "
    "If we move from AWS to Hetzner, what happens to latency in Asia, and how does that "
    "compare with staying? What would the contract cost us if we leave within a year, "
    "unless the provider agrees? Which option is better for our 3 teams in Oslo and Lima?"
)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("How tall is the Eiffel tower?", "simple"),
        (
            "Compare leasing 12 vans with buying, if each drives less than 20,000 km. What is better?",
            "moderate",
        ),
        (
            MOVE,
            "complex",
        ),
    ],
)
def test_complexity_grows_with_what_is_asked(text, level):
    found = rate_complexity(text, find_entities(text), ("technical",))
    assert found.level == level
    assert found.score == pytest.approx(sum(each.points for each in found.factors), abs=0.001)


@pytest.mark.parametrize(
    ("more", "factor"),
    [
        (" and so on for many more words", "words"),
        (" Who? What?", "questions"),
        (" rather than", "comparisons"),
        (" unless", "conditions"),
        (" without", "constraints"),
    ],
)
def test_more_of_a_factor_makes_it_count_more(more, factor):
    def points(text):
        return {each.name: each.points for each in rate_complexity(text).factors}[factor]

    assert points("Is it so?" + more) > points("Is it so?")


@given(st.text(max_size=300), st.integers(0, 200), st.integers(0, 9))
def test_complexity_is_between_nothing_and_one(text, entities, domains):
    named = find_entities("5 km") * entities
    assert 0 <= rate_complexity(text, named, ["x"] * domains).score <= 1


@pytest.mark.parametrize(
    ("text", "intent", "needed"),
    [
        ("What is 15% of 2,300?", "calculation", {"calculation"}),
        ("Who chairs the board?", "lookup", {"search"}),
        ("Plot run7.csv", "action", {"data_analysis", "documents"}),
        ("Fix main.py", "action", {"documents", "code"}),
        ("Write a letter and send it", "action", {"writing", "communication"}),
        ("Why do they write with the left hand?", "explanation", set()),
        ("What did I say last time?", "lookup", {"search", "memory"}),
        ("Is 5 km in 25 minutes faster?", "comparison", {"search", "calculation"}),
        ("See https://example.org", "explanation", {"search"}),
    ],
)
def test_capabilities_follow_from_intent_words_and_entities(text, intent, needed):
    found = needed_capabilities(text, intent, find_entities(text))
    assert needed <= set(found)
    assert found == tuple(name for name in CAPABILITIES if name in found)
