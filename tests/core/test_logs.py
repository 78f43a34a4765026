"""Logs as JSON: one line each whatever is logged, the run and span they belong to, no secrets."""

import io
import json
import logging
import subprocess
import sys
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from opentelemetry.sdk.trace import TracerProvider
from typing_extensions import TypedDict

from cogwork.core.bridge import node
from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.core.logs import JsonFormatter, json_logs
from cogwork.core.pools import ThreadPool
from cogwork.core.tracing import Tracing

SECRET = "hunter22-and-more"


@pytest.fixture
def written():
    """Return what the logger "cogwork.test" has written since, as objects."""
    stream = io.StringIO()
    logger = logging.getLogger("cogwork.test")
    handler = json_logs("debug", stream=stream, logger="cogwork.test")

    def read() -> list[dict]:
        text = stream.getvalue()
        assert text == "" or text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    yield read
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


log = logging.getLogger("cogwork.test.part")


def test_a_line_says_when_how_grave_who_and_what(written):
    log.info("read %d pages", 3)
    [line] = written()
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "INFO", "logger": "cogwork.test.part", "message": "read 3 pages"}


def test_the_time_is_iso_8601_in_utc():
    record = logging.makeLogRecord({"created": 1_700_000_000.1239, "msg": ""})
    assert json.loads(JsonFormatter().format(record))["time"] == "2023-11-14T22:13:20.123+00:00"


class State(TypedDict):
    x: int


@tool
def speak() -> str:
    """Log from within a tool."""
    log.info("tool")
    return ""


@node
async def think(state, config):
    log.info("node")
    with ThreadPool(1) as pool:
        pool.submit(log.info, "thread").result()
    return {"x": 1}


def act(state):
    speak.invoke({})
    return {"x": 2}


@pytest.fixture
def graph():
    built = StateGraph(State)
    built.add_sequence([("think", think), ("act", act)])
    built.set_entry_point("think")
    return built.compile(checkpointer=InMemorySaver())


RUN = uuid.uuid4()
CONFIG = {"configurable": {"thread_id": "t1"}, "run_id": RUN}


def where(line):
    return {key: line.get(key) for key in ("thread_id", "run_id", "node", "step")}


async def test_a_line_says_which_run_and_node_wrote_it(written, graph):
    expected = {"thread_id": "t1", "run_id": str(RUN), "node": "think"}
    for first, run in ((1, graph.invoke), (5, graph.ainvoke)):
        awaited = run({"x": 0}, CONFIG)
        if run == graph.ainvoke:
            await awaited
        inside, thread, in_tool = written()[-3:]
        assert where(inside) == where(thread) == {**expected, "step": first}
        assert where(in_tool) == {**expected, "node": "act", "step": first + 1}
    log.info("outside")
    assert where(written()[-1]) == dict.fromkeys(where({}))


def test_a_run_without_an_id_has_none(written, graph):
    graph.invoke({"x": 0}, {"configurable": {"thread_id": 7}})
    assert where(written()[0]) == {"thread_id": 7, "run_id": None, "node": "think", "step": 1}


def test_a_line_says_which_span_it_was_written_in(written):
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("span") as span:
        log.info("inside")
    log.info("outside")
    inside, outside = written()
    context = span.get_span_context()
    assert (int(inside["trace_id"], 16), int(inside["span_id"], 16)) == (
        context.trace_id,
        context.span_id,
    )
    assert len(inside["trace_id"]) == 32
    assert len(inside["span_id"]) == 16
    assert "trace_id" not in outside


def test_spans_of_nodes_are_named_where_the_tracing_tells_them(written, graph):
    tracing = Tracing(TracerProvider().get_tracer("test"))
    graph.invoke({"x": 0}, {**CONFIG, "callbacks": [tracing]})
    inside, thread, in_tool = written()
    assert inside["trace_id"] == thread["trace_id"] == in_tool["trace_id"]
    assert inside["span_id"] == thread["span_id"] != in_tool["span_id"]


def test_an_exception_is_told_with_its_stack_and_without_secrets(written):
    try:
        raise ToolError(f"no page: api_key={SECRET}", details={"token": SECRET, "tries": 2})
    except ToolError:
        log.exception("failed with password=%s", SECRET)
    [line] = written()
    told = line["exception"]
    assert told["type"] == "cogwork.core.errors.ToolError"
    assert told["message"] == "no page: api_key=***"
    assert told["details"] == {"token": "***", "tries": 2}
    assert "Traceback" in told["stack"]
    assert SECRET not in json.dumps(line)


