from cogwork.core.settings import load_settings
from cogwork.graphs.registry import graphs
from cogwork.runtime.building import build_graph


def test_tools_are_given_the_keys_of_the_settings() -> None:
    graphs.add("shown", lambda: lambda model, tools: tools)
    try:
        [tool] = build_graph("shown", load_settings(tavily_api_key="t"), ["web_search"])
    finally:
        graphs.unregister("shown")
    assert tool.description.startswith("Search the web.")
