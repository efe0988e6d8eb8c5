"""`vertebra mark` and `vertebra show` as people run them, on photos of every sort."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from vertebra.cli import main
from vertebra.visual.images import read_image
from vertebra.visual.kinds import KINDS

PHOTOS = Path(__file__).parents[2].parent / "shared" / "data" / "images"
SORTS = ["camera.png", "coffee_palette.png", "astronaut_rgba_220.png", "coffee_cmyk.jpg", "chelsea_1bit.png"]
SORTS += ["coffee_16bit.png", "coffee_1x1.png", "chelsea_animated.gif", "hopper_orientation_6.jpg", "astronaut_lzw.tif"]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """The exit code, and what stands on stdout and stderr, of a command given in an empty folder."""

    def run(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys, "argv", ["vertebra", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        out, told = capsys.readouterr()
        return left.value.code, out, " ".join(told.split())

    return run


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (120, 90), "white").save(path)
    return path


def changed(path: Path) -> tuple[int, int, int, int] | None:
    """The box of what is not white."""
    return Image.fromarray((np.asarray(Image.open(path)) != 255).any(axis=-1)).getbbox()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_where_the_box_is(run, photo, tmp_path, kind):
    assert run("mark", photo, "out.png", "--box", "40,30,80,60", "--kind", kind) == (0, "out.png\n", "")
    box = changed(tmp_path / "out.png")
    assert box is not None
    assert box[0] < 80
    assert box[1] < 60
    assert box[2] > 40
    assert box[3] > 30


@pytest.mark.parametrize("name", SORTS)
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos are not here")
def test_photos_of_every_sort_are_marked(run, tmp_path, name):
    assert run("mark", PHOTOS / name, "out.png", "--box", "0,0,1,1", "--color", "lime", "--alpha", 255)[0] == 0
    picture = Image.open(tmp_path / "out.png")
    assert (picture.mode, picture.size) == ("RGB", read_image(PHOTOS / name).size)
    assert (np.asarray(picture) == (0, 255, 0)).all(axis=-1).any()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("turned", [1, 3, 6, 8])
def test_a_turned_photo_is_marked_as_stored_and_shown_as_before(run, tmp_path, suffix, turned):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turned
    Image.new("RGB", (120, 90), "white").save(tmp_path / "photo.jpg", exif=exif)
    options = ("--box", "0,0,30,20", "--kind", "mask", "--alpha", 255, "--color", "blue")
    assert run("mark", "photo.jpg", f"out{suffix}", *options)[0] == 0
    stored = Image.open(tmp_path / f"out{suffix}")
    assert stored.size == (120, 90)
    assert np.abs(np.array(stored.getpixel((10, 10))) - (0, 0, 255)).max() < 8
    shown = ImageOps.exif_transpose(Image.open(tmp_path / "photo.jpg")).size
    assert ImageOps.exif_transpose(stored).size == shown == ((120, 90) if turned in (1, 3) else (90, 120))


def test_a_tiff_that_is_turned_while_it_is_read_is_not_turned_twice(run, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (120, 90), "white").save(tmp_path / "photo.tiff", exif=exif)
    assert run("mark", "photo.tiff", "out.png", "--box", "0,0,30,20")[0] == 0
    assert ImageOps.exif_transpose(Image.open(tmp_path / "out.png")).size == (90, 120)


def test_several_boxes_are_all_marked(run, photo, tmp_path):
    options = ("--kind", "mask", "--box", "5,5,20,20", "--box", "90,60,110,80")
    assert run("mark", photo, "out.png", *options)[0] == 0
    assert changed(tmp_path / "out.png") == (5, 5, 111, 81)


def test_the_seed_decides(run, photo, tmp_path):
    for out, seed in (("a.png", 4), ("b.png", 4), ("c.png", 5)):
        run("mark", photo, out, "--box", "40,30,80,60", "--kind", "arrow", "--seed", seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == b != c


def test_the_box_may_be_inverted_and_reach_beyond_the_border(run, photo, tmp_path):
    assert run("mark", photo, "out.png", "--kind", "mask", "--box=30,20,-50,-1e300")[0] == 0
    assert changed(tmp_path / "out.png") == (0, 0, 31, 21)


def test_out_may_lie_in_a_folder_that_is_not_there_yet(run, photo, tmp_path):
    assert run("mark", photo, "new/folder/out.png", "--box", "1,1,9,9")[0] == 0
    assert (tmp_path / "new/folder/out.png").is_file()


BOX = ("--box", "1,1,9,9")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("photo.png", "out.png"), 2, "Missing option '--box'"),
        (
            ("photo.png", "out.png", "--box", "1,2,3"),
            2,
            "takes x1,y1,x2,y2 in pixels, such as 12,20,96,88, not '1,2,3'.",
        ),
        (("photo.png", "out.png", "--box", ""), 2, "not ''."),
        (("photo.png", "out.png", "--box", "nan,1,2,3"), 2, "a corner that is no number"),
        (("photo.png", "out.png", "--box", "1,1,1,9"), 2, "has no area"),
        (("photo.png", "out.png", "--box", "120,1,130,9"), 2, "lies beside photo.png, 120×90 pixels as stored"),
        (("photo.png", "out.png", *BOX, "--kind", "arow"), 2, "Did you mean 'arrow'?"),
        (("photo.png", "out.png", *BOX, "--kind", "mask_contour"), 2, "Did you mean 'mask contour'?"),
        (("photo.png", "out.png", *BOX, "--color", "Lime"), 2, "Did you mean 'lime'?"),
        (("photo.png", "out.png", *BOX, "--width", "nan"), 2, "--width"),
        (("photo.png", "out.png", *BOX, "--width", "1e9"), 2, "--width"),
        (("photo.png", "out.gif", *BOX), 2, "must end in .png, .jpg or .webp"),
        (("photo.png", "photo.png", *BOX), 2, "is the picture itself"),
        (("lost.png", "out.png", *BOX), 4, "lost.png cannot be read as a picture: No such file"),
        (("text.png", "out.png", *BOX), 4, "text.png is not a picture"),
    ],
)
def test_nonsense_is_told_and_nothing_written(run, photo, tmp_path, arguments, code, told):
    (tmp_path / "text.png").write_text("no picture")
    before = photo.read_bytes()
    found, out, said = run("mark", *arguments)
    assert (found, out) == (code, "")
    assert told in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png", "text.png"]
    assert photo.read_bytes() == before


def test_webp_s_limit_is_told(run, tmp_path):
    Image.new("1", (16_384, 2)).save(tmp_path / "long.png")
    assert run("mark", "long.png", "out.webp", *BOX)[0::2] == (
        2,
        "error: out.webp: WebP has at most 16,383 pixels a side. Write a .png.",
    )


def test_a_contact_sheet_needs_no_picture_and_takes_one(run, photo, tmp_path):
    assert run("show", "marks", "sheet.png") == (0, "sheet.png\n", "")
    assert run("show", "marks", "mine.png", "--picture", photo, "--box", "40,30,80,60", "--seed", 3)[0] == 0
    sheet, mine = (Image.open(tmp_path / name) for name in ("sheet.png", "mine.png"))
    assert sheet.size == mine.size
    assert sheet.tobytes() != mine.tobytes()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("marks",), "vertebra show marks OUT.png"),
        (("marks", "out.gif"), "must end in .png"),
        (("marks", "out.png", "--box", "1,1,9,9"), "say which with --picture"),
        (("marks", "out.png", "--picture", "photo.png", "--box", "200,1,209,9"), "lies beside photo.png"),
        (("pope", "out.png"), "Leave them out"),
        (("phi3-mini",), "Did you mean 'phi-3-mini'?"),
    ],
)
def test_what_cannot_be_shown_is_told(run, photo, arguments, told):
    code, out, said = run("show", *arguments)
    assert (code, out) == (2, "")
    assert told in said


@pytest.mark.parametrize(
    ("name", "kind", "line"),
    [
        ("phi-3-mini", "backbone", "chat: phi_3"),
        ("vip-llava", "family", "model: vip_llava"),
        ("vip-llava-stage2", "mixture", "hub: mucai/ViP-LLaVA-Instruct"),
        ("llm-backbones", "study", "benchmarks: all"),
        ("pope", "benchmark", "headline: f1"),
        ("h200", "device", "memory_gib: 139.8"),
    ],
)
def test_entries_are_shown_resolved(run, name, kind, line):
    code, out, _ = run("show", name)
    assert (code, out.splitlines()[0]) == (0, f"# {kind}")
    assert line in out.splitlines()


def test_help_needs_no_pillow():
    code = (
        "import sys\nsys.argv = ['vertebra', 'mark', '--help']\nfrom vertebra.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print({'PIL', 'torch', 'numpy', 'yaml'} & set(sys.modules))"
    )
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "set()"
    assert "EXIF orientation" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