def test_what_is_given_as_extra_stands_apart(written):
    log.info("x", extra={"level": "forged", "count": 3, "api_key": [SECRET], "deep": {"a": (1, 2)}})
    log.info("%s", "y", stack_info=True)
    first, second = written()
    assert first["level"] == "INFO"
    assert first["extra"] == {
        "level": "forged",
        "count": 3,
        "api_key": "***",
        "deep": {"a": [1, 2]},
    }
    assert "extra" not in second
    assert "Stack" in second["stack"]


class Broken:
    def __str__(self):
        raise ValueError("no")

    __repr__ = __str__


def formatted(message, *args, **extra):
    record = logging.makeLogRecord({"name": "x", "msg": message, "args": args, **extra})
    return json.loads(JsonFormatter().format(record))


def test_what_cannot_be_told_or_does_not_fit_is_logged_all_the_same():
    assert "%d pages (with what does not fit" in formatted("%d pages", "three")["message"]
    assert "with what does not fit it: no" in formatted("%s", Broken())["message"]
    assert formatted(Broken())["message"].startswith("<Broken that cannot be told>")
    odd = formatted("x", broken=Broken(), big=10**5000, nan=float("nan"), raw=b"\xff")["extra"]
    assert (odd["broken"], odd["nan"]) == ("<Broken that cannot be told>", "nan")
    endless: list = []
    endless.append(endless)
    bounded = formatted("x", endless=endless, many=list(range(1000)))["extra"]
    assert len(bounded["many"]) == 50


def test_a_secret_that_the_end_cuts_off_is_not_told(written):
    log.info("%s", "x" * 15_990 + f" sk-{SECRET * 3}")
    [line] = written()
    assert "characters)" in line["message"]
    assert SECRET[:4] not in line["message"]


HOSTILE = st.text(st.characters(codec=None)) | st.sampled_from(
    ['\n{"level": "ERROR"}', "\r\n", "\x1b[31m", "\ud800", "\u2028", "\x00", "\x7f", "\x85"]
)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_makes_a_second_line_or_reaches_a_terminal(message, name, value):
    record = logging.makeLogRecord({"msg": message, "name": name, name: value, "created": 0.0})
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    read = json.loads(line)
    read_again = json.dumps(read, ensure_ascii=False).encode()  # halves of pairs would fail
    assert b"\n" not in read_again


def test_called_again_it_replaces_what_it_did(written):
    stream = io.StringIO()
    handler = json_logs("WARNING", stream=stream, logger="cogwork.test")
    log.info("not told")
    log.warning("once")
    logging.getLogger("cogwork.test").removeHandler(handler)
    assert stream.getvalue().count("\n") == 1
    assert written() == []


def test_an_unknown_level_is_refused_by_name():
    with pytest.raises(ConfigurationError, match=r"no log level 'LOUD', .*WARNING"):
        json_logs("LOUD")


def test_other_libraries_are_logged_too_once_it_is_on():
    script = (
        "import logging; from cogwork.core.logs import json_logs\n"
        "logging.getLogger('other').info('before')\n"
        "json_logs()\n"
        "logging.getLogger('other').info('after')\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert [json.loads(line)["message"] for line in ran.stderr.splitlines()] == ["after"]


class Closed(dict):
    """A mapping that cannot be read."""

    def items(self):
        raise ValueError("closed")


class Odd(int):
    """A number that cannot be told."""

    def bit_length(self):
        raise ValueError("odd")


def test_what_cannot_be_read_costs_itself_alone(written):
    log.info("one", extra={"open": 1, "closed": Closed(a=1), "odd": [Odd(3), 4]})
    (line,) = written()
    assert line["extra"] == {
        "open": 1,
        "closed": "<Closed that cannot be told>",
        "odd": ["<Odd that cannot be told>", 4],
    }


def test_a_secret_that_follows_its_option_is_not_told(written):
    log.info("run", extra={"argv": ["curl", "--token", SECRET, "-v", "--retry", "3"]})
    (line,) = written()
    assert line["extra"]["argv"] == ["curl", "--token", "***", "-v", "--retry", "3"]
