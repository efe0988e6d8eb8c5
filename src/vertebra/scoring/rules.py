"""A judge made of rules, for studies that must run anywhere: it looks for words and understands nothing.

    grade("... | -1 <AND> -5 | x = -1 | ")      "0.5"      half of the parts are there
    grade("... | five<OR>5 | one, two, three, four, five, six | ")      "0.5"      and so are as many words again
    grade("... [Assistant 2]\\nA dog. ...")      "10 6"     half of the reference answer's words are there

It reads the same prompts as any judge, and its scores carry its name: `judge=rules (scripted)`.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vertebra.endpoint import Reply
from vertebra.scoring.hearing import Ask, Call

NAME, SCRIPTED = "rules", "scripted"
"""The judge's name, and the model that it says it is."""
_BLOCK = r"\[Assistant {0}\]\n(.*?)\n\n\[End of Assistant {0}\]"
_FIRST, _SECOND = (re.compile(_BLOCK.format(number), re.DOTALL) for number in (1, 2))


class ScriptedJudge:
    """The rules as a judge."""

    name = NAME

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Ask]:
        """A way to ask that never fails."""

        async def ask(call: Call) -> Reply:
            return Reply(grade(call.request.messages[-1][1]), SCRIPTED)

        yield ask


def grade(prompt: str) -> str:
    """The reply to a prompt of MM-Vet's table or LLaVA's review."""
    reference, candidate = _FIRST.search(prompt), _SECOND.search(prompt)
    if reference and candidate:
        return f"10 {1 + round(9 * _share(_words(reference[1]), candidate[1]))}\nCounted words."
    *_, truth, answer, _ = prompt.split(" | ")
    parts = truth.split("<AND>")
    held = sum(_holds(part, answer) for part in parts) / len(parts)
    return f"{held * _brevity(parts, answer):.1f}"


def _brevity(parts: list[str], answer: str) -> float:
    """One up to twice as many words as the ground truth has and one more; who lists everything hits on everything."""
    longest = sum(max(len(_words(choice)) for choice in part.split("<OR>")) for part in parts)
    return min(1.0, (2 * longest + 1) / max(len(_words(answer)), 1))


def _holds(part: str, answer: str) -> bool:
    """Whether one of the part's alternatives is in the answer, word for word."""
    said = _words(answer)
    wanted = [_words(choice) for choice in part.split("<OR>")]
    return any(said[start : start + len(words)] == words for words in wanted for start in range(len(said)))


def _share(wanted: list[str], answer: str) -> float:
    return len(set(wanted) & set(_words(answer))) / max(len(set(wanted)), 1)


def _words(text: str) -> list[str]:
    return re.findall(r"-?\w+", text.casefold())
