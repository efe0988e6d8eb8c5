"""Attention inside of samples that lie in one row, on tiny random models of many architectures."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

from vertebra.errors import Refused
from vertebra.model.attention import Segments, has_kernel, in_one_call, keeps_apart, pack, packed

LENGTHS = (7, 1, 23, 12)
SMALL = {
    "vocab_size": 99, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 128, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GROUPED = {"num_key_value_heads": 2}
PACKED: Mapping[str, Mapping[str, object]] = {
    "llama": GROUPED,
    "phi3": GROUPED,
    "qwen2": GROUPED,
    "qwen3": {**GROUPED, "head_dim": 8},
    "mistral": GROUPED,
    "gemma3_text": {**GROUPED, "head_dim": 16},
    "olmo2": GROUPED,
    "gpt_neox": {},
    "granite": GROUPED,
    "phi": {},
    "smollm3": GROUPED,
    "llama/one": {"model_type": "llama", "num_key_value_heads": 1},
    "llama/all": {"model_type": "llama", "num_key_value_heads": 4},
}
WINDOWS: Mapping[str, Mapping[str, object]] = {
    "mistral": GROUPED,
    "phi3": GROUPED,
    "gemma3_text": {**GROUPED, "head_dim": 8, "layer_types": ["sliding_attention", "full_attention"]},
    "qwen2": {**GROUPED, "use_sliding_window": True, "max_window_layers": 1},
    "olmo3": {**GROUPED, "layer_types": ["sliding_attention", "full_attention"]},
    "starcoder2": GROUPED,
}


def tiny(kind: str, **fields: object) -> PreTrainedModel:
    """A language model without a head; its weights spread enough for attention to be anything but even."""
    torch.manual_seed(0)
    chosen = {**SMALL, "initializer_range": 0.3, "model_type": kind.split("/")[0], **fields}
    model: PreTrainedModel = AutoModel.from_config(AutoConfig.for_model(**chosen)).eval()
    return model


def words(*lengths: int) -> Tensor:
    return torch.randint(3, 99, (1, sum(lengths)), generator=torch.Generator().manual_seed(1))


def alone(model: PreTrainedModel, ids: Tensor, lengths: Sequence[int]) -> Tensor:
    """States, float[1, T, hidden], of samples that are read one by one with transformers' own attention."""
    parts = torch.split(ids, [*lengths], 1)
    return torch.cat([model(input_ids=part, use_cache=False).last_hidden_state for part in parts], 1)


def together(model: PreTrainedModel, ids: Tensor, lengths: Sequence[int]) -> Tensor:
    """The same of samples in one row."""
    positions = torch.cat([torch.arange(length) for length in lengths]).unsqueeze(0)
    embeds = model.get_input_embeddings()(ids)
    states: Tensor = model(
        inputs_embeds=embeds, position_ids=positions, use_cache=False, segments=Segments.of(lengths)
    ).last_hidden_state
    return states


def assert_alike(found: Tensor, wanted: Tensor) -> None:
    """Up to rounding in single precision."""
    assert float((found - wanted).detach().abs().max()) < 1e-5 * float(wanted.detach().abs().max())


@pytest.mark.parametrize("kind", PACKED)
def test_packed_states_are_those_of_each_sample_alone(kind):
    model, ids = tiny(kind, **PACKED[kind]), words(*LENGTHS)
    with torch.no_grad():
        wanted = alone(model, ids, LENGTHS)
        with packed(model):
            assert_alike(together(model, ids, LENGTHS), wanted)
    assert keeps_apart(model, words(64)) is None


@pytest.mark.parametrize("kind", ["llama", "gemma3_text", "gpt_neox", "phi3"])
def test_gradients_are_those_of_each_sample_alone(kind):
    model, ids = tiny(kind, **PACKED[kind]).train(), words(*LENGTHS)
    direction = torch.randn(1, sum(LENGTHS), 32, generator=torch.Generator().manual_seed(2))

    def gradients(states: Tensor) -> list[Tensor]:
        used = [weight for weight in model.parameters() if weight.requires_grad]
        return list(torch.autograd.grad((states * direction).sum(), used))

    wanted = gradients(alone(model, ids, LENGTHS))
    pack(model)
    for found, expected in zip(gradients(together(model, ids, LENGTHS)), wanted, strict=True):
        assert_alike(found, expected)


