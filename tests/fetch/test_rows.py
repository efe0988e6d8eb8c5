"""Small datasets of the hub's schemas, fetched, are the same samples as the official files.

Schemas: the dataset cards of lmms-lab (now lmms-lab-encoder) on the Hugging Face hub.
"""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from vertebra.benchmarks import benchmark
from vertebra.errors import DataError, UnknownName
from vertebra.fetch import fetch_benchmark
from vertebra.scoring.benchmark import Benchmark
from vertebra.scoring.inspection import inspect
from vertebra.scoring.sources import Rows, Source


def picture(shade: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (4, 3), (shade, 0, 0)).save(data, "PNG")
    return data.getvalue()


RED, DARK = picture(200), picture(60)


def cell(data: bytes) -> dict[str, object]:
    return {"bytes": data, "path": None}


SHORT = "\nAnswer the question using a single word or phrase."
TEN = ["down"] * 9 + ["up"]
GQA_ROW = {
    "question": "Is it overcast?",
    "imageId": "n1",
    "answer": "no",
    "isBalanced": True,
    "types": {"structural": "verify", "semantic": "global", "detailed": "weather"},
    "fullAnswer": "No, it is clear.",
}
VQA = {"question_type": "where", "answer_type": "other", "multiple_choice_answer": "down"}
VQA_TEN = [{"answer": said, "answer_confidence": "yes", "answer_id": n} for n, said in enumerate(TEN, start=1)]
SEED = {"choice_a": "1", "choice_b": "2", "choice_c": "3", "choice_d": "4", "answer": "B", "question": "How many?"}
BENCH = {"question": "Which?", "hint": None, "A": "cat", "B": "dog", "C": None, "D": None, "answer": "A"}
BENCH |= {"category": "objects", "source": "web", "comment": None, "split": "dev"}
TEXT = {"question_id": 34602, "image_id": "003a", "question": "what IS it?", "answers": TEN, "set_name": "val"}
PROBLEM = {"question": "Which?", "choices": ["a", "b"], "answer": 1, "hint": "", "subject": "language science"}
SEED_KINDS = {"Scene Understanding": 1, "Instances Counting": 5}
EMPTY_BENCH = {key: value or "" for key, value in BENCH.items()}


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def tsv(group: str) -> str:
    columns = ["index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image", "source", group]
    rows = [
        {**EMPTY_BENCH, "index": index, group: "perception", "image": base64.b64encode(RED).decode()}
        for index in (7, 1_000_007)
    ]
    columns += ["comment", "split"]
    return "\n".join(["\t".join(columns), *("\t".join(str(row[each]) for each in columns) for row in rows)]) + "\n"


def bench_rows(group: str) -> list[dict[str, object]]:
    return [{**BENCH, "index": index, group: "perception", "image": cell(RED)} for index in (7, 1_000_007)]


POPE_ROW = {"question": "Is there a dog?", "answer": "yes", "image_source": "COCO_val2014_000000000042"}
POPE_LABEL = {"question_id": 1, "image": "COCO_val2014_000000000042.jpg", "text": "Is there a dog?", "label": "yes"}
POPE_NAMES = ("adversarial", "random", "popular")
MME_NAMES = [path.removesuffix(".txt") for path in benchmark("mme").files]

