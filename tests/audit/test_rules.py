"""What a difference means, by the name of its field and by what is swapped."""

from typing import get_args

import pytest

from vertebra.audit.rules import RULES, Axis, rule_of, why
from vertebra.spec import Stage

AXES: tuple[Axis, ...] = get_args(Axis)


@pytest.mark.parametrize("field", [name for name in Stage.model_fields if name != "chat"])
def test_every_setting_of_a_stage_has_a_rule_of_its_own(field):
    assert rule_of(field) is not RULES[-1]


@pytest.mark.parametrize("axis", AXES)
def test_what_nobody_thought_of_is_a_confound(axis):
    assert rule_of("moonlight").kind(axis) == "confound"


@pytest.mark.parametrize(
    ("field", "backbones", "families", "seeds"),
    [
        ("weights", "intended", "confound", "confound"),
        ("layers", "confound", "intended", "confound"),
        ("mixture", "confound", "intended", "confound"),
        ("seed", "confound", "confound", "intended"),
        ("chat", "unavoidable", "confound", "confound"),
        ("parameters", "unavoidable", "confound", "confound"),
        ("tokens", "unavoidable", "unavoidable", "unavoidable"),
        ("learning_rate", "confound", "confound", "confound"),
    ],
)
def test_the_same_field_means_another_thing_where_another_thing_is_swapped(field, backbones, families, seeds):
    assert [rule_of(field).kind(axis) for axis in AXES] == [backbones, families, seeds]


@pytest.mark.parametrize("axis", AXES)
def test_every_difference_is_explained_in_a_sentence(axis):
    for rule in RULES:
        assert why(rule.fields[0], axis).endswith(".")
