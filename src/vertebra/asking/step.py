"""The step that has a benchmark's questions answered into `out/answers.jsonl`, whoever answers.

What other benchmarks of the same model ask about the same pictures is asked along, so that each picture is read once;
the ledger beside the steps keeps it for them. A step that was killed goes on with the batch that it was at.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from vertebra.asking.answerer import Answerer
from vertebra.asking.asking import Said, ask
from vertebra.asking.ledger import Ledger
from vertebra.asking.questions import Question
from vertebra.asking.samples import Asked, about_the_same, asked
from vertebra.bench import Bench
from vertebra.errors import VertebraError
from vertebra.files import write_atomically
from vertebra.runtime import Part, Runtime
from vertebra.spec import Json, canonical, digest
from vertebra.store import Fingerprints


def answer(bench: Bench, runtime: Runtime, model: Json, open_: Callable[[], Answerer], part: Part) -> None:
    """Answers the step's questions, or one of several processes' part of them; only the whole is put down.

    `model` is all that decides the answers beside the questions. `Stopped` after a signal, resumable; `DataError` for
    files or pictures that are missing or broken.
    """
    assert bench.data is not None
    files = bench.data, bench.answers / "pictures.json"
    own = _read(bench.spec, *files)
    identity = digest(model)
    questions = (*own.questions, *about_the_same(own.questions, _beside(bench, *files)))
    keys = {question: question.key(identity) for question in questions}
    ledger = Ledger(bench.answers, f"{part.number}-of-{part.of}")
    once = {*keys.values()}
    teller = _Teller(bench, runtime.show, len(once), len(once & ledger.answers.keys()))
    ask(open_, keys, ledger, teller.tell, bench.stopping, part)
    if part.is_whole:
        _put_down(bench, own, [keys[question] for question in own.questions], ledger)


def _beside(bench: Bench, data: Path, pictures: Path) -> list[Question]:
    """What the same model will be asked by other steps, as far as their files are whole: else they will say so."""
    found: list[Question] = []
    for spec in bench.beside:
        with suppress(VertebraError):
            found += _of_another(canonical(spec), data, pictures)
    return found


@lru_cache(maxsize=64)
def _of_another(spec: str, data: Path, pictures: Path) -> tuple[Question, ...]:
    """What another step will ask, by its spec as JSON: read once, though every step before it looks for its pictures.

    Were a picture another by then, its digest would be too, and it would be about nothing that is asked now.
    """
    return tuple(_read(json.loads(spec), data, pictures).questions)


def _read(spec: Mapping[str, Json], data: Path, pictures: Path) -> Asked:
    digests = Fingerprints.at(pictures, data)
    found = asked(spec, data, digests)
    digests.save()
    return found


def _put_down(bench: Bench, own: Asked, keys: list[str], ledger: Ledger) -> None:
    """Writes the answers file, and into the log how long its answers took."""
    model = bench.label.rsplit("/", 2)[0]
    rows = (own.row(place, ledger.answers[key], bench.key, model) for place, key in enumerate(keys))
    write_atomically(bench.out / "answers.jsonl", "".join(f"{canonical(row)}\n" for row in rows))
    once = set(keys)
    seconds = sum(ledger.seconds[key] for key in once)
    bench.log(questions=len(keys), asked=len(once), seconds=round(seconds, 3))


@dataclass(slots=True)
class _Teller:
    """Says how far the step is, how fast, and some answers as they come."""

    bench: Bench
    show: int
    total: int
    done: int
    began: float = field(default_factory=time.monotonic)
    fresh: int = 0

    def tell(self, said: Said) -> None:
        for question, text in [*zip(said.questions, said.answers, strict=True)][: self.show]:
            self.show -= 1
            self.bench.note(f"{question.where}: {question.text!r} {text!r}")
        self.fresh += len(said.questions)
        self.done = min(self.total, self.done + len(said.questions))
        rate = self.fresh / max(1e-9, time.monotonic() - self.began)
        self.bench.progress(self.done, self.total, "questions", f"{rate:.1f}/s")
