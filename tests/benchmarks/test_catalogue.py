"""The catalogue of benchmarks, and what holds for each of them."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.benchmarks import about, benchmark, names, of_a_study
from vertebra.errors import ConfigError, UnknownName
from vertebra.scoring.benchmark import Sample

NAMES = [
    *("gqa", "llava_wild", "mm_vet", "mmbench", "mmbench_cn", "mme", "pointqa", "pope", "scienceqa", "seed_img"),
    *("textvqa", "v7w", "vip_bench_bbox", "vip_bench_human", "vizwiz", "vqav2"),
]
BEYOND = ["vcr_qa", "vcr_qar"]
SAMPLE = Sample("1", "?", "a.jpg", ("A",), {"subset": "random"}, "a.jpg")


def install_plugin(folder, monkeypatch, name: str, module: str) -> None:
    info = folder / "extra-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[vertebra.benchmarks]\n{name} = {module}\n")
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize("name", NAMES + BEYOND)
def test_a_file_is_an_entry_that_carries_its_name(name):
    assert benchmark(name).name == name


def test_the_shipped_benchmarks_are_listed():
    assert set(NAMES + BEYOND) <= set(names())


def test_all_benchmarks_of_a_study_are_the_sixteen():
    assert of_a_study() == NAMES


def test_an_unknown_benchmark_is_answered_with_the_one_probably_meant():
    with pytest.raises(UnknownName, match="Did you mean 'pope'"):
        benchmark("popes")


def test_listing_the_names_imports_no_benchmark_and_nothing_imports_torch():
    code = (
        "import sys; from vertebra import benchmarks; benchmarks.names(); "
        "assert not [name for name in sys.modules if name.startswith('vertebra.benchmarks.')]; "
        "[benchmarks.benchmark(name) for name in benchmarks.names()]; import vertebra.scoring.scorecard; "
        "assert not {'torch', 'transformers', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plug_in_adds_a_benchmark(tmp_path, monkeypatch):
    (tmp_path / "my_digits.py").write_text(
        "from dataclasses import replace\nfrom vertebra.benchmarks import benchmark\n"
        "BENCHMARK = replace(benchmark('gqa'), name='digits')\n"
    )
    install_plugin(tmp_path, monkeypatch, "digits", "my_digits")
    assert "digits" in names()
    assert "digits" in of_a_study()
    assert benchmark("digits").headline == "accuracy"


def test_a_plug_in_that_takes_a_shipped_name_is_refused(tmp_path, monkeypatch):
    install_plugin(tmp_path, monkeypatch, "pope", "my_pope")
    with pytest.raises(ConfigError, match="'pope' is defined 2 times"):
        names()


def test_a_plug_in_that_cannot_be_imported_is_a_config_error(tmp_path, monkeypatch):
    install_plugin(tmp_path, monkeypatch, "broken", "no_such_module_here")
    with pytest.raises(ConfigError, match="'broken'"):
        benchmark("broken")


@pytest.mark.parametrize("name", NAMES + BEYOND)
@given(text=st.text() | st.text("ABCDEno. ,TheanswersNYy()\n"))
def test_no_text_crashes_a_grader(name, text):
    for grading in (benchmark(name), *benchmark(name).variants):
        verdict = grading.grade(SAMPLE, text)
        assert verdict.id == "1"
        assert 0 <= verdict.score <= 1


@pytest.mark.parametrize("name", NAMES + BEYOND)
def test_the_axis_runs_from_chance_to_ceiling(name):
    low, high = benchmark(name).axis
    assert 0 <= low < high <= (2000 if name == "mme" else 100)


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_says_in_a_line_what_it_measures(name: str):
    assert 40 < len(about(name)) < 160
    assert about(name).endswith((".", ")"))


def test_of_an_unknown_benchmark_nothing_is_said():
    with pytest.raises(UnknownName):
        about("pop")
