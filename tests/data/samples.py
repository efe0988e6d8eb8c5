"""Samples of no, one and three pictures, told as a model is spoken to."""

import numpy as np
from PIL import Image

from vertebra.chat import Conversation, Turn
from vertebra.chat.fitting import fit
from vertebra.corpus import Sample
from vertebra.model import VisionLanguageModel

PICTURE = Image.new("RGB", (60, 40), (200, 30, 90))
OTHERS = tuple(Image.new("RGB", (30, 20), (90 * shade, 255 - 90 * shade, 7)) for shade in range(3))
SEEN = Conversation((Turn("user", "What color is the two?", images=1), Turn("assistant", "red")))
READ = Conversation((Turn("user", "hi"), Turn("assistant", "ho"), Turn("user", "Why?"), Turn("assistant", "It is.")))
COMPARED = Conversation(
    (
        Turn("user", "Is it  or ?", images=2, places=(6, 10)),
        Turn("assistant", "neither"),
        Turn("user", "And?", images=1),
        Turn("assistant", "\nThis."),
    )
)


def sample(
    model: VisionLanguageModel, said: Conversation, *images: Image.Image, template: str = "", longest: int = 512
) -> Sample:
    """What a model learns from when this is said and these are shown."""
    chat = model.chat_in(template) if template else model.chat
    fitted = fit(chat.supervise(said), model.processor.image_token_id, model.image_tokens, longest)
    return Sample("s", np.array(fitted.ids, np.int32), np.array(fitted.labels, np.int32), images)


def three(model: VisionLanguageModel) -> list[Sample]:
    """Of no, one and three pictures."""
    return [sample(model, READ), sample(model, SEEN, PICTURE), sample(model, COMPARED, *OTHERS)]
