"""Whether a LLaVA that came from elsewhere is asked and shown by its own processor just as it would be here.

llava-hf's checkpoints cut pictures at the centre and leave the first token to the tokenizer; others scale pictures
otherwise or have another tower. Where ids and pixels are bit for bit the same, our engine may answer for theirs.
"""

from dataclasses import replace

import torch
from transformers import LlavaProcessor

from vertebra.asking.questions import Question
from vertebra.data import Eyes
from vertebra.errors import DataError, Refused
from vertebra.model.checkpoint import VisionLanguageModel, is_llava
from vertebra.predict.foreign import Foreign
from vertebra.predict.local import Local
from vertebra.predict.probes import probes, shown

_NORMALISED = ("rescale_factor", "image_mean", "image_std")


def as_ours(foreign: Foreign) -> Local | None:
    """A LLaVA in our engine's hands; None where that would not be asked and shown what its own processor says."""
    network, processor = foreign.checkpoint
    if not (is_llava(network) and isinstance(processor, LlavaProcessor) and isinstance(processor.chat_template, str)):
        return None
    images = processor.image_processor
    if any(getattr(images, name, None) is None for name in _NORMALISED):
        return None
    model = VisionLanguageModel(network, processor)
    local = Local(model, Eyes.of(model, "pad" if getattr(images, "do_pad", False) else "crop"), foreign.threads)
    asked = probes(network.name_or_path)
    try:
        firsts = [_first(one, local, foreign) for one in (*asked, *(one._replace(picture=None) for one in asked))]
    except (DataError, Refused):  # a chat format that one of them does not take
        return None
    return replace(local, first=firsts[0]) if firsts[0] is not None and len({*firsts}) == 1 else None


def _first(question: Question, local: Local, foreign: Foreign) -> tuple[int, ...] | None:
    """What the processor puts before our ids; None where anything else differs."""
    theirs, ours = foreign.inputs([question], shown()), local.prompt(question)
    if question.picture:
        seen = local.eyes.pixels([shown()[question.picture.content]])
        if not torch.equal(seen, theirs["pixel_values"]):
            return None
    ids = theirs["input_ids"][0].tolist()
    begin = len(ids) - len(ours)
    return tuple(ids[:begin]) if begin >= 0 and ids[begin:] == ours else None
