"""The model card."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from tests.stored_study import Stored, stored_study

from vertebra.catalog import Catalog
from vertebra.report.publishing.card import card, escaped
from vertebra.report.publishing.models import Published, published
from vertebra.spec import Adopted


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return stored_study(tmp_path_factory.mktemp("stored"), data=None)


@pytest.fixture(scope="module")
def model(stored: Stored) -> Published:
    return next(published(stored.material))


def test_the_hub_reads_its_front_matter(stored: Stored, model: Published) -> None:
    data = ModelCard(card(stored.material, model, "f" * 64).decode()).data
    assert (data.library_name, data.pipeline_tag) == ("transformers", "image-text-to-text")
    assert data.tags == ["vertebra", "llava", "tiny-llava-1.5", "tiny-vicuna-s"]


def test_bases_and_datasets_are_the_hub_s(stored: Stored, model: Published) -> None:
    full = replace(model, family="llava-1.5", backbone="phi-3-mini")
    data = ModelCard(card(stored.material, full, "f" * 64).decode()).data
    assert data.base_model == ["microsoft/Phi-3-mini-4k-instruct", "openai/clip-vit-large-patch14-336"]
    assert data.datasets == ["liuhaotian/LLaVA-Pretrain", "liuhaotian/LLaVA-Instruct-150K"]


def test_every_metric_stands_with_interval_questions_and_protocol(stored: Stored, model: Published) -> None:
    text = card(stored.material, model, "f" * 64).decode()
    for result in model.results:
        for name, value in result.card.metrics.items():
            low, high = result.card.ci95[name]
            shown = f"{value:z.1f}"
            shown = f"**{shown}**" if name == result.card.headline else shown
            assert (
                f"| {shown} | {low:z.1f} to {high:z.1f} | {result.card.n} | {escaped(result.card.protocol)} |" in text
            )


def test_the_stages_are_the_family_s(stored: Stored, model: Published) -> None:
    text = card(stored.material, model, "f" * 64).decode()
    for name, stage in Catalog.installed().family("tiny-llava-1.5").stages.items():
        assert re.search(
            rf"^\| {name} \| .* \| {re.escape(stage.trains)} \| {stage.learning_rate:g} \|", text, re.MULTILINE
        )


def test_it_says_how_to_load_to_reproduce_and_what_its_numbers_are(stored: Stored, model: Published) -> None:
    text = card(stored.material, model, "f" * 64).decode()
    assert 'AutoModelForImageTextToText.from_pretrained("small/tiny-llava-1.5--tiny-vicuna-s--seed0")' in text
    assert "vertebra report small.yaml --verify" in text
    assert "f" * 64 in text
    assert "official" not in text.split("## Scores")[0]


def test_made_questions_are_said_to_be_made(tmp_path: Path) -> None:
    material = stored_study(tmp_path, ["pope"]).material
    text = card(material, next(published(material)), "f" * 64).decode()
    assert "say nothing about the official ones" in text


def test_names_are_no_markup(stored: Stored, model: Published) -> None:
    evil = "</script><img src=x onerror=alert(1)> | `x` [a](javascript:b)\u202e\n---\nlicense: mit"
    material = replace(stored.material, study=stored.material.study.model_copy(update={"title": evil}))
    text = card(material, replace(model, family=evil, backbone=evil), "f" * 64).decode()
    body = text.split("\n---\n", 1)[1]
    assert "<img" not in body
    assert not re.search(r"(?<!\\)\[a", body)
    assert "\u202e" not in text
    assert ModelCard(text).data.license is None
    assert escaped("a|b") == r"a\|b"


def test_a_shipped_study_goes_by_its_name(stored: Stored, model: Published) -> None:
    material = replace(stored.material, study=stored.material.study.model_copy(update={"study": "miniature"}))
    assert "vertebra report miniature --verify" in card(material, model, "f" * 64).decode()


def test_a_model_behind_an_endpoint_is_not_said_to_load(stored: Stored, model: Published) -> None:
    served = replace(model, adopted=Adopted(endpoint="http://127.0.0.1:8000/v1", model="m"))
    text = card(stored.material, served, "f" * 64).decode()
    assert "from_pretrained" not in text
    assert ModelCard(text).data.library_name is None


def test_a_measurement_that_is_no_study_names_no_study_s_commands(stored: Stored, model: Published) -> None:
    alone = stored.material.study.model_copy(update={"families": (), "backbones": ()})
    text = card(replace(stored.material, study=alone), model, "f" * 64).decode()
    assert "vertebra run" not in text
    assert "f" * 64 in text
