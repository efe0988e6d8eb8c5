"""What a running study shows: plain lines in a log, bars on a terminal of 80 columns."""

import io
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest

from vertebra.cli import progress
from vertebra.cli.progress import counting, showing
from vertebra.engine import Advanced, Event, Failed, Finished, Noted, Started, Ticked
from vertebra.plan import Step

ONE = Step("train", "tiny-vip-llava/tiny-llama-3-m/seed0/finetune", "m", {"n": 1})
TWO = Step("predict", "tiny-vip-llava/tiny-llama-3-m/seed0/llava_wild/answers", "m", {"n": 2})
CRASH = Failed(
    TWO, "ZeroDivisionError: \x1b[31mdivision", 1, ("Traceback", "\x1b]0;x\x07 line"), Path("store/logs/m.log")
)
EVENTS: list[Event] = [
    Started(ONE),
    Started(TWO),
    Advanced(ONE, 10, 120, "samples", "loss 2.31\x1b[5m"),
    Advanced(ONE, 40, 120, "samples", "loss 2.31\x1b[5m"),
    Ticked(),
    CRASH,
    Finished(ONE, 3.21),
]


def shown(events: list[Event]) -> list[str]:
    stream = io.StringIO()
    with showing("small", 9, stream) as listen:
        for event in events:
            listen(event)
    return stream.getvalue().splitlines()


def everything(reader: int) -> str:
    """What is written to a pseudo-terminal until it is closed; Linux then answers the next read with an error."""
    chunks = []
    with os.fdopen(reader, "rb", buffering=0) as terminal, suppress(OSError):
        while chunk := terminal.read(4096):
            chunks.append(chunk)
    return b"".join(chunks).decode()


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[TextIO], None]], str]:
    """What is written to a pseudo-terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")

    def written(write: Callable[[TextIO], None]) -> str:
        reader, writer = os.openpty()
        with ThreadPoolExecutor() as pool:
            reading = pool.submit(everything, reader)
            with os.fdopen(writer, "w") as terminal:
                write(terminal)
            return reading.result()

    return written


def test_a_log_gets_a_line_for_what_is_finished_and_the_story_of_what_failed() -> None:
    assert shown(EVENTS) == [
        f"failed: {TWO.label}:",
        "  ZeroDivisionError: division",
        "  | Traceback",
        "  |  line",
        "  The whole log: store/logs/m.log",
        f"[1/9] done {ONE.label} (3.2 s)",
    ]


def test_what_a_step_has_to_say_is_a_note_in_a_log_and_on_a_terminal(on_a_terminal) -> None:
    said = Noted(ONE, "Samples are padded\x1b[2J and not packed.")
    note = f"note: {ONE.label}: Samples are padded and not packed."
    assert " ".join(line.strip() for line in shown([Started(ONE), said])) == note

    def write(terminal: TextIO) -> None:
        with showing("small", 9, terminal) as listen:
            listen(Started(ONE))
            listen(said)

    assert note in " ".join(on_a_terminal(write).split())


def test_a_log_gets_a_line_per_running_step_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", -1.0)
    first, second = shown(EVENTS[:5])
    assert re.fullmatch(rf"\[0/9\] {ONE.label}: 40/120 samples, loss 2.31, 0:00:00 left", first)
    assert second == f"[0/9] {TWO.label}: starting"


def test_nothing_is_said_while_it_is_too_early() -> None:
    assert shown(EVENTS[:5]) == []


def test_a_step_that_fails_before_it_started_is_told_too() -> None:
    assert shown([CRASH])[0] == f"failed: {TWO.label}:"


def test_a_terminal_of_80_columns_shows_the_run_and_each_running_step(on_a_terminal) -> None:
    """The escapes of the bars themselves are taken out for the comparison."""

    def write(terminal: TextIO) -> None:
        with showing("small", 9, terminal) as listen:
            for event in EVENTS:
                listen(event)

    output = on_a_terminal(write)
    assert "\x1b[5m" not in output
    assert "\x1b]0;" not in output
    lines = [line for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output).replace("\r", "\n").split("\n") if line]
    assert max(map(len, lines)) <= 80
    assert "  | Traceback" in [line.rstrip() for line in lines]
    assert any(line.startswith("small ") and "2/9 steps" in line for line in lines)


def counted(*steps: tuple[int, int, str]) -> list[str]:
    stream = io.StringIO()
    with counting("few", stream) as tell:
        for step in steps:
            tell(*step)
    return stream.getvalue().splitlines()


def test_a_log_gets_a_line_now_and_then_of_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", -1.0)
    lines = counted((1200, 4000, "pictures"), (0, 9, "records"))
    assert lines == ["few: 1,200/4,000 pictures, 0:00:00 left", "few: 0/9 records"]


def test_nothing_is_counted_aloud_while_it_is_too_early() -> None:
    assert counted((1, 2, "pictures"), (2, 2, "pictures")) == []


def test_a_terminal_shows_a_bar_of_what_is_counted(on_a_terminal) -> None:
    def write(terminal: TextIO) -> None:
        with counting("few", terminal) as tell:
            tell(1200, 4000, "pictures")

    assert "1,200/4,000 pictures" in on_a_terminal(write)
