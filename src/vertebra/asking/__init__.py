"""Asking, apart from who is asked: questions in groups that share a picture, and answers that nothing loses."""

from vertebra.asking.answerer import Answerer
from vertebra.asking.ledger import Ledger
from vertebra.asking.questions import Batch, Decoding, Group, Picture, Question, by_length, by_picture, one_by_one

__all__ = [
    "Answerer",
    "Batch",
    "Decoding",
    "Group",
    "Ledger",
    "Picture",
    "Question",
    "by_length",
    "by_picture",
    "one_by_one",
]
