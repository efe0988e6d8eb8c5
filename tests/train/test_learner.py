"""Losses and gradients of packs, against transformers' own of the padded batch."""

from collections.abc import Callable, Mapping, Sequence

import pytest
import torch
from tests.anatomy import assembled
from tests.data.samples import COMPARED, OTHERS, PICTURE, READ, SEEN, sample, three
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vertebra.chat.template import IGNORED
from vertebra.corpus import Sample
from vertebra.data import Eyes, Packer
from vertebra.model import VisionLanguageModel
from vertebra.model.attention import pack
from vertebra.train.learner import Learner

MODELS = (("llava", "vicuna-s"), ("llava", "llama-3"), ("llava", "phi-3"), ("vip_llava", "phi-3"))
FAMILIES = ("llava", "vip_llava")

Learnt = tuple[float, Mapping[str, Tensor]]
"""A loss, and the gradients that it gives."""


def model_of(family: str, backbone: str) -> VisionLanguageModel:
    """All but its tower is to learn."""
    model = assembled(family, backbone)
    model.network.model.vision_tower.requires_grad_(False)
    return model


def batch(model: VisionLanguageModel) -> list[Sample]:
    """Five samples of no, one and three pictures."""
    return [*three(model), sample(model, SEEN, OTHERS[0]), sample(model, READ)]


def gradients(model: VisionLanguageModel) -> dict[str, Tensor]:
    """Those of all weights that learn."""
    weights = model.network.named_parameters()
    return {name: weight.grad for name, weight in weights if weight.requires_grad and weight.grad is not None}


def transformers_own(family: str, backbone: str) -> Learnt:
    """What the untouched network makes of the padded batch."""
    model = model_of(family, backbone)
    samples = batch(model)
    ids, labels, mask = (
        pad_sequence([torch.from_numpy(part).long() for part in parts], batch_first=True, padding_value=filler)
        for parts, filler in (
            ([one.ids for one in samples], 0),
            ([one.labels for one in samples], IGNORED),
            ([one.ids * 0 + 1 for one in samples], 0),
        )
    )
    pixels = Eyes.of(model, "pad").pixels([image for one in samples for image in one.images])
    loss = model.network(input_ids=ids, attention_mask=mask, pixel_values=pixels, labels=labels).loss
    torch.autograd.backward(loss)
    return loss.item(), gradients(model)


def ours(
    family: str,
    backbone: str,
    cuts: Callable[[list[Sample]], Sequence[Sequence[Sample]]] = lambda samples: [samples],
    *,
    packed: bool = True,
    grain: int = 1,
    logits: int = 1 << 26,
) -> Learnt:
    """What a learner makes of the same samples, cut into packs."""
    model = model_of(family, backbone)
    samples, eyes = batch(model), Eyes.of(model, "pad")
    learner = Learner(model.network, eyes, torch.float32, logits)
    if packed:
        pack(model.network.model.language_model)
    weight = 1 / sum(int((one.labels[1:] != IGNORED).sum()) for one in samples)
    packer, loss = Packer(eyes, packed, grain), 0.0
    for part in cuts(samples):
        told = learner(packer(part, [weight] * len(part)))
        torch.autograd.backward(told)
        loss += told.item()
    return loss, gradients(model)


def assert_alike(found: Learnt, wanted: Learnt) -> None:
    """To a hundred-thousandth of the largest gradient."""
    assert found[0] == pytest.approx(wanted[0], rel=1e-5)
    assert found[1].keys() == wanted[1].keys()
    largest = max(float(gradient.abs().max()) for gradient in wanted[1].values())
    for name, gradient in wanted[1].items():
        assert float((found[1][name] - gradient).abs().max()) < 1e-5 * largest, name


@pytest.mark.parametrize(("family", "backbone"), MODELS)
def test_loss_and_gradients_of_a_batch_are_transformers_own_however_it_is_laid_out(family, backbone):
    wanted = transformers_own(family, backbone)
    assert {"model.multi_modal_projector.linear_1.weight", "model.language_model.embed_tokens.weight"} <= {*wanted[1]}
    assert_alike(ours(family, backbone), wanted)
    assert_alike(ours(family, backbone, packed=False), wanted)
    assert_alike(ours(family, backbone, lambda samples: [[one] for one in samples]), wanted)
    assert_alike(ours(family, backbone, lambda samples: [samples[3:], [], samples[2:0:-1], samples[:1]]), wanted)
    assert_alike(ours(family, backbone, grain=64), wanted)


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_a_head_that_is_applied_to_some_states_at_a_time_learns_the_same(rows):
    vocabulary = assembled("llava", "vicuna-s").network.lm_head.out_features
    assert_alike(ours("llava", "vicuna-s", logits=rows * vocabulary), ours("llava", "vicuna-s"))


