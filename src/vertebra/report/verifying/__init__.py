"""Is a report what the stored answers give? Every number is computed anew, and every file built again and compared.

    found = verify(material, Path("reports/miniature"))
    found.benchmarks["pope"]       Tally(numbers=214, differing=1)
    found.differences[0]           results.json, .../seed0/pope f1 value: 98.2 stands there, 97.9 was computed

The answers are graded with the benchmarks' files, a judge's stored replies are replayed; no model, no GPU and no
network is needed, and nothing is changed. From the new scores the same code builds the same documents.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from vertebra.errors import DataError
from vertebra.report import MEASURED, publishing
from vertebra.report.verifying.files import alike
from vertebra.report.verifying.numbers import Difference, Leaf, differences, leaves
from vertebra.report.verifying.regrade import regraded
from vertebra.spec import Json

if TYPE_CHECKING:
    from vertebra.report import Composed, Material

RESULTS, PAGE = "results.json", "index.html"
DOCUMENTS = (RESULTS, "comparisons.json")


class Tally(NamedTuple):
    """The numbers of one benchmark."""

    numbers: int
    differing: int


class Damaged(NamedTuple):
    """A file that is not what the stored answers give."""

    file: str
    why: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared, and what is not as it should be."""

    benchmarks: Mapping[str, Tally]
    differences: tuple[Difference, ...]
    files: tuple[Damaged, ...]
    compared: int
    """How many files."""

    @property
    def is_equal(self) -> bool:
        """Whether everything is."""
        return not self.differences and not self.files


def verify(material: "Material", out: Path) -> Verification:
    """Compares the report in the folder `out` with what the answers of `material` give.

    `DataError` where there is no report, or answers or data are missing.
    """
    from vertebra.report import compose

    standing = {name: _document(out / name) for name in DOCUMENTS}
    with TemporaryDirectory() as folder:
        anew = regraded(material, Path(folder))
        composed = compose(anew)
        found, tallies = _numbers(standing, composed.texts)
        results = standing[RESULTS] if all(each.file != RESULTS for each in found) else None
        damaged, compared = _damaged(out, composed, results)
        if PAGE in {each.file for each in damaged}:  # it may have been built where no data was
            without, _ = _damaged(out, compose(replace(anew, data=None)), results)
            damaged = [each for each in damaged if each in without]
    return Verification(tallies, tuple(found), tuple(damaged), compared)


def _numbers(
    standing: Mapping[str, Mapping[str, Json]], texts: Mapping[str, bytes]
) -> tuple[list[Difference], dict[str, Tally]]:
    """What differs in the documents, and how many numbers of each benchmark were compared."""
    found: list[Difference] = []
    numbers: dict[str, int] = {}
    for name, document in standing.items():
        computed = leaves(_timeless(json.loads(texts[name])))
        found += differences(name, leaves(_timeless(document)), computed)
        for leaf in filter(Leaf.is_number, computed.values()):
            numbers[leaf.benchmark] = numbers.get(leaf.benchmark, 0) + 1
    names = sorted({*numbers, *(each.benchmark for each in found)} - {""})
    return found, {name: Tally(numbers.get(name, 0), sum(each.benchmark == name for each in found)) for name in names}


def _damaged(out: Path, composed: "Composed", results: Mapping[str, Json] | None) -> tuple[list[Damaged], int]:
    """The files that are missing, not alike or of another report; and how many were looked at.

    `results` are those that stand there, where their numbers count as equal: a last digit may differ between machines,
    and with it the fingerprint.
    """
    computed = _fingerprint(json.loads(composed.texts[RESULTS]))
    stands = computed if results is None else _fingerprint(results)
    found, names = [], set()
    models = composed.models if (out / publishing.FOLDER).is_dir() else ()  # as after `vertebra run`
    for name, data in chain(composed.texts.items(), models):
        names.add(name)
        if name in DOCUMENTS:
            continue  # compared number by number
        path = out / name
        if not path.is_file():
            found.append(Damaged(name, "it is missing"))
        elif not alike(name, path.read_bytes(), data.replace(computed, stands)):
            found.append(Damaged(name, "it is not what the stored answers give"))
    found += [Damaged(name, "it is missing") for name in composed.pictures if not (out / name).is_file()]
    foreign = [path.relative_to(out).as_posix() for path in publishing.stale(out, names)]
    return [*found, *(Damaged(name, "it is of another report") for name in foreign)], len(names)


def _document(path: Path) -> Mapping[str, Json]:
    if not path.is_file():
        raise DataError(
            f"There is no report in {path.parent}: {path.name} is missing. Write it with `vertebra report`."
        )
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: it is not JSON. Write it anew with `vertebra report`.") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is no document of a report. Write it anew with `vertebra report`.")
    return found


def _timeless(document: Mapping[str, Json]) -> Mapping[str, Json]:
    """What is measured anew by every run is no result."""
    return {name: value for name, value in document.items() if name not in MEASURED}


def _fingerprint(document: Mapping[str, Json]) -> bytes:
    text = json.dumps(_timeless(document), indent=1) + "\n"
    return hashlib.sha256(text.encode()).hexdigest().encode()
