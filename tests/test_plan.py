"""Plans: which steps a study has, and what moves a step's key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.conftest import Workshop

from vertebra.catalog import Catalog
from vertebra.errors import UnknownName
from vertebra.plan import Plan, Step, draw_plan
from vertebra.spec import Adopted, Judge, Study

STUDY = Study(study="small", families=("eyes",), backbones=("ada", "bob"), data="pope")


@dataclass(frozen=True)
class Facts:
    """What a plan knows of a benchmark."""

    name: str
    prompts: int = 1
    grading: int = 1
    max_new_tokens: int = 16
    files: tuple[str, ...] = ("questions.jsonl",)
    judged: bool = False


BENCHMARKS = {name: Facts(name) for name in ("pope", "gqa")}


@pytest.fixture
def folder(workshop: Workshop) -> Path:
    return workshop.root / "catalog"


def draw(folder: Path, study: Study = STUDY, benchmarks: Mapping[str, Facts] = BENCHMARKS, print_: str = "1") -> Plan:
    return draw_plan(study, Catalog((folder,)), benchmarks, lambda name: f"{name}@{print_}")


def changed(before: Plan, after: Plan) -> set[str]:
    """The steps of the second plan that the first does not have, without their arm's name."""
    known = {step.key for step in before.steps}
    return {step.label.split("/", 3)[-1] for step in after.steps if step.key not in known}


def test_a_study_is_data_then_stages_then_answers_and_scores_per_arm(folder: Path) -> None:
    assert [step.label for step in draw(folder).steps][:10] == [
        "data/pope",
        "check/ada",
        "check/bob",
        "eyes/ada/seed0/pretrain",
        "eyes/ada/seed0/finetune",
        "eyes/ada/seed0/pope/answers",
        "eyes/ada/seed0/pope/score",
        "eyes/ada/seed0/gqa/answers",
        "eyes/ada/seed0/gqa/score",
        "eyes/bob/seed0/pretrain",
    ]


def test_every_step_stands_after_those_it_needs(folder: Path) -> None:
    seen: set[str] = set()
    for step in draw(folder).steps:
        assert seen.issuperset(step.awaits)
        seen.add(step.key)


def test_keys_are_the_same_on_every_day(folder: Path) -> None:
    step = Step("make", "data/pope", "data/pope", {"maker": "pope", "version": 1})
    assert step.key == "56bb2138b0c5056068abaa0e1d3e73004511bcb3ace1ed99a9a9324c238d4a0e"
    assert [step.key for step in draw(folder).steps] == [step.key for step in draw(folder).steps]


def test_a_label_or_crew_does_not_move_a_key() -> None:
    assert Step("make", "a", "b", {"maker": "m"}).key == Step("make", "c", "d", {"maker": "m"}).key


def test_the_judge_decides_only_the_scores_that_it_gives(folder: Path) -> None:
    benchmarks = {**BENCHMARKS, "mm_vet": Facts("mm_vet", judged=True)}
    before = draw(folder, benchmarks=benchmarks)
    after = draw(folder, STUDY.model_copy(update={"judge": Judge(name="gpt-4-0613")}), benchmarks)
    assert changed(before, after) == {"mm_vet/score"}


def test_a_new_grading_rule_only_scores_again(folder: Path) -> None:
    benchmarks = {**BENCHMARKS, "pope": replace(BENCHMARKS["pope"], grading=2)}
    assert changed(draw(folder), draw(folder, benchmarks=benchmarks)) == {"pope/score"}


def test_new_prompts_ask_the_model_again_but_do_not_train(folder: Path) -> None:
    benchmarks = {**BENCHMARKS, "pope": replace(BENCHMARKS["pope"], prompts=2)}
    assert changed(draw(folder), draw(folder, benchmarks=benchmarks)) == {"pope/answers", "pope/score"}


def test_another_backbone_keeps_every_other_step(folder: Path) -> None:
    (folder / "backbones" / "eve.yaml").write_text(
        (folder / "backbones" / "ada.yaml").read_text().replace("<pad>", "<e>")
    )
    more = draw(folder, STUDY.model_copy(update={"backbones": ("eve", "ada", "bob")}))
    known = {step.key for step in draw(folder).steps}
    assert {step.crew for step in more.steps if step.key not in known} == {"check", "eyes/eve/seed0"}


def test_answers_drawn_at_a_temperature_are_other_answers_and_no_other_step_moves(folder: Path) -> None:
    before = draw(folder)
    after = draw(folder, STUDY.model_copy(update={"temperature": {"pope": 0.2}, "seeds": (3,)}))
    warm = {step.label.split("/", 3)[-1] for step in after.steps if "temperature" in step.spec}
    assert warm == {"pope/answers", "pope/score"}
    assert not any({"temperature", "seed"} & step.spec.keys() for step in before.steps if step.kind != "train")
    drawn = next(step.spec for step in after.steps if step.label == "eyes/ada/seed3/pope/answers")
    assert (drawn["temperature"], drawn["seed"]) == (0.2, 3)
    same_seed = draw(folder, STUDY.model_copy(update={"temperature": {"pope": 0.2}}))
    assert changed(before, same_seed) == {"pope/answers", "pope/score"}


def test_a_temperature_of_a_benchmark_that_is_not_asked_is_refused(folder: Path) -> None:
    with pytest.raises(UnknownName, match=r"`temperature`: no benchmark of this study .*Did you mean 'pope'"):
        draw(folder, STUDY.model_copy(update={"temperature": {"popes": 0.2}}))