CASES: dict[str, tuple[dict[str, list[dict[str, object]]], dict[str, str | bytes]]] = {
    "gqa": (
        {
            "testdev_balanced_instructions/testdev": [{"id": "201", **GQA_ROW}],
            "testdev_balanced_images/testdev": [{"id": "n1", "image": cell(RED)}],
        },
        {"testdev_balanced_questions.json": json.dumps({"201": GQA_ROW}), "images/n1.jpg": RED},
    ),
    "pope": (
        {
            "default/test": [
                {"id": str(n), "question_id": "1", **POPE_ROW, "category": name, "image": cell(RED)}
                for n, name in enumerate(POPE_NAMES)
            ]
        },
        {
            **{f"coco_pope_{name}.json": lines(POPE_LABEL) for name in POPE_NAMES},
            "llava_pope_test.jsonl": lines(
                *(
                    {"question_id": 10**7 * n + 1, "image": POPE_LABEL["image"], "category": name}
                    | {"text": f"{POPE_LABEL['text']}{SHORT}"}
                    for n, name in enumerate(POPE_NAMES)
                )
            ),
            "val2014/COCO_val2014_000000000042.jpg": RED,
        },
    ),
    "mme": (
        {
            "default/test": [
                {"question_id": f"{name}/1.png", "question": f"{word}? Please answer yes or no.", "answer": answer}
                | {"category": name, "image": cell(RED)}
                for name in MME_NAMES
                for word, answer in (("One", "Yes"), ("Two", "No"))
            ]
        },
        {
            **{
                f"{name}.txt": "".join(
                    f"1.png\t{word}? Please answer yes or no.\t{answer}\n"
                    for word, answer in (("One", "Yes"), ("Two", "No"))
                )
                for name in MME_NAMES
            },
            "OCR/1.png": RED,
            "posters/images/1.png": RED,
        },
    ),
    "textvqa": (
        {"default/validation": [{**TEXT, "image": cell(RED), "ocr_tokens": ["DA", "KO,TA"]}]},
        {
            "TextVQA_0.5.1_val.json": json.dumps({"dataset_version": "0.5.1", "data": [TEXT]}),
            "llava_textvqa_val_v051_ocr.jsonl": lines(
                {"question_id": "003a", "text": f"What is it?\nReference OCR token: DA, KO,TA{SHORT}"}
            ),
            "train_images/003a.jpg": RED,
        },
    ),
    "vqav2": (
        {
            "default/validation": [
                {"question_id": 1, "image_id": 42, "question": "Where?", **VQA, "answers": VQA_TEN, "image": cell(RED)}
            ]
        },
        {
            "v2_OpenEnded_mscoco_val2014_questions.json": json.dumps(
                {"data_subtype": "val2014", "questions": [{"question_id": 1, "image_id": 42, "question": "Where?"}]}
            ),
            "v2_mscoco_val2014_annotations.json": json.dumps(
                {"annotations": [{"question_id": 1, "image_id": 42, **VQA, "answers": VQA_TEN}]}
            ),
            "val2014/COCO_val2014_000000000042.jpg": RED,
        },
    ),
    "vizwiz": (
        {
            "default/val": [
                {"question_id": "VizWiz_val_00000000", "image": cell(RED), "question": "Ok. What?", "answers": TEN}
                | {"category": "other"}
            ]
        },
        {
            "val.json": json.dumps(
                [
                    {"image": "VizWiz_val_00000000.jpg", "question": "Ok. What?", "answer_type": "other"}
                    | {"answers": [{"answer": said, "answer_confidence": "yes"} for said in TEN]}
                ]
            ),
            "val/VizWiz_val_00000000.jpg": RED,
        },
    ),
    "seed_img": (
        {
            "default/test": [
                {**SEED, "question_id": "101", "data_id": "145_2", "data_type": "image", "question_type_id": 5}
                | {"image": [cell(RED)]},
                {**SEED, "question_id": "v1", "data_id": "1.mp4", "data_type": "video", "question_type_id": 10}
                | {"image": [cell(RED), cell(DARK)]},
            ]
        },
        {
            "SEED-Bench.json": json.dumps(
                {
                    "question_type": SEED_KINDS,
                    "questions": [
                        {**SEED, "question_id": "101", "data_id": "145_2", "data_type": "image", "question_type_id": 5}
                    ],
                }
            ),
            "SEED-Bench-image/145_2": RED,
        },
    ),
    "mmbench": (
        {"default/dev": bench_rows("l2-category")},
        {"mmbench_dev_20230712.tsv": tsv("l2-category"), "images/7.jpg": RED},
    ),
    "mmbench_cn": (
        {"cn/dev": bench_rows("L2-category")},
        {"mmbench_dev_cn_20231003.tsv": tsv("L2-category"), "images/7.jpg": RED},
    ),
    "llava_wild": (
        {
            "default/train": [
                {"question": "What?", "image": cell(RED), "category": "conv", "image_id": "001", "question_id": 0}
                | {"gpt_answer": "That.", "caption": "A hill."}
            ]
        },
        {
            "questions.jsonl": lines({"question_id": 0, "image": "001.jpg", "text": "What?", "category": "conv"}),
            "context.jsonl": lines({"id": "001", "image": "001.jpg", "caption": "A hill."}),
            "answers_gpt4.jsonl": lines({"question_id": 0, "text": "That."}),
            "images/001.jpg": RED,
        },
    ),
    "mm_vet": (
        {
            "default/test": [
                {"question_id": f"v1_{n}", "image": cell(RED), "question": "x?", "answer": "-1<AND>-5"}
                | {"image_source": "web", "capability": "ocr,math"}
                for n in (0, 1)
            ]
        },
        {
            "mm-vet.json": json.dumps(
                {
                    f"v1_{n}": {"imagename": "v1_0.png", "question": "x?", "answer": "-1<AND>-5"}
                    | {"capability": ["ocr", "math"]}
                    for n in (0, 1)
                }
            ),
            "images/v1_0.png": RED,
        },
    ),
}


