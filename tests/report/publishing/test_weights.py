"""Checkpoints in a report's folders."""

from pathlib import Path

import pytest
from tests.stored_study import stored_study

from vertebra.report import write_report
from vertebra.report.publishing import FOLDER, put_weights


@pytest.fixture
def report(tmp_path: Path):
    stored = stored_study(tmp_path / "study", ["pope"])
    write_report(stored.material, tmp_path / "out")
    return stored, tmp_path / "out"


def test_weights_are_linked_and_small_files_copied(report) -> None:
    stored, out = report
    (folder, _) = put_weights(stored.material.cells, out / FOLDER)
    model = stored.material.cells[0].model
    assert (folder / "model.safetensors").samefile(model / "model.safetensors")
    assert (folder / "config.json").read_bytes() == (model / "config.json").read_bytes()
    assert not (folder / "config.json").samefile(model / "config.json")
    assert (folder / "README.md").read_text().startswith("---")


def test_where_links_cannot_be_made_weights_are_copied(report, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    stored, out = report
    (folder, _) = put_weights(stored.material.cells, out / FOLDER)
    model = stored.material.cells[0].model
    assert not (folder / "model.safetensors").samefile(model / "model.safetensors")
    assert (folder / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def test_twice_is_once(report) -> None:
    stored, out = report
    put_weights(stored.material.cells, out / FOLDER)
    before = sorted(path.name for path in out.rglob("*"))
    put_weights(stored.material.cells, out / FOLDER)
    assert sorted(path.name for path in out.rglob("*")) == before
