from pathlib import Path

import pytest
import torch

from vertebra.bench import Bench
from vertebra.data import Batch
from vertebra.errors import DataError
from vertebra.files import read_rows
from vertebra.train.shortened import Shortened


def bench(folder: Path) -> Bench:
    return Bench(
        key="9f", label="a/b/seed0/finetune", spec={}, folder=folder, out=folder / "out", needs={}, model=None,
        data=None, progress=lambda done, total, unit, note="": None, stopping=lambda: False,
    )  # fmt: skip


def batch(cut: tuple[str, ...] = (), lost: tuple[str, ...] = ()) -> Batch:
    return Batch(torch.zeros(1, 1), torch.zeros(1, 1), None, ("1",), cut, lost)


def test_what_is_cut_is_named_in_the_log_and_what_is_whole_is_not(tmp_path):
    noted = Shortened(bench(tmp_path), records=1000)
    noted.note(batch())
    noted.note(batch(cut=("17",), lost=("23",)))
    (row,) = read_rows(tmp_path / "log.jsonl")
    assert (row["cut"], row["lost"]) == (["17"], ["23"])


def test_one_of_a_hundred_may_be_lost_and_no_more_also_after_a_resume(tmp_path):
    noted = Shortened(bench(tmp_path), records=200)
    noted.note(batch(lost=("1", "2")))
    noted.note(batch(lost=("1",), cut=("3", "4", "5", "6")))
    resumed = Shortened(bench(tmp_path), records=200)
    assert (resumed.lost, resumed.cut) == ({"1", "2"}, {"3", "4", "5", "6"})
    with pytest.raises(DataError, match="3 of 200 records are so long"):
        resumed.note(batch(lost=("7",)))
