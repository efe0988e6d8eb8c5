"""A bench that another process is told of."""

import json
from pathlib import Path

import pytest

from vertebra.bench import Bench
from vertebra.files import read_rows


def bench(**fields: object) -> Bench:
    plain = {
        "key": "9f01",
        "label": "eyes/spine/seed0/finetune",
        "spec": {"stage": {"batch": 8, "precision": None}, "layers": [-2, 1], "name": "a “quoted” ü\u2028"},
        "folder": Path("/store/of/9f01"),
        "out": Path("/store/of/9f01/out"),
        "needs": {"07aa": Path("/store/steps/07aa/out")},
        "model": Path("/store/steps/07aa/out"),
        "data": Path("/data"),
        "progress": lambda done, total, unit, note="": None,
        "cache": Path("/store/cache"),
        "answers": Path("/store/answers/eyes"),
        "beside": ({"benchmark": "pope"},),
        "stopping": lambda: False,
    }
    return Bench(**{**plain, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("absent", [(), ("model",), ("data", "model")])
def test_a_bench_comes_back_from_json_as_it_was(absent):
    told = bench(**dict.fromkeys(absent))
    document = json.loads(json.dumps(told.document()))
    assert Bench.read(document, told.progress, told.stopping) == told
    assert {name for name in ("model", "data") if document[name] is None} == {*absent}


def test_how_it_reports_back_is_whose_it_is():
    heard = []
    read = Bench.read(bench().document(), lambda *place: heard.append(place), lambda: bool(heard))
    assert not read.stopping()
    read.progress(1, 2, "batches")
    assert heard == [(1, 2, "batches")]
    assert read.stopping()


def test_what_is_logged_is_stamped_with_the_time(tmp_path):
    one = bench(folder=tmp_path)
    one.log(step=1, loss=2.5)
    Bench.read(one.document(), one.progress, one.stopping).log(step=2)
    first, second = read_rows(tmp_path / "log.jsonl")
    assert (first["step"], first["loss"], second["step"]) == (1, 2.5, 2)
    assert 1_700_000_000 < first["time"] <= second["time"]
