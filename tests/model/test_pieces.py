"""Tokenizers that are sentencepiece's own file alone: trained here, and Llama-2's real one where it is at hand."""

import io
import json
import shutil
from pathlib import Path

import pytest
import sentencepiece
from tests.anatomy import backbone
from transformers import AutoTokenizer, PreTrainedConfig

from vertebra.catalog import Catalog
from vertebra.chat.proof import PROBES
from vertebra.errors import DataError
from vertebra.miniature import language
from vertebra.model.speech import open_tokenizer, read_tokenizer

SHARED = Path(__file__).parents[3] / "shared" / "data" / "tokenizers" / "vicuna"
TEXTS = (
    "a  b", "yo  z\n\n\n   four    blanks", "USER: <image>\nWhat?</s>USER: hi", "naïve 一只猫 🙂 \x07\t~", "x",
    "12,345.67",
    *(turn.text for probe in PROBES for turn in probe.turns if turn.text[:1] not in ("", " ", "\u2581")),
)  # fmt: skip


def trained(folder: Path, **options: object) -> Path:
    """A folder with a sentencepiece model in the manner of Llama-2's, and nothing else of a tokenizer."""
    lines = [*language.corpus(Catalog.installed().template("vicuna_v1"), 0, size=60)]
    lines += [f"def f{n}(x):\n    if x  == {n}:\n        return {n}" for n in range(50)]
    llama = {
        "model_type": "bpe", "vocab_size": 600, "byte_fallback": True, "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True, "split_digits": True,
        "user_defined_symbols": [], "unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1, "minloglevel": 2,
    }  # fmt: skip
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, **llama | options)
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    settings = {"tokenizer_class": "LlamaTokenizer", "legacy": False, "model_max_length": 4096}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return folder


def test_the_ids_are_sentencepieces_own(tmp_path):
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(trained(tmp_path) / "tokenizer.model"))
    words = read_tokenizer(tmp_path)
    assert len(words) == len(pieces)
    for text in TEXTS:
        if "</s>" not in text:
            assert words.encode(text) == [1, *pieces.encode(text)]
    assert (words.bos_token_id, words.eos_token_id, words.unk_token_id) == (1, 2, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "tokenizer.model",
        "tokenizer_config.json",
    ]


def test_a_checkpoint_has_a_tokenizer_json_that_gives_the_same_ids(tmp_path):
    folder = trained(tmp_path / "in")
    words = open_tokenizer(folder, backbone("vicuna-s"))
    words.save_pretrained(tmp_path / "out")
    again = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert (tmp_path / "out" / "tokenizer.json").is_file()
    assert all(again.encode(text) == words.encode(text) for text in TEXTS)
    assert again.convert_tokens_to_ids("<image>") == len(words) - 1


def test_the_folders_own_settings_hold(tmp_path):
    folder = trained(tmp_path)
    settings = json.loads((folder / "tokenizer_config.json").read_text()) | {
        "add_bos_token": False,
        "pad_token": "<unk>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    words = read_tokenizer(folder, PreTrainedConfig())
    assert words.encode("cat")[0] != words.bos_token_id
    assert words.pad_token_id == 0
    assert words.model_max_length == 4096


def test_a_torn_model_is_named(tmp_path):
    model = trained(tmp_path) / "tokenizer.model"
    model.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"tokenizer\.model is torn"):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "options", [{"normalization_rule_name": "nmt_nfkc"}, {"model_type": "unigram", "vocab_size": 400}]
)
def test_what_is_cut_otherwise_than_llamas_is_refused(options, tmp_path):
    with pytest.raises(DataError, match=r"Put the release's tokenizer\.json beside it"):
        read_tokenizer(trained(tmp_path, **options))


@pytest.mark.parametrize("text", ["{", "[" * 99_999])
def test_damaged_settings_are_named(text, tmp_path):
    (trained(tmp_path) / "tokenizer_config.json").write_text(text)
    with pytest.raises(DataError, match=r"tokenizer_config\.json"):
        read_tokenizer(tmp_path)


def test_vicunas_lone_model_is_its_tokenizer_json_join_for_join(tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the real tokenizers are not beside this checkout")
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copy(SHARED / name, tmp_path)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": "LlamaTokenizer"}))
    ours, theirs = read_tokenizer(tmp_path, PreTrainedConfig()), read_tokenizer(SHARED, PreTrainedConfig())
    told, wanted = (json.loads(words.backend_tokenizer.to_str()) for words in (ours, theirs))
    for field in ("vocab", "merges", "byte_fallback", "fuse_unk"):
        assert told["model"][field] == wanted["model"][field]
    for field in ("added_tokens", "normalizer", "pre_tokenizer", "decoder"):
        assert told[field] == wanted[field]
    assert all(ours.encode(text) == theirs.encode(text) for text in TEXTS)
