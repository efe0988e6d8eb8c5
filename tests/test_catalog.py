"""Catalogues: files as entries, and what happens when a name is unknown or taken twice."""

from pathlib import Path

import pytest
from tests.conftest import Workshop

from vertebra.catalog import Catalog
from vertebra.errors import ConfigError, UnknownName


@pytest.fixture
def catalog(workshop: Workshop) -> Catalog:
    return Catalog((workshop.root / "catalog",))


def test_a_shelf_lists_the_stems_of_its_files(catalog: Catalog) -> None:
    assert catalog.names("backbones") == ["ada", "bob"]
    assert catalog.names("templates") == ["bare"]
    assert catalog.names("studies") == []


def test_entries_are_read_from_their_files(catalog: Catalog) -> None:
    assert catalog.backbone("bob").pad == "<unk>"
    assert list(catalog.family("eyes").stages) == ["pretrain", "finetune"]
    assert catalog.mixture("few").records == ("few.json",)
    assert catalog.template("bare").endswith("{%- endmacro -%}\n{{ messages[0]['content'] }}\n")


def test_an_unknown_entry_comes_with_a_hint(catalog: Catalog) -> None:
    with pytest.raises(UnknownName, match=r"^no backbone is named 'addda'\. Did you mean 'ada'\?$"):
        catalog.backbone("addda")


def test_a_name_that_resembles_none_comes_with_all(catalog: Catalog) -> None:
    with pytest.raises(UnknownName, match=r"Known: ada, bob\."):
        catalog.backbone("xyzzy")


def test_a_path_is_no_entrys_name(catalog: Catalog) -> None:
    with pytest.raises(UnknownName):
        catalog.backbone("../backbones/ada")


def test_a_name_that_two_folders_claim_is_an_error(catalog: Catalog, tmp_path: Path) -> None:
    other = tmp_path / "other" / "backbones"
    other.mkdir(parents=True)
    (other / "ada.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"'ada' is defined twice: .*ada\.yaml and .*ada\.yaml"):
        catalog.with_folder(other.parent).backbone("ada")


def test_a_folder_that_does_not_exist_is_told(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        catalog.with_folder(tmp_path / "nowhere")


def test_a_study_brings_its_own_catalogue(workshop: Workshop) -> None:
    path = workshop.study("families: [eyes]\nbackbones: [ada]\n")
    study, catalog = Catalog(()).study(str(path))
    assert study.study == "small"
    assert catalog.names("backbones") == ["ada", "bob"]


def test_a_shipped_study_goes_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "tiny.yaml").write_text("study: tiny\nfamilies: [f]\nbackbones: [b]\n")
    assert Catalog((tmp_path,)).study("tiny")[0].families == ("f",)
    with pytest.raises(UnknownName, match=r"no study is named 'tinny'\. Did you mean 'tiny'"):
        Catalog((tmp_path,)).study("tinny")


def test_a_study_file_that_is_not_there_is_told(catalog: Catalog) -> None:
    with pytest.raises(ConfigError, match=r"There is no study file nowhere\.yaml"):
        catalog.study("nowhere.yaml")


def test_every_shipped_entry_can_be_read() -> None:
    catalog = Catalog.installed()
    for name in catalog.names("backbones"):
        assert catalog.template(catalog.backbone(name).chat)
    for name in catalog.names("families"):
        for stage in catalog.family(name).stages.values():
            assert catalog.mixture(stage.mixture).records
    for name in catalog.names("studies"):
        study, _ = catalog.study(name)
        assert all(map(catalog.family, study.families))
        assert all(map(catalog.backbone, study.backbones))


def test_a_backbone_may_be_a_yaml_file_of_ones_own(tmp_path):
    catalog = Catalog.installed()
    own = tmp_path / "mine.yaml"
    own.write_text(catalog.path("backbones", "qwen3-8b").read_text())
    assert catalog.backbone(str(own)) == catalog.backbone("qwen3-8b").model_copy(update={"name": "mine"})
    with pytest.raises(ConfigError, match="no backbone file"):
        catalog.backbone(str(tmp_path / "nowhere.yaml"))


def test_facts_of_the_weights_are_no_part_of_a_key():
    backbone = Catalog.installed().backbone("qwen3-8b")
    assert backbone.preimage() == backbone.model_copy(update={"config": {}}).preimage()


@pytest.mark.parametrize("name", Catalog.installed().names("families"))
def test_towers_of_the_hub_are_pinned(name: str) -> None:
    vision = Catalog.installed().family(name).vision
    assert vision.startswith("builtin:") or len(vision.partition("@")[2]) == 40
