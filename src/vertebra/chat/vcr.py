"""Visual Commonsense Reasoning as ViP-LLaVA words it (Zellers et al., arXiv:1811.10830): answer, then say why.

    {"id": "vcr-12", "image": "vcr1images/movie/a.jpg", "meta_dir": "./dataset/vcr1images/movie/a.json",
     "class_names": ["person", "person", "cup"], "question": ["What", "is", [1], "holding", "?"],
     "answer_choices": [four such lists], "answer_label": 2, "rationale_choices": [four], "rationale_label": 0}
    a.json   {"boxes": [[x1, y1, x2, y2, score], ...], "segms": [[[[x, y], ...], ...], ...]}

A list among the words holds the numbers of objects, which are marked and spoken of by their marks. Objects that no text
in use mentions are not drawn. Training (`vcr`) has two rounds; the benchmarks ask once, with points as marks:
`answering` for the answer (Q -> A), `reasoning` for the reason of the right one (QA -> R).
"""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vertebra.chat import wording
from vertebra.chat.conversation import Conversation, Turn
from vertebra.chat.regions import Chosen, Teller, Told, choose
from vertebra.chat.rows import Row, is_inside
from vertebra.errors import DataError
from vertebra.reading import read_text
from vertebra.spec import DataCompat
from vertebra.visual.regions import Region

Words = tuple[str | tuple[int, ...], ...]
"""A text whose tuples are numbers of objects."""

KINDS = ("rectangle", "ellipse", "triangle", "scribble", "mask", "mask contour", "arrow")
_CLOSING = frozenset(".,?!:;")


@dataclass(frozen=True, slots=True)
class Scene:
    """A record's texts."""

    question: Words
    answers: tuple[Words, ...]
    answer: int
    rationales: tuple[Words, ...]
    rationale: int
    names: tuple[str, ...]
    """What each object is."""
    meta: str
    """Path of the file with the objects' boxes and outlines, in the image folder."""


def scene(row: Row) -> Scene:
    """The texts of a record, checked. `DataError` for what is not as above."""
    names = row.get("class_names", list)
    if not all(isinstance(name, str) for name in names):
        raise row.wrong("`class_names` must hold text alone.")
    answers, rationales = (_choices(row, f"{what}_choices", names) for what in ("answer", "rationale"))
    return Scene(
        _words(row, row.fields.get("question"), "question", names),
        answers, _label(row, "answer_label"), rationales, _label(row, "rationale_label"), tuple(names), meta(row),
    )  # fmt: skip


def meta(row: Row) -> str:
    """Where the objects of a record are told of, in the image folder."""
    path = row.text("meta_dir").removeprefix("./").removeprefix("dataset/")
    if not is_inside(path):
        raise row.wrong(f"`meta_dir` must be a path inside the image folder, found {path!r}.")
    return path


def vcr(row: Row, _: frozenset[DataCompat]) -> Teller:
    """Two rounds, question and reason, each with options or without at even odds."""
    found = scene(row)

    def tell(rng: random.Random, folder: Path) -> Told:
        rounds = []
        for choices, right in ((found.answers, found.answer), (found.rationales, found.rationale)):
            has_options = rng.random() < 0.5
            rounds.append((choices, right) if has_options else ((choices[right],), 0))
        chosen = _marked(rng, KINDS, [found.question, *(text for choices, _ in rounds for text in choices)])
        turns: list[Turn] = []
        for number, (choices, right) in enumerate(rounds):
            asked = (
                rng.choice(wording.VCR_WHY)
                if number
                else rng.choice(wording.VCR_ASKING) + spoken(found.question, chosen, found.names, rng)
            )
            said = [spoken(choice, chosen, found.names, rng) for choice in choices]
            answer = said[right]
            if len(said) > 1:
                listed = " ".join(f"({letter}) {text}" for letter, text in zip(wording.LETTERS, said, strict=True))
                asked = f"{asked} {rng.choice(wording.VCR_OPTIONS)}{listed}"
                answer = _styled(rng, wording.LETTERS[right], answer)
            turns += [Turn("user", asked, images=1 - number), Turn("assistant", answer)]
        regions = objects(folder / found.meta, list(chosen), row)
        marks = tuple(each.mark(region, rng) for each, region in zip(chosen.values(), regions, strict=True))
        return Told(Conversation(tuple(turns)), marks)

    return tell


class Choice(NamedTuple):
    """A question with four lettered options, in one turn."""

    text: str
    letter: str
    """Of the right one."""
    chosen: Mapping[int, Chosen]
    """How each object that it mentions is marked, in the order of their numbers."""


def answering(found: Scene, rng: random.Random) -> Choice:
    """The question and its four answers."""
    chosen, (question, *answers) = _pointed(found, rng, [found.question, *found.answers])
    return Choice(wording.choosing(question, answers), wording.LETTERS[found.answer], chosen)


