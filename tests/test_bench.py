"""Measurements in small: they run, and say what the contract wants them to say. The figures are no matter of tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["marks", "score", "startup"])
def test_a_measurement_prints_one_document(name):
    command = [sys.executable, "-m", "bench", name, "--small", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    found = json.loads(ran.stdout)
    assert {"name", "arms", "ratios", "equal", "machine", "versions", "notes"} <= found.keys()
    assert found["name"] == name
    assert found["equal"] is True
    assert all(arm["value"] > 0 and arm["unit"] for arm in found["arms"].values())
    assert all(ratio > 0 for ratio in found["ratios"].values())
