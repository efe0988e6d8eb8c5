"""Stand-ins for real backbones: the catalogue's own files, each on a tokenizer made here that knows its tokens."""

import json
import shutil
from pathlib import Path

import pytest
from tests.chat.kinds import words

from vertebra.catalog import Catalog
from vertebra.errors import ConfigError, DataError, Refused
from vertebra.model.contract import Report, examine
from vertebra.spec import Backbone

SHARED = Path(__file__).parents[3] / "shared" / "data" / "tokenizers"
KIND_OF = {
    "vicuna_v1": "sentencepiece, pad is unk",
    "phi_3": "sentencepiece, chat tokens added",
    "phi_4": "sentencepiece, chat tokens added",
    "llama_3": "byte-level, begin token put before",
    "chatml": "byte-level, no begin token",
    "gemma": "byte-level, begin token not put before",
    "mistral": "sentencepiece, own pad",
    "tokenizer": "byte-level, no begin token",
}
OWN = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + stop + '\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
REFUSED = {"gemma-2-2b": "final_logit_softcapping 30.0", "phi-2": "bias"}


def stand_in(chosen: Backbone, folder: Path) -> Path:
    """A tokenizer of the kind that the backbone's chat format wants, which knows all tokens that its file names."""
    kind = KIND_OF[chosen.chat]
    words(kind).save_pretrained(folder)
    tokens = json.loads((folder / "tokenizer.json").read_text())
    known = {token["content"] for token in tokens["added_tokens"]}
    free = max(max(tokens["model"]["vocab"].values()), *(token["id"] for token in tokens["added_tokens"])) + 1
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    new = [token for token in dict.fromkeys((*chosen.stop, chosen.image, chosen.pad)) if token not in known]
    tokens["added_tokens"] += [{"id": free + at, "content": token, **flags} for at, token in enumerate(new)]
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    if chosen.chat == "tokenizer":
        (folder / "chat_template.jinja").write_text(OWN.replace("stop", f"'{chosen.stop[0]}'"))
    return folder


def examined(chosen: Backbone, folder: Path) -> Report:
    catalog = Catalog.installed()
    return examine(chosen, catalog.template(chosen.chat), catalog.example(chosen.chat), folder)


@pytest.mark.parametrize("name", Catalog.installed().names("backbones"))
def test_every_shipped_backbone_fits_or_is_refused_for_its_reason(name, tmp_path):
    chosen = Catalog.installed().backbone(name)
    folder = None if chosen.weights.startswith("builtin:") else stand_in(chosen, tmp_path)
    report = examine(
        chosen, Catalog.installed().template(chosen.chat), Catalog.installed().example(chosen.chat), folder
    )
    if name in REFUSED:
        with pytest.raises(Refused, match=REFUSED[name]):
            report.demand()
    else:
        report.demand()
        assert [check.name for check in report.checks[-2:]] == ["processor", "by heart"]


@pytest.mark.parametrize("name", Catalog.installed().names("backbones"))
def test_weights_of_the_hub_are_pinned_and_a_backbone_is_at_most_eight_lines(name):
    catalog = Catalog.installed()
    weights = catalog.backbone(name).weights
    revision = weights.partition("@")[2]
    assert weights.startswith("builtin:") or (len(revision) == 40 and int(revision, 16))
    assert len(catalog.path("backbones", name).read_text().splitlines()) <= 8


@pytest.mark.parametrize(
    ("name", "folder"), [("vicuna-7b", "vicuna"), ("llama-3-8b", "llama-3"), ("phi-3-mini", "phi-3")]
)
def test_the_studys_backbones_fit_with_their_real_tokenizers(name, folder):
    if not SHARED.is_dir():
        pytest.skip("the real tokenizers are not beside this checkout")
    examined(Catalog.installed().backbone(name), SHARED / folder).demand()


def test_a_tokenizer_that_is_not_at_hand_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="--tokenizer DIR"):
        examine(Catalog.installed().backbone("qwen3-8b"), "")


def test_a_backbone_of_unknown_architecture_is_refused(tmp_path):
    chosen = Catalog.installed().backbone("qwen3-8b")
    stand_in(chosen, tmp_path)
    with pytest.raises(Refused, match="transformers does not know"):
        examined(chosen.model_copy(update={"config": {"model_type": "hydra"}}), tmp_path)
    with pytest.raises(ConfigError, match="model_type"):
        examined(chosen.model_copy(update={"config": {}}), tmp_path)


def test_a_config_that_contradicts_the_backbones_file_is_refused(tmp_path):
    chosen = Catalog.installed().backbone("llama-3-8b")
    stand_in(chosen, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 4000}))
    with pytest.raises(Refused, match="vocab_size 4000, not 128256"):
        examined(chosen, tmp_path)


def test_ids_beyond_the_vocabulary_are_refused(tmp_path):
    chosen = Catalog.installed().backbone("llama-3-8b")
    stand_in(chosen, tmp_path)
    short = chosen.model_copy(update={"config": {"model_type": "llama", "vocab_size": 300}})
    with pytest.raises(Refused, match="the embedding has 300 rows"):
        examined(short, tmp_path).demand()


def test_a_stop_token_that_the_tokenizer_lacks_is_refused(tmp_path):
    stand_in(Catalog.installed().backbone("vicuna-7b"), tmp_path)
    with pytest.raises(Refused, match="eot_id"):
        examined(Catalog.installed().backbone("llama-3-8b"), tmp_path).demand()


def test_a_tokenizer_that_does_not_load_is_a_data_error(tmp_path):
    chosen = Catalog.installed().backbone("llama-3-8b")
    stand_in(chosen, tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    shutil.copy(tmp_path / "tokenizer.json", tmp_path / "tokenizer_config.json")
    with pytest.raises(DataError, match="loadable tokenizer"):
        examined(chosen, tmp_path)
