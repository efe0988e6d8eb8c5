"""The benchmarks' questions, read once, or why they are not."""

from dataclasses import replace
from pathlib import Path

from vertebra.benchmarks import benchmark
from vertebra.errors import DataError
from vertebra.report.questions import Questions
from vertebra.scoring.benchmark import Sample


def test_files_are_read_once_and_only_when_asked_for(tmp_path: Path) -> None:
    read: list[Path] = []

    def reading(path: Path) -> list[Sample]:
        read.append(path)
        return [Sample("1", "?", None, ("yes",), {}, "a")]

    questions = Questions({"gqa": replace(benchmark("gqa"), read=reading)}, tmp_path)
    assert read == []
    assert questions.of("gqa").samples["1"].text == questions.of("gqa").samples["1"].text == "?"
    assert read == [tmp_path / "gqa"]


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    def broken(path: Path) -> list[Sample]:
        raise DataError(f"{path} is gone.")

    gqa = replace(benchmark("gqa"), read=broken)
    assert Questions({"gqa": gqa}, tmp_path).of("gqa") == ({}, f"{tmp_path / 'gqa'} is gone.")
    assert Questions({"gqa": gqa}, None).of("gqa").complaint == "no data folder is given"
    assert Questions({}, tmp_path).of("gqa").complaint == "the benchmark is not installed"