def reasoning(found: Scene, rng: random.Random) -> Choice:
    """The question with its right answer, and four reasons for it."""
    texts = [found.question, found.answers[found.answer], *found.rationales]
    chosen, (question, answer, *reasons) = _pointed(found, rng, texts)
    return Choice(wording.reasoning(question, answer, reasons), wording.LETTERS[found.rationale], chosen)


def _pointed(found: Scene, rng: random.Random, texts: Sequence[Words]) -> tuple[dict[int, Chosen], list[str]]:
    """Texts whose objects are at points and are always called what they are."""
    chosen = _marked(rng, ("point",), texts)
    return chosen, [spoken(text, chosen, found.names, rng, plain=True) for text in texts]


def _marked(rng: random.Random, kinds: Sequence[str], texts: Iterable[Words]) -> dict[int, Chosen]:
    seen = mentioned(texts)
    return dict(zip(seen, choose(rng, len(seen), kinds), strict=True))


def mentioned(texts: Iterable[Words]) -> list[int]:
    """The objects that some texts speak of, in order."""
    return sorted({each for text in texts for word in text if isinstance(word, tuple) for each in word})


def spoken(
    text: Words, chosen: Mapping[int, Chosen], names: Sequence[str], rng: random.Random, *, plain: bool = False
) -> str:
    """A text with its objects spoken of by their marks, "the dog within the red ellipse and the object at point".

    One in two is called object or instance instead of what it is, unless `plain`; and one in two marks has a "the".
    """
    said = ""
    for place, word in enumerate(text):
        if isinstance(word, str):
            said += word
        else:
            for number, each in enumerate(word):
                said += "The " if not (place or number) else " the "
                vague = not plain and rng.random() < 0.5
                name = rng.choice(("object", "instance")) if vague else names[each]
                said += f"{name} {chosen[each].phrase(rng.random() < 0.5)}"
                said += " and" if number < len(word) - 1 else ""
        following = text[place + 1] if place + 1 < len(text) else ""
        if isinstance(following, str) and following and following not in _CLOSING:
            said += " "
    return said


def objects(path: Path, numbers: Sequence[int], row: Row) -> list[Region]:
    """The regions of some objects, from the file beside the picture. `DataError` where it does not hold them."""
    try:
        told = json.loads(read_text(path))
        boxes, outlines = told["boxes"], told["segms"]
        return [
            row.region(boxes[each][:4], [_flat(shape) for shape in outlines[each] if len(shape) >= 4], f"object {each}")
            for each in numbers
        ]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise row.wrong(f"{path} does not hold the objects {list(numbers)}: {error}.") from error


def _flat(shape: Sequence[Sequence[float]]) -> list[float]:
    return [side for point in shape for side in point]


def _styled(rng: random.Random, letter: str, text: str) -> str:
    """An answer that names its option, in one of seven ways."""
    text, adjective = text[:1].lower() + text[1:], rng.choice(wording.VCR_ADJECTIVES)
    styled = rng.choice(
        (
            f"({letter})",
            f"{adjective} answer is ({letter})",
            f"({letter}){rng.choice(wording.VCR_PUNCTUATION)} {text}",
            f"{adjective} answer is ({letter}) — {text}",
            f"({letter}) — {adjective} because {text}",
            f"Answer ({letter}): {text}",
            f"Opt for ({letter}) if {text}",
        )
    )
    return styled.replace("—", "-")


def _choices(row: Row, name: str, names: Sequence[str]) -> tuple[Words, ...]:
    found = row.get(name, list)
    if len(found) != len(wording.LETTERS):
        raise row.wrong(f"`{name}` must hold {len(wording.LETTERS)}, found {len(found)}.")
    return tuple(_words(row, text, name, names) for text in found)


def _words(row: Row, text: object, name: str, names: Sequence[str]) -> Words:
    if not isinstance(text, list) or not text:
        raise row.wrong(f"`{name}` must be words and lists of object numbers, found {type(text).__name__}.")
    words: list[str | tuple[int, ...]] = []
    for word in text:
        if isinstance(word, str):
            words.append(Row({name: word}, row.where).words(name))
        elif isinstance(word, list) and word and all(type(each) is int and 0 <= each < len(names) for each in word):
            words.append(tuple(word))
        else:
            raise row.wrong(f"`{name}` speaks of {word!r}, which is neither a word nor objects of `class_names`.")
    return tuple(words)


def _label(row: Row, name: str) -> int:
    label = row.get(name, int)
    if not 0 <= label < len(wording.LETTERS):
        raise row.wrong(f"`{name}` must be 0 to {len(wording.LETTERS) - 1}, found {label}.")
    return label
