"""What of a mixture would stop a training: every picture decoded once, every record told once and held against it.

    few.json: record 3 (id v7w-4): pictures/4.png is missing. Fetch it.
    few.json: record 7 (id 12): pictures/5.jpg cannot be read as a picture: image file is truncated ...
    few.json: record 9 (id mine-1): pictures/6.jpg does not show its region [60.0, 2.0, 90.0, 30.0].

The list of such records, written by `exclude`, keeps them out of every training (`corpus.exclusion`).
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from os import cpu_count
from pathlib import Path
from typing import Literal, NamedTuple

from vertebra.chat.records import Record
from vertebra.chat.regions import Told, Untellable
from vertebra.corpus.exclusion import Digests, Excluded, read_exclusions, record_digests, remedy, write_exclusions
from vertebra.corpus.look import beside
from vertebra.corpus.survey import Found, is_file, survey_records, unheard
from vertebra.errors import DataError
from vertebra.prefetching import prefetched
from vertebra.spec import Json, Mixture
from vertebra.visual.images import read_image

What = Literal["missing", "broken", "beside", "untold"]

Progress = Callable[[int, int, str], None]
"""Is told how many of how many pictures or records are done."""

_TRIES = 20
_SEED = 4
"""Its first two draws are below one half: so a VCR record is told with all its options, and all its objects marked."""
_NAMED = 20
_SAID: Mapping[What, str] = {
    "missing": "pictures missing",
    "broken": "pictures broken",
    "beside": "records with a region beside their picture",
    "untold": "records that cannot be put into words",
}


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a mixture's files."""

    mixture: Mixture
    folder: Path
    digests: Digests
    """Of the record files that were looked at."""
    kinds: Mapping[str, int]
    """How many records there are that can be used, by kind, most first."""
    pictures: int
    """Different pictures that were looked at."""
    wrong: Mapping[What, int]
    """How many of those are missing or broken; how many records, else whole, are not shown or told."""
    unusable: tuple[Excluded, ...]
    """The records that would stop a training."""
    excluded: tuple[Excluded, ...]
    """Those that every training leaves out, because they are listed."""
    faults: tuple[str, ...]
    """What is wrong with the malformed records, left out because the mixture bears them."""

    @property
    def records(self) -> int:
        """How many can be used."""
        return sum(self.kinds.values())

    def document(self) -> dict[str, Json]:
        """As JSON; of records that cannot be used the first 20 are named."""
        return {
            "mixture": self.mixture.name,
            "passed": not self.unusable,
            "records": self.records,
            "kinds": {**self.kinds},
            "pictures": self.pictures,
            **{what: self.wrong.get(what, 0) for what in _SAID},
            "left_out": len(self.faults),
            "faults": list(self.faults[:_NAMED]),
            "excluded": len(self.excluded),
            "excluded_records": [str(each) for each in self.excluded[:_NAMED]],
            "unusable": len(self.unusable),
            "unusable_records": [str(each) for each in self.unusable[:_NAMED]],
        }

    def demand(self) -> None:
        """`DataError` unless every record can be used that is not left out."""
        if self.unusable:
            counts = ", ".join(f"{said}: {self.wrong[what]:,}" for what, said in _SAID.items() if what in self.wrong)
            raise DataError(
                f"{len(self.unusable):,} of {self.records + len(self.unusable):,} records of the mixture "
                f"{self.mixture.name} cannot be used ({counts}). The first is {self.unusable[0]} "
                f"{remedy(self.mixture, self.folder)}"
            )


def inspect(mixture: Mixture, folder: Path, progress: Progress, anew: bool = False) -> Inspection:
    """Looks at every record of a mixture under a data folder, but for the excluded ones; `anew`, at those too.

    `DataError` only for what leaves nothing to look at: as `survey_records`, or a list of exclusions not about these
    records.
    """
    digests = record_digests(mixture, folder)
    excluded = {} if anew else read_exclusions(mixture, folder, digests)
    survey = survey_records(mixture, folder, unheard, excluded)
    looks = _looks((found.record for found in survey), survey.images, progress)
    wrong = Counter[What](look.what for look in looks.values() if isinstance(look, _Fault))
    kinds, unusable = Counter[str](), []
    for done, found in enumerate(survey, 1):
        fault = _fault(found.record, survey.images, looks)
        if fault is None:
            kinds[found.record.kind] += 1
        else:
            if fault.what in ("beside", "untold"):
                wrong[fault.what] += 1
            unusable.append(_unusable(found, fault, folder))
        progress(done, len(survey), "records")
    return Inspection(
        mixture, folder, digests, dict(kinds.most_common()), len(looks), wrong,
        tuple(unusable), survey.excluded, survey.faults,
    )  # fmt: skip


def exclude(found: Inspection) -> Inspection:
    """Lists what cannot be used, so that every training leaves it out. `DataError` when nothing would be left."""
    if not found.records:
        found.demand()
    write_exclusions(found.mixture, found.folder, found.digests, found.unusable)
    return replace(found, unusable=(), excluded=found.unusable)


class _Fault(NamedTuple):
    what: What
    why: str


_Size = tuple[int, int]
_Looks = Mapping[str, _Size | _Fault]


def _looks(records: Iterable[Record], images: Path, progress: Progress) -> _Looks:
    """The size of every picture that records name, or what is wrong with it, each looked at once."""
    looks: dict[str, _Size | _Fault] = dict.fromkeys((path for record in records for path in record.images), (0, 0))
    alike: dict[_Size | _Fault, _Size | _Fault] = {}  # a million pictures have few sizes
    found = prefetched(lambda path: _look(images / path), looks, min(8, cpu_count() or 1))
    with closing(found):
        for done, (path, look) in enumerate(zip([*looks], found, strict=True), 1):
            looks[path] = alike.setdefault(look, look)
            progress(done, len(looks), "pictures")
    return looks


def _look(path: Path) -> _Size | _Fault:
    if not is_file(path):
        return _Fault("missing", f"{path} is missing. Fetch it.")
    try:
        return read_image(path).size
    except DataError as error:
        return _Fault("broken", str(error))


def _fault(record: Record, images: Path, looks: _Looks) -> _Fault | None:
    """What would keep a training from using a record."""
    sizes: list[_Size] = []
    for look in map(looks.__getitem__, record.images):
        if isinstance(look, _Fault):
            return look
        sizes.append(look)
    if lost := next((path for path in record.beside if not is_file(images / path)), None):
        return _Fault("untold", f"{images / lost} is missing. Fetch it.")
    try:
        told = _tell(record, images)
    except DataError as error:
        return _Fault("untold", str(error))
    if told and told.conversation.images and (box := beside(told.marks, sizes[0])):
        return _Fault("beside", f"{images / record.images[0]} does not show its region {[*box]}.")
    return None


def _unusable(found: Found, fault: _Fault, folder: Path) -> Excluded:
    """Why a record cannot be used, told from the data folder and without saying twice where it stands."""
    why = fault.why.removeprefix(f"{folder / found.where}: ")
    return Excluded.of(found.position, found.record, why.removeprefix(str(folder / "_")[:-1]))


def _tell(record: Record, images: Path) -> Told | None:
    """A record told, the same way each time; None where the published code would take another one in its place."""
    rng = random.Random(_SEED)
    for _ in range(_TRIES):
        try:
            return record.tell(rng, images)
        except Untellable:  # it depends on what mark was drawn
            continue
    return None
