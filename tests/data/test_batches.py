"""Samples as tensors, against the tokenizer and the image processor that travel with a checkpoint."""

import numpy as np
import pytest
import torch
from PIL import Image
from tests.anatomy import BACKBONES, assembled

from vertebra.catalog import Catalog
from vertebra.chat import Conversation, Turn
from vertebra.chat.template import IGNORED
from vertebra.data import Collator, Eyes
from vertebra.data.dataset import Sample
from vertebra.errors import DataError
from vertebra.model import VisionLanguageModel

PICTURE = Image.new("RGB", (60, 40), (200, 30, 90))
SEEN = Sample(
    "seen", Conversation((Turn("user", "What color is the two?", images=1), Turn("assistant", "red"))), (PICTURE,)
)
READ = Sample(
    "read",
    Conversation((Turn("user", "hi"), Turn("assistant", "ho"), Turn("user", "Why?"), Turn("assistant", "It is."))),
    (),
)
COMPARED = Sample(
    "compared",
    Conversation(
        (
            Turn("user", "Is it  or ?", images=2, places=(6, 10)),
            Turn("assistant", "neither"),
            Turn("user", "And?", images=1),
            Turn("assistant", "\nThis."),
        )
    ),
    tuple(Image.new("RGB", (30, 20), (90 * shade, 255 - 90 * shade, 7)) for shade in range(3)),
)


@pytest.fixture(scope="module", params=BACKBONES)
def model(request: pytest.FixtureRequest) -> VisionLanguageModel:
    return assembled("llava", request.param)


def collator(model: VisionLanguageModel, max_tokens: int = 512, template: str = "") -> Collator:
    chat = model.chat_in(template) if template else model.chat
    return Collator(chat, model.processor.image_token_id, model.image_tokens, Eyes.of(model, "pad"), max_tokens)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_an_image_takes_as_many_positions_as_the_tower_has_patches(model):
    batch = collator(model)([READ, SEEN, SEEN])
    assert model.image_tokens == 16
    assert (batch.ids == model.processor.image_token_id).sum(1).tolist() == [0, 16, 16]


def test_no_image_position_carries_loss(model):
    batch = collator(model)([READ, SEEN])
    assert (batch.labels[batch.ids == model.processor.image_token_id] == IGNORED).all()


def test_a_label_is_the_positions_own_id_and_labels_spell_the_answers(model):
    batch = collator(model)([READ, SEEN])
    supervised = batch.labels != IGNORED
    assert torch.equal(batch.labels[supervised], batch.ids[supervised])
    tokenizer = model.processor.tokenizer
    said = [tokenizer.decode(row[row != IGNORED], skip_special_tokens=True) for row in batch.labels]
    assert said[0].replace(" ", "") == "hoItis."
    assert said[1].strip() == "red"
    stop = model.network.generation_config.eos_token_id[0]
    assert (batch.labels == stop).sum(1).tolist() == [2, 1]


def test_the_supervised_tokens_are_counted(model):
    batch = collator(model)([READ, SEEN])
    parts = [collator(model)([sample]).supervised for sample in (READ, SEEN)]
    assert batch.supervised == sum(parts) == int((batch.labels != IGNORED).sum())


def test_samples_are_padded_on_the_right_without_loss(model):
    alone, together = collator(model)([READ]), collator(model)([READ, SEEN])
    length = alone.ids.shape[1]
    assert together.ids.shape[1] > length
    assert torch.equal(together.ids[0, :length], alone.ids[0])
    assert torch.equal(together.labels[0, :length], alone.labels[0])
    assert (together.labels[0, length:] == IGNORED).all()
    assert (together.ids[0, length:] != model.processor.image_token_id).all()


def test_padding_moves_no_state_of_a_sample(model):
    alone, together = collator(model)([READ]), collator(model)([SEEN, READ])
    length = alone.ids.shape[1]
    with torch.no_grad():
        states = model.network.model(input_ids=together.ids, pixel_values=together.pixels).last_hidden_state
        expected = model.network.model(input_ids=alone.ids).last_hidden_state
    torch.testing.assert_close(states[1, :length], expected[0], rtol=0, atol=1e-5)


def test_a_training_sample_begins_with_the_prompt_of_an_evaluation(model):
    asked = model.chat.prompt_ids(Conversation(SEEN.conversation.turns[:1]))
    image = model.processor.image_token_id
    expanded = [token for each in asked for token in [each] * (16 if each == image else 1)]
    batch = collator(model)([SEEN])
    assert batch.ids[0, : len(expanded)].tolist() == expanded
    assert batch.labels[0, : len(expanded)].eq(IGNORED).all()
    assert batch.labels[0, len(expanded)] != IGNORED


def test_a_bare_caption_is_learnt_after_its_image(model):
    chat = Catalog.installed().template("plain")
    batch = collator(model, template=chat)([SEEN])
    first = int((batch.labels[0] != IGNORED).nonzero()[0, 0])
    assert batch.ids[0, first - 16 : first].eq(model.processor.image_token_id).all()
    assert model.processor.tokenizer.decode(batch.ids[0, first:]).strip() == "red"