def write_dataset(folder: Path, tables: dict[str, list[dict[str, object]]]) -> Path:
    """A dataset as a repository of the hub has it: Parquet files, and a card that says which they are."""
    from datasets import Dataset
    from datasets import Image as ImageFeature
    from datasets import List as ListFeature

    card = ["---", "configs:"]
    for table, rows in tables.items():
        config, split = table.split("/")
        made = Dataset.from_list(rows)
        kind = ListFeature(ImageFeature()) if isinstance(rows[0].get("image"), list) else ImageFeature()
        (folder / config).mkdir(parents=True)
        made = made.cast_column("image", kind) if "image" in rows[0] else made
        made.to_parquet(folder / config / f"{split}-00000-of-00001.parquet")
        place = f"{config}/{split}-*"
        card += [f"- config_name: {config}", "  data_files:", f"  - split: {split}", f"    path: {place}"]
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
    return folder


def from_folder(chosen: Benchmark, source: str, folder: Path) -> Benchmark:
    """The benchmark with this source's rows read from a folder, in place of the hub."""
    parts = [
        replace(part, names=(str(folder / "gone"), str(folder)))
        for part in chosen.sources[source].parts
        if isinstance(part, Rows)
    ]
    return replace(chosen, sources={source: Source(tuple(parts))})


@pytest.mark.parametrize("name", CASES)
def test_fetched_rows_are_the_samples_of_the_official_files(name, tmp_path):
    tables, files = CASES[name]
    official = tmp_path / "official"
    for file, content in files.items():
        (official / file).parent.mkdir(parents=True, exist_ok=True)
        (official / file).write_bytes(content.encode() if isinstance(content, str) else content)
    chosen = from_folder(benchmark(name), "hub", write_dataset(tmp_path / "hub", tables))
    home = fetch_benchmark(chosen, tmp_path / "data")
    samples = chosen.load(home)
    assert samples == chosen.load(official)
    for file, content in files.items():
        if isinstance(content, bytes):
            assert (home / file).read_bytes() == content
    assert all((home / sample.image).is_file() for sample in samples if sample.image)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [name]
    checks = {check.name: check for check in inspect(chosen, home).checks}
    assert checks["checksums"].passed
    assert checks["pictures"].passed
    assert not checks["release"].passed


