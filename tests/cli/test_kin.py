"""Why a step would run."""

from pathlib import Path

import pytest
from tests.conftest import plan

from vertebra.cli.kin import Difference, Genealogy
from vertebra.plan import Step
from vertebra.spec import Json
from vertebra.store import Store


def training(label: str, needs: tuple[str, ...] = (), **stage: Json) -> Step:
    return Step("train", label, "m", {"stage": {"batch": 4, "learning_rate": 2e-5, **stage}, "seed": 0}, needs)


def finish(store: Store, *steps: Step) -> None:
    for step in steps:
        store.work(step.key)
        store.commit(step.key, step.preimage(), step.label, {})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_in_an_empty_store_nothing_is_like_it(store: Store) -> None:
    step = training("m/a")
    assert Genealogy.of(plan(step), store).reason(step) == "nothing like it in the store"


def test_a_finished_step_of_another_kind_is_no_kin(store: Store) -> None:
    step = training("m/a")
    finish(store, Step("score", "m/s", "m", step.spec))
    assert Genealogy.of(plan(step), store).kin(step) is None


def test_one_changed_field_is_told_with_its_values(store: Store) -> None:
    finish(store, training("m/a"))
    step = training("m/a", learning_rate=5e-5)
    reason = Genealogy.of(plan(step), store).reason(step)
    assert reason == "stage.learning_rate differs from finished step m/a: 2e-05 -> 5e-05"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"batch": 8, "epochs": 2}, "stage.batch and stage.epochs differ from finished step m/a"),
        (
            {"batch": 8, "epochs": 2, "x": 1, "y": 1},
            "stage.batch, stage.epochs and 2 more differ from finished step m/a",
        ),
    ],
)
def test_many_changed_fields_are_counted(store: Store, changes: dict[str, Json], told: str) -> None:
    finish(store, training("m/a"))
    step = training("m/b", **changes)
    assert Genealogy.of(plan(step), store).reason(step) == told


def test_the_nearest_kin_has_the_fewest_differences_and_of_equals_the_same_name(store: Store) -> None:
    finish(store, training("m/far", batch=8), training("m/near"), training("m/a", learning_rate=1.0))
    step = training("m/a", learning_rate=3.0)
    kin = Genealogy.of(plan(step), store).kin(step)
    assert kin
    assert kin.label == "m/a"
    assert kin.differs == (Difference("stage.learning_rate", "1.0", "3.0"),)


def test_a_field_that_only_one_has_is_told_as_none() -> None:
    assert Difference("epochs", "", "2").values == "(none) -> 2"


def test_of_two_long_texts_the_first_different_line_is_told() -> None:
    assert Difference("template", '"a\\nb\\nc"', '"a\\nb\\nd"').values == "the text differs from line 3 on"
    assert Difference("template", '"a\\nb"', '"a\\nb\\nd"').values == "the text differs from line 3 on"


def test_long_values_are_shortened_in_the_middle() -> None:
    values = Difference("vision", f'"{"x" * 100}1"', f'"{"x" * 100}2"').values
    old, new = values.split(" -> ")
    assert len(old) == len(new) == 60
    assert (old[-2], new[-2]) == ("1", "2")


def test_a_step_waits_for_the_last_of_what_it_needs(store: Store) -> None:
    first = training("m/first")
    second = training("m/second", (first.key,), batch=2)
    third = training("m/third", (second.key, first.key), batch=3)
    genealogy = Genealogy.of(plan(first, second, third), store)
    assert genealogy.reason(third) == "needs m/second"
    assert genealogy.needs(third) == ["m/first", "m/second"]


def test_another_input_is_told_by_its_label(store: Store) -> None:
    old, new = training("m/pretrain"), training("m/pretrain", batch=8)
    before, after = training("m/a", (old.key,)), training("m/a", (new.key,))
    finish(store, old, new, before)
    reason = Genealogy.of(plan(new, after), store).reason(after)
    assert reason == (
        f'needs.0 differs from finished step m/a: "m/pretrain ({old.key[:8]})" -> "m/pretrain ({new.key[:8]})"'
    )


def test_foreign_records_in_the_store_do_no_harm(store: Store) -> None:
    folder = store.root / "steps" / "odd"
    folder.mkdir(parents=True)
    for name, text in {"step.json": '{"kind": "train", "spec": 3, "needs": 4}', "manifest.json": "{}"}.items():
        (folder / name).write_text(text)
    step = training("m/a")
    assert "differ from finished step None" in Genealogy.of(plan(step), store).reason(step)
