import re
from pathlib import Path

import pytest
from scripted import ScriptedChatModel

from cogwork.core.errors import DuplicateNameError, UnknownNameError
from cogwork.graphs import create_react_agent, graphs


def test_a_graph_is_made_by_its_name():
    assert graphs.get("react") is create_react_agent
    graph = graphs.get("react")(ScriptedChatModel(script=["hello"]), [])
    assert graph.invoke({"messages": "hi"})["messages"][-1].text == "hello"


def test_a_program_adds_its_own():
    graphs.register("mine", description="My own.")(create_react_agent)
    try:
        assert graphs.get("mine") is create_react_agent
        with pytest.raises(DuplicateNameError, match="mine"):
            graphs.register("mine")(create_react_agent)
    finally:
        graphs.unregister("mine")
    with pytest.raises(UnknownNameError, match="did you mean 'react'"):
        graphs.get("raect")


def test_the_readme_lists_every_graph():
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text()
    assert set(re.findall(r"^\| \[`(\w+)`\]", readme, re.MULTILINE)) == set(graphs.names())
