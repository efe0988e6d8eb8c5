"""The letter that an answer to a multiple-choice question chooses, by each rule that published numbers were made with.

    choices = {"A": "cat", "B": "dog", "C": "a red car", "D": "tree"}
    matched("The answer is A", choices)         "A"    VLMEvalKit, February 2024 to August 2025
    matched_2023("The answer is A", choices)    None   MMBench as released in July 2023
    lone("答案是B", "ABCD")                      "B"    none of the official ones

VLMEvalKit (https://github.com/open-compass/VLMEvalKit, vlmeval/utils/matching_util.py) is what MMBench's server runs.
Where no rule finds a letter the official pipelines ask a language model; here that is None.
"""

import re
from collections.abc import Collection, Mapping

from vertebra.scoring.benchmark import Sample, Verdict

_PUNCTUATION = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_FAILED = "Failed to obtain answer via API"
_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)


def matched(text: str, choices: Mapping[str, str]) -> str | None:
    """The only letter of a choice among the words, else the only choice whose text occurs; "Z" is none of them."""
    if _FAILED not in text:
        if any(refusal in text for refusal in _REFUSALS):
            return "Z"
        words = set(text.translate(_PUNCTUATION).split())
        found = [letter for letter in choices if letter in words]
        if len(found) == 1:
            return found[0]
        if not found and "Z" in words:
            return "Z"
    return _quoted(text, choices)


def matched_2023(text: str, choices: Mapping[str, str]) -> str | None:
    """The same with A to E whatever the choices, and punctuation in set places only, such as "B." and "(B)"."""
    words = text.split()
    for start, end in () if _FAILED in text else _AFFIXES:
        found = [letter for letter in "ABCDE" if f"{start}{letter}{end}" in words]
        # A bare "A" among more than three words is taken for an article.
        if len(found) == 1 and not (found == ["A"] and not start + end and len(words) > 3):
            return found[0]
    return _quoted(text, choices)


_AFFIXES = (
    *(("", ""), ("", "."), ("", ","), ("", ":"), ("", ")"), ("", ")."), ("(", ")"), ("(", ").")),
    *((":", ""), (":", ","), (":", "."), (":", ")"), (":", ").")),
)


def _quoted(text: str, choices: Mapping[str, str]) -> str | None:
    lowered = text.lower()
    found = [letter for letter, choice in choices.items() if choice.lower() in lowered]
    return found[0] if len(found) == 1 else None


def lone(text: str, letters: Collection[str]) -> str | None:
    """The only one of these capitals that touches no Latin letter, digit or apostrophe; alone, in either case."""
    bare = text.strip().upper()
    if bare in tuple(letters):
        return bare
    found = set(_ALONE.findall(text)) & set(letters)
    return found.pop() if len(found) == 1 else None


def lenient(sample: Sample, text: str) -> Verdict:
    """Whether the letter that stands alone is right, of options A to D."""
    letter = lone(text, "ABCD")
    return Verdict(sample.id, float(letter in sample.gold), letter)


_ALONE = re.compile(r"(?<![A-Za-z0-9'’])[A-Z](?![A-Za-z0-9'’])")
