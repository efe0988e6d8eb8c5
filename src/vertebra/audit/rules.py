"""What a field means when two arms differ in it: what the study swaps, what comes with that, or a confound.

    rule_of("learning_rate")   confound whatever is swapped
    rule_of("layers")          intended between families, a confound between backbones
    rule_of("parameters")      unavoidable between backbones

A field without a rule of its own is a confound: nothing has to be listed to be found.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Axis = Literal["backbones", "families", "seeds"]
"""In what two arms that are compared differ by name; in the other two they are the same."""

Kind = Literal["confound", "unavoidable", "intended"]

_ALL: tuple[Axis, ...] = ("backbones", "families", "seeds")


@dataclass(frozen=True, slots=True)
class Rule:
    """One meaning for the fields of some names, which may hold wildcards."""

    fields: tuple[str, ...]
    why: str
    """What the difference can do, as a confound."""
    intended: tuple[Axis, ...] = ()
    unavoidable: tuple[Axis, ...] = ()
    comes: str = ""
    """Where it comes from, where it is unavoidable."""
    nothing: str = "none"
    """What an option that is not taken stands for."""

    def kind(self, axis: Axis) -> Kind:
        """What such a difference is between arms that are compared along an axis."""
        if axis in self.intended:
            return "intended"
        return "unavoidable" if axis in self.unavoidable else "confound"


def rule_of(field: str) -> Rule:
    """The first rule for a field of this name."""
    return next(rule for rule in RULES if any(fnmatchcase(field, pattern) for pattern in rule.fields))


def why(field: str, axis: Axis) -> str:
    """One sentence on a difference in a field, between arms that are compared along an axis."""
    rule = rule_of(field)
    match rule.kind(axis):
        case "intended":
            return _SWAPPED[axis]
        case "unavoidable":
            return rule.comes
        case _:
            return rule.why


_SWAPPED: dict[Axis, str] = {
    "backbones": "It is what the study swaps.",
    "families": "It is what makes the families two.",
    "seeds": "It is what the study repeats with.",
}

RULES = (
    # What is swapped.
    Rule(("weights",), "They are other language models, so no effect is that of anything else.", ("backbones",)),
    Rule(("seed",), "Another order and another beginning of the projector.", ("seeds",)),
    Rule(("model", "vision", "layers"), "They see through other eyes.", ("families",)),
    Rule(("stages",), "One was trained in other rounds, or elsewhere in ways not known here.", ("families",)),
    Rule(("mixture", "mixture.*", "files"), "One learns from other data.", ("families",)),
    Rule(("trains",), "More of one model is trained than of the other.", ("families",)),
    Rule(("lora",), "Adapters learn less of the data than whole weights do.", ("families",)),
    Rule(("told",), "One is told in chats what the other is told as bare captions.", ("families",)),
    # What comes with it.
    Rule(("chat", "system_prompt"), "What differs may be the prompt and not the model.", (), ("backbones",),
         "Each backbone is spoken to as it was taught to be."),
    Rule(("special_tokens", "parameters", "vocabulary", "context"), "They are not the same backbone.", (),
         ("backbones",), "It is the backbone's own."),
    Rule(("tokens_per_1000_*",), "They are not the same backbone.", (), ("backbones",),
         "Where the same text takes more tokens, an answer takes more steps and less of a sample fits."),
    Rule(("tokenizer",), "Fast and slow tokenizers of one name can cut the same text otherwise.", (), ("backbones",),
         "Not every backbone comes with both a fast and a slow one."),
    Rule(("tokens", "supervised_tokens"), "", (), _ALL,
         "The same records are as many tokens as tokenizer, format and chance make of them."),
    Rule(("samples", "cut", "lost"), "", (), _ALL,
         "A sample of too many tokens loses its end, or all of its answers and is left out."),
    # What the optimizer does.
    Rule(("learning_rate", "projector_learning_rate"),
         "A rate that suits one arm better looks like a better backbone or family.", nothing="the stage's"),
    Rule(("warmup",), "The rate rises over another part of the steps."),
    Rule(("batch",), "The same data makes another number of optimizer steps, each with other noise."),
    Rule(("epochs", "steps"), "One sees its data more often than the other."),
    Rule(("order",), "Batches of one modality give other gradients than mixed ones do.", nothing="random"),
    Rule(("mean_over", "micro_batch"),
         "Under a mean per micro-batch, short answers weigh the more the smaller the micro-batch is.",
         nothing="the whole batch"),
    Rule(("precision",), "They round otherwise, at every step.", nothing="float32"),
    Rule(("sharding",), "Gradients are added in another order: rounding, as far as is known."),
    # What is seen and said.
    Rule(("square",), "They see other pixels: what is padded in one is cut off in the other.",
         nothing="as its processor does"),
    Rule(("max_tokens",), "Long samples lose their ends in one and keep them in the other."),
    Rule(("compat", "newline_after_image", "bos_in_captions"),
         "A quirk of the prompt that one has and the other has not."),
    Rule(("*_as_trained",), "One model is asked as it was trained, the other is not."),
    Rule(("chat_chosen_by",), "Who renames a folder changes the prompt, for some arms and not for others."),
    Rule(("cut_from_answers",), "What is cut off the end of an answer is not graded."),
    # How answers are found and graded.
    Rule(("temperature",), "Drawn answers are worse than greedy ones, and other ones each time.", nothing="greedy"),
    Rule(("beams",), "A search finds likelier answers than a greedy step does.", nothing="1"),
    Rule(("max_new_tokens",), "Longer answers are allowed to one of them."),
    Rule(("engine", "asked_by"), "Engines round otherwise, which now and then is another word.",
         nothing="the sharing one"),
    Rule(("prompts",), "They are asked in other words."),
    Rule(("grading",), "They are graded by other rules."),
    Rule(("judge",), "Judges differ by more than models do.", nothing="no judge"),
    # What ran.
    Rule(("device",), "Kernels of other devices round otherwise."),
    Rule(("versions", "python"), "Another version may compute, tokenize or scale pictures otherwise.",
         nothing="not there"),
    Rule(("commit",), "Other code of vertebra made it."),
    Rule(("faults", "excluded"), "One learns from records that the other leaves out."),
    Rule(("*",), "Nothing says that it has to differ."),
)  # fmt: skip
