"""An OpenAI-compatible server on loopback that behaves as badly as a test wants it to.

with judging(lambda asked: said("0.5")) as server: ...      server.url, server.asked (the bodies, in order)
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """One HTTP response."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    """Seconds between single bytes."""
    is_dead: bool = False
    """Nothing is said, and the connection closed."""


def said(content: object, model: str = "judge-1", **how: Any) -> Said:
    """A chat completion."""
    message = {"role": "assistant", "content": content}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    completion = {"id": "1", "object": "chat.completion", "created": 0, "model": model, "choices": choices}
    return Said(json.dumps(completion).encode(), **how)


def failed(status: int, message: str = "no", **headers: str) -> Said:
    """An error as OpenAI words it."""
    return Said(json.dumps({"error": {"message": message, "type": "x", "code": None}}).encode(), status, headers)


DEAD = Said(b"", is_dead=True)


@dataclass
class Server:
    """A server that is up, and what it was asked."""

    url: str
    asked: list[Body] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)


@contextmanager
def judging(answer: Callable[[Body], Said]) -> Iterator[Server]:
    """A server that answers every request by this function of its JSON body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append(body)
            server.authorizations.append(self.headers["Authorization"])
            reply = answer(body)
            time.sleep(reply.delay)
            if reply.is_dead:
                self.close_connection = True
                return
            try:
                self.send_response(reply.status)
                headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body))}
                for name, value in {**headers, **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self._write(reply)
            except OSError:
                self.close_connection = True  # the client has had enough

        def _write(self, reply: Said) -> None:
            if not reply.drip:
                self.wfile.write(reply.body)
            for byte in reply.body if reply.drip else b"":
                self.wfile.write(bytes([byte]))
                time.sleep(reply.drip)

        def log_message(self, *_: object) -> None:
            pass

    class Http(ThreadingHTTPServer):
        request_queue_size = 64  # clients that connect at once

    http = Http(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = Server(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
