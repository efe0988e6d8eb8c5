"""Adapters: what learns, what is kept, and that plain transformers and peft read it."""

import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from tests.anatomy import assembled
from tests.train.conftest import Training
from tests.train.test_fit import BACKBONES, FAMILIES, batch_of, changed
from tests.train.test_resume import STEPS, WORDS_FIRST
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText

from vertebra.data import Batch
from vertebra.engine import check_inputs
from vertebra.errors import ConfigError, Stopped, VertebraError
from vertebra.model import VisionLanguageModel, load, save
from vertebra.model.checkpoint import Network
from vertebra.spec import Lora, Runtime
from vertebra.train import train
from vertebra.train.fit import learn
from vertebra.train.lora import Adapted
from vertebra.train.optimizer import optimizer_of

LORA = {"rank": 4, "alpha": 8}
STAGE = {"learning_rate": 1e-2, "projector_learning_rate": 1e-3, "lora": {**LORA, "keep": "adapter"}}


@pytest.fixture(scope="module", params=FAMILIES)
def laid(training: Callable[..., Training], request: pytest.FixtureRequest) -> Training:
    """A trained stage of four steps, the first without an image; from `start` comes `whole`."""
    laid = training(request.param, BACKBONES[request.param], STAGE, seed=WORDS_FIRST)
    save(assembled(request.param, BACKBONES[request.param]), laid.root / "start")
    train(laid.bench("whole", model=laid.root / "start"), Runtime())
    return laid


@torch.no_grad()
def logits(network: Network, batch: Batch) -> Tensor:
    return network.eval()(input_ids=batch.ids, pixel_values=batch.pixels).logits


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trainable(model: VisionLanguageModel) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in model.network.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("name", ["vicuna-s", "llama-3", "phi-3"])
def test_every_linear_layer_of_the_language_model_is_adapted_and_nothing_else(name):
    plain = assembled("llava", name).network.model.language_model.named_modules()
    linears = {part for part, layer in plain if isinstance(layer, nn.Linear)}
    model = assembled("llava", name)
    Adapted.of(model, Lora(**LORA), 0)
    adapted = {weight.partition(".lora_")[0] for weight in trainable(model) if ".lora_" in weight}
    assert adapted == {f"model.language_model.{linear}" for linear in linears}
    others = {weight for weight in trainable(model) if ".lora_" not in weight}
    assert {weight.split(".")[1] for weight in others} == {"multi_modal_projector"}
    assert len(others) == len(list(assembled("llava", name).network.model.multi_modal_projector.parameters()))


def test_fresh_adapters_change_nothing_follow_from_the_seed_and_draw_from_a_stream_of_their_own(training):
    models = [assembled("llava", "vicuna-s") for _ in range(3)]
    batch = batch_of(training("llava", "vicuna-s"), models[0], "0", "w3")
    before, stream = logits(models[0].network, batch), torch.get_rng_state()
    for model, seed in zip(models, (5, 5, 6), strict=True):
        Adapted.of(model, Lora(**LORA), seed)
    assert torch.equal(torch.get_rng_state(), stream)
    assert torch.equal(logits(models[0].network, batch), before)
    one, same, other = (torch.cat([weight.flatten() for weight in trainable(model).values()]) for model in models)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_only_the_language_models_linear_layers_and_the_projector_change(laid):
    start, trained = load(laid.root / "start"), load(laid.root / "whole" / "out")
    assert changed(start, trained) == {"multi_modal_projector", "language_model"}
    others = dict(trained.network.named_parameters())
    pairs = start.network.model.language_model.named_parameters(prefix="model.language_model")
    same = {name.split(".")[-2] for name, weight in pairs if torch.equal(weight, others[name])}
    assert {name for name in same if "norm" not in name} == {"embed_tokens"}


def test_a_merged_checkpoint_has_the_layout_of_any_other(laid, tmp_path):
    save(load(laid.root / "start"), tmp_path)
    merged, plain = laid.root / "whole" / "out", tmp_path
    assert {path.name for path in merged.iterdir()} == {*(path.name for path in plain.iterdir()), "adapter"}
    for path in plain.iterdir():
        if path.name != "model.safetensors":
            assert path.read_bytes() == (merged / path.name).read_bytes()
    one, other = load(merged).network.state_dict(), load(plain).network.state_dict()
    assert {(name, weight.shape, weight.dtype) for name, weight in one.items()} == {
        (name, weight.shape, weight.dtype) for name, weight in other.items()
    }


