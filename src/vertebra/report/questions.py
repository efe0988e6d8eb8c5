"""The questions of a study's benchmarks, each file read once however many parts of a report ask for them.

    questions = Questions(benchmarks, Path("data"))
    questions.of("pope").samples["1"].text      "Is there a snowboard in the image? ..."
    questions.of("gqa").complaint               why there are none, where they cannot be read

A report is made wherever its store is, with or without the benchmarks' files.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from vertebra.errors import VertebraError
from vertebra.scoring.benchmark import Benchmark, Sample


class Read(NamedTuple):
    """A benchmark's questions."""

    samples: Mapping[str, Sample]
    """By id, in the official order."""
    complaint: str
    """Why there are none; empty where there are."""


class Questions:
    """Those of some benchmarks, in a data folder or without one."""

    def __init__(self, benchmarks: Mapping[str, Benchmark], data: Path | None) -> None:
        self.data = data
        self._benchmarks = benchmarks
        self._read: dict[str, Read] = {}

    def of(self, name: str) -> Read:
        """The questions of a benchmark, or why they cannot be read."""
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    def _load(self, name: str) -> Read:
        if name not in self._benchmarks:
            return Read({}, "the benchmark is not installed")
        if self.data is None:
            return Read({}, "no data folder is given")
        try:
            return Read({sample.id: sample for sample in self._benchmarks[name].load(self.data / name)}, "")
        except VertebraError as error:
            return Read({}, str(error))
