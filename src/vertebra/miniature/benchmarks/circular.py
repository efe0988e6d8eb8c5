"""MMBench and MMBench-CN in small: the same questions in two languages, their options rotating."""

import base64
import csv
import random
from collections.abc import Iterator
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from vertebra.chat.wording import LETTERS
from vertebra.files import write_atomically
from vertebra.miniature import talk
from vertebra.miniature.benchmarks import layout
from vertebra.miniature.scenes import COLORS, WORDS, paint
from vertebra.miniature.talk import Choice
from vertebra.scoring.circular import TURN, unpack

_COLUMNS = (
    *("index", "question", "hint", "A", "B", "C", "D", "answer"),
    *("category", "image", "source", "l2-category", "comment", "split"),
)
_INSTANCES = "finegrained_perception (instance-level)"
_CATEGORIES = {
    "color": ("attribute_recognition", _INSTANCES),
    "digit": ("object_localization", _INSTANCES),
    "presence": ("image_scene", "coarse_perception"),
}
"""MMBench's ability and group of abilities for each kind of question."""


class _Asked(NamedTuple):
    """A question in one language."""

    question: str
    options: tuple[str, ...]
    hint: str
    last: str
    """The option that says that no other is right."""


def mmbench(rng: random.Random, folder: Path, questions: int) -> None:
    """Two to four options, a row for each of their rotations."""
    _table(rng, folder, questions, "mmbench_dev_20230712.tsv", in_chinese=False)


def mmbench_cn(rng: random.Random, folder: Path, questions: int) -> None:
    """The same in Chinese, which no tiny model has learnt."""
    _table(rng, folder, questions, "mmbench_dev_cn_20231003.tsv", in_chinese=True)


def _table(rng: random.Random, folder: Path, questions: int, name: str, in_chinese: bool) -> None:
    text = StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow(_COLUMNS)
    for number in range(questions):
        scene = layout.scene(rng)
        asked, has_hint, has_last = talk.choice(rng, scene), rng.random() < 0.1, rng.random() < 0.3
        said = _chinese(asked) if in_chinese else _english(asked)
        category, group = _CATEGORIES[asked.kind]
        image = base64.b64encode(layout.jpeg(paint(scene))).decode()
        for turn, (options, answer) in enumerate(_rotations(said, asked.answer, has_last)):
            cells = [turn * TURN + 200 + number, said.question, said.hint if has_hint else "", *options, answer]
            table.writerow([*cells, category, image, "digits", group, "", "dev"])
    write_atomically(folder / name, text.getvalue())
    unpack(folder / name, folder)


def _rotations(said: _Asked, answer: int, has_last: bool) -> Iterator[tuple[list[str], str]]:
    """Four options and the right letter, the last option becoming the first from row to row.

    As in the release, "none of these" stays in its place: such a question has four options and three rows.
    """
    count = len(said.options)
    end = [said.last] if has_last and count == 3 else []
    for turn in range(count):
        turned = [said.options[(place - turn) % count] for place in range(count)]
        padded = [option for option, _ in zip_longest([*turned, *end], LETTERS, fillvalue="")]
        yield padded, LETTERS[(answer + turn) % count]


def _english(asked: Choice) -> _Asked:
    return _Asked(asked.question, asked.options, "Each digit has a color of its own.", "None of these")


def _chinese(asked: Choice) -> _Asked:
    clue = _CHINESE.get(asked.clue or "", "")
    question = {"color": f"{clue}是什么颜色的？", "digit": f"哪个数字是{clue}的？", "presence": "图中有哪个数字？"}
    options = tuple(_CHINESE[option] for option in asked.options)
    return _Asked(question[asked.kind], options, "每个数字都有自己的颜色。", "以上都不是")


NUMERALS = "零一二三四五六七八九"
_CHINESE = dict(zip((*WORDS, *COLORS), (*NUMERALS, *("红色", "绿色", "蓝色", "黄色", "白色", "粉色")), strict=True))
