"""Every score of a study computed anew from its stored answers, into a folder of its own.

    FOLDER/0/scorecard.json  samples.jsonl       what the score step of the first cell has in its out/

Judged benchmarks replay the judgments that the score step kept; nobody is asked.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vertebra.errors import DataError, JudgeError, VertebraError
from vertebra.files import append_rows, write_atomically
from vertebra.report.rows import Cell
from vertebra.scoring.comparing import SAMPLES, SCORECARD
from vertebra.scoring.replay import replayed
from vertebra.scoring.scorecard import Scored, as_decoded, by, score_folder

if TYPE_CHECKING:
    from vertebra.report import Material

JUDGMENTS = "judgments.jsonl"
_NAMED = 5


def regraded(material: "Material", folder: Path) -> "Material":
    """The material with new scores in place of the stored ones. `DataError` naming what is missing or broken."""
    if material.data is None:
        raise DataError(
            "The benchmarks' files are not at hand, and without them no answer can be graded. Give --data the folder "
            "that holds them."
        )
    failures: list[str] = []
    cells = [_cell(cell, material, folder / str(number), failures) for number, cell in enumerate(material.cells)]
    if failures:
        number = len(failures)
        more = f" And {number - _NAMED} more." if number > _NAMED else ""
        what = f"{number} score{'s' if number > 1 else ''} cannot be recomputed"
        raise DataError(f"{what}. {' '.join(failures[:_NAMED])}{more}")
    return replace(material, cells=cells)


def _cell(cell: Cell, material: "Material", folder: Path, failures: list[str]) -> Cell:
    """The cell with its new score; one that has none stays as it is."""
    if cell.score is None:
        return cell
    try:
        scored = _score(cell, cell.score, material)
    except VertebraError as error:
        failures.append(f"{cell.label}: {error}")
        return cell
    # The record of the step stays where it is looked for, so that dates and versions are those of the run.
    out = folder / "steps" / cell.score.parent.name / "out"
    write_atomically(out / SCORECARD, json.dumps(scored.scorecard, indent=1) + "\n")
    append_rows(out / SAMPLES, scored.rows)
    record = cell.score.parent / "run.json"
    if record.is_file():
        write_atomically(out.parent / "run.json", record.read_bytes())
    return replace(cell, scorecard=scored.scorecard, score=out)


def _score(cell: Cell, stored: Path, material: "Material") -> Scored:
    assert material.data
    benchmark, study = material.benchmarks[cell.benchmark], material.study
    if cell.answers is None:
        raise DataError("its answers are not in the store.")
    folder = material.data / benchmark.name
    judge = study.judge if benchmark.judged else None
    if judge is None:
        scored = score_folder(benchmark, folder, cell.answers)
    else:
        try:
            asked = replayed(judge, stored / JUDGMENTS)
            scored = score_folder(benchmark, folder, cell.answers, by(asked, judge.runs))
        except JudgeError as error:
            raise DataError(f"{stored / JUDGMENTS} does not hold the judge's replies to these answers.") from error
    return as_decoded(scored, dict(_decoding(material, benchmark.name)))


def _decoding(material: "Material", benchmark: str) -> Iterator[tuple[str, object]]:
    if benchmark in material.study.temperature:
        yield "temperature", material.study.temperature[benchmark]
    if benchmark in material.study.beams:
        yield "beams", material.study.beams[benchmark]
