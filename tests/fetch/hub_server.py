"""A hub on loopback: repositories that are folders, as huggingface_hub and datasets ask for them."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


@contextmanager
def serving(repositories: Mapping[str, Path]) -> Iterator[tuple[str, list[str]]]:
    """Its address, and what it is asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            asked.append(f"{self.command} {path}")
            found = next((name for name in repositories if f"/{name}/" in f"{path}/"), None)
            if found is None:
                self.answer(b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"}, 404)
            elif path.startswith("/api/"):
                self.api(found, path.partition(found)[2])
            else:
                self.file(repositories[found] / path.partition("/resolve/")[2].partition("/")[2])

        do_HEAD = do_GET  # noqa: N815 (the name that http.server looks for)
        do_POST = do_GET  # noqa: N815

        def api(self, name: str, rest: str) -> None:
            home = repositories[name]
            files = sorted(path for path in home.rglob("*") if path.is_file())
            names = [str(path.relative_to(home)) for path in files]
            if rest.startswith("/tree/"):
                under = home / rest.removeprefix("/tree/").partition("/")[2]
                is_deep = "recursive=true" in self.path.lower()
                tree = [_entry(path, home) for path in (under.rglob("*") if is_deep else under.glob("*"))]
                self.answer(json.dumps(tree).encode(), {}, 200 if tree else 404)
            elif rest.startswith("/paths-info/"):
                wanted = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).get("paths", [])
                found = [_entry(home / path, home) for path in wanted if (home / path).exists()]
                self.answer(json.dumps(found).encode(), {})
            else:
                told = {"id": name, "sha": COMMIT, "private": False, "gated": False, "disabled": False, "tags": []}
                siblings = [{"rfilename": each} for each in names]
                self.answer(json.dumps({**told, "downloads": 0, "likes": 0, "siblings": siblings}).encode(), {})

        def file(self, path: Path) -> None:
            if not path.is_file():
                self.answer(b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, 404)
                return
            self.answer(path.read_bytes(), {"ETag": f'"{_digest(path)}"', "X-Repo-Commit": COMMIT})

        def answer(self, body: bytes, headers: Mapping[str, str], status: int = 200) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}", asked
    finally:
        listening.shutdown()
        listening.server_close()


def _entry(path: Path, home: Path) -> dict[str, object]:
    named = {"path": str(path.relative_to(home))}
    if path.is_dir():
        return {**named, "type": "directory", "oid": "0" * 40}
    return {**named, "type": "file", "size": path.stat().st_size, "oid": _digest(path)[:40]}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
