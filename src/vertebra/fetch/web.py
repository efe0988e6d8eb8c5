"""A file from a web server: resumed where it broke off, whole before it has its name.

While it grows it is NAME.part, and NAME.part.etag says which version of the file that is (RFC 9110, If-Range).
"""

from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from vertebra.errors import DataError
from vertebra.files import sync, write_atomically
from vertebra.store import file_digest

SILENCE = 60.0
"""Seconds that a server may say nothing."""
ATTEMPTS = 5
"""Broken connections in a row, with nothing received between them, until we give up."""
_BLOCK = 1 << 20


def download(url: str, path: Path, sha256: str = "", silence: float = SILENCE) -> str:
    """The file of this URL at `path`, and its SHA-256; nothing is done where a file of this digest is there.

    `DataError` for what is no http URL, for a server that fails or breaks off again and again (what has come is kept),
    and for a file of another digest than `sha256`, which is deleted.
    """
    if not url.startswith(("http://", "https://")):
        raise DataError(f"{url} is no http or https address.")
    if path.is_file() and sha256 in ("", file_digest(path)):
        return file_digest(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    growing = path.with_name(f"{path.name}.part")
    idle = 0
    while True:
        before = _size(growing)
        try:
            _receive(url, growing, silence)
            break
        except HTTPError as error:
            raise DataError(f"{url} answers {error.code} {error.reason}. Is it still there?") from error
        except (OSError, HTTPException) as error:
            idle = 0 if _size(growing) > before else idle + 1
            if idle >= ATTEMPTS or not _size(growing):
                raise Unreachable(url, error) from error
    digest = file_digest(growing)
    _etag(growing).unlink(missing_ok=True)
    if sha256 and digest != sha256:
        growing.unlink()
        raise DataError(f"{url} is not the file that is meant: SHA-256 {digest}, expected {sha256}. Nothing was kept.")
    growing.replace(path)
    sync(path.parent)
    return digest


class Unreachable(DataError):
    """No network, or no server at its other end."""

    def __init__(self, what: str, error: Exception) -> None:
        """`what` is the address or repository, `error` what its client says."""
        reason = str(getattr(error, "reason", "") or error).strip().splitlines() or [type(error).__name__]
        super().__init__(
            f"{what} cannot be reached: {reason[0][:200].rstrip('.')}. Run `vertebra fetch` where there is internet, "
            "and bring the --data folder here; the same command goes on where it stopped."
        )


def _receive(url: str, growing: Path, silence: float) -> None:
    """Appends what is lacking. `OSError` when the connection breaks, `ConnectionError` when it ends early."""
    start, version = _size(growing), _read(_etag(growing))
    headers = {"User-Agent": "vertebra"}
    if start and version:
        headers |= {"Range": f"bytes={start}-", "If-Range": version}
    try:
        answer = urlopen(Request(url, headers=headers), timeout=silence)  # noqa: S310 (http alone, as checked above)
    except HTTPError as error:
        if error.code != 416 or not start:
            raise
        growing.unlink()  # longer than the file is
        raise ConnectionError("what was there of it is not a part of it") from error
    with answer:
        resumed = answer.status == 206 and str(answer.headers.get("Content-Range", "")).startswith(f"bytes {start}-")
        if not resumed:
            start = 0
            growing.unlink(missing_ok=True)
            write_atomically(_etag(growing), answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        length = answer.headers.get("Content-Length")
        with growing.open("ab") as file:
            received = _copy(answer, file)
        sync(growing)
    if length is not None and received != int(length):
        raise ConnectionError(f"{start + received:,} of {start + int(length):,} bytes came")


def _copy(answer: IO[bytes], file: IO[bytes]) -> int:
    received = 0
    while block := answer.read(_BLOCK):
        file.write(block)
        received += len(block)
    return received


def _etag(growing: Path) -> Path:
    return growing.with_name(f"{growing.name}.etag")


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _read(path: Path) -> str:
    with suppress(FileNotFoundError):
        return path.read_text()
    return ""
