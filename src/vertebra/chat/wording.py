"""How a region is spoken of, as in ViP-LLaVA's training data (arXiv:2312.00784, section 3).

phrase("rectangle", "red")   "within the red rectangle"
pointing("Which object is the seven?", ["red", "lime", "blue", "gold"])
describing("within the red rectangle")   "Describe the object within the red rectangle. Please provide a short phrase."

Lists of paraphrases are our own, as many as the published ones.
"""

from collections.abc import Mapping, Sequence

PREPOSITIONS: Mapping[str, str] = {
    "triangle": "with",
    "scribble": "with",
    "mask": "with",
    "mask contour": "with",
    "point": "at",
    "arrow": "pointed to by",
}
"""Per kind of mark, how text refers to what it marks, where that is not "within"."""

LETTERS = "ABCD"
SHORTLY = "\nAnswer the question using a single word or phrase."


def phrase(kind: str, color: str | None, article: bool = True) -> str:
    """A marked region, with or without "the"; a mark whose colour has no name is told by its kind alone."""
    return " ".join(filter(None, [PREPOSITIONS.get(kind, "within"), "the" if article else None, color, kind]))


def option(color: str, article: bool = True) -> str:
    """A choice of a Visual7W question."""
    return f"The object {phrase('rectangle', color, article)}"


def pointing(question: str, colors: Sequence[str], articles: Sequence[bool] = (True,) * 4) -> str:
    """A Visual7W question: which of four regions, each in a rectangle of a colour of its own.

    In the training data a coin decides for each rectangle whether it has a "the".
    """
    return choosing(question, [option(color, article) for color, article in zip(colors, articles, strict=True)])


def choosing(question: str, options: Sequence[str]) -> str:
    """A question and its lettered options, each in a line."""
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True)]
    return "\n".join([question, *lines, "Answer with the option's letter from the given choices directly."])


def reasoning(question: str, answer: str, reasons: Sequence[str]) -> str:
    """A VCR question for the reason of a given answer, to the letter as in ViP-LLaVA's evaluation."""
    asked = (
        "I give you a question and its answer, I need you to provide a rationale explaining why the answer is right. "
        f'"{question}" The answer is "{answer}".What is the rationale for this decision?'
    )
    return choosing(asked, reasons)


def looking_twice(question: str) -> str:
    """A PointQA-LookTwice question, whose example is in a red rectangle."""
    return f"{question} The exemplary object is within the rectangle.{SHORTLY}"


def describing(region: str) -> str:
    """A RefCOCOg question: what is there."""
    return f"Describe the object {region}. Please provide a short phrase."


UNTOLD = (describing("with the visual prompt"), "Describe the pointed region. Please provide a short phrase.")
"""RefCOCOg questions that leave it to the eye where to look; one in four is such."""


def relating(subject: str, thing: str) -> str:
    """A Visual Genome question: what a subject and an object have to do with each other."""
    return (
        f"What is the relationship between the subject {subject} and the object {thing}? Tell it as a short triplet "
        "(subject, relationship, object). Subject and object are noun phrases, the relationship is a verb or a "
        "preposition."
    )


CAPTIONING: Mapping[str, Sequence[str]] = {
    "semantic": (
        "Describe the image by way of the objects that the visual prompts point out, without a word on the visual "
        "prompts themselves.",
        "Write a sentence about this image that speaks of what the visual prompts refer to. Do not mention the visual "
        "prompts.",
    ),
    "semantic_visual_prompt": (
        "Describe the image by way of the objects that the visual prompts point out, and name each object together "
        "with its visual prompt.",
        "Write a sentence about this image that speaks of what the visual prompts refer to. Name both the object, such "
        "as a dog, and its visual prompt, such as a red box.",
    ),
}
"""Flickr30k questions, two a mode: to leave the marks unmentioned, or to mention them."""

HINTS = (" Hint: the visual prompts are:", " The visual prompts are:")


def hinting(lead: str, marks: Sequence[str]) -> str:
    """What is drawn, such as " The visual prompts are: red rectangle, and ellipse." """
    *others, last = marks
    return lead + "".join(f" {mark}," for mark in others) + (" and" if others else "") + f" {last}."


VCR_ASKING = (
    "Look at the image and answer this: ",
    "Here is a question about the image: ",
    "Going by what the image shows, ",
    "Please answer this question about the picture: ",
    "With the image before you, what do you say to this: ",
    "Study the scene, then answer: ",
    "From what you can see in the image, tell me: ",
    "The following is about the given image: ",
    "Take a careful look at the image. ",
    "What does the image tell you about this: ",
)
VCR_OPTIONS = (
    "Choose one of these: ",
    "The options are: ",
    "Pick the answer from: ",
    "One of the following is right: ",
    "Which of these is it: ",
    "These are the choices: ",
    "Decide between: ",
    "Select one answer: ",
    "You may answer with one of: ",
    "Possible answers: ",
)
VCR_WHY = (
    *("Why?", "why", "Why so?", "How come?", "And why is that?", "Why is it so?", "Why do you say so?"),
    *("Why do you think so?", "Why this one?", "Why would that be?", "Why are you sure?", "For what reason?"),
    *("What is the reason?", "What makes you say so?", "What makes you sure?", "What makes it so?"),
    *("What tells you so?", "What speaks for it?", "What is your evidence?", "What do you base that on?"),
    *("What led you there?", "What brings you to this answer?", "What supports your answer?"),
    *("What in the image says so?", "What did you see that says so?", "What is your argument?"),
    *("What is the explanation?", "What is behind your answer?", "What is your reasoning?"),
    *("How do you know?", "How can you tell?", "How did you work that out?", "How did you get there?"),
    *("How would you justify it?", "Explain your answer.", "Give your reason.", "Tell me why."),
    *("Please justify your answer.", "On what grounds?"),
)
VCR_ADJECTIVES = (
    *("The right", "The correct", "The best", "The proper", "The fitting"),
    *("The true", "The most likely", "The most sensible", "The one", "The accurate"),
)
VCR_PUNCTUATION = (":", "->", "→", "::", "—", ";", "|", "⇒")
