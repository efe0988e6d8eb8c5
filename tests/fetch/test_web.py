"""Downloads from a real server on loopback that breaks off, changes its mind and lies."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vertebra.errors import DataError
from vertebra.fetch import web
from vertebra.fetch.web import download

BODY = bytes(range(256)) * 40
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server:
    """What the server does, and what it was asked."""

    def __init__(self, address: str) -> None:
        self.url = address
        self.body = BODY
        self.etag = '"1"'
        self.cuts: list[int] = []
        """After how many bytes the next answers break off."""
        self.status = 0
        self.ranges: list[str | None] = []


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.ranges.append(self.headers.get("Range"))
            if told.status:
                self.send_error(told.status)
                return
            start = 0
            if told.ranges[-1] and self.headers.get("If-Range") == told.etag:
                start = int(told.ranges[-1].removeprefix("bytes=").rstrip("-"))
            if start >= len(told.body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(told.body) - 1}/{len(told.body)}")
            if told.etag:
                self.send_header("ETag", told.etag)
            self.send_header("Content-Length", str(len(told.body) - start))
            self.end_headers()
            end = start + told.cuts.pop(0) if told.cuts else None
            self.wfile.write(told.body[start:end])

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Server(f"http://127.0.0.1:{listening.server_address[1]}/file.zip")
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield told
    listening.shutdown()
    listening.server_close()


def test_a_file_arrives_whole_and_nothing_else_is_left(server, tmp_path):
    assert download(server.url, tmp_path / "in" / "file.zip", DIGEST) == DIGEST
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["file.zip"]


def test_a_connection_that_breaks_off_is_resumed_where_it_did(server, tmp_path):
    server.cuts = [1000, 3000]
    assert download(server.url, tmp_path / "file.zip", DIGEST) == DIGEST
    assert server.ranges == [None, "bytes=1000-", "bytes=4000-"]


def test_what_came_is_kept_when_the_server_gives_up_and_used_later(server, tmp_path):
    server.cuts = [1000] + [0] * 10
    with pytest.raises(DataError, match=r"1,000 of 10,240 bytes.*where there is internet"):
        download(server.url, tmp_path / "file.zip", DIGEST)
    assert not (tmp_path / "file.zip").exists()
    server.cuts = []
    assert download(server.url, tmp_path / "file.zip", DIGEST) == DIGEST
    assert server.ranges[-1] == "bytes=1000-"


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(server, tmp_path):
    server.cuts = [1000] + [0] * 10
    with pytest.raises(DataError):
        download(server.url, tmp_path / "file.zip")
    server.cuts, server.body, server.etag = [], BODY[::-1], '"2"'
    download(server.url, tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == BODY[::-1]


def test_without_a_version_nothing_is_resumed(server, tmp_path):
    server.etag, server.cuts = "", [1000]
    assert download(server.url, tmp_path / "file.zip") == DIGEST
    assert server.ranges == [None, None]


def test_another_file_than_the_one_meant_is_not_kept(server, tmp_path):
    server.body = b"<html>moved</html>"
    with pytest.raises(DataError, match="not the file that is meant"):
        download(server.url, tmp_path / "file.zip", DIGEST)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_right_digest_is_not_asked_for_again(server, tmp_path):
    (tmp_path / "file.zip").write_bytes(BODY)
    assert download(server.url, tmp_path / "file.zip", DIGEST) == DIGEST
    assert server.ranges == []
    (tmp_path / "file.zip").write_bytes(b"old")
    assert download(server.url, tmp_path / "file.zip", DIGEST) == DIGEST


def test_a_refusal_is_told_with_its_number(server, tmp_path):
    server.status = 404
    with pytest.raises(DataError, match="answers 404"):
        download(server.url, tmp_path / "file.zip")


def test_no_server_is_one_paragraph(tmp_path, monkeypatch):
    monkeypatch.setattr(web, "ATTEMPTS", 1)
    with pytest.raises(DataError, match=r"cannot be reached.*where there is internet"):
        download("http://127.0.0.1:9/file.zip", tmp_path / "file.zip")
    with pytest.raises(DataError, match="no http or https address"):
        download("file:///etc/hostname", tmp_path / "file.zip")
