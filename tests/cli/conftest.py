"""A small study that has been run."""

import shutil
from pathlib import Path

import pytest
from tests.conftest import Workshop, furnish, pretend, workshop_in

SMALL = "families: [eyes]\nbackbones: [ada, bob]\nbenchmarks: [pope]\ndata: pope\n"


@pytest.fixture(scope="session")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workshop's folder whose study small.yaml has been run, for copying."""
    workshop = furnish(tmp_path_factory.mktemp("done") / "workshop")
    pretend(workshop, workshop.study(SMALL))
    assert workshop.vertebra("run", "small.yaml", "--store", "store").returncode == 0
    return workshop.root


@pytest.fixture
def finished(done_once: Path, tmp_path: Path) -> Workshop:
    """A workshop whose study small.yaml is done."""
    return workshop_in(shutil.copytree(done_once, tmp_path / "workshop"))
