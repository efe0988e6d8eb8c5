"""Whether a benchmark's folder holds its official release, whole: counts, digests, and every picture decoded.

    ok   release    8,910 questions on 500 pictures, as release e3e3926
    ok   checksums  4 annotation files are the official ones
    FAIL pictures   1 of 500 cannot be used: val2014/COCO_val2014_000000310196.jpg cannot be read ...

A score needs none of this: `vertebra score` takes any folder in the official layout, however small.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory

from vertebra.chat.proof import Check
from vertebra.collector import uncollected
from vertebra.errors import DataError
from vertebra.prefetching import prefetched
from vertebra.scoring.benchmark import Benchmark, Sample
from vertebra.scoring.sources import Release
from vertebra.spec import Json
from vertebra.store import file_digest
from vertebra.visual.images import read_image

SOURCE = "source.json"
"""What `vertebra fetch` leaves beside the files: where they are from, and their digests."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is in a benchmark's folder."""

    benchmark: str
    folder: Path
    release: str | None
    """The known release that the questions are, by their number."""
    questions: int
    images: int
    """Different pictures that the questions are on."""
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether this is the official release, whole."""
        return all(check.passed for check in self.checks)

    def document(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "benchmark": self.benchmark,
            "folder": str(self.folder),
            "passed": self.passed,
            "release": self.release,
            "questions": self.questions,
            "images": self.images,
            "checks": [check._asdict() for check in self.checks],
        }

    def demand(self) -> None:
        """`DataError` unless everything passed."""
        failed = [f"{each.name}: {each.figure}" for each in self.checks if not each.passed]
        if failed:
            raise DataError(
                f"{self.folder} is not the official release of {self.benchmark}, whole. {' '.join(failed)} "
                f"Move it away and give `vertebra fetch {self.benchmark}`, unless it is meant to be another one."
            )


def inspect(benchmark: Benchmark, folder: Path) -> Inspection:
    """Reads everything in a benchmark's folder. Never raises for what is wrong with it; `demand` does."""
    try:
        with uncollected():
            samples = benchmark.load(folder)
    except DataError as error:
        return Inspection(benchmark.name, folder, None, 0, 0, (Check("questions", False, str(error)),))
    paths = list(dict.fromkeys(sample.image for sample in samples if sample.image))
    release = benchmark.release(samples)
    checks = (
        _release(benchmark, release, len(samples), len(paths)),
        _checksums(benchmark, release, folder),
        _pictures(benchmark, samples, folder, len(paths)),
    )
    name = release.name if release else None
    return Inspection(benchmark.name, folder, name, len(samples), len(paths), checks)


def _release(benchmark: Benchmark, found: Release | None, questions: int, images: int) -> Check:
    seen = f"{questions:,} questions on {images:,} pictures"
    if not benchmark.releases:
        return Check("release", True, f"{seen}; no official count is known.")
    own = benchmark.releases[0]
    if found == own and own.images in (None, images):
        return Check("release", True, f"{seen}, as release {own.name}.")
    wanted = f"{own.questions:,}" + (f" on {own.images:,}" if own.images else "")
    near = found or min(benchmark.releases, key=lambda each: abs(each.questions - questions))
    is_like = abs(near.questions - questions) <= near.questions // 20
    like = f" It looks like {'a part of ' * (near != found)}release {near.name}." if is_like and near != own else ""
    return Check("release", False, f"{seen}, where release {own.name} has {wanted}.{like}")


def _checksums(benchmark: Benchmark, release: Release | None, folder: Path) -> Check:
    """The digests that fetch noted, and the official ones where the files are not laid out from a dataset's rows."""
    noted, is_laid_out = _noted(folder)
    official = release.sha256 if release and not is_laid_out else {}
    wanted = {**noted, **official}
    present = [name for name in wanted if (folder / name).is_file()]
    gone = [name for name in noted if name not in present]
    odd = [name for name in present if file_digest(folder / name) != wanted[name]]
    if odd or gone:
        return Check("checksums", False, f"Changed or of another release: {', '.join([*odd, *gone])}.")
    if not present:
        return Check("checksums", True, "none are known for these files.")
    which = "as official" if official else "as fetched"
    return Check("checksums", True, f"{len(present)} of {len(benchmark.files)} annotation files are {which}.")


def _noted(folder: Path) -> tuple[dict[str, str], bool]:
    """What fetch noted of the annotation files, and whether it made them of a dataset's rows."""
    path = folder / SOURCE
    if not path.is_file():
        return {}, False
    try:
        note = json.loads(path.read_bytes())
        return {str(name): str(digest) for name, digest in note["files"].items()}, note["source"] != "official"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {SOURCE: ""}, False  # no digest is empty, so that the check names the file


def _pictures(benchmark: Benchmark, samples: Sequence[Sample], folder: Path, count: int) -> Check:
    with TemporaryDirectory() as scratch:
        home = folder
        if benchmark.unpack:
            # The pictures are in the annotation file; a folder that is only checked stays as it is.
            home = Path(scratch)
            for name in benchmark.files:
                (home / name).symlink_to((folder / name).resolve())
            try:
                benchmark.unpack(home)
            except DataError as error:
                return Check("pictures", False, str(error))
        broken = list(_broken(samples, home))
    if broken:
        more = f" and {len(broken) - 1:,} more" if len(broken) > 1 else ""
        return Check("pictures", False, f"{len(broken):,} of {count:,} cannot be used: {broken[0]}{more}")
    return Check("pictures", True, f"all {count:,} decode.")


def _broken(samples: Sequence[Sample], home: Path) -> Iterator[str]:
    """What is wrong with each picture that cannot be used."""
    first: dict[str, Sample] = {}
    for sample in samples:
        if sample.image:
            first.setdefault(sample.image, sample)

    def look(image: str) -> str | None:
        try:
            read_image(home / image, f"question {first[image].id}")
        except DataError as error:
            return str(error)
        return None

    with closing(prefetched(look, first, min(8, cpu_count() or 1))) as looked:
        yield from filter(None, looked)
