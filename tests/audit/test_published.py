"""Published settings, and what is known to be wrong with the study on LLM backbones."""

from pathlib import Path

import pytest

from vertebra.audit import Audit, audit_settings, published_arms, read_settings
from vertebra.catalog import Catalog
from vertebra.errors import ConfigError, UnknownName

CATALOG = Catalog.installed()
SMALL = """\
title: Two arms
passages:
  one: {source: [https://example.org/one.sh], says: {learning_rate: 1.0e-3, order: null}}
  two: {source: [https://example.org/two.sh], says: {learning_rate: 2.0e-3, order: by_modality}}
  spoken: {source: [], says: {system_prompt: Be brief.}}
  asked: {source: [], says: {system_prompt: Be kind.}}
arms:
  f/a: {model: [spoken], "pretrain, finetune": [one], pope: [spoken]}
  f/b: {model: [spoken], "pretrain, finetune": [two], pope: [asked]}
"""


@pytest.fixture(scope="module")
def published() -> Audit:
    return audit_settings(read_settings(CATALOG.path("settings", "published")), CATALOG)


def settings(folder: Path, text: str = SMALL):
    path = folder / "small.yaml"
    path.write_text(text)
    return read_settings(path)


@pytest.mark.parametrize(
    ("field", "within", "part", "values"),
    [
        # D8: the order of one arm, and the micro-batches under a mean of each
        ("order", "llava-1.5", "finetune",
         {"by_modality": {"vicuna-7b", "vicuna-13b", "phi-3-mini"}, None: {"llama-3-8b"}}),
        ("micro_batch", "llava-1.5", "finetune",
         {"16x1": {"vicuna-7b", "vicuna-13b", "phi-3-mini"}, "8x2": {"llama-3-8b"}}),
        ("micro_batch", "vip-llava", "stage2",
         {"16x1": {"vicuna-7b", "vicuna-13b"}, "8x2": {"llama-3-8b", "phi-3-mini"}}),
        # D4 and the template that a path decides
        ("chat_chosen_by", "vip-llava", "pope",
         {"a flag": {"vicuna-7b", "vicuna-13b"}, "the model's path": {"llama-3-8b", "phi-3-mini"}}),
        ("cut_from_answers", "llava-1.5", "mmbench",
         {"</s>": {"vicuna-7b", "vicuna-13b"}, "<|begin_of_text|>": {"llama-3-8b"}, "everything": {"phi-3-mini"}}),
        # D6, D7
        ("newline_after_image", "llava-1.5", "model",
         {"kept": {"vicuna-7b", "vicuna-13b", "phi-3-mini"}, "dropped": {"llama-3-8b"}}),
        ("bos_in_captions", "llava-1.5", "model",
         {"one": {"vicuna-7b", "vicuna-13b", "phi-3-mini"}, "none": {"llama-3-8b"}}),
        ("tokenizer_as_trained", "llava-1.5", "gqa",
         {"yes": {"vicuna-7b", "vicuna-13b", "llama-3-8b"}, "no: fast": {"phi-3-mini"}}),
        ("sharding", "vip-llava", "stage3",
         {"ZeRO-2": {"vicuna-7b", "vicuna-13b"}, "ZeRO-3": {"llama-3-8b", "phi-3-mini"}}),
    ],
)  # fmt: skip
def test_what_is_known_to_differ_is_found(published, field, within, part, values):
    found = [
        {value: set(names) for value, names in each.values}
        for each in published.of("confound")
        for place in each.places
        if (each.field, place.within) == (field, within) and part in place.parts
    ]
    assert found == [values]


def test_the_curious_human_and_the_curious_user_are_found(published):
    prompts = [each for each in published.of("confound") if each.field.startswith("system_prompt")]
    assert {(each.field, each.between) for each in prompts} == {
        ("system_prompt", "families"),
        ("system_prompt_as_trained", "families"),
        ("system_prompt_as_trained", "backbones"),
    }
    (between,) = [each for each in prompts if each.field == "system_prompt"]
    assert [place.within for place in between.places] == ["vicuna-7b", "vicuna-13b"]
    assert ["curious human" in str(value) for value, _ in between.values] == [False, True]


def test_versions_of_two_years_are_found(published):
    (versions,) = [each for each in published.of("confound") if each.field == "versions"]
    assert [value["transformers"] for value, _ in versions.values] == ["4.31.0", "4.37.2"]


def test_nothing_else_is_called_a_confound(published):
    assert {each.field for each in published.of("confound")} == {
        *("order", "micro_batch", "sharding", "versions", "chat", "chat_chosen_by", "cut_from_answers"),
        *("newline_after_image", "bos_in_captions", "tokenizer_as_trained"),
        *("system_prompt", "system_prompt_as_trained"),
    }


def test_unavoidable_differences_come_with_their_figures(published):
    figures = {each.field: [value for value, _ in each.values] for each in published.of("unavoidable")}
    assert figures["parameters"] == [6_738_149_376, 13_015_449_600, 8_029_995_008, 3_820_879_872]
    assert figures["tokens_per_1000_words"] == [1388, 1223]


def test_every_fact_has_its_source(published):
    settings = read_settings(CATALOG.path("settings", "published"))
    assert all(passage.source for passage in settings.passages.values())
    assert all(source.startswith("https://") for source in published.sources)


def test_every_passage_is_of_use():
    settings = read_settings(CATALOG.path("settings", "published"))
    used = {name for parts in settings.arms.values() for passages in parts.values() for name in passages}
    assert used == set(settings.passages)


def test_parts_share_passages_and_a_prompt_is_told_by_what_was_trained(tmp_path):
    one, two = published_arms(settings(tmp_path))
    assert {field.part for field in one.facts} == {"model", "pretrain", "finetune", "pope"}
    told = [value for arm in (one, two) for field, value in arm.facts.items() if field.name.endswith("_as_trained")]
    assert told == ["yes", "no: Be kind."]


def test_a_passage_that_is_not_there_comes_with_a_hint(tmp_path):
    with pytest.raises(UnknownName, match=r"no passage is named 'onne'\. Did you mean 'one'\?"):
        [*published_arms(settings(tmp_path, SMALL.replace("[one]", "[onne]")))]


def test_passages_that_contradict_each_other_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="'two' contradicts another on learning_rate of pretrain"):
        [*published_arms(settings(tmp_path, SMALL.replace("[one]", "[one, two]")))]


def test_an_arm_is_a_family_and_a_backbone(tmp_path):
    with pytest.raises(ConfigError, match=r"small\.yaml:"):
        settings(tmp_path, SMALL.replace("f/a", "a"))


def test_backbones_of_no_catalogue_have_no_figures(tmp_path):
    assert audit_settings(settings(tmp_path), CATALOG).unknown[0].startswith("a, b: how large it is, since")


def test_places_are_told_by_their_whole_urls(published, tmp_path):
    assert "https://huggingface.co/lmsys/vicuna-7b-v1.5" in published.sources
    text = SMALL.replace("https://example.org/one.sh", "somewhere:one.sh")
    with pytest.raises(UnknownName, match="no base of sources is named 'somewhere'"):
        settings(tmp_path, text).sources()
    text = text.replace("passages:", "bases: {somewhere: 'https://example.org/v1/'}\npassages:")
    assert settings(tmp_path, text).sources() == ("https://example.org/v1/one.sh", "https://example.org/two.sh")
