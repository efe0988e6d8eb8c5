"""Reading the tensors of checkpoint folders that may be torn or hostile."""

import json
import os

import pytest
import torch
from tests.original import shards, write

from vertebra.errors import DataError
from vertebra.model import weights
from vertebra.model.weights import Stored, deferred, stored, tensors

HELD = {"a.weight": torch.arange(12.0).reshape(3, 4), "b.weight": torch.ones(5, dtype=torch.float16)}
LAYOUTS = ["model.safetensors", "pytorch_model.bin"]


class Payload:
    """Pickled as a call that leaves a file behind."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_sharded", [True, False])
def test_every_tensor_comes_back_as_it_was_stored(layout, is_sharded, tmp_path):
    if is_sharded:
        shards(tmp_path, layout, HELD)
    else:
        write(tmp_path / layout, HELD)
    found = dict(stored(tmp_path))
    assert found.keys() == HELD.keys()
    for name, tensor in HELD.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype


def test_files_from_before_zip_checkpoints_are_read(tmp_path):
    torch.save(HELD, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert torch.equal(dict(stored(tmp_path))["a.weight"], HELD["a.weight"])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_missing_shard_is_named_before_anything_is_read(layout, tmp_path):
    shards(tmp_path, layout, HELD)
    shard = next(tmp_path.glob("*00002-of*"))
    shard.unlink()
    with pytest.raises(DataError, match=shard.name):
        next(stored(tmp_path))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("left", [0, 5, 60, -8])
def test_a_torn_file_is_named(layout, left, tmp_path):
    write(tmp_path / layout, HELD)
    (tmp_path / layout).write_bytes((tmp_path / layout).read_bytes()[:left])
    with pytest.raises(DataError, match=rf"{layout} is torn"):
        dict(stored(tmp_path))


def test_text_in_place_of_weights_is_torn(tmp_path):
    (tmp_path / "pytorch_model.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DataError, match="torn"):
        dict(stored(tmp_path))


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickled_payload_is_refused_and_never_run(is_zip, tmp_path):
    mark = tmp_path / "made by the payload"
    held = {**HELD, "c": Payload(mark)}
    torch.save(held, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=is_zip)
    with pytest.raises(DataError, match="run code"):
        dict(stored(tmp_path))
    assert not mark.exists()


@pytest.mark.parametrize("held", [[torch.ones(2)], {"a": 3}, {5: torch.ones(2)}])
def test_other_things_than_tensors_by_name_are_named(held, tmp_path):
    torch.save(held, tmp_path / "mm_projector.bin")
    with pytest.raises(DataError, match=r"mm_projector\.bin"):
        dict(tensors(tmp_path / "mm_projector.bin"))


@pytest.mark.parametrize("file", ["../outside.bin", "/etc/passwd", "a/b.bin", "..", "", "a\\b.bin"])
def test_an_index_leads_to_files_of_its_own_folder_only(file, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    write(tmp_path / "outside.bin", HELD)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"a.weight": file}}))
    with pytest.raises(DataError, match="no file of this folder"):
        dict(stored(folder))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 3}', "[" * 99_999])
def test_an_index_that_is_none_is_named(text, tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(DataError, match="no index of weights"):
        dict(stored(tmp_path))


def test_a_tensor_that_no_shard_holds_is_named(tmp_path):
    shards(tmp_path, "model.safetensors", HELD)
    index = tmp_path / "model.safetensors.index.json"
    placed = json.loads(index.read_text())
    placed["weight_map"]["c.weight"] = next(iter(placed["weight_map"].values()))
    index.write_text(json.dumps(placed))
    with pytest.raises(DataError, match=r"lacks c\.weight"):
        dict(stored(tmp_path))


def test_a_tensor_that_two_shards_hold_is_named(tmp_path):
    shards(tmp_path, "model.safetensors", HELD)
    write(tmp_path / "model-00002-of-00002.safetensors", HELD)
    with pytest.raises(DataError, match=r"a\.weight is in"):
        dict(stored(tmp_path))


def test_a_folder_without_weights_says_what_it_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"pytorch_model\.bin"):
        dict(stored(tmp_path))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_cast_is_read_when_it_is_asked_for_and_the_rest_is_mapped(layout, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_PAGES", 0)
    shards(tmp_path, layout, HELD)
    found = deferred(tmp_path, torch.float32)
    assert isinstance(found["b.weight"], Stored)
    assert isinstance(found["a.weight"], torch.Tensor)
    for _ in range(2):
        assert all(torch.equal(found[name][...], tensor) for name, tensor in HELD.items())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_missing_shard_is_named_before_reading_is_put_off(layout, tmp_path):
    shards(tmp_path, layout, HELD)
    next(tmp_path.glob("*00002-of*")).unlink()
    with pytest.raises(DataError, match="00002-of"):
        deferred(tmp_path, torch.float32)
