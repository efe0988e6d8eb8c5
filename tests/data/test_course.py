"""What a stage trains on, step by step, wherever it is worked on."""

import json
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from tests.anatomy import assembled
from tests.corpus.test_corpus import RECORDS, opened, said, speech

from vertebra.corpus import Corpus
from vertebra.data import Course, Eyes, Packer, Schedule, Task
from vertebra.errors import DataError

LONG = [said(f"long{number}", "hi " * 250, "ho") for number in range(2)]
RANKS, TOKENS, MEANS = (1, 2, 5), (None, 300, 80), (None, 1, 2, 3)

Corpora = Callable[[int], Corpus]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    """Seventeen records: pictures, text alone, and one that is too long for its answer."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "pictures" / "a").mkdir(parents=True)
    for name in ("4.png", "a/5.png"):
        Image.new("RGB", (120, 90), (9, 99, 199)).save(folder / "pictures" / name)
    again = [{**record, "id": f"{record['id']}-again"} for record in RECORDS]
    (folder / "few.json").write_text(json.dumps([*RECORDS, LONG[0], *again]))
    return cache(lambda epoch: opened(folder, said=speech(max_tokens=250), epoch=epoch))


def course(corpora: Corpora, *, batch: int = 5, **fields: int | None) -> Course:
    eyes = Eyes.of(assembled("llava", "vicuna-s"), "pad")
    return Course(corpora, Schedule(len(corpora(0)), batch, 2, 0), Packer(eyes), **fields)  # type: ignore[arg-type]


def told(course: Course, step: int) -> list[tuple[int, float]]:
    """Samples and weights of a step on one device."""
    return [pair for task in course.of(step) for pair in zip(task.samples, task.weights, strict=True)]


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("tokens", TOKENS)
@pytest.mark.parametrize("mean", MEANS)
def test_the_packs_of_all_devices_are_the_samples_of_the_step_that_teach(corpora, ranks, tokens, mean):
    alone = course(corpora, mean_over=mean)
    courses = [course(corpora, ranks=ranks, rank=rank, pack_tokens=tokens, mean_over=mean) for rank in range(ranks)]
    for step in range(alone.schedule.steps):
        epoch, indices = alone.schedule.at(step)
        found = [pair for one in courses for pair in told(one, step)]
        assert sorted(found) == sorted(told(alone, step))
        assert sorted(index for index, _ in found) == sorted(
            index for index in indices if corpora(epoch).supervised[index]
        )
        assert {len(one.of(step)) for one in courses} == {one.packs(step) for one in courses}


@pytest.mark.parametrize("mean", MEANS)
def test_the_weights_of_a_steps_supervised_tokens_sum_to_one(corpora, mean):
    one = course(corpora, ranks=1, mean_over=mean)
    for step in range(one.schedule.steps):
        counts = corpora(one.schedule.at(step)[0]).supervised
        assert sum(counts[index] * weight for index, weight in told(one, step)) == pytest.approx(1, abs=1e-12)


def test_by_default_each_supervised_token_of_a_step_weighs_the_same(corpora):
    one = course(corpora)
    for step in range(one.schedule.steps):
        assert {weight for _, weight in told(one, step)} == {1 / one.content(step).supervised}


@pytest.mark.parametrize("mean", [1, 2, 3])
def test_with_a_mean_over_so_many_samples_each_group_that_teaches_weighs_the_same(corpora, mean):
    one = course(corpora, mean_over=mean)
    for step in range(one.schedule.steps):
        epoch, indices = one.schedule.at(step)
        counts, weights = corpora(epoch).supervised, dict(told(one, step))
        groups = [indices[start : start + mean] for start in range(0, len(indices), mean)]
        parts = [sum(counts[index] * weights.get(index, 0) for index in group) for group in groups]
        taught = [part for group, part in zip(groups, parts, strict=True) if counts[[*group]].any()]
        assert taught == pytest.approx([1 / len(taught)] * len(taught))
        for group in groups:
            assert len({weights[index] for index in group if index in weights}) <= 1


def test_a_step_is_reached_without_those_before_it(corpora):
    walked = [*course(corpora, ranks=2, rank=1, pack_tokens=200).tasks(0)]
    counts = [course(corpora, ranks=2, pack_tokens=200).packs(step) for step in range(8)]
    begins = [sum(counts[:step]) for step in range(9)]
    assert len(walked) == begins[-1]
    for step, (begin, end) in enumerate(pairwise(begins)):
        afresh = course(corpora, ranks=2, rank=1, pack_tokens=200)
        assert afresh.of(step) == walked[begin:end]
    assert [*course(corpora, ranks=2, rank=1, pack_tokens=200).tasks(3)] == walked[begins[3] :]


def test_epochs_have_their_own_corpora(corpora):
    one = course(corpora)
    assert [one.schedule.place(step)[0] for step in range(one.schedule.steps)] == [0] * 4 + [1] * 4
    assert {task.epoch for task in one.tasks(4)} == {1}
    pointing = next(index for index in range(17) if corpora(0).name(index) == "v7w-4")
    assert corpora(0).sample(pointing).ids.tolist() != corpora(1).sample(pointing).ids.tolist()
    for epoch in (0, 1):
        pack = one.pack(Task(epoch, [pointing], [1.0]))
        assert pack.ids[0].tolist() == corpora(epoch).sample(pointing).ids.tolist()


def test_a_step_tells_its_content(corpora):
    one = course(corpora, ranks=3)
    for step in range(one.schedule.steps):
        epoch, indices = one.schedule.at(step)
        samples = [corpora(epoch).sample(index) for index in indices]
        lengths = np.array([len(sample.ids) for sample in samples])
        supervised = sum(int((sample.labels[1:] >= 0).sum()) for sample in samples)
        images = sum(len(sample.images) for sample in samples)
        assert one.content(step) == (len(samples), lengths.sum(), (lengths**2).sum(), supervised, images)
        assert one.names(step) == [sample.id for sample in samples]


def test_a_batch_without_answers_is_an_error_that_names_its_samples(tmp_path):
    (tmp_path / "few.json").write_text(json.dumps(LONG))
    corpus = opened(tmp_path, said=speech(max_tokens=250))
    one = course(lambda _: corpus, batch=2)
    with pytest.raises(DataError, match=r"Nothing is to be learnt from the records long[01], long[01]: no answer"):
        one.of(0)
