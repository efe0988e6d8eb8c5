"""How a region is spoken of, as in ViP-LLaVA's training data (arXiv:2312.00784, section 3).

phrase("rectangle", "red")   "within the red rectangle"
pointing("Which object is the seven?", ["red", "lime", "blue", "gold"])
describing("within the red rectangle")   "Describe the object within the red rectangle. Please provide a short phrase."
"""

from collections.abc import Mapping, Sequence

PREPOSITIONS: Mapping[str, str] = {"rectangle": "within"}
"""Per kind of mark, how text refers to what it marks."""

LETTERS = "ABCD"


def phrase(kind: str, color: str | None, article: bool = True) -> str:
    """A marked region, with or without "the"; a mark whose colour has no name is told by its kind alone."""
    return " ".join(filter(None, [PREPOSITIONS[kind], "the" if article else None, color, kind]))


def option(color: str, article: bool = True) -> str:
    """A choice of a Visual7W question."""
    return f"The object {phrase('rectangle', color, article)}"


def pointing(question: str, colors: Sequence[str], articles: Sequence[bool] = (True,) * 4) -> str:
    """A Visual7W question: which of four regions, each in a rectangle of a colour of its own.

    In the training data a coin decides for each rectangle whether it has a "the".
    """
    options = [
        f"{letter}. {option(color, article)}" for letter, color, article in zip(LETTERS, colors, articles, strict=True)
    ]
    return "\n".join([question, *options, "Answer with the option's letter from the given choices directly."])


def looking_twice(question: str) -> str:
    """A PointQA-LookTwice question, whose example is in a red rectangle."""
    return (
        f"{question} The exemplary object is within the rectangle.\nAnswer the question using a single word or phrase."
    )


def describing(region: str) -> str:
    """A RefCOCOg question: what is there."""
    return f"Describe the object {region}. Please provide a short phrase."


UNTOLD = (describing("with the visual prompt"), "Describe the pointed region. Please provide a short phrase.")
"""RefCOCOg questions that leave it to the eye where to look; one in four is such."""
