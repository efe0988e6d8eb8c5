"""What a runtime may say, and what it needs."""

import importlib
import sys
from pathlib import Path

import pytest

from vertebra.errors import ConfigError
from vertebra.runtime import Runtime, check_installed


def test_a_runtime_survives_its_way_as_json() -> None:
    runtime = Runtime(
        data=Path("data"), devices=8, launcher=("srun", "torchrun", "--nnodes=2"), tracking=("wandb", "tensorboard")
    )
    assert Runtime.model_validate(runtime.model_dump(mode="json")) == runtime


def test_a_service_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vertebra.spec.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"needs the package wandb, .* `pip install 'vertebra\[wandb\]'`"):
        check_installed(["wandb"])


def test_a_folder_of_a_services_name_is_not_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the one that wandb writes into the folder where it is run."""
    (tmp_path / "mlflow").mkdir()
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    importlib.invalidate_caches()
    with pytest.raises(ConfigError, match="not installed"):
        check_installed(["mlflow"])
