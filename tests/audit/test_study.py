"""The audit of a study: its plan, what its backbones bring along, and what finished steps put down."""

from pathlib import Path

import pytest
from tests.audit.planted import CATALOG, STUDY, drawn

from vertebra.audit import Audit, audit_plan
from vertebra.benchmarks import benchmark, of_a_study
from vertebra.files import append_rows
from vertebra.plan import Plan, draw_plan
from vertebra.spec import Adopted, Json, Study
from vertebra.store import Store

VERSIONS: dict[str, Json] = {"torch": "2.13.0", "transformers": "5.23.0", "bitsandbytes": None}
SEEN: dict[str, Json] = {"samples": 665298, "tokens": 589_000_000, "supervised": 100_000_000, "steps": 5198}


def shipped(name: str, store: Path) -> Audit:
    study, catalog = CATALOG.study(name)
    plan = draw_plan(study, catalog, {name: benchmark(name) for name in of_a_study()})
    return audit_plan(plan, catalog, Store(store))


def finish(plan: Plan, store: Store, label: str, run: dict[str, Json], *log: dict[str, Json]) -> None:
    (step,) = [step for step in plan.steps if step.label == label]
    append_rows(store.work(step.key) / "log.jsonl", log)
    store.commit(step.key, step.preimage(), step.label, run)


@pytest.mark.parametrize("name", ["miniature", "llm-backbones"])
def test_the_shipped_studies_have_no_confound(name, tmp_path):
    found = shipped(name, tmp_path)
    assert found.of("confound") == []
    assert {each.field for each in found.of("intended")} == {"weights", "model", "layers", "stages"}
    assert {"chat", "system_prompt", "parameters"} < {each.field for each in found.of("unavoidable")}


def test_what_is_not_at_hand_is_said(tmp_path):
    assert shipped("llm-backbones", tmp_path).unknown[1:] == (
        "What the data files hold, since not all are at hand; give --data.",
        "Versions, devices and tokens of 148 stages and answers that are not finished.",
    )
    assert shipped("miniature", tmp_path).unknown == (
        "Versions, devices and tokens of 148 stages and answers that are not finished.",
    )


def test_a_checkpoint_that_was_trained_elsewhere_is_a_confound_in_its_family(tmp_path):
    adopted = {"released": Adopted(family="llava-1.5", weights=str(tmp_path))}
    plan = drawn(STUDY.model_copy(update={"adopt": adopted}))
    found = audit_plan(plan, CATALOG, Store(tmp_path))
    assert {each.field for each in found.of("confound")} == {"stages"}
    assert "released: how they were trained." in found.unknown


def test_models_behind_endpoints_are_compared_with_each_other(tmp_path):
    adopt = {
        "here": Adopted(weights=str(tmp_path)),
        "there": Adopted(endpoint="http://localhost:8000/v1", model="gpt"),
    }
    plan = drawn(Study(study="s", adopt=adopt, benchmarks=("pope",)))
    assert {each.field for each in audit_plan(plan, CATALOG, Store(tmp_path)).of("confound")} == {"asked_by"}


def test_versions_and_devices_that_differ_are_confounds_and_tokens_are_not(tmp_path):
    plan, store = drawn(), Store(tmp_path)
    labels = [f"llava-1.5/{backbone}/seed0/finetune" for backbone in ("vicuna-7b", "phi-3-mini")]
    run: dict[str, Json] = {"versions": VERSIONS, "python": "3.11.7", "commit": "a1"}
    finish(plan, store, labels[0], run, SEEN, {"device": "cpu"}, {"step": 1, "tokens": 3, "supervised": 2})
    other: dict[str, Json] = {"versions": {**VERSIONS, "torch": "2.12.0"}, "python": "3.11.7", "commit": "b2"}
    shorter: dict[str, Json] = {**SEEN, "tokens": 620_000_000, "cut": {"number": 12, "first": ["x"]}}
    finish(plan, store, labels[1], other, shorter, {"device": "NVIDIA H100 80GB HBM3"})
    found = audit_plan(plan, CATALOG, store)
    told = {each.field: [value for value, _ in each.values] for each in found.differences}
    assert told["versions"] == [{"torch": "2.13.0"}, {"torch": "2.12.0"}]
    assert told["device"] == ["cpu", "NVIDIA H100 80GB HBM3"]
    assert told["tokens"] == [589_000_000, 620_000_000]
    assert told["cut"] == [0, 12]
    assert {each.field for each in found.of("confound")} == {"versions", "device", "commit"}


def test_of_two_beginnings_of_a_stage_the_last_one_counts(tmp_path):
    plan, store = drawn(), Store(tmp_path)
    labels = [f"llava-1.5/{backbone}/seed0/finetune" for backbone in ("vicuna-7b", "phi-3-mini")]
    finish(plan, store, labels[0], {}, {"device": "cpu"}, {"device": "cuda"})
    finish(plan, store, labels[1], {}, {"device": "cuda"})
    assert audit_plan(plan, CATALOG, store).of("confound") == []
