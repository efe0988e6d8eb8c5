"""GQA, VQAv2, VizWiz and TextVQA in small: open questions with an answer of one word."""

import random
from pathlib import Path

from PIL import ImageEnhance, ImageFilter

from vertebra.miniature import talk
from vertebra.miniature.benchmarks import layout
from vertebra.miniature.scenes import Scene, paint
from vertebra.scoring.benchmark import SHORT_ANSWER
from vertebra.scoring.sources import Row, write_lines
from vertebra.spec import Json


def gqa(rng: random.Random, folder: Path, scenes: int) -> None:
    """Open and yes/no questions on digits, colors and places."""
    questions: dict[str, Json] = {}
    for number in range(scenes):
        scene, image = layout.scene(rng), f"n{number:06}"
        layout.store(paint(scene), folder / "images" / f"{image}.jpg")
        for kind in rng.sample(list(_STRUCTURES), 4):
            exchange = talk.KINDS[kind](rng, scene)
            structural, semantic = _STRUCTURES[kind]
            questions[f"{len(questions):08}"] = {
                "question": exchange.question,
                "imageId": image,
                "answer": exchange.answer,
                "fullAnswer": exchange.answer,
                "isBalanced": True,
                "types": {"structural": structural, "semantic": semantic, "detailed": kind},
                "groups": {"global": kind, "local": kind},
                "semantic": [],
                "semanticStr": kind,
                "entailed": [],
                "equivalent": [],
                "annotations": {},
            }
    layout.write_json(folder / "testdev_balanced_questions.json", questions)


_STRUCTURES = {
    "existence": ("verify", "obj"),
    "color": ("query", "attr"),
    "digit": ("query", "cat"),
    "count": ("query", "global"),
    "verify": ("verify", "attr"),
    "choose": ("choose", "attr"),
    "relation": ("verify", "rel"),
}
"""GQA's structural and semantic type of each kind of question."""


def vqav2(rng: random.Random, folder: Path, scenes: int) -> None:
    """Four questions of all kinds a picture, each answered by ten annotators."""
    questions: list[Json] = []
    annotations: list[Json] = []
    for image in range(scenes):
        scene = layout.scene(rng)
        layout.store(paint(scene), folder / "val2014" / f"COCO_val2014_{image:012}.jpg")
        for place, kind in enumerate(rng.sample(list(talk.KINDS), 4)):
            asked = talk.KINDS[kind](rng, scene)
            ids: dict[str, Json] = {"image_id": image, "question_id": 1000 * image + place}
            questions.append({**ids, "question": asked.question})
            said = {
                "question_type": " ".join(asked.question.lower().split()[:2]),
                "answer_type": layout.answer_type(asked.answer),
                "multiple_choice_answer": layout.typed(asked.answer),
            }
            annotations.append({**ids, **said, "answers": _signed(layout.ten(rng, asked.answer))})
    about: dict[str, Json] = {"info": {"version": "2.0"}, "data_type": "mscoco", "data_subtype": "val2014"}
    asking = {**about, "task_type": "Open-Ended", "questions": questions}
    layout.write_json(folder / "v2_OpenEnded_mscoco_val2014_questions.json", asking)
    layout.write_json(folder / "v2_mscoco_val2014_annotations.json", {**about, "annotations": annotations})


def _signed(answers: list[str]) -> Json:
    return [
        {"answer": answer, "answer_confidence": "yes", "answer_id": number}
        for number, answer in enumerate(answers, start=1)
    ]


def vizwiz(rng: random.Random, folder: Path, questions: int) -> None:
    """Pictures by somebody who does not see them: a little out of focus, or, one in three, beyond all recognition."""
    rows: list[Json] = []
    for number in range(questions):
        scene, image = layout.scene(rng), f"VizWiz_val_{number:08}.jpg"
        asked = talk.KINDS[rng.choice(("color", "digit", "existence", "choose"))](rng, scene)
        is_lost = number % 3 == 2
        picture = paint(scene).filter(ImageFilter.GaussianBlur(12 if is_lost else 0.8))
        layout.store(ImageEnhance.Brightness(picture).enhance(0.5) if is_lost else picture, folder / "val" / image)
        answer = layout.BAD_PHOTO[0] if is_lost else asked.answer
        said: Json = [{"answer": each, "answer_confidence": "yes"} for each in layout.ten(rng, answer)]
        kind: dict[str, Json] = {"answer_type": layout.answer_type(answer), "answerable": int(not is_lost)}
        rows.append({"image": image, "question": asked.question, "answers": said, **kind})
    layout.write_json(folder / "val.json", rows)


def textvqa(rng: random.Random, folder: Path, scenes: int) -> None:
    """Two questions a picture, on what is written in a color and on the color of what is written."""
    data: list[Json] = []
    prompts: list[Row] = []
    for _ in range(scenes):
        scene, image = layout.scene(rng), f"{rng.getrandbits(64):016x}"
        picture, read = paint(scene), _ocr(rng, scene)
        layout.store(picture, folder / "train_images" / f"{image}.jpg")
        width, height = picture.size
        about: dict[str, Json] = {"image_id": image, "image_width": width, "image_height": height, "set_name": "val"}
        one, other = rng.sample(scene.things, 2)
        for asked in (talk.digit_of(one), talk.color_of(other)):
            question = asked.question.lower()
            said: dict[str, Json] = {"question": question, "question_tokens": [*question.rstrip("?").split()]}
            data.append(
                {"question_id": 34602 + len(data), **about, **said, "answers": [*layout.ten(rng, asked.answer)]}
            )
            text = f"{question.capitalize()}\nReference OCR token: {', '.join(read)}{SHORT_ANSWER}"
            prompts.append({"question_id": image, "image": f"{image}.jpg", "text": text, "category": "default"})
    release: Json = {"dataset_type": "val", "dataset_name": "textvqa", "dataset_version": "0.5.1", "data": data}
    layout.write_json(folder / "TextVQA_0.5.1_val.json", release)
    write_lines(folder / "llava_textvqa_val_v051_ocr.jsonl", prompts)


def _ocr(rng: random.Random, scene: Scene) -> list[str]:
    """The digits in reading order as a machine reads them: one in ten wrongly, one in five not at all."""
    read = [str(thing.digit if rng.random() < 0.9 else rng.randrange(10)) for thing in scene.things]
    return [token for token in read if rng.random() < 0.8]
