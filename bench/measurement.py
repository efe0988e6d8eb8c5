"""What a measurement says: a value for each arm, and how many times better ours is than another."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple


class Arm(NamedTuple):
    """One figure."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured; ratios are higher where ours is better."""

    name: str
    arms: Mapping[str, Arm]
    ratios: Mapping[str, float]
    equal: bool
    """Whether the arms made the same thing."""
    notes: Sequence[str]


def machine() -> str:
    """Processor, cores and memory."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model or platform.processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}"


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    packages = ("torch", "transformers", "safetensors", "tokenizers", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
