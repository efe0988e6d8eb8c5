"""Text as a terminal shows it: wrapped at its width, and without the escapes that data or logs may carry.

printable("\\x1b[31mred\\x1b[0m")  ->  "red"
"""

import re
import shutil
import textwrap

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b[\]PX^_][^\n]*?(?:\x07|\x1b\\|(?=\n)|\Z)"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def printable(text: str) -> str:
    """The text without terminal escapes, control characters (but newline and tab) and overrides of direction."""
    return _ESCAPES.sub("", text)


def width() -> int:
    """Columns to write in: the terminal's, 80 where there is none, and no more than reads well."""
    return min(shutil.get_terminal_size().columns, 120)


def paragraph(text: str, hang: int = 0) -> str:
    """Printable text wrapped line by line, each with its own indent and `hang` more from its second row on.

    Long words stay whole, so that paths can be copied.
    """
    return "\n".join(_wrapped(line, hang) for line in printable(text).split("\n"))


def many(count: int, what: str) -> str:
    """So many of something: "1 record", "1,200 records"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def checked(passed: bool, name: str, figure: str) -> str:
    """One thing that was looked at, on a line."""
    return paragraph(f"{'ok  ' if passed else 'FAIL'} {name:<12} {figure}", hang=18)


def _wrapped(line: str, hang: int) -> str:
    text = line.lstrip()
    indent = line[: len(line) - len(text)]
    return textwrap.fill(
        text,
        width(),
        initial_indent=indent,
        subsequent_indent=indent + " " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
