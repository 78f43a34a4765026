import pytest

from cogwork.core.errors import ConfigurationError, UnknownNameError
from cogwork.core.settings import Settings
from cogwork.graphs.registry import graphs
from cogwork.runtime.serving import context_schema, read_context

SETTINGS = Settings(model="openai:gpt-5.5", fallbacks=("offline",), max_steps=5, api_key="k")


@pytest.mark.parametrize("name", graphs.names())
def test_every_graph_says_what_its_assistants_may_set(name):
    schema = context_schema(name).model_json_schema()
    assert {"model", "tools"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert read_context(name, None, SETTINGS) == context_schema(name)()


def test_only_graphs_with_memories_say_whose():
    fields = {name: set(context_schema(name).model_fields) for name in graphs.names()}
    assert {name for name, keys in fields.items() if "user_id" in keys} == {"assistant", "research"}
    assert [name for name, keys in fields.items() if "depth" in keys] == ["research"]
    assert {"prompt", "max_steps"} <= fields["react"]


def test_a_context_is_what_was_said():
    said = {"model": "offline", "tools": ["calculator"], "max_steps": 5}
    context = read_context("react", said, SETTINGS)
    assert (context.model, context.tools, context.max_steps) == ("offline", ("calculator",), 5)
    assert read_context("react", context, SETTINGS) == context
    assert hash(context) == hash(read_context("react", said, SETTINGS))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"model": "openai:gpt-6"}, r"model 'openai:gpt-6' is not among .*offline"),
        ({"tools": ["run_code"]}, "tool 'run_code' is not among"),
        ({"tools": []}, "tools: .*at least 1"),
        ({"max_steps": 6}, "max_steps is 6, and the server allows 5"),
        ({"max_steps": 0}, "max_steps: .*greater than or equal to 1"),
        ({"max_step": 3}, "max_step: Extra.*it takes model, tools"),
        ({"prompt": 3}, "prompt: .*string"),
    ],
)
def test_what_is_more_than_the_settings_allow_is_refused(said, reason):
    with pytest.raises(ConfigurationError, match=reason):
        read_context("react", said, SETTINGS)


def test_an_unknown_graph_is_named():
    with pytest.raises(UnknownNameError, match=r"raect.*react"):
        context_schema("raect")
