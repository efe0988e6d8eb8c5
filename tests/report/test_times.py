"""How long answering took."""

from vertebra.report import Answering, Cell
from vertebra.report.grid import Model
from vertebra.report.times import Time, times


def took(backbone: str, seed: int, benchmark: str, asked: int, seconds: float) -> Cell:
    return Cell("f", backbone, seed, benchmark, None, Answering(questions=2 * asked, asked=asked, seconds=seconds))


def test_seeds_are_averaged_and_benchmarks_added_up() -> None:
    found = times([took("b", 0, "pope", 30, 1), took("b", 1, "pope", 30, 3), took("b", 0, "gqa", 10, 8)])
    (line,) = found.lines
    assert found.benchmarks == ("pope", "gqa")
    assert line == (Model("f", "b"), Time(10.0, 4.0), (Time(2.0, 15.0), Time(8.0, 1.25)))
    assert not found.has_gaps


def test_a_model_without_a_time_is_left_out_and_a_benchmark_without_one_is_a_gap() -> None:
    found = times([took("b", 0, "pope", 30, 1), took("c", 0, "gqa", 10, 8), Cell("f", "d", 0, "mme", None)])
    assert found.benchmarks == ("pope", "gqa")
    assert [(line.model.backbone, line.times) for line in found.lines] == [
        ("b", (Time(1.0, 30.0), None)),
        ("c", (None, Time(8.0, 1.25))),
    ]
    assert found.has_gaps


def test_answers_that_took_no_time_have_no_rate() -> None:
    (line,) = times([took("b", 0, "pope", 30, 0)]).lines
    assert (line.total.text, line.total.speed) == ("0.00 s", "")


def test_three_digits_are_shown_and_every_digit_before_the_point() -> None:
    seconds = (0.004, 9.994, 9.996, 99.94, 99.96, 999.96, 12345.6)
    assert [Time(one, None).text for one in seconds] == [
        *("0.00 s", "9.99 s", "10.0 s", "99.9 s", "100 s", "1,000 s", "12,346 s")
    ]
