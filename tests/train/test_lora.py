"""Adapters: what learns, what is kept, and that plain transformers and peft read it."""

import resource
from collections.abc import Callable

import pytest
import torch
from peft import PeftModel
from tests.anatomy import assembled
from tests.train.conftest import ALONE, BACKBONES, EAGER, FAMILIES, STEPS, WORDS_FIRST, Training, changed
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText

from vertebra.data import Eyes, Pack
from vertebra.engine import check_inputs
from vertebra.errors import ConfigError, Stopped, VertebraError
from vertebra.model import VisionLanguageModel, load, save
from vertebra.model.checkpoint import Network
from vertebra.runtime import Runtime
from vertebra.spec import Lora
from vertebra.train import train
from vertebra.train.fit import learn
from vertebra.train.learner import Learner
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
def said(model: VisionLanguageModel, pack: Pack, network: Network | None = None) -> Tensor:
    """What a model says to a pack of one sample, as it stands."""
    pixels = Eyes.of(model, "pad").normalised(pack.squares)
    return (network or model.network)(input_ids=pack.ids, pixel_values=pixels).logits


def logits(model: VisionLanguageModel, pack: Pack, network: Network | None = None) -> Tensor:
    """What a model says that learns no more."""
    (network or model.network).eval()
    return said(model, pack, network)


def teach(model: VisionLanguageModel, pack: Pack, steps: int = 3) -> None:
    """A few optimizer steps on one pack."""
    learner = Learner(model.network, Eyes.of(model, "pad"), torch.float32).train()
    model.network.model.vision_tower.eval()
    optimizer = optimizer_of([one for one in trainable(model).values() if one.is_floating_point()], 1e-2)
    for _ in range(steps):
        learn(learner, iter([pack._replace(segments=None)]), ALONE)
        optimizer.step()
    learner.restore()


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
    pack = training("llava", "vicuna-s").pack(models[0], "0")
    before, stream = logits(models[0], pack), torch.get_rng_state()
    for model, seed in zip(models, (5, 5, 6), strict=True):
        Adapted.of(model, Lora(**LORA), seed)
    assert torch.equal(torch.get_rng_state(), stream)
    assert torch.equal(logits(models[0], pack), before)
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
    pack = laid.pack(model, "v7w-5")
    adapted = Adapted.of(model, Lora(**LORA), 0)
    fresh = logits(model, pack)
    teach(model, pack)
    unmerged = logits(model, pack)
    assert (unmerged - fresh).abs().max() > 0.1
    adapted.save(tmp_path, torch.float32, ALONE)
    assert not (tmp_path / "adapter").exists()
    for merged in (model.network, AutoModelForImageTextToText.from_pretrained(tmp_path)):
        torch.testing.assert_close(logits(model, pack, merged), unmerged, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # asked for by peft
def test_a_kept_adapter_on_the_stages_start_is_the_merged_model(laid):
    start, merged = load(laid.root / "start"), load(laid.root / "whole" / "out")
    pack = laid.pack(start, "v7w-5")
    fresh = logits(start, pack)
    adapter = laid.root / "whole" / "out" / "adapter"
    assert {path.name for path in adapter.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert str(laid.root) not in (adapter / "adapter_config.json").read_text()
    adapted = PeftModel.from_pretrained(start.network, adapter)
    found = logits(start, pack, adapted)
    torch.testing.assert_close(found, logits(merged, pack), rtol=0, atol=1e-5)
    assert (found - fresh).abs().max() > 0.01


@pytest.mark.parametrize("step", range(1, STEPS))
def test_a_run_stopped_at_any_step_ends_with_the_same_bytes(laid, step):
    name, start = f"stopped{step}", laid.root / "start"
    with pytest.raises(Stopped):
        train(laid.bench(name, model=start, stop_after=step), Runtime())
    assert laid.result(name) == {}
    train(laid.bench(name, model=start), EAGER)
    assert laid.result(name) == laid.result("whole")


def test_only_what_is_trained_is_in_a_stages_checkpoints(laid):
    with pytest.raises(Stopped):
        train(laid.bench("short", model=laid.root / "start", stop_after=1), Runtime())
    whole = (laid.root / "whole" / "out" / "model.safetensors").stat().st_size
    (kept,) = (laid.root / "short" / "checkpoints" / "00000001").glob("*.safetensors")
    assert kept.stat().st_size < whole / 2


def test_a_later_stage_begins_with_the_merged_model(laid):
    train(laid.bench("later", model=laid.root / "whole" / "out"), Runtime())
    assert changed(load(laid.root / "whole/out"), load(laid.root / "later/out")) >= {"language_model"}


def test_a_full_disk_is_told(training, tmp_path):
    adapted = Adapted.of(assembled("llava", "vicuna-s"), Lora(**LORA, keep="adapter"), 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(VertebraError, match=r"adapter_model\.safetensors cannot be written: .*Free space"):
            adapted.save(tmp_path, torch.float32, ALONE)
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
    pack = training("llava", "llama-3").pack(model, "v7w-5")
    adapted = Adapted.of(model, Lora(**LORA, dropout=0, quantize="4bit"), 0)
    model.network.train()
    said(model, pack)  # transformers puts its hooks on the tower's layers when it first looks; some are not run later
    teach(model, pack)
    unmerged = said(model, pack)  # still in training: on a CPU, bitsandbytes packs its weights anew for inference
    adapted.save(tmp_path, torch.float32, ALONE)
    gap = (logits(load(tmp_path), pack) - unmerged).abs().max()
    assert gap < 0.05 * (unmerged - logits(untouched, pack)).abs().max(), "bfloat16 until they are merged"


def test_a_run_on_four_bits_that_is_stopped_ends_with_the_same_bytes(quantised):
    with pytest.raises(Stopped):
        train(quantised.bench("stopped", model=quantised.root / "start", stop_after=2), Runtime())
    train(quantised.bench("stopped", model=quantised.root / "start"), Runtime())
    assert quantised.result("stopped") == quantised.result("whole")


def test_four_bits_without_bitsandbytes_name_the_extra(training, monkeypatch):
    monkeypatch.setattr("vertebra.spec.find_spec", lambda _: None)
    laid = training("llava", "vicuna-s", {"lora": {**LORA, "quantize": "4bit"}})
    bench = laid.bench("run")
    with pytest.raises(ConfigError, match=r"bitsandbytes.*not installed.*vertebra\[qlora\]"):
        train(bench, Runtime())
    assert list(bench.folder.iterdir()) == [bench.out]
    with pytest.raises(ConfigError, match=r"vertebra\[qlora\]"):
        check_inputs(laid.steps, Runtime(data=laid.root))


@pytest.mark.parametrize("quantize", ["none", "4bit"])
def test_adapters_learn_in_bfloat16_as_the_published_recipe_has_it(training, quantize):
    """Adapters and projector stay in single precision; the checkpoint is in half."""
    stage = {**STAGE, "epochs": 4, "precision": "bfloat16", "lora": {**LORA, "quantize": quantize}}
    laid = training("llava", "llama-3", stage)
    train(laid.bench("run"), Runtime())
    losses = [row["loss"] for row in laid.log("run")]
    assert losses[-1] < losses[0] - 0.5
    network = load(laid.root / "run" / "out").network
    assert {weight.dtype for weight in network.parameters()} == {torch.bfloat16}
