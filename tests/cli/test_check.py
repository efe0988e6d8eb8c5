"""The check command on a stand-in for Phi-3's tokenizer."""

import json

import pytest
import typer
from tests.model.test_contract import stand_in
from typer.testing import CliRunner

from vertebra.catalog import Catalog
from vertebra.cli.check import check
from vertebra.errors import ConfigError, DataError, Refused

CHATS = [
    {
        "id": "a",
        "image": "a.png",
        "conversations": [
            {"from": "human", "value": "<image>\nWhat is it?"},
            {"from": "gpt", "value": "a cat"},
            {"from": "human", "value": "Sure?"},
            {"from": "gpt", "value": "yes"},
        ],
    },
    {"id": 7, "conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi"}]},
    {
        "id": "several",
        "image": ["a.png", "b.png", "a.png"],
        "conversations": [
            {"from": "human", "value": "一 <image>\nor <image>?"},
            {"from": "gpt", "value": "\n🙂"},
            {"from": "human", "value": "<image>\nAnd?"},
            {"from": "gpt", "value": "no"},
        ],
    },
]
app = typer.Typer()
app.command()(check)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    stand_in(Catalog.installed().backbone("phi-3-mini"), folder / "words")
    (folder / "chats.json").write_text(json.dumps(CHATS))
    (folder / "caption.json").write_text(json.dumps([{**CHATS[0], "conversations": CHATS[0]["conversations"][:2]}]))
    return folder


@pytest.fixture
def run(folder):
    def run(*options: object, backbone: str = "phi-3-mini"):
        return CliRunner().invoke(app, [backbone, "--tokenizer", str(folder / "words"), *map(str, options)])

    return run


def test_conversations_are_told_in_tokens_with_the_published_placeholders(run, folder):
    tokens = folder / "tokens.jsonl"
    result = run("--conversations", folder / "chats.json", "--tokens", tokens, "--show", 1)
    assert result.exit_code == 0
    assert "a:\n<s>|<|system|>|⏎" in result.stdout
    assert "phi-3-mini fits: 12 checks passed." in result.stdout
    rows = [json.loads(line) for line in tokens.read_text().splitlines()]
    assert [(row["id"], row["input_ids"].count(-200)) for row in rows] == [("a", 1), ("7", 0), ("several", 3)]
    for row in rows:
        assert all(label == -100 for token, label in zip(row["input_ids"], row["labels"], strict=True) if token == -200)
        assert all(label in (-100, token) for token, label in zip(row["input_ids"], row["labels"], strict=True))
        assert any(label != -100 for label in row["labels"])
    assert rows[0]["prompt"].startswith("<|system|>\n")
    assert "<|user|>\n<image>\nWhat is it?<|end|>\n<|assistant|>\na cat<|end|>\n" in rows[0]["prompt"]
    assert "\n一 <image>\nor <image>\n?<|end|>\n<|assistant|>\n\n🙂<|end|>\n" in rows[2]["prompt"]
    assert "<|user|>\n<image>\nAnd?<|end|>\n<|assistant|>\nno<|end|>\n" in rows[2]["prompt"]


def test_json_names_the_samples_that_are_cut_and_lost(run, folder):
    result = run("--conversations", folder / "chats.json", "--max-tokens", 500, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["backbone"], document["fits"]) == ("phi-3-mini", True)
    assert document["conversations"] == {"n": 3, "cut": [], "lost": ["a", "several"]}


def test_the_first_stage_tells_the_bare_caption(run, folder):
    tokens = folder / "captions.jsonl"
    run("--conversations", folder / "caption.json", "--tokens", tokens, "--stage", "pretrain")
    (row,) = map(json.loads, tokens.read_text().splitlines())
    assert row["prompt"] == "<image>a cat\n"
    assert row["input_ids"][1] == -200
    assert row["labels"][:2] == [-100, -100]
    assert -100 not in row["labels"][2:]
    assert isinstance(run("--conversations", folder / "chats.json", "--stage", "pretrain").exception, DataError)


def test_a_backbone_that_does_not_fit_is_refused_with_what_failed(run):
    result = run("--json", backbone="gemma-2-2b")
    assert isinstance(result.exception, Refused)
    assert result.exception.exit_code == 3
    assert json.loads(result.stdout)["fits"] is False


@pytest.mark.parametrize("options", [["--tokens", "out.jsonl"], ["--show", "1"], ["--stage", "third"]])
def test_options_that_make_no_sense_are_a_config_error(run, options):
    assert isinstance(run(*options).exception, ConfigError)
