"""A server of chat completions and embeddings on loopback that answers what its script says.

with OpenAIServer([error(429, retry_after=0.1), say("Hello.")]) as server:
    model = ChatOpenAI(base_url=server.url, api_key="test-key", model="test-model")
    model.invoke("Hi")
    assert server.requests[0]["messages"] == [{"role": "user", "content": "Hi"}]

Every line answers one request, streamed when the request asks for it. A line may also be
a function of the request's body. An exhausted script answers 400, which no client retries.
"""

import contextlib
import json
import re
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the server.

    `end` is `done`, `stall` (the socket is held until the client goes), `cut` (closed in
    the middle) or `hush` (a stream that ends in due form, but unfinished). `pause` is the
    seconds between the chunks of a stream, with a comment before each.
    """

    text: str | None = None
    tool_calls: tuple[tuple[str, str], ...] = ()
    finish_reason: str = "stop"
    status: int = 200
    error: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    end: str = "done"
    keepalive: float | None = None
    pause: float = 0.0
    vectors: list[list[float]] | None = None


Line = Reply | Callable[[dict[str, Any]], Reply]


def say(text: str | None, *, finish_reason: str = "stop") -> Reply:
    """A plain answer; `None` and `""` are the empty ones."""
    return Reply(text=text, finish_reason=finish_reason)


def call_tools(*calls: tuple[str, dict[str, Any]], text: str | None = None) -> Reply:
    """An answer that calls tools: `call_tools(("add", {"a": 1, "b": 2}))`."""
    written = tuple((name, json.dumps(arguments)) for name, arguments in calls)
    return Reply(text=text, tool_calls=written, finish_reason="tool_calls")


def raw_tool_call(name: str, arguments: str, *, finish_reason: str = "tool_calls") -> Reply:
    """A tool call whose arguments are sent as written, be they JSON or not."""
    return Reply(tool_calls=((name, arguments),), finish_reason=finish_reason)


def error(
    status: int,
    message: str = "",
    *,
    code: str | None = None,
    retry_after: float | None = None,
) -> Reply:
    """An error in OpenAI's form; `retry_after` in seconds."""
    body = {"message": message or f"scripted error {status}", "type": "error", "code": code}
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Reply(status=status, error=body, headers=headers)


def embed(vectors: Callable[[str], list[float]]) -> Line:
    """An answer to `/v1/embeddings`: a vector for each text that was sent."""
    return lambda body: Reply(vectors=[vectors(text) for text in body["input"]])


def context_length_exceeded() -> Reply:
    """What OpenAI answers to too long a prompt."""
    message = (
        "This model's maximum context length is 128 tokens. However, your messages resulted "
        "in 900 tokens. Please reduce the length of the messages."
    )
    return error(400, message, code="context_length_exceeded")


def stall(after: str = "Hel", *, keepalive: float | None = None) -> Reply:
    """Stops after `after`; with `keepalive`, goes on sending comments every so many seconds."""
    return Reply(text=after, end="stall", keepalive=keepalive)


def cut(after: str = "Hel", *, tool_call: tuple[str, str] | None = None) -> Reply:
    """Closes the connection after `after`, without an end."""
    return Reply(text=after, tool_calls=(tool_call,) if tool_call else (), end="cut")


def hush(after: str | None = None, *, tool_call: tuple[str, str] | None = None) -> Reply:
    """A stream that ends in due form after `after`, but before its answer does."""
    return Reply(text=after, tool_calls=(tool_call,) if tool_call else (), end="hush")