def test_no_more_logits_lie_in_memory_at_a_time_than_may():
    model = model_of("llava", "vicuna-s")
    eyes, seen = Eyes.of(model, "pad"), list[int]()
    learner = Learner(model.network, eyes, torch.float32, logits=4 * model.network.lm_head.out_features + 1)
    model.network.lm_head.register_forward_hook(lambda _, __, logits: seen.append(len(logits)))
    told = Packer(eyes, packed=False)(batch(model), [1] * 5)
    learner(told)
    assert max(seen) == 4
    assert sum(seen) == len(told.targets)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_language_model_sees_is_bit_for_bit_what_the_untouched_network_shows_it(family):
    untouched, model = assembled(family, "llama-3"), assembled(family, "llama-3")
    eyes, shown = Eyes.of(model, "pad"), list[Tensor]()
    learner = Learner(model.network, eyes, torch.float32)
    model.network.model.multi_modal_projector.register_forward_hook(lambda _, __, features: shown.append(features))
    learner(Packer(eyes, packed=False)([sample(model, COMPARED, *OTHERS), sample(model, SEEN, PICTURE)], [1, 1]))
    read = untouched.network.config.vision_feature_layer
    wanted = untouched.network.model.get_image_features(
        pixel_values=eyes.pixels([*OTHERS, PICTURE]),
        vision_feature_layer=read,
        vision_feature_select_strategy="default",
    ).pooler_output
    assert torch.equal(shown[0], wanted if isinstance(wanted, Tensor) else torch.stack([*wanted]))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tower_runs_no_layer_beyond_the_last_that_is_looked_at_until_it_has_them_back(family):
    model, untouched = assembled(family, "llama-3"), assembled(family, "llama-3")
    eyes, ran = Eyes.of(model, "pad"), list[int]()
    tower = model.network.model.vision_tower
    for number, layer in enumerate(tower.encoder.layers):
        layer.register_forward_hook(lambda *_, number=number: ran.append(number))
    learner = Learner(model.network, eyes, torch.float32)
    learner(Packer(eyes, packed=False)([sample(model, SEEN, PICTURE)], [1]))
    assert ran == [0, 1, 2, 3, 4]
    learner.restore()
    names = [name for name, _ in untouched.network.named_parameters()]
    assert [name for name, _ in model.network.named_parameters()] == names
    pixels = eyes.pixels([PICTURE])
    assert torch.equal(tower(pixels).last_hidden_state, untouched.network.model.vision_tower(pixels).last_hidden_state)
    assert ran == [0, 1, 2, 3, 4, *range(6)]
    learner.restore()
    assert len(tower.encoder.layers) == 6


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
@pytest.mark.parametrize("family", FAMILIES)
def test_text_alone_gives_the_projector_gradients_of_zero(family, packed):
    model = model_of(family, "vicuna-s")
    eyes = Eyes.of(model, "pad")
    learner = Learner(model.network, eyes, torch.float32)
    if packed:
        pack(model.network.model.language_model)
    for samples in ([sample(model, READ)], []):
        learner.zero_grad()
        torch.autograd.backward(learner(Packer(eyes, packed)(samples, [1] * len(samples))))
        found = [weight.grad for weight in model.network.model.multi_modal_projector.parameters()]
        assert all(gradient is not None and not gradient.any() for gradient in found)


def test_a_pack_of_no_sample_has_no_loss():
    model = model_of("llava", "vicuna-s")
    eyes = Eyes.of(model, "pad")
    assert Learner(model.network, eyes, torch.float32)(Packer(eyes, packed=False)([], [])).item() == 0


def test_a_projector_in_single_precision_learns_beside_a_language_model_in_half_of_it():
    _, exact = ours("llava", "vicuna-s")
    model = model_of("llava", "vicuna-s")
    network, samples, eyes = model.network.bfloat16().requires_grad_(False), batch(model), Eyes.of(model, "pad")
    projector = network.model.multi_modal_projector.float().requires_grad_(True)
    learner, shown = Learner(network, eyes, torch.bfloat16), list[torch.dtype]()
    projector.register_forward_hook(lambda _, __, features: shown.append(features.dtype))
    pack(network.model.language_model)
    weight = 1 / sum(int((one.labels[1:] != IGNORED).sum()) for one in samples)
    loss = learner(Packer(eyes)(samples, [weight] * len(samples)))
    torch.autograd.backward(loss)
    assert (loss.dtype, shown) == (torch.float32, [torch.bfloat16])
    for name, part in projector.named_parameters():
        wanted = exact[f"model.multi_modal_projector.{name}"]
        assert part.grad.dtype == torch.float32
        assert torch.cosine_similarity(part.grad.flatten(), wanted.flatten(), 0) > 0.98
