"""Answers of models as JSON: what is read is what was written, but for its id."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, Generation

from cogwork.core.generations import as_chunk, read_answers, read_generations, write_generations

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
data = st.dictionaries(st.text(), plain, max_size=3)
CALL: dict[str, Any] = {"name": "add", "args": {"a": [1, "b"]}, "id": "1", "type": "tool_call"}
BROKEN: dict[str, Any] = {**CALL, "args": "{oops", "error": None, "type": "invalid_tool_call"}
CONSTRUCTOR = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_core", "prompts", "PromptTemplate"],
}


@given(st.text(), data, data, st.none() | data)
def test_what_was_written_is_read(text: str, more: Any, metadata: Any, info: Any):
    message = AIMessage(text, id="1", additional_kwargs=more, response_metadata=metadata)
    (found,) = read_answers(write_generations([ChatGeneration(message=message)]))
    assert found.message == message.model_copy(update={"id": None})
    texts = [Generation(text=text, generation_info=info)]
    assert read_generations(write_generations(texts)) == texts


def test_an_answer_is_a_chunk_with_its_calls():
    message = AIMessage("text", tool_calls=[CALL], invalid_tool_calls=[BROKEN])
    chunk = as_chunk(ChatGeneration(message=message)).message
    assert (chunk.tool_calls, chunk.invalid_tool_calls) == ([CALL], [BROKEN])
    assert chunk.usage_metadata["total_tokens"] == chunk.usage_metadata["total_cost"] == 0


def test_constructors_inside_of_data_stay_data():
    message = AIMessage("a", additional_kwargs={"x": CONSTRUCTOR})
    kept = [ChatGeneration(message=message), Generation(text="a", generation_info=CONSTRUCTOR)]
    assert read_generations(write_generations(kept)) == kept


def test_only_answers_of_models_are_written():
    with pytest.raises(TypeError, match="a HumanMessage cannot be kept"):
        write_generations([ChatGeneration(message=HumanMessage("a"))])


def test_texts_are_no_answers_of_a_chat_model():
    with pytest.raises(ValueError, match="no answers of a chat model"):
        read_answers(write_generations([Generation(text="a")]))
