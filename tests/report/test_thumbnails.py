"""Pictures made small."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from vertebra.report.thumbnails import BROKEN, LEFT_OUT, SIDE, Wanted, thumbnails
from vertebra.visual.marks import constant_mark
from vertebra.visual.regions import region


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (800, 400), "white").save(path)
    return path


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data)).convert("RGB")


def test_a_large_picture_is_scaled_and_keeps_its_form(photo: Path) -> None:
    (small,) = thumbnails([Wanted(photo, (), "")], 10_000).pictures
    assert opened(small).size == (SIDE, SIDE // 2)


def test_marks_are_drawn_before_it_is_made_small(photo: Path) -> None:
    mark = constant_mark("rectangle", region((200, 100, 600, 300)), "red")
    (small,) = thumbnails([Wanted(photo, (mark,), "")], 10_000).pictures
    _, border, _ = opened(small).getpixel((48, 48))  # type: ignore[misc]
    assert border < 200
    assert opened(small).getpixel((96, 48))[1] > 240  # type: ignore[index]


def test_what_is_missing_broken_or_too_much_is_told_and_the_same_is_kept_once(photo: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(photo.read_bytes()[:60])
    other = tmp_path / "other.png"
    Image.effect_noise((300, 300), 90).save(other)
    paths = [photo, torn, tmp_path / "none.png", photo, other]
    size = len(thumbnails([Wanted(photo, (), "")], 10_000).pictures[0])
    found = thumbnails([Wanted(path, (), path.name) for path in paths], size + 10)
    assert found.place == (0, BROKEN, BROKEN, 0, LEFT_OUT)
    assert len(found.pictures) == 1
    assert [complaint.partition("(")[2].partition(")")[0] for complaint in found.complaints] == ["torn.png", "none.png"]
    assert found.left_out == 1
