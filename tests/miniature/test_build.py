import random
from pathlib import Path

import torch

from vertebra.miniature.build import build_language, build_tower
from vertebra.miniature.data import make_pocket
from vertebra.source import locate, missing

SHIPPED = ("tower", "vicuna-s", "vicuna-m", "llama-3", "phi-3")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_builds_the_same_bytes(tmp_path):
    torch.set_num_threads(1)
    for name in ("first", "again"):
        build_tower(tmp_path / name / "tower", steps=2)
        build_language(tmp_path / name / "phi-3", steps=3)
        random.random()  # nothing may hang on the state of the process
    assert contents(tmp_path / "first") == contents(tmp_path / "again")


def test_the_shipped_weights_are_there_and_small():
    assert not [line for name in SHIPPED if (line := missing(f"builtin:{name}"))]
    shipped = locate("builtin:tower").parent
    assert sum(path.stat().st_size for path in shipped.rglob("*") if path.is_file()) <= 10_000_000


def test_the_data_folder_is_the_same_each_time_it_is_made(tmp_path):
    for name in ("first", "again"):
        (tmp_path / name).mkdir()
        make_pocket(tmp_path / name, lambda done, total: None)
    assert contents(tmp_path / "first") == contents(tmp_path / "again")
