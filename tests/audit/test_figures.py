"""What a backbone brings along, in figures."""

import json
from pathlib import Path

import pytest

from vertebra.audit import read_settings
from vertebra.audit.figures import figures, figures_of_weights, system_prompt
from vertebra.catalog import Catalog
from vertebra.spec import Backbone

CATALOG = Catalog.installed()
SHARED = Path(__file__).parents[3] / "shared" / "data" / "tokenizers"


@pytest.mark.parametrize(
    ("backbone", "begins", "ends"),
    [
        ("vicuna-7b", "A chat between a curious user", "answers to the user's questions."),
        ("llama-3-8b", "You are a helpful language and vision", "using natural language."),
        ("phi-3-mini", "You are a helpful language and vision", "using natural language."),
        ("qwen3-4b", "You are a helpful language and vision", "using natural language."),
    ],
)
def test_a_system_prompt_is_told_without_marks_and_roles(backbone, begins, ends):
    said = system_prompt(CATALOG.backbone(backbone), CATALOG)
    assert said is not None
    assert said.startswith(begins)
    assert said.endswith(ends)


@pytest.mark.parametrize("backbone", ["gemma-2-2b", "mistral-7b"])
def test_a_format_without_a_system_prompt_has_an_empty_one(backbone):
    assert system_prompt(CATALOG.backbone(backbone), CATALOG) == ""


def test_the_tokenizers_own_format_is_not_known_before_there_is_a_tokenizer():
    assert system_prompt(CATALOG.backbone("olmo-2-7b"), CATALOG) is None


def test_sizes_are_counted_from_the_catalogue_where_there_are_no_weights():
    assert figures(CATALOG.backbone("vicuna-7b"))["parameters"] == 6_738_149_376  # 32 layers, 32,000 × 4,096 twice


def test_weights_at_hand_tell_their_tokens_too():
    found = figures(CATALOG.backbone("tiny-phi-3"))
    assert found.keys() == {
        *("parameters", "vocabulary", "context"),
        *("tokens_per_1000_words", "tokens_per_1000_chinese_signs"),
    }
    assert found["context"] == 512


def test_a_checkpoint_from_elsewhere_tells_the_size_of_its_language_model(tmp_path):
    inner = json.loads((Path(CATALOG.roots[1]) / "weights" / "phi-3" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava", "text_config": inner}))
    assert figures_of_weights(str(tmp_path))["parameters"] == figures_of_weights("builtin:phi-3")["parameters"]


@pytest.mark.parametrize("model", ["vicuna", "llama-3", "phi-3"])
def test_published_counts_of_tokens_are_those_of_the_real_tokenizers(model):
    if not SHARED.is_dir():
        pytest.skip("the real tokenizers are not beside this checkout")
    own = Backbone(weights=str(SHARED / model), chat="vicuna_v1", image="<image>", pad="<pad>", stop=("</s>",))
    passages = read_settings(CATALOG.path("settings", "published")).passages
    passage = {"vicuna": "vicuna-7b", "llama-3": "llama-3-8b", "phi-3": "phi-3-mini"}[model]
    counted = figures(own)
    assert {name: passages[passage].says[name] for name in counted} == counted
