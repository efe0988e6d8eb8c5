"""How a region is spoken of, as in ViP-LLaVA's training data (arXiv:2312.00784, section 3).

phrase("rectangle", "red")   "within the red rectangle"
pointing("Which object is the seven?", ["red", "lime", "blue", "gold"])
describing("within the red rectangle")
"""

from collections.abc import Mapping, Sequence

PREPOSITIONS: Mapping[str, str] = {"rectangle": "within"}
"""Per kind of mark, how text refers to what it marks."""

LETTERS = "ABCD"


def phrase(kind: str, color: str | None) -> str:
    """A marked region; a mark whose color has no name is told by its kind alone."""
    return f"{PREPOSITIONS[kind]} the {color + ' ' if color else ''}{kind}"


def pointing(question: str, colors: Sequence[str]) -> str:
    """A Visual7W question: which of four regions, each in a rectangle of a color of its own."""
    options = [
        f"{letter}. The object {phrase('rectangle', color)}" for letter, color in zip(LETTERS, colors, strict=True)
    ]
    return "\n".join([question, *options, "Answer with the option's letter from the given choices directly."])


def describing(region: str) -> str:
    """A RefCOCOg question: what is there."""
    return f"Describe the object {region}. Please provide a short phrase."