def test_pixels_keep_the_order_of_the_images_and_text_has_none(model):
    other = SEEN._replace(images=(noise(30, 90),))
    batch = collator(model)([SEEN, READ, other])
    eyes = Eyes.of(model, "pad")
    assert batch.pixels is not None
    assert torch.equal(batch.pixels, torch.cat([eyes.pixels([PICTURE]), eyes.pixels([noise(30, 90)])]))
    assert batch.samples == ("seen", "read", "seen")
    assert collator(model)([READ]).pixels is None


def test_the_images_of_a_sample_follow_each_other_in_the_order_of_their_places(model):
    batch = collator(model)([COMPARED, READ, SEEN])
    assert (batch.ids == model.processor.image_token_id).sum(1).tolist() == [48, 0, 16]
    assert batch.pixels is not None
    assert torch.equal(batch.pixels, Eyes.of(model, "pad").pixels([*COMPARED.images, PICTURE]))


@pytest.mark.parametrize("shell", ["llava", "vip_llava"])
def test_samples_of_no_one_and_several_images_share_a_batch_and_say_what_each_says_alone(shell):
    model = assembled(shell, "llama-3")
    samples = [SEEN, READ, COMPARED, SEEN._replace(images=(noise(30, 90),)), COMPARED._replace(images=(PICTURE,) * 3)]
    together = collator(model)(samples)
    with torch.no_grad():
        logits = model.network(input_ids=together.ids, pixel_values=together.pixels).logits
        for row, sample in enumerate(samples):
            alone = collator(model)([sample])
            expected = model.network(input_ids=alone.ids, pixel_values=alone.pixels).logits[0]
            torch.testing.assert_close(logits[row, : len(expected)], expected, rtol=0, atol=1e-5)
    words = (logits[2] - logits[4])[: collator(model)([COMPARED]).ids.shape[1]].abs().amax(-1)
    assert words[0] == 0
    assert words[-1] > 1e-4, "other images, other logits"


@pytest.mark.parametrize("how", ["pad", "crop"])
@pytest.mark.parametrize("size", [(300, 90), (90, 300), (112, 112), (41, 40), (640, 480), (3, 200)])
def test_pixels_are_those_of_the_checkpoints_image_processor(model, size, how):
    image = noise(*size)
    expected = model.processor.image_processor(images=[image], return_tensors="pt", do_pad=how == "pad")
    pixels = Eyes.of(model, how).pixels([image])
    assert pixels.dtype == torch.float32
    torch.testing.assert_close(pixels, expected["pixel_values"], rtol=0, atol=1e-6)


def test_a_sample_that_is_too_long_is_cut_at_its_end_and_named(model):
    whole = collator(model)([READ])
    last = int((whole.labels[0] != IGNORED).nonzero()[-1])
    assert whole.cut == whole.lost == collator(model, last + 1)([READ]).cut == ()
    batch = collator(model, last)([READ])
    assert batch.cut == ("read",)
    assert batch.lost == ()
    assert torch.equal(batch.ids[0], whole.ids[0, :last])


def test_a_sample_that_loses_every_answer_takes_no_row_and_is_named(model):
    shorter = collator(model)([READ]).ids.shape[1]
    batch = collator(model, shorter)([SEEN, READ])
    assert (batch.samples, batch.lost, batch.cut) == (("read",), ("seen",), ())
    assert batch.pixels is None
    with pytest.raises(DataError, match="Nothing is left to learn from of the records seen, seen"):
        collator(model, shorter)([SEEN, SEEN])


def test_images_that_a_cut_takes_away_take_their_pixels_along():
    """At every length, also where it would part an image: as many features as positions, and the first of them."""
    model = assembled("llava", "llama-3")
    whole, eyes, image = collator(model)([COMPARED]), Eyes.of(model, "pad"), model.processor.image_token_id
    answer = int((whole.labels[0] != IGNORED).nonzero()[0])
    kept = set()
    for longest in range(answer + 1, whole.ids.shape[1] + 1):
        batch = collator(model, longest)([SEEN._replace(id="first"), COMPARED, SEEN])
        row = batch.samples.index("compared")
        positions = (batch.ids == image).sum(1)
        assert batch.pixels is not None
        assert int(positions.sum()) == 16 * len(batch.pixels)
        left = int(positions[row]) // 16
        assert torch.equal(batch.pixels[row : row + left], eyes.pixels(COMPARED.images[:left]))
        assert batch.cut == (() if longest == whole.ids.shape[1] else ("compared",))
        kept.add(left)
    assert kept == {2, 3}
    lost = collator(model, answer)([COMPARED, READ])
    assert (lost.samples, lost.lost, lost.pixels) == (("read",), ("compared",), None)


def test_a_sample_that_spells_the_image_token_is_named(model):
    spelt = Conversation((Turn("user", f"What is {model.processor.image_token}?"), Turn("assistant", "a token")))
    with pytest.raises(DataError, match=r"Record spelt: .*reserved"):
        collator(model)([Sample("spelt", spelt, ())])


def test_a_sample_without_an_answer_is_named(model):
    asked = Sample("asked", Conversation((Turn("user", "Why?"),)), ())
    with pytest.raises(DataError, match="Record asked has no answer to learn from"):
        collator(model)([asked])
