"""What a checkpoint's files say of its size, without loading it: parameters, and tokens that questions take.

    parameters(folder)            7_063_427_072, from the headers of its safetensors
    prompter(folder)              Prompter(chat=ChatFormat(...), image=32000, image_tokens=576)
        .tokens(sample)           614: the question, its picture and the chat format around them

The prompt is assembled by the code that asks the model. What a folder does not tell is None.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tokenizers

from vertebra.chat.conversation import Conversation, Turn
from vertebra.chat.encoding import Bare
from vertebra.chat.template import ChatFormat
from vertebra.errors import DataError, Refused
from vertebra.reading import read_text
from vertebra.scoring.benchmark import Sample
from vertebra.source import find_weights, read_shards
from vertebra.spec import Json

_WEIGHTS = ("F", "BF16")
"""How the types of weights begin."""
_COUNTERS = ("I64", "BOOL")
"""Types of what is in some checkpoints and no weight; other whole numbers hold several weights in one."""


def parameters(folder: Path) -> int | None:
    """Of the whole model, vision tower included; None where they are packed, missing or not in safetensors."""
    from safetensors import SafetensorError, safe_open

    found = find_weights(folder, ("model.safetensors",))
    if found is None:
        return None
    count = 0
    try:
        for shard in read_shards(found):
            with safe_open(folder / shard, framework="np") as file:
                for name in file.keys():  # noqa: SIM118 - it is no mapping
                    weight = file.get_slice(name)
                    kind = weight.get_dtype()
                    if not kind.startswith((*_WEIGHTS, *_COUNTERS)):
                        return None
                    count += math.prod(weight.get_shape()) if kind.startswith(_WEIGHTS) else 0
    except (OSError, SafetensorError, DataError):
        return None
    return count or None


@dataclass(frozen=True, slots=True)
class Prompter:
    """How a model is asked."""

    chat: ChatFormat
    image: int
    """The token that stands for a picture."""
    image_tokens: int
    """Positions that it takes."""

    def tokens(self, sample: Sample) -> int:
        """Of a question as the model is given it. `Refused` or `DataError` where its chat format takes no such one."""
        turn = Turn("user", sample.text, images=int(sample.image is not None))
        ids = self.chat.prompt_ids(Conversation((turn,)))
        return len(ids) + (self.image_tokens - 1) * ids.count(self.image)


def prompter(folder: Path) -> Prompter | None:
    """That of a checkpoint as this package writes them; None for a folder that lacks a part of it."""
    try:
        sizes, processor = _read(folder / "config.json"), _read(folder / "processor_config.json")
        bare = _tokenizer(folder / "tokenizer.json", _read(folder / "tokenizer_config.json"))
        image_token = str(processor["image_token"])
        chat = ChatFormat(read_text(folder / "chat_template.jinja"), bare, image_token)
        return Prompter(chat, bare.convert_tokens_to_ids(image_token), int(str(sizes["image_seq_length"])))
    except (OSError, DataError, Refused, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def tokens_per_question(asked: Prompter, samples: Sequence[Sample]) -> float | None:
    """The mean over these questions; None where the chat format does not take one of them."""
    try:
        return sum(map(asked.tokens, samples)) / len(samples)
    except (DataError, Refused):
        return None


@lru_cache(maxsize=8)  # families share their backbones' tokenizers
def _backend(text: str) -> tokenizers.Tokenizer:
    try:
        found = tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # the package raises nothing more special
        raise DataError(f"No tokenizer: {error}") from error
    found.no_truncation()
    found.no_padding()
    return found


def _read(file: Path) -> Mapping[str, Json]:
    found: Mapping[str, Json] = json.loads(read_text(file))
    return found


def _tokenizer(file: Path, config: Mapping[str, Json]) -> Bare:
    ends = [None if config.get(name) is None else str(config[name]) for name in ("bos_token", "eos_token")]
    return Bare(_backend(read_text(file)), ends[0], ends[1])
