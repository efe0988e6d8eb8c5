"""What `--fail-if` takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.cli.gates import Gate, parse
from vertebra.errors import ConfigError

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
DIRECTIONS = st.sampled_from(["drop", "rise", "change"])
NUMBERS = st.integers(0, 10**6).map(lambda number: number / 100)
SHARES = st.none() | st.integers(1, 1_000).map(lambda number: number / 1_000)


def test_the_words_may_stand_close_or_apart():
    for text in ("pope.f1 drop > 1 with p < .05", "  pope.f1   drop>1 with p<0.05 "):
        assert parse(text) == Gate("pope", "f1", "drop", 1.0, 0.05)
    assert parse("mme.perception change > 20") == Gate("mme", "perception", "change", 20.0, None)


@given(NAMES, NAMES, DIRECTIONS, NUMBERS, SHARES)
def test_a_gate_is_read_back_as_it_is_written(benchmark, metric, direction, by, p):
    gate = Gate(benchmark, metric, direction, by, p)
    assert parse(gate.text) == gate


@given(st.text() | st.text(alphabet="pope.f1 drisechang><=withp0123456789.-e", max_size=40))
def test_any_other_text_is_a_config_error_that_shows_the_form(text):
    try:
        gate = parse(text)
    except ConfigError as error:
        assert "BENCHMARK.METRIC drop|rise|change > NUMBER" in str(error)
    else:
        assert gate.by >= 0
        assert gate.p is None or 0 < gate.p <= 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "nothing in it"),
        ("pope drop > 1", "'pope' is no BENCHMARK.METRIC"),
        ("pope.f1 dorp > 1", "'dorp': did you mean 'drop'?"),
        ("pope.f1 fall > 1", "expected 'drop' or 'rise' or 'change'"),
        ("pope.f1 drop < 1", "'<': expected '>'"),
        ("pope.f1 drop >= 1", "'>=': did you mean '>'?"),
        ("pope.f1 drop > -1", "'-1' is no number"),
        ("pope.f1 drop > 1e999", "'1e999' is no number"),
        ("pope.f1 drop >", "ends before its number"),
        ("pope.f1 drop > 1 wiht p < .05", "'wiht': did you mean 'with'?"),
        ("pope.f1 drop > 1 with p < 5", "p < 5 is no share of 1"),
        ("pope.f1 drop > 1 with p < .05 or so", "'or' follows"),
    ],
)
def test_what_is_wrong_is_pointed_at(text, told):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("direction", "difference", "happened"),
    [("drop", -1.5, True), ("drop", 1.5, False), ("rise", 1.5, True), ("rise", -1.5, False), ("change", -1.5, True)],
)
def test_a_gate_holds_by_direction_size_and_chance(direction, difference, happened):
    assert Gate("pope", "f1", direction, 1.0, None).holds(difference, 0.9) is happened
    assert Gate("pope", "f1", direction, 1.0, 0.05).holds(difference, 0.04) is happened
    assert not Gate("pope", "f1", direction, 1.0, 0.05).holds(difference, 0.05)
    assert not Gate("pope", "f1", direction, 1.5, None).holds(difference, 0.0)