@pytest.mark.parametrize("plain", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", WINDOWS)
def test_a_sliding_window_is_that_of_transformers_own_mask(kind, plain):
    near, far = (tiny(kind, **WINDOWS[kind], sliding_window=window) for window in (5, 64))
    ids = words(*LENGTHS)
    near.set_attn_implementation(plain)
    with torch.no_grad():
        wanted = alone(near, ids, LENGTHS)
        assert float((wanted - alone(far, ids, LENGTHS)).abs().max()) > 1e-2, "the window hides something"
        with packed(near):
            assert_alike(together(near, ids, LENGTHS), wanted)
    assert keeps_apart(near, words(64)) is None


@pytest.mark.parametrize("kind", ["llama", "llama/all", "phi3", "qwen3", "gemma3_text"])
def test_one_call_of_an_accelerators_kernel_gives_the_states_of_each_sample_alone(kind, kernel):
    model, ids = tiny(kind, **PACKED[kind]), words(*LENGTHS)
    with torch.no_grad():
        wanted = alone(model, ids, LENGTHS)
        with packed(model):
            assert_alike(together(model, ids, LENGTHS), wanted)
    assert len(kernel) == SMALL["num_hidden_layers"]


@pytest.mark.parametrize("kind", WINDOWS)
def test_the_kernel_is_told_of_a_sliding_window(kind, kernel):
    near, ids = tiny(kind, **WINDOWS[kind], sliding_window=5), words(*LENGTHS)
    with torch.no_grad():
        wanted = alone(near, ids, LENGTHS)
        with packed(near):
            assert_alike(together(near, ids, LENGTHS), wanted)
    assert kernel


def test_a_sample_sees_nothing_of_its_neighbours_and_they_see_nothing_of_it():
    model, ids = tiny("llama"), words(*LENGTHS)
    pack(model)
    other = ids.clone()
    other[0, 8:31] = ids[0, 8:31].flip(0)
    with torch.no_grad():
        moved = (together(model, ids, LENGTHS) != together(model, other, LENGTHS)).any(-1)[0]
    assert not moved[:8].any()
    assert moved[8:31].any()
    assert not moved[31:].any()


def test_a_model_is_packed_as_long_as_the_block_lasts():
    model, ids = tiny("llama"), words(20)
    before = model.config._attn_implementation
    with packed(model), pytest.raises(Refused, match="LlamaAttention does not hand on where samples lie"):
        model(input_ids=ids)
    assert model.config._attn_implementation == before
    model(input_ids=ids)


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("gemma2", {**GROUPED, "head_dim": 8}, "Gemma2Attention asks for `softcap`, which packed attention does not"),
        ("stablelm", GROUPED, "StableLmAttention does not hand on where samples lie"),
        ("nemotron", GROUPED, "NemotronAttention does not hand on where samples lie"),
        ("lfm2", {**GROUPED, "layer_types": ["conv", "full_attention"]}, "it has layers of the kind conv, which"),
        ("jamba", GROUPED, "it has layers of the kind linear_attention, which"),
        ("llama4_text", {**GROUPED, "head_dim": 8}, "it has layers of the kind chunked_attention, which"),
        ("falcon", {}, "its samples see each other: states differ by 0"),
    ],
)
def test_a_backbone_that_cannot_be_packed_is_told_with_the_reason(kind, fields, reason):
    model = tiny(kind, **fields)
    before = model.config._attn_implementation
    assert (keeps_apart(model, words(64)) or "").startswith(reason)
    assert model.config._attn_implementation == before


class Averaging(PreTrainedModel):
    """Mixes into every state the mean of all before it, whatever it is called with."""

    config_class = PreTrainedConfig
    _supports_sdpa = True

    def __init__(self, config: PreTrainedConfig) -> None:
        """Words of eight numbers."""
        super().__init__(config)
        self.words = nn.Embedding(99, 8)
        self.leak = 0.0
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Its words."""
        return self.words

    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        position_ids: Tensor | None = None,
        use_cache: bool = False,
        segments: Segments | None = None,
    ) -> BaseModelOutputWithPast:
        """Apart from the leak, each word alone."""
        states = self.words(input_ids) if inputs_embeds is None else inputs_embeds
        counts = torch.arange(1, states.shape[1] + 1).view(-1, 1)
        kept = segments.places if segments else (0, states.shape[1])
        means = [states[:, a:b].cumsum(1) / counts[: b - a] for a, b in pairwise(kept)]
        return BaseModelOutputWithPast(torch.cat(means, 1) + self.leak * states.cumsum(1) / counts)


@pytest.mark.parametrize(("leak", "is_told"), [(0.0, False), (0.05, True), (1.0, True)])
def test_a_leak_from_sample_to_sample_is_told(leak, is_told):
    model = Averaging(PreTrainedConfig(vocab_size=99, hidden_size=8)).eval()
    model.leak = leak
    assert ("see each other" in (keeps_apart(model, words(64)) or "")) == is_told


def test_segments_say_where_samples_lie():
    segments = Segments.of([3, 2, 4])
    assert (segments.places, segments.longest) == ((0, 3, 5, 9), 4)
    assert segments.bounds.tolist() == [0, 3, 5, 9]
    assert segments.bounds.dtype == torch.int32


def test_on_an_accelerator_segments_are_bounds_alone_and_about_how_long_they_are():
    there = Segments.of([3, 5]).to(torch.device("meta"))
    assert (there.places, there.longest) == ((), 8)
    assert there.bounds.device.type == "meta"
    assert there.bounds.dtype == torch.int32
    assert Segments.of([1, 1]).to(torch.device("meta")).longest == 1


def test_this_torchs_kernel_takes_what_it_is_told_and_gives_log_sum_exps_by_heads():
    """On the meta device, where it computes shapes alone."""

    def part(heads: int, tokens: int) -> Tensor:
        return torch.empty(1, heads, tokens, 64, dtype=torch.bfloat16, device="meta")

    asking, asked = (Segments.of(lengths).to(torch.device("meta")) for lengths in ((2, 0, 4), (3, 2, 4)))
    said, weight = in_one_call(part(4, 6), part(2, 9), part(2, 9), asking, asked, 0.1, whole=True, weighed=True)
    assert weight is not None
    assert (said.shape, weight.shape) == ((1, 6, 4, 64), (1, 4, 6))
    said, weight = in_one_call(part(4, 9), part(4, 9), part(4, 9), asked, asked, None, window=3)
    assert (said.shape, weight) == ((1, 9, 4, 64), None)


@pytest.mark.parametrize(
    ("width", "kind", "takes"),
    [
        (64, torch.bfloat16, True),
        (96, torch.float16, True),
        (64, torch.float32, False),
        (20, torch.bfloat16, False),
        (512, torch.bfloat16, False),
    ],
)
def test_the_kernel_is_asked_what_it_has_code_for(width, kind, takes):
    with FakeTensorMode():
        assert has_kernel(torch.empty(1, 2, 3, width, dtype=kind, device="cuda")) == takes
    assert not has_kernel(torch.empty(1, 2, 3, width, dtype=kind))
