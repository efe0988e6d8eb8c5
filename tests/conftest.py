"""Fixtures of all tests."""

from pathlib import Path

import pytest

from workshop import Workshop, furnish


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Data makers installed as a plug-in, a small catalogue, and the command line."""
    built = furnish(tmp_path)
    monkeypatch.setenv("PYTHONPATH", built.environment["PYTHONPATH"])
    return built
