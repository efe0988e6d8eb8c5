"""YAML as specs read it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.errors import ConfigError
from vertebra.notation import compose, plain

HERE = Path("mine.yaml")


def read(text: str) -> object:
    tree = compose(text, HERE)
    assert tree
    return plain(tree, HERE)


def test_a_number_may_be_written_without_its_point() -> None:
    assert read("{a: 1e-3, b: 1.0e-3, c: 2E2, d: e2, e: 1e}") == {
        "a": 1e-3,
        "b": 1e-3,
        "c": 200.0,
        "d": "e2",
        "e": "1e",
    }


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_python_writes_it(value: float) -> None:
    assert read(f"a: {value!r}") == {"a": value}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: &x 1\nb: *x", "mine.yaml:1: YAML aliases are not allowed"),
        ("a: 1\n\na: 2", "mine.yaml:3: `a` is given twice"),
        ("a: !!python/name:os.system", "mine.yaml:1: '' is not a plain value"),
        ("a: [1", "mine.yaml:1: not valid YAML"),
    ],
)
def test_what_has_no_place_in_a_spec_is_told_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(text)
    assert complaint in str(error.value)


def test_an_empty_text_is_nothing() -> None:
    assert compose("# only a comment\n", HERE) is None
