"""The miniature's data folder: training records in LLaVA's JSON, benchmarks in their official file layouts.

    train/images/00017.png   train/captions.json  train/instructions.json  train/regions.json  train/finish.json
    pope/  mmbench/  vqav2/  ...

Everything follows from one seed. Benchmarks show test scans only, training shows none of them.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from vertebra.miniature import lessons, regions
from vertebra.miniature.benchmarks import SMALL, layout
from vertebra.miniature.benchmarks.vcr import objects
from vertebra.miniature.lessons import Lesson
from vertebra.miniature.scenes import Scene, draw_scene, paint
from vertebra.miniature.talk import caption
from vertebra.spec import Json

SEED = 20231201


class Picture(NamedTuple):
    """A scene that is stored, and where."""

    scene: Scene
    path: str


def make(out: Path, progress: Callable[[int, int], None]) -> None:
    """Writes the whole folder: 4,000 training scenes and all benchmarks."""
    _make(out, progress, scenes=4000, share=1.0)


def make_pocket(out: Path, progress: Callable[[int, int], None]) -> None:
    """A twentieth of it, for trying things out in seconds; nothing is learned from so little."""
    _make(out, progress, scenes=200, share=0.05)


def _make(out: Path, progress: Callable[[int, int], None], scenes: int, share: float) -> None:
    total = scenes + len(SMALL)
    rng = random.Random(f"{SEED}/train")
    images = out / "train" / "images"
    images.mkdir(parents=True)
    pictures = []
    for number in range(scenes):
        pictures.append(_stored(draw_scene(rng, "train", things=(2, 3, 4, 4)), f"{number:05}.png", images))
        progress(number + 1, total)
    records = training_records(rng, pictures)
    for name, found in records.items():
        layout.write_json(out / "train" / f"{name}.json", found)
    told_of = {record["image"] for record in records["regions"] if isinstance(record, dict) and "meta_dir" in record}
    for scene, path in pictures:
        if path in told_of:
            layout.write_json(images / _objects(path), objects(scene))
    for number, name in enumerate(SMALL, start=1):
        make_benchmark(name, out / name, share)
        progress(scenes + number, total)


def make_benchmark(name: str, folder: Path, share: float = 1.0) -> None:
    """Writes one benchmark, or a share of it, into its folder."""
    folder.mkdir(exist_ok=True)
    small = SMALL[name]
    small.write(random.Random(f"{SEED}/{small.twin or name}"), folder, max(1, round(small.size * share)))


def training_records(rng: random.Random, pictures: Sequence[Picture]) -> dict[str, list[Json]]:
    """The records of each file in train/."""
    captions: list[Json] = [
        _told(f"caption-{number}", [("Describe the image.", caption(picture.scene))], picture)
        for number, picture in enumerate(pictures)
    ]
    instructions = [_instruction(rng, number, picture) for number, picture in enumerate(pictures)]
    marked = [record for number, picture in enumerate(pictures) for record in _regions(rng, number, picture)]
    finish = [*rng.sample(instructions, len(instructions) // 8), *rng.sample(marked, len(marked) // 8)]
    return {"captions": captions, "instructions": instructions, "regions": marked, "finish": finish}


def _instruction(rng: random.Random, number: int, picture: Picture) -> Json:
    kind = rng.random()
    if kind < 0.75:
        lesson = lessons.questions(rng, picture.scene)
    elif kind < 0.9:
        lesson = lessons.choosing(rng, picture.scene)
    elif kind < 0.95:
        lesson = lessons.captioning(picture.scene)
    else:
        return _told(f"words-{number}", _exchanges(lessons.reckoning(rng)), None)
    return _told(f"scene-{number}", _exchanges(lesson), picture)


def _exchanges(lesson: Lesson) -> list[tuple[str, str]]:
    return [(exchange.question, exchange.answer) for exchange in lesson.exchanges]


def _told(name: str, exchanges: Iterable[tuple[str, str]], picture: Picture | None) -> dict[str, Json]:
    turns = [
        {"from": speaker, "value": text}
        for exchange in exchanges
        for speaker, text in zip(("human", "gpt"), exchange, strict=True)
    ]
    if picture is None:
        return {"id": name, "conversations": turns}
    turns[0]["value"] = "<image>\n" + turns[0]["value"]
    return {"id": name, "image": picture.path, "conversations": turns}


def _regions(rng: random.Random, number: int, picture: Picture) -> list[Json]:
    """A conversation about marked things, and a record of one of the published sources."""
    scene, kinds = picture.scene, regions.SOURCES
    source = rng.choices([*kinds], weights=[share for share, _ in kinds.values()])[0]
    if source == "v7w" and len(scene.things) != 4:
        source = rng.choice(("refcocog", "pointQA_twice"))
    marked = regions.named if rng.random() < 0.8 else regions.pointed
    records: list[Json] = []
    for name, make in (("marked", marked), (source, kinds[source][1])):
        record: dict[str, Json] = {"id": f"{name}-{number}", "image": picture.path, **make(rng, scene)}
        records.append({**record, "meta_dir": _objects(picture.path)} if name == "vcr" else record)
    return records


def _objects(picture: str) -> str:
    """Where the objects of a picture are told of."""
    return f"{Path(picture).stem}.json"


def _stored(scene: Scene, name: str, folder: Path) -> Picture:
    paint(scene).save(folder / name, compress_level=1)
    return Picture(scene, name)
