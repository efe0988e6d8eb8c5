"""What reaches a terminal: no escapes, and lines that fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.cli.text import paragraph, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never closed\nnext line", "\nnext line"),
        ("\x1bc\x1b(Breset", "reset"),
        ("\x1b[2J\x1b[1;1Hcleared", "cleared"),
        ("back\x08space\rreturn\x00\x9b31m", "backspacereturn31m"),
        ("right\u202eleft\u2066", "rightleft"),
        ("tab\tnew\nline ü 新 😀", "tab\tnew\nline ü 新 😀"),
        ("[31m", "[31m"),
    ],
)
def test_escapes_go_and_text_stays(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(alphabet="\x1b[]()0;1mHPX^_\\\x07\x9b\n\tab"))
def test_no_text_whatever_keeps_an_escape(text: str) -> None:
    assert not set(printable(text)) & {"\x1b", "\x9b", "\x07"}


def test_a_paragraph_keeps_lines_indents_and_long_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    text = "three words that wrap\n\n  indented words wrap too\n/a/path/that/is/longer/than-a-line"
    assert paragraph(text, hang=2) == (
        "three words that\n  wrap\n\n  indented words\n    wrap too\n/a/path/that/is/longer/than-a-line"
    )
