"""Region records made by hand, for tests of how they are read and of how they are told."""

BOXES = [[1, 2, 30, 40], [50, 2, 80.5, 40], [1, 60, 30, 90], [50, 60, 80, 90]]
POINTING = {"id": "v7w-4", "image": "4.png", "question": "Which ball?", "bboxes": BOXES, "answer": BOXES[2]}
DESCRIBING = {"id": "refcocog-9", "image": "9.png", "bboxes": [BOXES[1]], "segmentations": None, "answer": "a cup"}
MARKED = {
    "id": "mine-1",
    "image": "1.png",
    "bboxes": BOXES[:2],
    "conversations": [
        {"from": "human", "value": "<image>\nWhat is <bbox1>?"},
        {"from": "gpt", "value": "a ball"},
        {"from": "human", "value": "And <obj0>?"},
        {"from": "gpt", "value": "a cat, unlike <bbox1>"},
    ],
}
