import asyncio
import errno
import socket
import sqlite3
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import openai
import pytest
import requests
from langgraph.errors import GraphInterrupt
from pydantic import BaseModel

from cogwork.core.errors import ConfigurationError, ModelError, ToolError
from cogwork.core.retry import is_transient, retry_after, retry_policy

PASSING = [408, 425, 429, 500, 502, 503, 504, 529]
LASTING = [400, 401, 403, 404, 409, 413, 422]


class Answer(BaseHTTPRequestHandler):
    """Answers /<status>/…?header=value with that status and those headers."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = b'{"error": {"message": "no", "code": "insufficient_quota"}}'
        self.send_response_only(int(url.path.split("/")[1]))
        for name, value in parse_qsl(url.query):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def by_httpx(url: str) -> None:
    httpx.get(url, timeout=5).raise_for_status()


def by_requests(url: str) -> None:
    requests.get(url, timeout=5).raise_for_status()


def by_urllib(url: str) -> None:
    urllib.request.urlopen(url, timeout=5)


def by_openai(url: str) -> None:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=5) as client:
        client.get("/", cast_to=object)


CLIENTS = [by_httpx, by_requests, by_urllib, by_openai]


def asks(server: str, status: int, **headers: str) -> str:
    return f"{server}/{status}?{urlencode(headers)}"


def raised(call: Callable[..., Any], *args: Any) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the test looks at what it is
        call(*args)
    if isinstance(caught.value, urllib.error.HTTPError):
        caught.value.close()
    return caught.value


@pytest.mark.parametrize("client", [by_httpx, by_requests, by_urllib])
@pytest.mark.parametrize("status", PASSING)
def test_passing_http_failures_are_transient(server: str, client: Any, status: int) -> None:
    assert is_transient(raised(client, f"{server}/{status}"))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("status", LASTING)
def test_requests_that_stay_wrong_are_not_transient(server: str, client: Any, status: int) -> None:
    assert not is_transient(raised(client, f"{server}/{status}"))


def test_openai_overload_is_transient_and_an_exhausted_quota_is_not(server: str) -> None:
    quota = raised(by_openai, f"{server}/429")
    assert isinstance(quota, openai.RateLimitError)
    assert quota.code == "insufficient_quota"
    assert not is_transient(quota)
    quota.code = "rate_limit_exceeded"
    assert is_transient(quota)
    assert is_transient(openai.InternalServerError("x", response=quota.response, body=None))


@pytest.mark.parametrize("client", CLIENTS)
def test_refused_connection_is_transient_in_every_client(client: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        assert is_transient(raised(client, f"http://127.0.0.1:{taken.getsockname()[1]}/"))


@pytest.mark.parametrize("send", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
@pytest.mark.parametrize("client", CLIENTS)
def test_connection_lost_in_an_answer_is_transient(client: Any, send: bytes) -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(send)

    if client is by_urllib:  # it hands over the body unread
        client = lambda url: urllib.request.urlopen(url, timeout=5).read()  # noqa: E731
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=answer)
        thread.start()
        error = raised(client, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()
    assert is_transient(error), repr(error)


def test_timeouts_are_transient() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert is_transient(raised(lambda: httpx.get(url, timeout=0.01)))
        assert is_transient(raised(lambda: requests.get(url, timeout=0.01)))
        assert is_transient(raised(lambda: urllib.request.urlopen(url, timeout=0.01)))
    with pytest.raises(TimeoutError) as caught:
        asyncio.run(asyncio.wait_for(asyncio.Event().wait(), 0.001))
    assert is_transient(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        BrokenPipeError(),
        OSError(errno.ENETUNREACH, "Network is unreachable"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        ToolError("busy", transient=True),
        ExceptionGroup("both", [TimeoutError(), ConnectionResetError()]),
    ],
    ids=repr,
)
def test_failures_that_pass_are_transient(error: Exception) -> None:
    assert is_transient(error)


class Person(BaseModel):
    name: str


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        TypeError("no"),
        AssertionError("no"),
        KeyError("no"),
        ZeroDivisionError(),
        RuntimeError("no"),
        MemoryError(),
        RecursionError(),
        NotImplementedError(),
        PermissionError(errno.EACCES, "Permission denied"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        OSError(errno.ENOSPC, "No space left on device"),
        ssl.SSLCertVerificationError("self-signed certificate"),
        requests.exceptions.InvalidURL("x"),
        httpx.UnsupportedProtocol("ftp"),
        ToolError("wrong"),
        ModelError("no key"),
        ExceptionGroup("mixed", [TimeoutError(), ValueError()]),
        GraphInterrupt(),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        SystemExit(500),
        raised(Person.model_validate, {}),
    ],
    ids=lambda error: type(error).__name__,
)
def test_failures_that_last_are_not_transient(error: BaseException) -> None:
    assert not is_transient(error)


def test_refused_certificate_is_not_transient_even_inside_a_connection_error() -> None:
    error = httpx.ConnectError("certificate verify failed")
    assert is_transient(error)
    error.__cause__ = ssl.SSLCertVerificationError("self-signed certificate")
    assert not is_transient(error)


def test_locked_database_is_transient_and_a_wrong_statement_is_not(tmp_path: Path) -> None:
    first = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    second = sqlite3.connect(tmp_path / "a.db", timeout=0, isolation_level=None)
    try:
        first.execute("BEGIN EXCLUSIVE")
        assert is_transient(raised(second.execute, "CREATE TABLE t (x)"))
        assert not is_transient(raised(second.execute, "SELECT nonsense"))
    finally:
        first.close()
        second.close()
    assert is_transient(sqlite3.OperationalError("database is locked"))
    assert not is_transient(sqlite3.OperationalError("disk I/O error"))


@pytest.mark.parametrize("client", CLIENTS)
def test_seconds_that_a_server_asks_for_are_read_from_every_client(
    server: str, client: Any
) -> None:
    assert retry_after(raised(client, f"{server}/429?Retry-After=7")) == 7
    assert retry_after(raised(client, f"{server}/429")) is None


@pytest.mark.parametrize("client", CLIENTS)
def test_date_that_a_server_asks_for_is_measured_by_the_servers_clock(
    server: str, client: Any
) -> None:
    now, then = formatdate(1_000_000_000, usegmt=True), formatdate(1_000_000_090, usegmt=True)
    assert (
        retry_after(raised(client, asks(server, 503, **{"Date": now, "Retry-After": then}))) == 90
    )
    assert retry_after(raised(client, asks(server, 503, **{"Date": then, "Retry-After": now}))) == 0


def test_date_without_a_server_clock_is_measured_by_ours(server: str) -> None:
    far = retry_after(raised(by_httpx, f"{server}/503?Retry-After=Fri, 31 Dec 9999 23:59:59 GMT"))
    assert far is not None
    assert far > 3600
    past = retry_after(raised(by_httpx, f"{server}/503?Retry-After={formatdate(0, usegmt=True)}"))
    assert past == 0


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "inf", "1e999", "Fri, 99 Foo 2020", ""])
def test_senseless_wait_is_no_wait(server: str, value: str) -> None:
    assert retry_after(raised(by_httpx, f"{server}/429?Retry-After={value}")) is None


def test_milliseconds_take_precedence_over_seconds(server: str) -> None:
    assert retry_after(raised(by_httpx, f"{server}/429?retry-after-ms=250&Retry-After=1")) == 0.25


def test_wait_is_found_in_the_cause_of_an_error(server: str) -> None:
    error = ModelError("the model is overloaded")
    error.__cause__ = raised(by_httpx, f"{server}/429?Retry-After=3")
    assert retry_after(error) == 3
    assert retry_after(ValueError()) is None


def test_policy_retries_transient_errors_three_times_within_thirty_seconds() -> None:
    policy = retry_policy()
    assert (policy.max_attempts, policy.max_interval, policy.jitter) == (3, 30.0, True)
    assert policy.retry_on is is_transient
    assert retry_policy(max_attempts=5, initial_interval=0).max_attempts == 5


@pytest.mark.parametrize(
    "numbers",
    [
        {"max_attempts": 0},
        {"backoff_factor": 0.5},
        {"initial_interval": -1},
        {"initial_interval": 60},
        {"max_interval": float("nan")},
    ],
    ids=str,
)
def test_impossible_policy_is_refused(numbers: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(numbers))):
        retry_policy(**numbers)
