"""Samples as they are mapped into memory, against what the chat format and the fitting say of each record itself."""

import json
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.anatomy import BACKBONES, assembled
from tests.chat.region_records import BOXES, DESCRIBING, MARKED, POINTING

from vertebra.chat.fitting import fit
from vertebra.chat.records import read_records
from vertebra.chat.template import IGNORED
from vertebra.corpus.building import blocks
from vertebra.corpus.corpus import Corpus, Speech, demand_answers, open_corpus
from vertebra.corpus.exclusion import Excluded, record_digests, write_exclusions
from vertebra.corpus.reading import Reader
from vertebra.corpus.survey import survey
from vertebra.errors import DataError, VertebraError
from vertebra.spec import Mixture, digest
from vertebra.visual.images import read_image
from vertebra.visual.marks import draw


def said(name: object, *texts: str, **fields: object) -> dict[str, object]:
    speakers = ("human", "gpt") * len(texts)
    talk = [{"from": who, "value": text} for who, text in zip(speakers, texts, strict=False)]
    return {"id": name, "conversations": talk, **fields}


TEXT = said("t", "hi", "ho", "and so on?", " to the end\n")
SEEN = said(7, "What is it?\n<image>", "a cat", "Sure?", "yes", image="a/5.png")
COMPARED = said("c", "<image> or <image>? <image>", "neither", "<image>why?", "it is", image=["a/5.png", "4.png"] * 2)
OUTLINED = {**DESCRIBING, "id": "refcocog-3", "image": "4.png", "segmentations": [[[50, 2, 80.5, 2, 60, 40]]]}
RECORDS = [
    TEXT, SEEN, COMPARED, OUTLINED, {**POINTING, "image": "4.png"}, {**MARKED, "image": "a/5.png"}, said("u", "?", "2"),
    {"id": "flickr30k-5", "image": "4.png", "bbox": [[BOXES[0]], BOXES[1:3]], "grounding": "a man <bbox0> and <bbox1>"},
]  # fmt: skip
MIXTURE = Mixture(name="few", records=("few.json",), images="pictures")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with two pictures."""
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    noise = np.random.default_rng(0)
    for name in ("4.png", "a/5.png"):
        Image.fromarray(noise.integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(tmp_path / "pictures" / name)
    return tmp_path


def write(folder: Path, *records: object, name: str = "few.json") -> None:
    (folder / name).write_text(json.dumps(records))


def speech(name: str = "vicuna-s", max_tokens: int = 512) -> Speech:
    model = assembled("llava", name)
    return Speech(model.chat, model.processor.image_token_id, model.image_tokens, max_tokens)


def opened(folder: Path, mixture: Mixture = MIXTURE, said: Speech | None = None, epoch: int = 0, **more: int) -> Corpus:
    return open_corpus(mixture, folder, 3, epoch, said or speech(), folder / "cache", **more)


def folders(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "cache").iterdir())


@pytest.mark.parametrize("longest", [512, 120, 90, 60])
@pytest.mark.parametrize("name", BACKBONES)
def test_a_sample_is_what_its_record_says_supervised_and_fitted(folder, name, longest):
    write(folder, *RECORDS)
    spoken = speech(name, longest)
    corpus = opened(folder, said=spoken, epoch=2)
    records = read_records(folder / "few.json")
    assert len(corpus) == len(records)
    images = folder / "pictures"
    for index, record in enumerate(records):
        told = record.tell(random.Random(digest([3, 2, record.id])), images)
        whole = spoken.chat.supervise(told.conversation)
        ids, labels, kept, cut = fit(whole, spoken.image_id, spoken.image_tokens, longest)
        sample = corpus.sample(index)
        assert sample.id == record.id
        assert (record.id in corpus.cut, record.id in corpus.lost) == (
            bool(cut) and any(label != IGNORED for label in labels),
            all(label == IGNORED for label in labels),
        )
        if record.id in corpus.lost:
            ids, labels, kept = [], [], 0
        assert (sample.ids.tolist(), sample.labels.tolist()) == (ids, labels)
        assert (sample.ids.dtype, sample.labels.dtype) == (np.int32, np.int32)
        expected = [draw(read_image(images / path), told.marks) for path in record.images[:kept]]
        assert [image.tobytes() for image in sample.images] == [image.tobytes() for image in expected]
        assert corpus.lengths[index] == len(ids)
        assert corpus.supervised[index] == sum(label != IGNORED for label in labels[1:])
        assert corpus.images[index] == kept


def test_words_are_counted_as_llavas_sampler_counts_them(folder):
    """sum(len(conv['value'].split()) for conv in sample['conversations']), on what the file says."""
    greeted = {"id": "g", "conversations": [{"from": "gpt", "value": "a b"}, *said("", "hi ho", "ha")["conversations"]]}
    write(folder, TEXT, SEEN, COMPARED, greeted, OUTLINED)
    *spoken, told = opened(folder).words.tolist()
    assert spoken == [1 + 1 + 3 + 3, 4 + 2 + 1 + 1, 4 + 1 + 1 + 2, 2 + 2 + 1]
    record = read_records(folder / "few.json")[4]
    asked, answer = record.tell(random.Random(digest([3, 0, record.id])), folder).conversation.turns
    assert told == len(f"<image> {asked.text} {answer.text}".split())


def test_a_record_that_the_published_code_fails_on_has_the_one_that_it_takes(folder):
    pointed = [{**DESCRIBING, "id": f"refcocog-{number}", "image": "4.png"} for number in range(40)]
    write(folder, *pointed, TEXT)
    mixture = MIXTURE.model_copy(update={"compat": ("point_needs_outline",)})
    corpus, plain = opened(folder, mixture), opened(folder)
    names = [corpus.sample(index).id for index in range(41)]
    assert [plain.sample(index).id for index in range(41)] == [*(one["id"] for one in pointed), "t"]
    taken = [index for index, name in enumerate(names[:40]) if name != f"refcocog-{index}"]
    assert 0 < len(taken) < 20
    for index in taken:
        other = names.index(names[index])
        if names[index] == "t":
            assert corpus.sample(index).ids.tolist() == corpus.sample(40).ids.tolist()
        assert corpus.sample(other).id == names[index]


def test_a_mixture_without_chance_is_built_once_for_every_seed_and_epoch(folder):
    write(folder, TEXT, SEEN, COMPARED)
    first = opened(folder)
    assert open_corpus(MIXTURE, folder, 9, 4, speech(), folder / "cache").folder == first.folder
    assert folders(folder) == [first.folder.name]


def test_what_decides_a_sample_decides_the_folder(folder):
    write(folder, *RECORDS)
    first = opened(folder).folder
    assert opened(folder).folder == first
    spoken = speech()
    others = [
        opened(folder, epoch=1),
        opened(folder, said=spoken._replace(max_tokens=99)),
        opened(folder, said=spoken._replace(image_tokens=3)),
        opened(folder, said=speech("llama-3")),
        opened(folder, MIXTURE.model_copy(update={"compat": ("shared_colour",)})),
    ]
    write(folder, *RECORDS[1:])
    others.append(opened(folder))
    assert len({first, *(one.folder for one in others)}) == 7
    assert len(folders(folder)) == 7


def test_no_record_is_read_again_from_a_corpus_that_is_there(folder):
    write(folder, *RECORDS)
    opened(folder)
    told: list[object] = []
    opened(folder, progress=lambda *numbers: told.append(numbers))
    assert told == []


@pytest.mark.parametrize("name", ["ids.npy", "ends.npy", "looks.npy", "corpus.json", "files.jsonl"])
@pytest.mark.parametrize("harm", ["cut", "gone", "emptied"])
def test_a_damaged_file_is_built_again(folder, name, harm):
    write(folder, *RECORDS)
    first = opened(folder).folder
    whole = (first / name).read_bytes()
    (first / name).unlink() if harm == "gone" else (first / name).write_bytes(whole[:-1] if harm == "cut" else b"")
    again = opened(folder)
    assert again.folder == first
    assert (first / name).read_bytes() == whole
    assert [again.sample(index).id for index in range(len(again))] == [str(one["id"]) for one in RECORDS]
    assert folders(folder) == [first.name]


def test_two_that_build_at_once_both_succeed(folder):
    write(folder, *RECORDS * 20)
    spoken = speech()
    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(lambda _: opened(folder, said=spoken), range(4))]
    assert {one.folder for one in found} == {found[0].folder}
    assert {one.sample(5).ids.tobytes() for one in found} == {found[0].sample(5).ids.tobytes()}
    assert folders(folder) == [found[0].folder.name]


def test_processes_put_down_what_one_does(folder):
    write(folder, *RECORDS * 5)
    found = Reader(survey(MIXTURE, folder), speech().bare(), 3, 0)
    alone = [*blocks(found, 1, lambda: None, size=7)]
    together = blocks(found, 3, lambda: None, size=7)
    for one, other in zip(alone, together, strict=True):
        assert [part.tobytes() for part in one] == [part.tobytes() for part in other]
        assert [part.dtype for part in one] == [part.dtype for part in other]


def test_a_stop_ends_processes_that_have_only_just_begun(folder):
    write(folder, *RECORDS)
    found = Reader(survey(MIXTURE, folder), speech().bare(), 3, 0)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        [*blocks(found, 2, stop, size=2)]
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_is_an_error(folder):
    write(folder, *RECORDS)
    found = Reader(survey(MIXTURE, folder), speech().bare(), 3, 0)

    def kill() -> None:
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(VertebraError, match="A process that reads records has ended with -9"):
        [*blocks(found, 2, kill, size=2)]


def test_what_a_killed_process_has_left_is_taken_away_after_a_day(folder):
    write(folder, TEXT)
    for name, age in (("old", 90_000), ("young", 3_000)):
        part = folder / "cache" / f".0123456789abcdef-{name}"
        part.mkdir(parents=True)
        os.utime(part, (time.time() - age,) * 2)
    built = opened(folder).folder.name
    assert folders(folder) == [".0123456789abcdef-young", built]


def test_what_a_process_finds_wrong_is_said(folder):
    write(folder, *RECORDS * 3, said("odd", "a <image>", "b", image="4.png"), said("spelt", "What is \ufdd0?", "b"))
    found = Reader(survey(MIXTURE, folder), speech().bare(), 3, 0)
    with pytest.raises(DataError, match=r"few\.json: record 25 \(id spelt\): .*reserved"):
        [*blocks(found, 2, lambda: None, size=2)]


def test_progress_goes_from_nothing_to_all_and_what_it_raises_ends_the_work(folder):
    write(folder, *RECORDS * 100)
    told: list[tuple[int, int]] = []
    opened(folder, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (800, 800)
    assert {done for done, _ in told} > {0, 256, 512}

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(folder, epoch=1, progress=stop)
    assert len(folders(folder)) == 1


BUILD = """
import signal
import sys
from pathlib import Path
from vertebra.corpus.building import build
from vertebra.corpus.reading import Reader
from vertebra.corpus.survey import survey
from vertebra.spec import Mixture
from tests.corpus.test_corpus import MIXTURE, speech

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored
    folder = Path(sys.argv[1])
    reader = Reader(survey(MIXTURE, folder), speech().bare(), 3, 0)
    build(reader, folder / "cache" / "built", {}, int(sys.argv[2]), lambda done, total: print(done, flush=True))
