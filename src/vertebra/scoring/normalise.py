"""The three normalisers of short answers, each as its official code runs it, and VQA accuracy.

    m4c("Macy's, NY.")          "macy 's ny"       TextVQA; what LLaVA sends to the VQAv2 and VizWiz servers
    vqa("Macy's, NY.")          "macy's ny"        the VQA challenge (GT-Vision-Lab/VQA, commit a013f00)
    vizwiz("I dont know.")      "i don’t know"     the VizWiz challenge (Qing Li's VQAEval)
    leave_one_out("2", ["2", "two", "3", ...])     0.3

They share two steps and no more: punctuation, then digits and articles. They are not corrected: the period rule passes
a flag, 32, where the number of replacements goes, so that periods are deleted up to the thirty-second; a comma between
digits anywhere lets every mark be deleted instead of spaced. Texts recur by the thousand, so results are remembered.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

_REMEMBERED = 1 << 16
_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_DIGIT_COMMA = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")  # the official look-behind for a digit is mistyped and always holds
_PERIODS = 32
_WORTH = (0.0, 0.3, 0.6, 0.9, 1.0)
_ARTICLES = frozenset(("a", "an", "the"))
_NUMBERS = {"none": "0"} | {
    word: str(number)
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())  # noqa: SIM905
}
_CONTRACTED = """
    ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mightn't mustn't needn't oughtn't
    shan't shouldn't wasn't weren't won't wouldn't
    could've I've might've must've not've should've they've we've what've where've who've would've you've
    how'll it'll somebody'll someone'll something'll they'll what'll who'll why'll you'll
    there're they're what're why're you're
    he'd how'd it'd someone'd something'd there'd they'd where'd who'd you'd
    he's how's somebody's someone's that's there's what's when's where's who's why's
    I'm ma'am o'clock 'twas y'all y'all'll 'ow's'at
    couldn't've hadn't've he'd've I'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've
    something'd've there'd've they'd've we'd've who'd've wouldn't've you'd've y'all'd've
"""
# Each is found under what is left of it when one of its apostrophes is forgotten; three entries are slips of the table.
CONTRACTIONS: Mapping[str, str] = {
    full[:place] + full[place + 1 :]: full
    for full in _CONTRACTED.split()
    for place, letter in enumerate(full)
    if letter == "'"
} | {"let's": "let's", "she's": "she's", "somebody'd": "somebodyd"}
"""Word without an apostrophe -> with it: the 120 entries of the VQA challenge's table."""

_STRAIGHT_WORDS = ("ain't", "aren't", "can't", "could've", "couldn't")
_STRAIGHT_KEYS = ("couldn'tve", "hadn'tve")
VIZWIZ_CONTRACTIONS: Mapping[str, str] = {
    (key if key in _STRAIGHT_KEYS else key.replace("'", "’")): (
        word if word in _STRAIGHT_WORDS else word.replace("'", "’")
    )
    for key, word in CONTRACTIONS.items()
}
"""The same table as the VizWiz evaluation has it, most apostrophes curly."""


@lru_cache(_REMEMBERED)
def m4c(text: str) -> str:
    """LLaVA's `EvalAIAnswerProcessor` (`llava/eval/m4c_evaluator.py`, out of mmf). Splits possessives: "macy 's"."""
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    return _digits_and_articles(_punctuation(_one_line(text)), CONTRACTIONS)


@lru_cache(_REMEMBERED)
def vqa(text: str) -> str:
    """The VQA challenge's processing of an answer, where it processes answers at all (see `vqa_gold`)."""
    return _digits_and_articles(_punctuation(_one_line(text)), CONTRACTIONS)


@lru_cache(_REMEMBERED)
def vizwiz(text: str) -> str:
    """The VizWiz evaluation's processing of a prediction. It takes the annotators' answers as they are."""
    return _digits_and_articles(_punctuation(_one_line(text)), VIZWIZ_CONTRACTIONS)


def leave_one_out(answer: str, annotators: Sequence[str]) -> float:
    """VQA accuracy, 0 to 1: the mean, over ten annotators left out in turn, of min(1, others who said it / 3).

    So 0, .3, .6, .9 and 1 where none, one, two, three and more said it, which is not min(1, n / 3).
    """
    return _WORTH[min(annotators.count(answer), 4)]


def vqa_gold(annotators: Sequence[str]) -> tuple[str, ...]:
    """What the VQA challenge has compared answers with since March 2021: the ten annotators' processed answers, or the
    one string alone, unprocessed, where all ten wrote the same."""
    alike = {_one_line(said) for said in set(annotators)}
    return tuple(alike) if len(alike) == 1 else tuple(map(vqa, annotators))


def vqa_accuracy(answer: str, gold: Sequence[str]) -> float:
    """Accuracy of an answer, 0 to 1, against what `vqa_gold` made of the annotators' answers.

    Where they all wrote the same string, an answer must be that string, case and full stop included.
    """
    if len(gold) == 1:
        return float(_one_line(answer) in gold)
    return leave_one_out(vqa(answer), gold)


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _punctuation(text: str) -> str:
    """Deletes a mark that stands next to a space anywhere in the text, else puts a space for it; then periods."""
    has_digit_comma = _DIGIT_COMMA.search(text) is not None
    cleaned = text
    for mark in _MARKS:
        if mark in text:
            deleted = has_digit_comma or mark + " " in text or " " + mark in text
            cleaned = cleaned.replace(mark, "" if deleted else " ")
    return _PERIOD.sub("", cleaned, count=_PERIODS)


def _digits_and_articles(text: str, contractions: Mapping[str, str]) -> str:
    words = (_NUMBERS.get(word, word) for word in text.lower().split())
    return " ".join(contractions.get(word, word) for word in words if word not in _ARTICLES)
