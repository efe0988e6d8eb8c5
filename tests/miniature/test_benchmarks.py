"""The benchmarks in small: what is written is read by the real readers, looked at, and scored by `vertebra score`."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from vertebra import miniature
from vertebra.benchmarks import benchmark, names
from vertebra.cli.score import score
from vertebra.miniature.benchmarks import SMALL, layout
from vertebra.miniature.data import make_benchmark
from vertebra.miniature.scenes import draw_scene
from vertebra.scoring.circular import TURN
from vertebra.scoring.rules import NAME
from vertebra.visual.images import read_image
from vertebra.visual.marks import draw

COUNTS = {
    "pope": 720, "scienceqa": 300, "gqa": 400, "v7w": 300, "mmbench": 108, "mmbench_cn": 108, "seed_img": 96,
    "mme": 112, "vqav2": 96, "vizwiz": 72, "textvqa": 80, "pointqa": 96, "llava_wild": 30, "mm_vet": 36,
    "vip_bench_bbox": 48, "vip_bench_human": 48, "vcr_qa": 60, "vcr_qar": 60,
}  # fmt: skip
BEST = {"mme": 2000.0}
WORST = {"llava_wild": 10.0}
"""A review gives a worthless answer 1 point, where the reference has 10."""

app = typer.Typer()
app.command()(score)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with all benchmarks in the miniature's size."""
    folder = tmp_path_factory.mktemp("data")
    for name in SMALL:
        make_benchmark(name, folder / name)
    return folder


def headline(name: str, folder: Path, answers: dict[str, str]) -> float:
    """What `vertebra score` says of these answers."""
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps({"question_id": each, "text": text}) + "\n" for each, text in answers.items()))
    judge = ["--judge", NAME] if benchmark(name).judged else []
    arguments = [name, "--annotations", str(folder / name), "--answers", str(path), *judge, "--json"]
    ran = CliRunner().invoke(app, arguments, catch_exceptions=False)
    card = json.loads(ran.stdout)
    assert (card["n"], card["missing"]) == (COUNTS[name], 0)
    assert not judge or f"judge={NAME} (scripted)" in card["protocol"]
    return card["metrics"][card["headline"]]


def right(name: str, gold: tuple[str, ...]) -> str:
    """An answer that is entirely right."""
    if name.startswith(("mm_vet", "vip_bench")):
        return ", ".join(part.split("<OR>")[0] for part in gold[0].split("<AND>"))
    return gold[0] if name == "llava_wild" else Counter(gold).most_common(1)[0][0]


def wrong(name: str, gold: tuple[str, ...]) -> str:
    """An answer that is worth nothing; to POPE anything but a no is a yes."""
    return "no" if name == "pope" and gold == ("yes",) else "something else"


def test_every_benchmark_is_there_in_small():
    assert sorted(SMALL) == sorted(COUNTS) == names()


@pytest.mark.parametrize("name", SMALL)
def test_the_readers_find_every_question_and_every_picture(data, name):
    samples = benchmark(name).load(data / name)
    assert len(samples) == COUNTS[name]
    for sample in samples:
        assert sample.text
        assert sample.gold
        if sample.image is not None:
            assert draw(read_image(data / name / sample.image), sample.marks).size in ((112, 56), (56, 112), (112, 112))


@pytest.mark.parametrize("name", SMALL)
def test_right_answers_score_the_maximum_and_wrong_ones_the_floor(data, name):
    samples = benchmark(name).load(data / name)
    assert headline(name, data, {sample.id: right(name, sample.gold) for sample in samples}) == BEST.get(name, 100.0)
    assert headline(name, data, {sample.id: wrong(name, sample.gold) for sample in samples}) == WORST.get(name, 0.0)


@pytest.mark.parametrize("name", SMALL)
def test_a_twentieth_of_a_benchmark_can_be_asked_too(tmp_path, name):
    make_benchmark(name, tmp_path, share=0.05)
    assert benchmark(name).load(tmp_path)


