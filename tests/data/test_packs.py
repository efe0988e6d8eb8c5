"""Samples as tensors, against the tokenizer that travels with a checkpoint and a model that reads them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.anatomy import BACKBONES, assembled
from tests.data.samples import COMPARED, OTHERS, PICTURE, READ, SEEN, sample, three

from vertebra.catalog import Catalog
from vertebra.chat import Conversation
from vertebra.chat.template import IGNORED
from vertebra.corpus import Sample
from vertebra.data import Eyes, Packer
from vertebra.model import VisionLanguageModel

WAYS = pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])


@pytest.fixture(scope="module", params=BACKBONES)
def model(request: pytest.FixtureRequest) -> VisionLanguageModel:
    return assembled("llava", request.param)


def packer(model: VisionLanguageModel, packed: bool = True, grain: int = 1) -> Packer:
    return Packer(Eyes.of(model, "pad"), packed, grain)


def test_packed_samples_lie_one_behind_the_other_and_each_begins_at_nothing(model):
    samples = three(model)
    pack = packer(model)(samples, [1, 1, 1])
    lengths = [len(one.ids) for one in samples]
    assert pack.ids.dtype == pack.positions.dtype == torch.int64
    assert pack.ids.tolist() == [np.concatenate([one.ids for one in samples]).tolist()]
    assert pack.positions.tolist() == [[place for length in lengths for place in range(length)]]
    assert pack.segments is not None
    assert pack.segments.places == (0, *np.cumsum(lengths))
    assert pack.segments.bounds.tolist() == [*pack.segments.places]
    assert pack.segments.longest == max(lengths)


def test_padded_samples_have_a_row_each_filled_up_on_the_right(model):
    samples = three(model)
    pack = packer(model, packed=False)(samples, [1, 1, 1])
    assert pack.segments is None
    assert pack.ids.shape == (3, max(len(one.ids) for one in samples))
    for row, one in zip(pack.ids, samples, strict=True):
        end = len(one.ids)
        assert row[:end].tolist() == one.ids.tolist()
        assert (row[end:] != model.processor.image_token_id).all()


def test_positions_of_a_padded_row_never_restart_which_transformers_would_take_for_packing(model):
    pack = packer(model, packed=False)(three(model), [1, 1, 1])
    assert pack.positions.tolist() == [[*range(pack.ids.shape[1])]] * 3


@WAYS
def test_each_state_that_is_asked_for_predicts_the_token_behind_it(model, packed):
    samples = three(model)
    pack = packer(model, packed)(samples, [1, 1, 1])
    assert torch.equal(pack.ids.flatten()[pack.rows + 1], pack.targets)
    assert (pack.targets != model.processor.image_token_id).all()
    labels = np.concatenate([one.labels[1:] for one in samples])
    assert pack.targets.tolist() == labels[labels != IGNORED].tolist()


def test_targets_spell_the_answers_and_their_ends(model):
    stop = model.network.generation_config.eos_token_id[0]
    for said, answer, ends in ((READ, "hoItis.", 2), (SEEN, "red", 1)):
        targets = packer(model)([sample(model, said, PICTURE)], [1]).targets
        assert model.processor.tokenizer.decode(targets, skip_special_tokens=True).replace(" ", "") == answer
        assert int((targets == stop).sum()) == ends


@WAYS
def test_each_supervised_token_of_a_sample_has_its_samples_weight(model, packed):
    samples = three(model)
    pack = packer(model, packed)(samples, [0.25, 2, 3])
    counts = [int((one.labels != IGNORED).sum()) for one in samples]
    assert pack.weights.dtype == torch.float32
    assert pack.weights.tolist() == [0.25] * counts[0] + [2] * counts[1] + [3] * counts[2]


@WAYS
def test_an_image_takes_as_many_positions_as_the_tower_has_patches(model, packed):
    pack = packer(model, packed)(three(model), [1, 1, 1])
    assert model.image_tokens == 16
    assert int((pack.ids == model.processor.image_token_id).sum()) == 16 * (1 + 3)


@WAYS
def test_pictures_follow_each_other_in_the_order_of_their_places_and_text_has_none(model, packed):
    seen, compared, read = sample(model, SEEN, PICTURE), sample(model, COMPARED, *OTHERS), sample(model, READ)
    pack = packer(model, packed)([compared, read, seen], [1, 1, 1])
    assert pack.squares is not None
    assert torch.equal(pack.squares, Eyes.of(model, "pad").squares([*OTHERS, PICTURE]))
    assert packer(model, packed)([read, read], [1, 1]).squares is None


def test_a_training_sample_begins_with_the_prompt_of_an_evaluation(model):
    asked = model.prompt_ids(Conversation(SEEN.turns[:1]))
    pack = packer(model)([sample(model, SEEN, PICTURE)], [1])
    assert pack.ids[0, : len(asked)].tolist() == asked
    assert int(pack.rows[0]) == len(asked) - 1


def test_a_bare_caption_is_learnt_after_its_image(model):
    plain = sample(model, SEEN, PICTURE, template=Catalog.installed().template("plain"))
    pack = packer(model)([plain], [1])
    first = int(pack.rows[0]) + 1
    assert pack.ids[0, first - 16 : first].eq(model.processor.image_token_id).all()
    assert model.processor.tokenizer.decode(pack.targets).strip() == "red"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 64))
def test_a_pack_is_filled_up_to_its_grain_with_what_is_a_sample_of_its_own_and_teaches_nothing(lengths, grain):
    model = assembled("llava", "vicuna-s")
    samples = [Sample("s", *(np.arange(1, length + 1, dtype=np.int32),) * 2, ()) for length in lengths]
    bare, filled = (packer(model, grain=size)(samples, [1] * len(lengths)) for size in (1, grain))
    end = sum(lengths)
    assert filled.ids.shape[1] == -(-end // grain) * grain
    assert torch.equal(filled.ids[:, :end], bare.ids)
    assert filled.positions[0, end:].tolist() == [*range(filled.ids.shape[1] - end)]
    assert filled.segments is not None
    assert filled.segments.places == tuple(dict.fromkeys((0, *np.cumsum(lengths), filled.ids.shape[1])))
    for name in ("rows", "targets", "weights"):
        assert torch.equal(getattr(filled, name), getattr(bare, name))


@WAYS
def test_a_pack_of_no_sample_is_one_token_that_teaches_nothing(packed):
    pack = packer(assembled("llava", "vicuna-s"), packed)([], [])
    assert pack.ids.shape == pack.positions.shape == (1, 1)
    assert [len(part) for part in (pack.rows, pack.targets, pack.weights)] == [0, 0, 0]
    assert (pack.rows.dtype, pack.targets.dtype, pack.weights.dtype) == (torch.int64, torch.int64, torch.float32)
    assert pack.squares is None


@pytest.mark.parametrize("shell", ["llava", "vip_llava"])
def test_samples_of_no_one_and_several_images_share_padded_rows_and_say_what_each_says_alone(shell):
    model = assembled(shell, "llama-3")
    samples = [*three(model), sample(model, SEEN, OTHERS[1]), sample(model, COMPARED, *(PICTURE,) * 3)]
    with torch.no_grad():
        logits = read(model, *samples)
        for row, one in enumerate(samples):
            (expected,) = read(model, one)
            torch.testing.assert_close(logits[row, : len(expected)], expected, rtol=0, atol=1e-5)
    end = len(samples[2].ids)
    words = (logits[2, :end] - logits[4, :end]).abs().amax(-1)
    assert words[0] == 0
    assert words[-1] > 1e-4, "other images, other logits"


def read(model: VisionLanguageModel, *samples: Sample) -> torch.Tensor:
    """What the network itself makes of padded samples, float[rows, tokens, words]."""
    eyes = Eyes.of(model, "pad")
    pack = Packer(eyes, packed=False)(samples, [1] * len(samples))
    pixels = None if pack.squares is None else eyes.normalised(pack.squares)
    logits: torch.Tensor = model.network(input_ids=pack.ids, pixel_values=pixels).logits
    return logits