def test_merging_leaves_the_logits_as_they_were(training, tmp_path):
    laid, model = training("llava", "phi-3"), assembled("llava", "phi-3")
    batch = batch_of(laid, model, "0", "w3", "v7w-5", "w0")
    learner = Adapted.of(model, Lora(**LORA), 0)
    optimizer = optimizer_of(trainable(model).values(), 1e-2)
    fresh = logits(model.network, batch)
    for _ in range(3):
        learn(model, batch, optimizer)
    unmerged = logits(model.network, batch)
    assert (unmerged - fresh).abs().max() > 0.1
    learner.save(tmp_path)
    assert not (tmp_path / "adapter").exists()
    for merged in (model.network, AutoModelForImageTextToText.from_pretrained(tmp_path)):
        torch.testing.assert_close(logits(merged, batch), unmerged, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # asked for by peft
def test_a_kept_adapter_on_the_stages_start_is_the_merged_model(laid):
    start, merged = load(laid.root / "start"), load(laid.root / "whole" / "out")
    batch = batch_of(laid, start, "0", "w3", "v7w-5", "w0")
    fresh = logits(start.network, batch)
    adapter = laid.root / "whole" / "out" / "adapter"
    assert {path.name for path in adapter.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert str(laid.root) not in (adapter / "adapter_config.json").read_text()
    adapted = PeftModel.from_pretrained(start.network, adapter)
    torch.testing.assert_close(logits(adapted, batch), logits(merged.network, batch), rtol=0, atol=1e-5)
    assert (logits(adapted, batch) - fresh).abs().max() > 0.01


@pytest.mark.parametrize("step", range(1, STEPS))
def test_a_run_stopped_at_any_step_ends_with_the_same_bytes(laid, step):
    name, start = f"stopped{step}", laid.root / "start"
    with pytest.raises(Stopped):
        train(laid.bench(name, model=start, stop_after=step), Runtime())
    assert files(laid.root / name / "out") == {}
    train(laid.bench(name, model=start), Runtime(checkpoint_seconds=1e-9))
    assert files(laid.root / name / "out") == files(laid.root / "whole" / "out")


def test_only_what_is_trained_is_in_a_stages_checkpoints(laid):
    with pytest.raises(Stopped):
        train(laid.bench("short", model=laid.root / "start", stop_after=1), Runtime())
    whole = (laid.root / "whole" / "out" / "model.safetensors").stat().st_size
    kept = laid.root / "short" / "checkpoints" / "00000001" / "weights.safetensors"
    assert kept.stat().st_size < whole / 2


def test_a_later_stage_begins_with_the_merged_model(laid):
    train(laid.bench("later", model=laid.root / "whole" / "out"), Runtime())
    assert changed(load(laid.root / "whole/out"), load(laid.root / "later/out")) >= {"language_model"}


def test_a_full_disk_is_told(training, tmp_path):
    learner = Adapted.of(assembled("llava", "vicuna-s"), Lora(**LORA, keep="adapter"), 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(VertebraError, match=r"adapter_model\.safetensors cannot be written: .*Free space"):
            learner.save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def quantised(training: Callable[..., Training]) -> Training:
    """As `laid`, on four bits."""
    lora = {**LORA, "quantize": "4bit"}
    laid = training("llava", "llama-3", {**STAGE, "lora": lora}, seed=WORDS_FIRST)
    save(assembled("llava", "llama-3"), laid.root / "start")
    train(laid.bench("whole", model=laid.root / "start"), Runtime())
    return laid


def test_four_bits_are_learnt_through_and_merge_into_the_former_precision(quantised):
    start, trained = load(quantised.root / "start"), load(quantised.root / "whole" / "out")
    assert changed(start, trained) == {"multi_modal_projector", "language_model"}
    facts = [{name: (weight.shape, weight.dtype) for name, weight in model.network.state_dict().items()}
             for model in (start, trained)]  # fmt: skip
    assert facts[0] == facts[1]


def test_on_four_bits_every_linear_layer_of_the_language_model_is_quantised_and_nothing_else():
    model = assembled("llava", "llama-3")
    linears = sum(isinstance(layer, nn.Linear) for layer in model.network.model.language_model.modules())
    Adapted.of(model, Lora(**LORA, quantize="4bit"), 0)
    small = {name for name, weight in model.network.named_parameters() if weight.dtype == torch.uint8}
    assert len(small) == linears
    assert all(name.startswith("model.language_model.layers.") for name in small)


def test_merging_four_bits_leaves_the_logits_as_they_were(training, tmp_path):
    model, untouched = (assembled("llava", "llama-3") for _ in range(2))
    batch = batch_of(training("llava", "llama-3"), model, "0", "w3", "v7w-5", "w0")
    learner = Adapted.of(model, Lora(**LORA, dropout=0, quantize="4bit"), 0)
    optimizer = optimizer_of([weight for weight in trainable(model).values() if weight.is_floating_point()], 1e-2)
    for _ in range(3):
        learn(model, batch, optimizer)
    with torch.no_grad():  # still in training: on a CPU, bitsandbytes packs its weights anew for inference
        unmerged = model.network(input_ids=batch.ids, pixel_values=batch.pixels).logits
    learner.save(tmp_path)
    gap = (logits(load(tmp_path).network, batch) - unmerged).abs().max()
    assert gap < 0.05 * (unmerged - logits(untouched.network, batch)).abs().max(), "bfloat16 until they are merged"


def test_a_run_on_four_bits_that_is_stopped_ends_with_the_same_bytes(quantised):
    with pytest.raises(Stopped):
        train(quantised.bench("stopped", model=quantised.root / "start", stop_after=2), Runtime())
    train(quantised.bench("stopped", model=quantised.root / "start"), Runtime())
    assert files(quantised.root / "stopped" / "out") == files(quantised.root / "whole" / "out")


def test_four_bits_without_bitsandbytes_name_the_extra(training, monkeypatch):
    monkeypatch.setattr("vertebra.spec.find_spec", lambda _: None)
    laid = training("llava", "vicuna-s", {"lora": {**LORA, "quantize": "4bit"}})
    bench = laid.bench("run")
    with pytest.raises(ConfigError, match=r"bitsandbytes.*not installed.*vertebra\[qlora\]"):
        train(bench, Runtime())
    assert list(bench.folder.iterdir()) == [bench.out]
    with pytest.raises(ConfigError, match=r"vertebra\[qlora\]"):
        check_inputs(laid.steps, Runtime(data=laid.root))