class OpenAIServer:
    """The server, as a context manager.

    `requests` and `headers` hold what was sent, in order of arrival. With `forever`, the
    last line is repeated.
    """

    def __init__(self, script: Sequence[Line], *, forever: bool = False) -> None:
        self.script = list(script)
        self.forever = forever
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.lock = threading.Lock()
        self.connections: set[socket.socket] = set()
        self.gone = threading.Event()  # set when a client has left a stalled answer
        self._http = _Server(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        with self.lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):  # the client was quicker
                    connection.shutdown(socket.SHUT_RDWR)
        self._http.server_close()  # waits for the handlers

    def answer(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        with self.lock:
            position = len(self.requests)
            self.requests.append(body)
            self.headers.append(headers)
        if position >= len(self.script):
            if not self.forever:
                return error(400, f"the script has only {len(self.script)} lines")
            position = len(self.script) - 1
        line = self.script[position]
        return line if isinstance(line, Reply) else line(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() joins the handlers

    def __init__(self, owner: OpenAIServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.owner.lock:
            self.server.owner.connections.add(self.connection)

    def finish(self) -> None:
        with self.server.owner.lock:
            self.server.owner.connections.discard(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path not in ("/v1/chat/completions", "/v1/embeddings"):
            self._send_json(404, {"error": {"message": f"no route {self.path}"}})
            return
        reply = self.server.owner.answer(
            body, {name.lower(): value for name, value in self.headers.items()}
        )
        try:
            if reply.error is not None:
                self._send_json(reply.status, {"error": reply.error}, reply.headers)
            elif reply.vectors is not None:
                self._send_json(200, _embeddings(reply, body))
            elif body.get("stream"):
                self._stream(reply, body)
            else:
                self._send_whole(reply, body)
        except ConnectionError:
            self.server.owner.gone.set()

    def _start(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_json(
        self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        data = json.dumps(body).encode()
        length = {"Content-Length": str(len(data)), **(headers or {})}
        self._start(status, "application/json", length)
        self.wfile.write(data)

    def _send_whole(self, reply: Reply, body: dict[str, Any]) -> None:
        completion = _completion(reply, body)
        if reply.end == "done":
            self._send_json(200, completion, reply.headers)
            return
        data = json.dumps(completion).encode()
        self._start(200, "application/json", {"Content-Length": str(len(data))})
        self.wfile.write(data[: len(data) // 2])
        if reply.end == "stall":
            self._hold(None)

    def _stream(self, reply: Reply, body: dict[str, Any]) -> None:
        self._start(200, "text/event-stream", {"Transfer-Encoding": "chunked", **reply.headers})
        for chunk in _chunks(reply, body):
            if reply.pause:
                self._send_chunk(": keepalive\n\n")
                select.select([self.connection], [], [], reply.pause)
            self._send_chunk(f"data: {json.dumps(chunk)}\n\n")
        if reply.end == "stall":
            self._hold(reply.keepalive)
        if reply.end == "done":
            self._send_chunk("data: [DONE]\n\n")
        if reply.end in ("done", "hush"):
            self.wfile.write(b"0\r\n\r\n")

    def _send_chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _hold(self, keepalive: float | None) -> None:
        """Keep the socket until the client goes, or the server stops."""
        while not select.select([self.connection], [], [], keepalive)[0]:
            self._send_chunk(": keepalive\n\n")
        self.server.owner.gone.set()


def _completion(reply: Reply, body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.tool_calls:
        message["tool_calls"] = [
            {
                "id": f"call_{index}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for index, (name, arguments) in enumerate(reply.tool_calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    return _envelope(body, "chat.completion") | {"choices": [choice], "usage": USAGE}


def _chunks(reply: Reply, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The answer in the pieces of a stream; arguments are split in the middle."""
    envelope = _envelope(body, "chat.completion.chunk")

    def delta(content: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": content, "finish_reason": finish_reason}
        return envelope | {"choices": [choice]}

    yield delta({"role": "assistant", "content": ""})
    for word in re.findall(r"\S+\s*|^\s+", reply.text or ""):
        yield delta({"content": word})
    for index, (name, arguments) in enumerate(reply.tool_calls):
        function = {"name": name, "arguments": ""}
        head = {"index": index, "id": f"call_{index}", "type": "function", "function": function}
        yield delta({"tool_calls": [head]})
        for start in range(0, len(arguments), 4):
            piece = {"index": index, "function": {"arguments": arguments[start : start + 4]}}
            yield delta({"tool_calls": [piece]})
    if reply.end != "done":
        return
    yield delta({}, reply.finish_reason)
    if body.get("stream_options", {}).get("include_usage"):
        yield envelope | {"choices": [], "usage": USAGE}


def _embeddings(reply: Reply, body: dict[str, Any]) -> dict[str, Any]:
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(reply.vectors or ())
    ]
    usage = {"prompt_tokens": 10, "total_tokens": 10}
    return {"object": "list", "data": data, "model": body.get("model", "?"), "usage": usage}


def _envelope(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body.get("model", "?")}