def test_another_benchmark_keeps_every_other_step(folder: Path) -> None:
    more = {**BENCHMARKS, "mme": Facts("mme")}
    assert changed(draw(folder), draw(folder, benchmarks=more)) == {"mme/answers", "mme/score"}


EVERYTHING = {"pretrain", "finetune", "pope/answers", "pope/score", "gqa/answers", "gqa/score"}
CHECKS = {"ada", "bob"}


@pytest.mark.parametrize(
    ("file", "edit", "moved"),
    [
        ("families/eyes.yaml", lambda text: text.replace("2e-05", "3e-05"), EVERYTHING - {"pretrain"}),
        ("families/eyes.yaml", lambda text: text.replace("[-2]", "[-1]"), EVERYTHING),
        ("templates/bare.jinja", lambda text: text + " ", EVERYTHING | CHECKS),
        ("mixtures/few.yaml", lambda text: "records: [more.json]\n", EVERYTHING),
        ("backbones/ada.yaml", lambda text: text + "title: Ada\n", set()),
        ("backbones/ada.yaml", lambda text: text + "config: {model_type: llama}\n", {"ada"}),
        ("families/eyes.yaml", lambda text: "# a comment\n" + text, set()),
        ("mixtures/few.yaml", lambda text: "title: Few\n" + text, set()),
    ],
)
def test_what_decides_a_result_moves_the_keys_and_nothing_else_does(
    folder: Path, file: str, edit: Callable[[str], str], moved: set[str]
) -> None:
    before = draw(folder)
    path = folder / file
    path.write_text(edit(path.read_text()))
    assert changed(before, draw(folder)) == moved


def test_a_seed_is_an_arm_of_its_own(folder: Path) -> None:
    both = draw(folder, STUDY.model_copy(update={"seeds": (0, 1)}))
    assert len(both.steps) == 2 * len(draw(folder).steps) - len({"data/pope", *CHECKS})
    assert len({step.key for step in both.steps}) == len(both.steps)


def test_data_files_enter_by_content_where_no_step_makes_them(folder: Path) -> None:
    study = STUDY.model_copy(update={"data": None})
    before = draw(folder, study)
    assert next(step for step in before.steps if step.kind == "train").files == ("few.json", ".")
    assert changed(before, draw(folder, study, print_="2")) == EVERYTHING
    assert changed(draw(folder), draw(folder, print_="2")) == set()


def test_a_list_of_excluded_records_moves_what_trains_on_them_and_need_not_be_there(folder: Path) -> None:
    study = STUDY.model_copy(update={"data": None})
    files = {"few.json": "1"}
    before = draw_plan(study, Catalog((folder,)), BENCHMARKS, files.get)
    training = next(step for step in before.steps if step.kind == "train")
    assert training.spec["data"] == {"few.json": "1"}
    files["few.excluded.json"] = "2"
    after = draw_plan(study, Catalog((folder,)), BENCHMARKS, files.get)
    assert changed(before, after) == EVERYTHING
    listed = next(step for step in after.steps if step.kind == "train")
    assert listed.spec["data"] == {"few.json": "1", "few.excluded.json": "2"}
    assert listed.files == training.files == ("few.json", ".")


def test_where_a_step_makes_the_data_no_list_is_looked_for(folder: Path) -> None:
    asked: list[str] = []
    draw_plan(STUDY, Catalog((folder,)), BENCHMARKS, lambda name: asked.append(name))
    assert not [name for name in asked if name.endswith(".json") and not name.startswith("/")]


def test_only_the_first_stage_reads_weights(folder: Path) -> None:
    first, second = [step for step in draw(folder).steps if step.kind == "train"][:2]
    assert first.weights == ("./weights", "./weights")
    assert second.weights == ()
    assert second.needs[-1] == first.key


def test_training_waits_for_the_check_of_its_backbone_but_does_not_depend_on_it(folder: Path) -> None:
    steps = {step.label: step for step in draw(folder).steps}
    check, train = steps["check/ada"], steps["eyes/ada/seed0/pretrain"]
    assert train.after == (check.key,)
    assert train.key == replace(train, after=()).key


ADOPTING = STUDY.model_copy(update={"adopt": {"released": Adopted(family="eyes", weights="./weights")}})


def test_an_adopted_checkpoint_is_an_arm_without_training(folder: Path) -> None:
    steps = [step for step in draw(folder, ADOPTING).steps if step.crew == "eyes/released/seed0"]
    assert [step.label.split("/", 3)[3] for step in steps] == ["pope/answers", "pope/score", "gqa/answers", "gqa/score"]
    assert steps[0].weights == ("./weights",)
    assert steps[0].spec["model"] == {"weights": "./weights", "files": {}, "family": "llava"}
    assert changed(draw(folder), draw(folder, ADOPTING)) == {"pope/answers", "pope/score", "gqa/answers", "gqa/score"}


def test_a_study_may_be_of_adopted_checkpoints_alone(folder: Path) -> None:
    alone = Study(study="small", adopt=ADOPTING.adopt, data="pope")
    assert {step.crew for step in draw(folder, alone).steps} == {"data/pope", "eyes/released/seed0"}


@pytest.mark.parametrize("field", ["families", "backbones"])
def test_a_name_that_the_catalogue_lacks_is_unknown(folder: Path, field: str) -> None:
    with pytest.raises(UnknownName):
        draw(folder, STUDY.model_copy(update={field: ("nobody",)}))