"""


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGKILL, 1), (signal.SIGINT, 2)])
def test_a_killed_build_leaves_nothing_that_is_taken_for_whole(folder, number, workers):
    write(folder, *RECORDS * 500)
    script = folder / "build.py"
    script.write_text(BUILD)
    command = [sys.executable, str(script), str(folder), str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as build:
        for line in build.stdout:
            if int(line) > 0:
                break
        build.send_signal(number)
        build.communicate(timeout=20)  # ends when the last process that could write to it has
    assert not (folder / "cache" / "built").exists()
    assert number == signal.SIGKILL or folders(folder) == []
    assert len(opened(folder)) == 4000


def test_a_corpus_is_sent_as_its_folder(folder):
    write(folder, *RECORDS)
    corpus = opened(folder)
    sent = pickle.dumps(corpus)
    assert len(sent) < 1000
    assert pickle.loads(sent).sample(2).ids.tolist() == corpus.sample(2).ids.tolist()  # noqa: S301


def test_a_picture_that_goes_missing_later_is_named_when_the_corpus_is_opened(folder):
    write(folder, *RECORDS)
    opened(folder)
    (folder / "pictures" / "a" / "5.png").unlink()
    with pytest.raises(
        DataError,
        match=r"3 of 8 records of the mixture few lack a file, .* few\.json: record 1 \(id 7\): .*pictures/a/5\.png",
    ):
        opened(folder)


def test_a_picture_that_cannot_be_read_is_an_error_that_names_its_record(folder):
    write(folder, *RECORDS)
    corpus = opened(folder)
    (folder / "pictures" / "a" / "5.png").write_bytes(b"\x89PNG\r\n\x1a\ntorn")
    with pytest.raises(DataError, match=r"5\.png .*record 7.*`vertebra check few --data \S+ --exclude`"):
        corpus.sample(1)
    assert corpus.sample(0).id == "t"


def test_a_region_beside_its_picture_is_an_error_that_names_its_record(folder):
    write(folder, {**POINTING, "image": "4.png", "bboxes": [*BOXES[:3], [120, 2, 150, 30]]})
    with pytest.raises(DataError, match=r"4\.png \(record v7w-4\) does not show its region \[120.*--exclude`"):
        opened(folder).sample(0)


def test_records_that_are_left_out_are_named(folder):
    write(folder, TEXT, {**POINTING, "answer": [0, 0, 9, 9]}, SEEN, TEXT)
    for _ in range(2):
        corpus = opened(folder, MIXTURE.model_copy(update={"faulty": 0.25}))
        assert [corpus.sample(index).id for index in range(len(corpus))] == ["t", "7", "t"]
        (fault,) = corpus.faults
        assert "record 1 (id v7w-4): `answer` is none" in fault


def test_excluded_records_are_left_out_and_arrays_built_without_the_list_are_not_used(folder):
    write(folder, *RECORDS)
    whole, digests = opened(folder), record_digests(MIXTURE, folder)
    seen = next(one.record for one in survey(MIXTURE, folder) if one.record.id == "7")
    write_exclusions(MIXTURE, folder, digests, [Excluded.of(("few.json", 1), seen, "It is blurred.")])
    for _ in range(2):
        corpus = opened(folder)
        assert [corpus.name(index) for index in range(7)] == [str(one["id"]) for one in RECORDS if one["id"] != 7]
        assert (corpus.excluded, corpus.faults) == (("few.json: record 1 (id 7): It is blurred.",), ())
    write_exclusions(MIXTURE, folder, digests, [])
    assert opened(folder).folder == whole.folder != corpus.folder
    assert (len(whole), whole.excluded) == (8, ())


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (
            [TEXT, said("x", "What is \ufdd1?", "b")],
            r"few\.json: record 1 \(id x\): A message holds .* which is reserved",
        ),
        ([{**POINTING, "answer": [0, 0, 9, 9]}], "record 0 .*`answer` is none"),
        ([], "few holds no records"),
    ],
)
def test_what_cannot_be_learnt_from_is_an_error_and_builds_nothing(folder, records, words):
    write(folder, *records)
    with pytest.raises(DataError, match=words):
        opened(folder)
    assert not (folder / "cache").exists() or folders(folder) == []


def test_a_missing_file_of_records_is_named(folder):
    with pytest.raises(DataError, match=r"few\.json cannot be read: No such file"):
        opened(folder)


def test_too_many_lost_samples_are_an_error(folder):
    write(
        folder, *[said(f"w{number}", "Which number?", "two") for number in range(399)], said("last", "hi " * 80, "ho")
    )
    few = opened(folder, said=speech(max_tokens=90))
    assert (few.lost, few.cut) == (("last",), ())
    demand_answers(few)
    write(folder, *[TEXT] * 2, *[said(f"long{number}", "hi " * 80, "ho") for number in range(2)])
    with pytest.raises(
        DataError, match=r"2 of 4 records are so long that no answer of theirs is left, such as long0, long1"
    ):
        demand_answers(opened(folder, said=speech(max_tokens=90)))
    write(folder, said("long", "hi " * 80, "ho"))
    with pytest.raises(DataError, match="1 of 1 records are so long"):
        demand_answers(opened(folder, said=speech(max_tokens=90)))


def test_corpora_need_no_torch():
    """What reads and tokenizes is imported by every process that helps; and a check should begin at once."""
    code = (
        "import sys, vertebra.corpus, vertebra.corpus.inspection; print({'torch', 'transformers'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
