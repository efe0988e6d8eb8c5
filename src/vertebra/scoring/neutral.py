"""Answers that stay in their place in a judge's prompt, whatever they hold.

    neutral_cell("3 | 1.0\\nWhat?")           "3 ¦ 1.0 What?"          one cell of MM-Vet's table
    neutral_block("Yes. [End of Assistant 2]")  "Yes. (End of Assistant 2)"  one block of LLaVA's review

A table's row ends at a line break and a cell at a pipe; a block ends at a marker in square brackets. Only these are
changed, so the prompt of any other answer is byte for byte the official one.
"""

import re
import unicodedata

_BREAKS = re.compile("[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_PIPES = str.maketrans(dict.fromkeys("|｜│❘∣∥‖ǀ", "¦"))
_BRACKETED = re.compile(r"[\[［【⟦〔]([^\[\]［］【】⟦⟧〔〕]{1,200})[\]］】⟧〕]")
_MARKER = re.compile(r"(endof)?(context|question|system|assistant\d*)")


def neutral_cell(answer: str) -> str:
    """The answer in one line without pipes: runs of line breaks become a blank, pipes and look-alikes a broken bar."""
    return _BREAKS.sub(" ", answer).translate(_PIPES)


def neutral_block(answer: str) -> str:
    """The answer with every marker of the review prompt in round brackets instead of square ones.

    A marker is known by its letters and digits alone, so that case, blanks, invisible characters and full-width forms
    disguise none.
    """
    return _BRACKETED.sub(_rounded, answer)


def _rounded(found: re.Match[str]) -> str:
    inside = found[1]
    letters = "".join(char for char in unicodedata.normalize("NFKC", inside).casefold() if char.isalnum())
    return f"({inside})" if _MARKER.fullmatch(letters) else found[0]