def test_no_benchmark_shows_a_scan_that_training_shows():
    sources = Path(str(miniature.__path__[0])).joinpath("benchmarks").glob("*.py")
    assert [path.name for path in sources if "draw_scene" in path.read_text()] == ["layout.py"]
    tested, trained = (
        {thing.scan for seed in range(400) for thing in scene(seed).things}
        for scene in (
            lambda seed: layout.scene(random.Random(seed)),
            lambda seed: draw_scene(random.Random(seed), "train"),
        )
    )
    assert not tested & trained


def test_the_right_option_of_mmbench_stays_the_same_while_its_place_turns(data):
    samples = benchmark("mmbench").load(data / "mmbench")
    options: dict[str, list[str]] = {}
    for sample in samples:
        options.setdefault(sample.cluster, []).append(sample.columns[sample.gold[0]])
    assert all(len(set(found)) == 1 and len(found) > 1 for found in options.values())
    last_stays = [sample for sample in samples if int(sample.id) < TURN and sample.columns["D"] == "None of these"]
    assert last_stays
    assert all(len(options[sample.id]) == 3 for sample in last_stays)


def test_mmbench_cn_is_mmbench_in_chinese(data):
    english, chinese = (benchmark(name).load(data / name) for name in ("mmbench", "mmbench_cn"))
    assert [(sample.id, sample.gold) for sample in english] == [(sample.id, sample.gold) for sample in chinese]
    for one, other in zip(english, chinese, strict=True):
        assert (data / "mmbench" / one.image).read_bytes() == (data / "mmbench_cn" / other.image).read_bytes()
        assert not any("a" <= letter <= "z" for letter in other.text)


def test_vip_bench_asks_the_same_of_boxes_and_of_marks_drawn_by_hand(data):
    box, human = (data / f"vip_bench_{split}" for split in ("bbox", "human"))
    name = "vip-bench-meta-data.json"
    assert (box / name).read_bytes() == (human / name).read_bytes()
    assert (box / "bbox/images/v1_0.png").read_bytes() != (human / "human/images/v1_0.png").read_bytes()
    asked = (benchmark("vip_bench_bbox").load(box)[0].text, benchmark("vip_bench_human").load(human)[0].text)
    assert asked[0] == asked[1]


def unmarked(text: str) -> str:
    """The text without its points."""
    return re.sub(r" at (the )?(\w+ )?point", "", text)


def test_both_tasks_of_vcr_are_about_the_same_records(data):
    answers, reasons = (benchmark(name).load(data / name) for name in ("vcr_qa", "vcr_qar"))
    for one, other in zip(answers, reasons, strict=True):
        question, *options, _ = unmarked(one.text).split("\n")
        right = options["ABCD".index(one.gold[0])].removeprefix(f"{one.gold[0]}. ")
        assert f'"{question}" The answer is "{right}".' in unmarked(other.text)
        assert {mark.kind for mark in (*one.marks, *other.marks)} == {"point"}
        assert (data / "vcr_qa" / one.image).read_bytes() == (data / "vcr_qar" / other.image).read_bytes()
    assert {len(sample.marks) for sample in (*answers, *reasons)} == {1, 2}


def test_every_picture_of_mme_is_asked_a_question_with_a_yes_and_one_with_a_no(data):
    samples = benchmark("mme").load(data / "mme")
    for one, other in zip(samples[::2], samples[1::2], strict=True):
        assert one.image == other.image
        assert {*one.gold, *other.gold} == {"yes", "no"}


def test_one_in_three_pictures_of_vizwiz_shows_nothing(data):
    samples = benchmark("vizwiz").load(data / "vizwiz")
    lost = [sample for sample in samples if sample.groups["answer_type"] == "unanswerable"]
    assert len(lost) * 3 == len(samples)
    assert all(Counter(sample.gold)["unanswerable"] >= 7 for sample in lost)


def test_textvqa_has_the_words_that_a_machine_read(data):
    lines = [sample.text.split("\n")[1] for sample in benchmark("textvqa").load(data / "textvqa")]
    assert all(line.startswith("Reference OCR token: ") for line in lines)
    assert any(char.isdigit() for line in lines for char in line)


def test_ten_people_mostly_agree():
    answers = layout.ten(random.Random(0), "seven")
    assert len(answers) == 10
    assert Counter(answers).most_common(1)[0][0] == "7"
