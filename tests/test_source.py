"""Where weights lie: the package, a folder, the hub's cache."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vertebra.errors import ConfigError, DataError
from vertebra.source import local_files, locate, missing

COMMIT = "3321f76e3f527bd14065daf69dad9344000a201d"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def fill(folder: Path, *names: str) -> Path:
    """A folder with a config and these files."""
    for name in ("config.json", *names):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    return folder


def cached(cache: Path, name: str, commit: str, **references: str) -> Path:
    """A whole snapshot in the cache, linked to its blobs as the hub's client does; the references that lead to it."""
    repository = cache / f"models--{name.replace('/', '--')}"
    folder = fill(repository / "snapshots" / commit)
    (repository / "blobs").mkdir()
    (repository / "blobs" / "9f").write_text("")
    (folder / "model.safetensors").symlink_to("../../blobs/9f")
    for reference, found in references.items():
        path = repository / "refs" / reference
        path.parent.mkdir(exist_ok=True)
        path.write_text(found)
    return folder


def test_a_folder_is_where_its_path_says(tmp_path, monkeypatch):
    folder = fill(tmp_path / "weights", "model.safetensors")
    assert locate(str(folder)) == folder
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate("./weights").samefile(folder)
    assert locate("~/weights") == folder
    assert missing("../" + tmp_path.name + "/weights") is None


def test_weights_of_the_package_lie_in_its_folder():
    complaint = missing("builtin:no-such-model")
    assert complaint is not None
    assert "/vertebra/miniature/weights/no-such-model" in complaint
    with pytest.raises(DataError, match="no-such-model"):
        locate("builtin:no-such-model")


def test_a_revision_names_its_snapshot(cache):
    folder = cached(cache, "lmsys/vicuna-7b-v1.5", COMMIT)
    assert locate(f"lmsys/vicuna-7b-v1.5@{COMMIT}") == folder


def test_a_branch_or_tag_leads_to_the_commit_that_was_fetched(cache):
    folder = cached(cache, "lmsys/vicuna-7b-v1.5", COMMIT, main=COMMIT, v1=COMMIT + "\n")
    assert locate("lmsys/vicuna-7b-v1.5") == locate("lmsys/vicuna-7b-v1.5@v1") == folder


def test_the_layout_is_the_one_of_the_hubs_own_client(cache):
    from huggingface_hub import try_to_load_from_cache

    folder = cached(cache, "lmsys/vicuna-7b-v1.5", COMMIT, main=COMMIT)
    found = try_to_load_from_cache("lmsys/vicuna-7b-v1.5", "config.json", cache_dir=cache)
    assert Path(str(found)).parent == locate("lmsys/vicuna-7b-v1.5") == folder


def test_the_cache_follows_its_environment_variable(tmp_path):
    folder = cached(tmp_path / "elsewhere", "a/b", COMMIT, main=COMMIT)
    code = "from vertebra.source import locate; print(locate('a/b'))"
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "elsewhere")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(folder)


def test_what_is_not_in_the_cache_comes_with_the_command_that_fetches_it(cache):
    assert missing("lmsys/vicuna-7b-v1.5@abc") == (
        "weights lmsys/vicuna-7b-v1.5@abc: no config.json in the Hugging Face cache "
        f"({cache}/models--lmsys--vicuna-7b-v1.5/snapshots/abc). "
        "Get them with `hf download lmsys/vicuna-7b-v1.5 --revision abc`."
    )
    complaint = missing("lmsys/vicuna-7b-v1.5")
    assert complaint is not None
    assert complaint.endswith("`hf download lmsys/vicuna-7b-v1.5`.")
    with pytest.raises(DataError, match="hf download"):
        locate("lmsys/vicuna-7b-v1.5")


def test_another_revision_than_the_fetched_one_is_missing(cache):
    cached(cache, "a/b", COMMIT, main=COMMIT)
    assert missing("a/b") is None
    assert missing("a/b@v2") is not None


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_weights_come_as_safetensors_or_pickles(tmp_path, name):
    assert missing(str(fill(tmp_path, name))) is None


@pytest.mark.parametrize("names", [(), ("consolidated.safetensors",), ("tokenizer.json", "training_args.bin")])
def test_weights_go_by_the_names_that_transformers_gives_them(tmp_path, names):
    complaint = missing(str(fill(tmp_path, *names)))
    assert complaint == f"weights {tmp_path}: no model.safetensors or pytorch_model.bin in {tmp_path}."


def test_weights_without_a_config_are_missing(tmp_path):
    (tmp_path / "model.safetensors").write_text("")
    assert missing(str(tmp_path)) == f"weights {tmp_path}: no config.json in {tmp_path}."


def test_a_link_whose_blob_is_gone_is_missing(cache):
    cached(cache, "a/b", COMMIT, main=COMMIT)
    (cache / "models--a--b" / "blobs" / "9f").unlink()
    complaint = missing("a/b")
    assert complaint is not None
    assert "no model.safetensors" in complaint


@pytest.mark.parametrize("whole", ["model.safetensors", "pytorch_model.bin"])
def test_every_shard_of_the_index_must_be_there(tmp_path, whole):
    stem, suffix = whole.split(".")
    shards = [f"{stem}-0000{number}-of-00003.{suffix}" for number in (1, 2, 3)]
    fill(tmp_path, *shards)
    weights = {f"layers.{number}.weight": shards[number % 3] for number in range(9)}
    (tmp_path / f"{whole}.index.json").write_text(json.dumps({"weight_map": weights}))
    assert missing(str(tmp_path)) is None
    (tmp_path / shards[1]).unlink()
    assert missing(str(tmp_path)) == f"weights {tmp_path}: no {shards[1]} in {tmp_path}."


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 3}', "[" * 99_999, "\xff"])
def test_an_index_that_is_none_is_named(tmp_path, text):
    fill(tmp_path, "model.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"model\.safetensors\.index\.json"):
        missing(str(tmp_path))


@pytest.mark.parametrize("source", ["vicuna", "a/b/c", "", "a/b/c@main"])
def test_what_is_neither_of_the_three_forms_is_a_config_error(source):
    with pytest.raises(ConfigError, match="neither a hub id"):
        locate(source)


def test_the_files_that_decide_a_folders_weights_are_listed(tmp_path):
    names = ["config.json", "merges.txt", "model.safetensors", "pytorch_model.bin", "tokenizer.json", "tokenizer.model"]
    fill(tmp_path, *names, "notes.md", "picture.png")
    (tmp_path / "checkpoint.json").mkdir()
    assert local_files(str(tmp_path)) == [tmp_path / name for name in names]


def test_a_folders_files_are_the_same_by_whatever_path(tmp_path, monkeypatch):
    folder = fill(tmp_path / "weights", "model.safetensors")
    monkeypatch.chdir(tmp_path)
    assert local_files("./weights") == local_files(str(folder)) == local_files("../" + tmp_path.name + "/weights")


def test_a_revision_stands_for_the_hubs_files(cache):
    cached(cache, "a/b", COMMIT, main=COMMIT)
    assert local_files(f"a/b@{COMMIT}") == []


def test_nothing_is_imported_that_slows_a_plan_down(cache):
    code = (
        "import sys; from vertebra.source import missing; missing('a/b')\n"
        "print({'torch', 'transformers', 'huggingface_hub.file_download', 'httpx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