def test_rows_of_scienceqa_find_their_problem_by_what_they_say(tmp_path):
    chosen = benchmark("scienceqa")
    problems = {
        "4": {**PROBLEM, "image": None},
        "7": {**PROBLEM, "image": "image.png"},
        "9": {**PROBLEM, "image": "image.png"},
    }
    growing = tmp_path / "data" / ".scienceqa.hub.part"
    growing.mkdir(parents=True)
    (growing / "problems.json").write_text(json.dumps(problems))
    (growing / "pid_splits.json").write_text(json.dumps({"test": ["4", "7", "9"]}))
    rows = [{**PROBLEM, "image": None}, {**PROBLEM, "image": cell(RED)}, {**PROBLEM, "image": cell(DARK)}]
    table = write_dataset(tmp_path / "hub", {"ScienceQA-FULL/test": rows})
    home = fetch_benchmark(from_folder(chosen, "hub", table), tmp_path / "data")
    assert (home / "images/test/7/image.png").read_bytes() == RED
    assert (home / "images/test/9/image.png").read_bytes() == DARK


def test_the_test_split_of_a_server_makes_an_upload(tmp_path):
    test = {"question_id": "VizWiz_test_00000000", "image": cell(DARK), "question": "Ok?", "answers": TEN}
    tables = {**CASES["vizwiz"][0], "default2/test": [{**test, "category": "other"}]}
    hub = write_dataset(tmp_path / "hub", tables)
    card = (hub / "README.md").read_text()  # one configuration of two splits
    (hub / "README.md").write_text(card.replace("- config_name: default2\n  data_files:\n", ""))
    chosen = benchmark("vizwiz")
    home = fetch_benchmark(from_folder(chosen, "hub+test", hub), tmp_path / "data")
    assert [sample.image for sample in chosen.load(home)] == ["val/VizWiz_val_00000000.jpg"]
    (asked,) = chosen.load(home / "test.json")
    assert (asked.image, asked.gold) == ("test/VizWiz_test_00000000.jpg", ())
    assert (home / str(asked.image)).read_bytes() == DARK


def test_pope_asks_the_official_question_file_of_its_labels(tmp_path):
    tables, files = CASES["pope"]
    growing = tmp_path / "data" / ".pope.official.part"
    growing.mkdir(parents=True)
    for name in POPE_NAMES:
        (growing / f"coco_pope_{name}.json").write_text(str(files[f"coco_pope_{name}.json"]))
    chosen = from_folder(benchmark("pope"), "official", write_dataset(tmp_path / "hub", tables))
    home = fetch_benchmark(chosen, tmp_path / "data")
    asked = [json.loads(line) for line in (home / "llava_pope_test.jsonl").read_text().splitlines()]
    assert asked == [json.loads(line) for line in str(files["llava_pope_test.jsonl"]).splitlines()]


def test_a_fetch_that_breaks_off_leaves_no_folder_and_the_next_goes_on(tmp_path):
    tables, _ = CASES["gqa"]
    broken = {**tables, "testdev_balanced_images/testdev": [{"id": "../n1", "image": cell(RED)}]}
    chosen = benchmark("gqa")
    with pytest.raises(DataError, match="no plain file name"):
        fetch_benchmark(from_folder(chosen, "hub", write_dataset(tmp_path / "bad", broken)), tmp_path / "data")
    assert not (tmp_path / "data" / "gqa").exists()
    assert not (tmp_path / "data" / "n1.jpg").exists()
    fetch_benchmark(from_folder(chosen, "hub", write_dataset(tmp_path / "good", tables)), tmp_path / "data")
    assert (tmp_path / "data" / "gqa" / "source.json").is_file()


def test_what_is_there_is_never_touched(tmp_path):
    (tmp_path / "gqa").mkdir()
    with pytest.raises(DataError, match="there already"):
        fetch_benchmark(benchmark("gqa"), tmp_path)
    with pytest.raises(UnknownName, match="source of pope"):
        fetch_benchmark(benchmark("pope"), tmp_path, "hubb")


def test_the_moved_names_come_first_and_the_old_ones_are_tried():
    for name in CASES:
        for part in benchmark(name).sources["hub"].parts:
            if isinstance(part, Rows):
                moved, old = part.names
                assert (moved.split("/")[0], old.split("/")[0]) == ("lmms-lab-encoder", "lmms-lab")
                assert moved.split("/")[1] == old.split("/")[1]
