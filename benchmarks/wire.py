"""A server of chat completions in a process of its own, so that its CPU is nobody's."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 500, "completion_tokens": 50, "total_tokens": 550}


@contextmanager
def served(turns: int) -> Iterator[str]:
    """Yield the URL of a server that calls `echo` until the history holds so many results."""
    child = subprocess.Popen([sys.executable, __file__, str(turns)], stdout=subprocess.PIPE)  # noqa: S603 - this file
    try:
        assert child.stdout is not None
        yield f"http://127.0.0.1:{int(child.stdout.readline())}/v1"
    finally:
        child.kill()
        child.wait()


def completion(body: dict[str, Any], turns: int) -> dict[str, Any]:
    done = sum(1 for message in body["messages"] if message["role"] == "tool")
    message: dict[str, Any] = {"role": "assistant", "content": "done"}
    if done < turns:
        function = {"name": "echo", "arguments": json.dumps({"text": str(done)})}
        call = {"id": f"call{done}", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    reason = "tool_calls" if done < turns else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": USAGE,
    }


class Handler(BaseHTTPRequestHandler):
    """Answers, and keeps the connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    turns = 0

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        data = json.dumps(completion(body, self.turns)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    Handler.turns = int(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
