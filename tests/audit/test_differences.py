"""Arms compared: what is planted between two is found, named and sorted."""

import pytest
from tests.audit.planted import CATALOG, STUDY, confounds, differences, drawn, planted

from vertebra.audit import Arm, Field, Place, Value, compare
from vertebra.spec import Json, Stage

PHI = "llava-1.5/phi-3-mini/seed0"
OTHER_SETTINGS = {
    "mixture": "llava-pretrain-558k",
    "trains": "projector",
    "chat": "plain",
    "learning_rate": 4e-5,
    "projector_learning_rate": 1e-4,
    "batch": 64,
    "epochs": 2,
    "warmup": 0.1,
    "square": "crop",
    "max_tokens": 1024,
    "precision": None,
    "order": "by_modality",
    "mean_over": 16,
    "lora": {"rank": 8, "alpha": 16},
}
TOLD = {"chat": "told"}


def arm(family: str, backbone: str, number: int = 0, **facts: Json) -> Arm:
    """An arm with facts that hold throughout."""
    return Arm(family, backbone, number, {Field("model", name): value for name, value in facts.items()})


def test_a_planned_study_has_no_confound():
    assert confounds(drawn()) == []


def test_every_setting_of_a_stage_is_tried():
    assert OTHER_SETTINGS.keys() == Stage.model_fields.keys()


@pytest.mark.parametrize("field", OTHER_SETTINGS)
def test_any_changed_setting_of_a_stage_is_found_and_named(field):
    (found,) = confounds(planted(drawn(), f"{PHI}/finetune", {field: OTHER_SETTINGS[field]}, "stage"))
    assert found.field == TOLD.get(field, field)
    assert found.between == "backbones"
    assert found.places == (Place("llava-1.5", ("finetune",)),)
    assert [names for _, names in found.values] == [("vicuna-7b",), ("phi-3-mini",)]


@pytest.mark.parametrize(
    ("step", "changes", "inside", "field"),
    [
        ("finetune", {"llava_v1_5_mix665k.json": "2" * 64}, "data", "files"),
        ("finetune", {"faulty": 0.1}, "mixture", "mixture.faulty"),
        ("pretrain", {"compat": ["blank_after_bos"]}, "backbone", "compat"),
        ("pope/answers", {"max_new_tokens": 999}, "", "max_new_tokens"),
        ("pope/answers", {"temperature": 0.2}, "", "temperature"),
        ("pope/answers", {"beams": 5}, "", "beams"),
        ("pope/answers", {"square": "crop"}, "", "square"),
        ("pope/answers", {"engine": "reference"}, "", "engine"),
        ("pope/answers", {"prompts": 99}, "", "prompts"),
        ("pope/score", {"grading": 99}, "", "grading"),
        ("mm_vet/score", {"judge": None}, "", "judge"),
    ],
)
def test_anything_else_that_a_step_resolves_is_found_too(step, changes, inside, field):
    (found,) = confounds(planted(drawn(), f"{PHI}/{step}", changes, inside))
    assert found.field == field


def test_of_files_and_judges_only_what_differs_is_told():
    other = {"name": "gpt-4o", "endpoint": "openai", "runs": 1}
    (found,) = confounds(planted(drawn(), f"{PHI}/mm_vet/score", {"judge": other}))
    assert found.values[1] == Value({"name": "gpt-4o"}, ("phi-3-mini",))


def test_between_families_the_recipe_is_intended_and_the_rate_of_a_stage_that_both_have_is_not():
    study = STUDY.model_copy(update={"families": ("llava-1.5", "llava-1.5-lora"), "backbones": ("vicuna-7b",)})
    found = {(each.field, each.kind) for each in differences(drawn(study))}
    assert found == {("lora", "intended"), ("learning_rate", "confound"), ("projector_learning_rate", "confound")}


def test_stages_that_only_one_family_has_are_its_own():
    study = STUDY.model_copy(update={"families": ("llava-1.5", "vip-llava"), "backbones": ("vicuna-7b",)})
    assert {each.field for each in differences(drawn(study))} == {"model", "layers", "stages"}


def test_another_seed_is_intended_and_told_with_what_is_shared():
    found = compare([arm("f", "b", number, seed=number, x=number // 2) for number in (0, 1, 2)])
    assert [(each.field, each.kind, each.between, each.places) for each in found] == [
        ("x", "confound", "seeds", (Place("f/b", ("model",)),)),
        ("seed", "intended", "seeds", (Place("f/b", ("model",)),)),
    ]
    assert found[0].values == (Value(0, ("seed0", "seed1")), Value(1, ("seed2",)))


def test_arms_that_differ_in_two_things_are_not_compared():
    assert compare([arm("f", "a", x=1), arm("g", "b", x=2)]) == ()


def test_what_is_the_same_in_two_families_and_stages_is_told_once():
    def of(family: str, backbone: str, value: int) -> Arm:
        return Arm(family, backbone, 0, {Field(part, "x"): value for part in ("one", "two")})

    (found,) = compare([of("f", "a", 1), of("f", "b", 2), of("g", "a", 1), of("g", "b", 2)])
    assert found.places == (Place("f", ("one", "two")), Place("g", ("one", "two")))


def test_what_is_not_known_of_an_arm_is_no_difference():
    assert compare([arm("f", "a", x=1), arm("f", "b"), arm("f", "c", x=1)]) == ()
    (found,) = compare([arm("f", "a", x=1), arm("f", "b"), arm("f", "c", x=2)])
    assert [names for _, names in found.values] == [("a",), ("c",)]


def test_an_option_that_is_not_taken_is_known():
    (found,) = compare([arm("f", "a", order=None), arm("f", "b", order="by_modality")])
    assert found.values == (Value(None, ("a",)), Value("by_modality", ("b",)))


def test_a_backbone_of_another_catalogue_entry_is_no_confound():
    names = [name for name in CATALOG.names("backbones") if not name.startswith("tiny-")]
    study = STUDY.model_copy(update={"backbones": tuple(names)})
    assert confounds(drawn(study)) == []
