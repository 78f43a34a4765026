"""A part of a result is never taken for the whole."""

import pytest

from cogwork.core.offline import OfflineChatModel
from cogwork.graphs import create_react_agent
from cogwork.tools import load_tools


@pytest.mark.parametrize(
    "question",
    ["What is the total amount in big.csv?", "How many rows has big.csv?", "What is in big.csv?"],
)
def test_nothing_is_computed_from_a_file_that_was_cut(tmp_path, question):
    rows = "\n".join(f"row{number},{number}" for number in range(3_000))
    (tmp_path / "big.csv").write_text(f"name,amount\n{rows}\n")
    tools = load_tools(["calculator", "files"], root=tmp_path)
    state = create_react_agent(OfflineChatModel(), tools).invoke({"messages": question})
    assert "calculator" not in [message.name for message in state["messages"]]
    assert "only a part" in state["messages"][-1].text
