"""The work bench: all that the code which trains or answers gets to know of a step, and how it reports back.

bench.spec      {"benchmark": "pope", "prompts": 1, "max_new_tokens": 16, ...}
bench.model     steps/9f…/out    the trained model it builds on
bench.data      steps/07…/out    the data folder
bench.folder    work/c4…         survives crashes: checkpoints, half-written answers
bench.out       work/c4…/out     the result; becomes visible when the step is finished
bench.answers   answers/llava--phi-3--seed0    what a model said, kept as it comes

All folders are in the store, but for what the user brought: data, and checkpoints that were adopted.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vertebra.files import append_rows
from vertebra.spec import Json


class Progress(Protocol):
    """Says how far a step is; may be called as often as one likes."""

    def __call__(self, done: int, total: int, unit: str, note: str = "") -> None:
        """`done` of `total` units ("samples", "questions") are finished; `note` is shown beside them."""


def _to_log(message: str) -> None:
    """A worker's stderr is its crew's log."""
    sys.stderr.write(f"{message}\n")


@dataclass(frozen=True, slots=True)
class Bench:
    """One step, laid out for work."""

    key: str
    label: str
    spec: Mapping[str, Json]
    folder: Path
    out: Path
    needs: Mapping[str, Path]
    """The results it reads, by key, in the plan's order."""
    model: Path | None
    """The result of the training step among the needs, or the checkpoint that was adopted, where there is one."""
    data: Path | None
    """The data folder: what the needed make step wrote, else the one given by --data."""
    progress: Progress
    cache: Path
    """What can be built again at any time and is shared by all steps: the arrays of mixtures."""
    answers: Path
    """Where the model's answers are kept as they come, beside the steps."""
    stopping: Callable[[], bool]
    """True once a signal came: save what is needed to resume and raise `vertebra.errors.Stopped`."""
    beside: tuple[Mapping[str, Json], ...] = ()
    """The specs of later steps in which the same model answers."""
    note: Callable[[str], None] = _to_log
    """Tells a person one sentence or more that does not end the step."""

    def log(self, **fields: Json) -> None:
        """Appends one line, stamped with seconds since the epoch, to the step's log.jsonl."""
        append_rows(self.folder / "log.jsonl", [{"time": round(time.time(), 3), **fields}])

    def document(self) -> dict[str, Json]:
        """The bench as JSON, for another process."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            **{name: _spelled(getattr(self, name)) for name in _PATHS},
            "needs": {key: str(path) for key, path in self.needs.items()},
            "beside": [*self.beside],
        }

    @classmethod
    def read(
        cls,
        document: Mapping[str, Any],
        progress: Progress,
        stopping: Callable[[], bool],
        note: Callable[[str], None] = _to_log,
    ) -> "Bench":
        """The bench that `document` told."""
        fields: dict[str, Any] = {name: document[name] for name in _PLAIN}
        fields |= {name: document[name] and Path(document[name]) for name in _PATHS}
        fields["needs"] = {key: Path(path) for key, path in document["needs"].items()}
        fields["beside"] = (*document["beside"],)
        return cls(**fields, progress=progress, stopping=stopping, note=note)


_PLAIN = ("key", "label", "spec")
_PATHS = ("folder", "out", "model", "data", "cache", "answers")


def _spelled(path: Path | None) -> str | None:
    return None if path is None else str(path)
