"""What the official layouts share: pictures of test scans, JSON files, ten annotators.

ten(rng, "seven")    ["7", "7", "7", "seven", "7", "7", "7", "3", "7", "7"]
"""

import json
import random
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from vertebra.files import write_atomically
from vertebra.miniature.scenes import COLORS, WORDS, Scene, draw_scene
from vertebra.miniature.talk import pointing
from vertebra.spec import Json


def scene(rng: random.Random, things: Sequence[int] = (2, 3, 4)) -> Scene:
    """A random scene of test scans. No benchmark draws one in another way, so that none shows a training scan."""
    return draw_scene(rng, "test", things)


def jpeg(picture: Image.Image) -> bytes:
    """The picture as most benchmarks have theirs; quality 95 keeps a 28-pixel digit readable."""
    file = BytesIO()
    picture.save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def store(picture: Image.Image, path: Path) -> None:
    """Writes a picture: PNG where the name says so, else JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        picture.save(path, compress_level=1)
    else:
        path.write_bytes(jpeg(picture))


def pointing_record(rng: random.Random, scene: Scene) -> dict[str, Json]:
    """Question, boxes and answer of a Visual7W record."""
    question, thing = pointing(rng, scene)
    boxes = [list(scene.box(each)) for each in scene.things]
    rng.shuffle(boxes)
    return {"question": question, "bboxes": boxes, "answer": list(scene.box(thing))}


def write_json(path: Path, value: Json) -> None:
    """One JSON document."""
    write_atomically(path, json.dumps(value, indent=0))


def ten(rng: random.Random, answer: str) -> list[str]:
    """What ten annotators type: at least seven the same, numbers as figures; the rest err or word it otherwise."""
    likes = next(pool for pool in (("yes", "no"), WORDS, tuple(COLORS), BAD_PHOTO) if answer in pool)
    others = [answer.capitalize(), *(typed(other) for other in likes if other != answer)]
    agreeing = rng.choice((7, 8, 9, 10))
    answers = [typed(answer)] * agreeing + rng.choices(others, k=10 - agreeing)
    rng.shuffle(answers)
    return answers


BAD_PHOTO = ("unanswerable", "unsuitable", "unsuitable image")
"""What VizWiz's annotators say of a picture that shows nothing."""


def typed(answer: str) -> str:
    """An answer as people type it."""
    return str(WORDS.index(answer)) if answer in WORDS else answer


def answer_type(answer: str) -> str:
    """The kind of an answer, as VQAv2 and VizWiz name it."""
    if answer in ("yes", "no"):
        return "yes/no"
    if answer in WORDS:
        return "number"
    return answer if answer in BAD_PHOTO else "other"
