"""Reading and squaring pictures, against Pillow done literally."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vertebra.errors import DataError
from vertebra.visual.images import MEAN_COLOUR, read_image, square

PICTURES = Path(__file__).parents[2].parent / "shared" / "data" / "images"
BICUBIC = Image.Resampling.BICUBIC
needs_pictures = pytest.mark.skipif(not PICTURES.is_dir(), reason="the shared pictures are not here")


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    shape = (height, width, channels)[: 2 if channels == 1 else 3]
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@needs_pictures
def test_every_picture_in_a_known_format_is_read_as_rgb_of_its_own_size():
    for path in PICTURES.iterdir():
        if path.suffix in (".jpg", ".png", ".gif", ".webp", ".tif"):
            image = read_image(path)
            with Image.open(path) as raw:
                assert (image.mode, image.size) == ("RGB", raw.size), path.name


@needs_pictures
@pytest.mark.parametrize("name", ["coffee_cmyk.jpg", "astronaut_la.png", "chelsea_1bit.png", "horse.png", "hopper.gif"])
def test_ordinary_modes_are_converted_as_pillow_does(name):
    with Image.open(PICTURES / name) as raw:
        assert read_image(PICTURES / name).tobytes() == raw.convert("RGB").tobytes()


@needs_pictures
def test_sixteen_bit_grey_is_scaled_not_clipped():
    with Image.open(PICTURES / "coffee_16bit.png") as raw:
        expected = np.rint(np.asarray(raw) / 257).astype(np.uint8)
    read = np.asarray(read_image(PICTURES / "coffee_16bit.png"))
    assert expected.std() > 10
    assert all(np.array_equal(read[..., channel], expected) for channel in range(3))


@needs_pictures
def test_exif_orientation_is_left_alone_like_in_the_official_runners():
    with Image.open(PICTURES / "coffee_exif6.jpg") as raw:
        assert raw.getexif()[0x0112] == 6
        assert read_image(PICTURES / "coffee_exif6.jpg").tobytes() == raw.convert("RGB").tobytes()


def test_a_palette_with_transparent_entries_keeps_its_colours(tmp_path):
    image = noise(20, 10).quantize(16)
    image.save(tmp_path / "a.png", transparency=bytes([0, 128, 255]))
    assert read_image(tmp_path / "a.png").tobytes() == image.convert("RGB").tobytes()


def test_an_animation_shows_its_first_frame(tmp_path):
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    red.save(tmp_path / "a.gif", save_all=True, append_images=[blue])
    assert read_image(tmp_path / "a.gif").getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jpg", b""),
        ("text.png", b"hello"),
        ("page.jpg", b"%PDF-1.4\n%%EOF"),
        ("drawing.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("stars.png", b"SIMPLE  =                    T".ljust(2880)),
        ("grey.png", b"P5 2 2 255 abcd"),
        ("huge.png", png_header(40_000, 40_000)),
        ("large.png", png_header(10_000, 9_000)),
        ("long.png", png_header(70_000, 1)),
        ("no_pixels.png", png_header(10, 10)),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused_with_file_and_record(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} .*\(pope question 7\)"):
        read_image(tmp_path / name, "pope question 7")


@pytest.mark.parametrize("path", ["gone.jpg", ".", "nul\0.jpg"])
def test_a_file_that_cannot_be_opened_is_a_data_error(tmp_path, path):
    with pytest.raises(DataError):
        read_image(tmp_path / path)


def test_thirty_two_bit_grey_is_refused_because_nothing_says_what_white_is(tmp_path):
    Image.new("F", (4, 4), 0.5).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="32-bit"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_truncated_picture_is_a_data_error(tmp_path, format_):
    buffer = io.BytesIO()
    noise(64, 64).save(buffer, format_)
    (tmp_path / "a").write_bytes(buffer.getvalue()[: buffer.tell() // 2])
    with pytest.raises(DataError):
        read_image(tmp_path / "a")


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
@given(data=st.data())
def test_no_damage_to_a_picture_causes_another_error(tmp_path_factory, data):
    buffer = io.BytesIO()
    noise(9, 7).save(buffer, data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])))
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        assert read_image(path).mode == "RGB"
    except DataError as error:
        assert str(path) in str(error)


@given(width=st.integers(1, 300), height=st.integers(1, 300), side=st.sampled_from([1, 8, 56, 224]))
def test_padding_gives_the_bytes_of_a_literal_padded_square(width, height, side):
    image = noise(width, height)
    longest = max(width, height)
    canvas = Image.new("RGB", (longest, longest), MEAN_COLOUR)
    canvas.paste(image, ((longest - width) // 2, (longest - height) // 2))
    assert square(image, "pad", side).tobytes() == canvas.resize((side, side), BICUBIC).tobytes()


@pytest.mark.parametrize(
    ("size", "scaled", "corner"),
    [((500, 333), (504, 336), (84, 0)), ((333, 500), (336, 504), (0, 84)), ((337, 336), (337, 336), (0, 0))],
)
def test_cropping_scales_the_short_side_and_cuts_the_middle_out(size, scaled, corner):
    image = noise(*size)
    box = (*corner, corner[0] + 336, corner[1] + 336)
    assert square(image, "crop", 336).tobytes() == image.resize(scaled, BICUBIC).crop(box).tobytes()


@pytest.mark.parametrize("size", [(1, 4_000), (4_000, 1), (3, 2_999)])
def test_a_picture_wide_or_tall_enough_for_several_strips_is_padded_to_the_same_bytes(size):
    image = noise(*size)
    canvas = Image.new("RGB", (max(size), max(size)), MEAN_COLOUR)
    canvas.paste(image, ((max(size) - size[0]) // 2, (max(size) - size[1]) // 2))
    assert square(image, "pad", 56).tobytes() == canvas.resize((56, 56), BICUBIC).tobytes()


def test_a_picture_too_long_to_crop_is_a_data_error():
    with pytest.raises(DataError, match="too long"):
        square(Image.new("RGB", (1, 20_000)), "crop", 336)
