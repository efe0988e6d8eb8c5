"""Costs of a study's steps, from its catalogue entries alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vertebra.catalog import Catalog
from vertebra.costs import GIB, Cost, cost_of, speed_of, total_of, training_costs
from vertebra.costs.architecture import Architecture, Tower
from vertebra.costs.training import Training
from vertebra.data.sampling import Schedule
from vertebra.plan import Plan, draw_plan
from vertebra.source import folder_config
from vertebra.spec import Mixture, Stage, Study, Typical

CATALOG = Catalog.installed()
H100 = CATALOG.device("h100")
SHIPPED = Path(str(CATALOG.path("studies", "llm-backbones"))).parent.parent


def drawn(study: Study, catalog: Catalog = CATALOG) -> Plan:
    return draw_plan(study, catalog, {})


def costs(study: Study, device: str = "h100", devices: int = 8) -> dict[str, Cost | None]:
    """By label."""
    plan = drawn(study)
    found = training_costs(plan, CATALOG, CATALOG.device(device), devices)
    return {step.label: found[step.key] for step in plan.steps if step.kind == "train"}


def vicuna(devices: int = 8) -> Training:
    family = CATALOG.family("llava-1.5")
    language, tower = (
        Architecture.of(CATALOG.backbone("vicuna-7b").config),
        Tower.of(family.config, family.layers),
    )
    assert language
    assert tower
    return Training(language, tower, "projector+language", devices=devices)


def test_llava_7b_takes_its_published_steps_and_the_hours_counted_by_hand() -> None:
    """2,181 and 5,198 steps (families.md 3.4); 0.79 h and 2.09 h on 8 H100 at half of 790 TFLOP/s."""
    found = costs(Study(study="s", families=("llava-1.5",), backbones=("vicuna-7b",)))
    pretrain, finetune = found.values()
    assert pretrain
    assert finetune
    assert (pretrain.steps, finetune.steps) == (2181, 5198)
    assert pretrain.gpu_hours == pytest.approx(8 * 0.79, rel=0.02)
    assert finetune.gpu_hours == pytest.approx(8 * 2.09, rel=0.02)
    assert finetune.tokens == pytest.approx(0.59e9, rel=0.01)


def test_every_step_of_the_shipped_study_is_known_and_fits() -> None:
    study, _ = CATALOG.study("llm-backbones")
    found = costs(study)
    assert len(found) == 20
    assert all(cost and cost.rung and cost.rung.memory.total <= H100.memory_gib * GIB for cost in found.values())


def test_facts_that_only_tell_costs_move_no_key_of_a_step_but_the_checks(tmp_path: Path) -> None:
    """The keys are those of the same entries without `config` and `typical`, as they were before there were any."""
    bare = tmp_path / "bare"
    for shelf in ("backbones", "families", "mixtures", "templates"):
        shutil.copytree(SHIPPED / shelf, bare / shelf)
        for path in (bare / shelf).glob("*.yaml"):
            fields = yaml.safe_load(path.read_text())
            told = {name: value for name, value in fields.items() if name not in ("config", "typical")}
            path.write_text(yaml.safe_dump(told, sort_keys=False))
    study, _ = CATALOG.study("llm-backbones")
    preimages = [
        {step.label: step.preimage() for step in drawn(study, catalog).steps if step.kind != "check"}
        for catalog in (CATALOG, Catalog((bare,)))
    ]
    assert preimages[0] == preimages[1]
    assert len(preimages[0]) == 20


def test_what_decides_a_training_step_is_named_one_by_one() -> None:
    """A new field of a mixture or family would train everything anew: it has to be left out, or wanted."""
    study = Study(study="s", families=("llava-1.5",), backbones=("vicuna-7b",))
    spec = next(step for step in drawn(study).steps if step.kind == "train").spec
    assert set(spec["mixture"]) == {"records", "images", "count"}  # type: ignore[arg-type]
    assert set(spec["family"]) == {"model", "vision", "layers"}  # type: ignore[arg-type]


def test_a_mixture_that_says_nothing_of_its_lengths_has_an_unknown_cost() -> None:
    stage = Stage(mixture="m", learning_rate=1e-3, batch=128)
    assert cost_of(stage, Mixture(records=("a.json",), count=1000), vicuna(), H100) is None
    typical = Typical(tokens=886, squares=8.5e5, supervised=155)
    assert cost_of(stage, Mixture(records=("a.json",), typical=typical), vicuna(), H100) is None


def test_a_tower_with_other_patches_than_the_lengths_are_told_for_has_an_unknown_cost() -> None:
    small = Tower(64, 64, 2, 16, 14, 1)
    mixture = Mixture(records=("a.json",), count=10, typical=Typical(tokens=886, squares=8.5e5, supervised=155))
    stage = Stage(mixture="m", learning_rate=1e-3, batch=2)
    assert cost_of(stage, mixture, Training(vicuna().language, small, "projector"), H100) is None


def test_the_miniatures_costs_are_unknown() -> None:
    study, _ = CATALOG.study("miniature")
    assert set(costs(study).values()) == {None}


@pytest.mark.parametrize("name", ["tiny-vicuna-s", "tiny-phi-3"])
def test_the_sizes_of_weights_in_a_folder_are_read_there(name: str) -> None:
    found = Architecture.of(folder_config(CATALOG.backbone(name).weights))
    assert found
    assert found.hidden == 128


@pytest.mark.parametrize(("records", "batch", "epochs"), [(558_128, 256, 1), (10, 4, 0.5), (10, 4, 3), (3, 8, 0.1)])
def test_steps_are_those_of_the_schedule(records: int, batch: int, epochs: float) -> None:
    mixture = Mixture(records=("a.json",), count=records, typical=Typical(tokens=600, squares=360_000, supervised=10))
    stage = Stage(mixture="m", learning_rate=1e-3, batch=batch, epochs=epochs)
    found = cost_of(stage, mixture, vicuna(), H100)
    assert found
    assert found.steps == Schedule(records, batch, epochs, seed=0).steps


def test_a_step_that_does_not_fit_has_no_hours_and_a_reason() -> None:
    found = costs(Study(study="s", families=("llava-1.5",), backbones=("vicuna-7b",)), "4090", devices=1)
    finetune = found["llava-1.5/vicuna-7b/seed0/finetune"]
    assert finetune
    assert (finetune.gpu_hours, finetune.rung) == (None, None)
    assert "Take 8 devices" in finetune.refused
    assert finetune.document()["refused"] == finetune.refused
    total = total_of([*found.values(), None])
    assert (total.steps, total.unknown, total.refused) == (2181 + 5198, 1, 1)
    assert total.gpu_hours == found["llava-1.5/vicuna-7b/seed0/pretrain"].gpu_hours  # type: ignore[union-attr]


def test_recomputed_layers_cost_hours_but_are_not_the_models_flops() -> None:
    study = Study(study="s", families=("llava-1.5",), backbones=("vicuna-13b",))
    plain, again = (costs(study, name)["llava-1.5/vicuna-13b/seed0/finetune"] for name in ("h200", "a100-40"))
    assert plain
    assert plain.rung
    assert again
    assert again.rung
    assert (plain.rung.recompute, again.rung.recompute) == ("none", "full")
    assert plain.flops == again.flops
    speeds = speed_of(CATALOG.device("h200")) / speed_of(CATALOG.device("a100-40"))
    assert again.gpu_hours == pytest.approx(plain.gpu_hours * speeds * 4 / 3, rel=0.02)  # type: ignore[operator]


@pytest.mark.parametrize("name", CATALOG.names("devices"))
def test_no_device_reaches_more_than_its_maker_states(name: str) -> None:
    device = CATALOG.device(name)
    assert device.matmul_tflops is None or device.matmul_tflops < device.peak_tflops


def test_costs_are_told_without_torch() -> None:
    code = "import sys, vertebra.costs; print({'torch', 'transformers', 'numpy', 'huggingface_hub'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
