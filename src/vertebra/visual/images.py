"""Images as the LLaVA pipelines see them: decoded to RGB and made square for the vision tower.

    read_image(Path("val2014/COCO_val2014_000000310196.jpg"), "pope question 1")   RGB, 640×480
    square(image, "pad", 336)                                                      RGB, 336×336

`pad` is LLaVA's `expand2square` and `crop` the plain CLIP processor; both give the bytes that Pillow gives when done
literally (https://github.com/haotian-liu/LLaVA/blob/main/llava/mm_utils.py). Like the official runners, which call
`Image.convert("RGB")`, reading drops an alpha channel, shows the first frame and turns nothing by its EXIF orientation:
the published models were trained and measured on unturned pixels. (TIFF alone is turned, by Pillow while decoding.)
"""

import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from vertebra.errors import DataError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 8_192 * 8_192
MAX_SIDE = 20_000

MEAN_COLOUR = (122, 116, 104)
"""`int(255 * mean)` of CLIP's channel means, LLaVA's padding."""

RGB = tuple[int, int, int]


def read_image(path: Path, where: str = "") -> Image.Image:
    """The file's picture, decoded and RGB. `where` says which record asks for it.

    `DataError` when it is missing, broken, in none of `FORMATS`, or over 67 million pixels (8,192²) or 20,000 a side.
    """
    asked = f" ({where})" if where else ""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
                raise _too_large(path, asked, f"{image.width}×{image.height}")
            image.load()
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not a picture in one of {', '.join(FORMATS)}{asked}. Convert it.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path, asked, "far too many pixels") from error
    except _BROKEN as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"{path} cannot be read as a picture{asked}: {reason}. Fetch or save it again.") from error
    if image.mode in ("I", "F"):
        raise DataError(f"{path} is 32-bit grey{asked}, and nothing says what is white. Save it with 8 or 16 bits.")
    return rgb(image)


def orientation(path: Path) -> int:
    """How viewers turn a picture that `read_image` reads as it is stored: EXIF's 1 (not at all) to 8."""
    with Image.open(path, formats=FORMATS) as image:
        image.load()  # a TIFF is turned now, and does not say so any more
        try:
            turned = image.getexif().get(ExifTags.Base.Orientation)
        except _BROKEN:  # viewers, too, make nothing of broken EXIF
            turned = None
    return turned if isinstance(turned, int) and 1 <= turned <= 8 else 1


def rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode as RGB: without its alpha channel, 16 bits scaled to 8. One that is RGB is returned."""
    if image.mode.startswith("I;16"):
        # Pillow clips 16-bit grey at 255 instead of scaling it.
        shades = ((np.arange(65_536, dtype=np.uint32) * 255 + 32_767) // 65_535).astype(np.uint8)
        return Image.fromarray(shades[np.asarray(image)]).convert("RGB")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


def square(image: Image.Image, how: Literal["pad", "crop"], side: int, background: RGB = MEAN_COLOUR) -> Image.Image:
    """An RGB picture of side × side pixels, bicubic.

    `pad` centres it on a square of its longer side, `crop` scales its shorter side and cuts the middle out.
    """
    return _pad(image, side, background) if how == "pad" else _crop(image, side)


_BICUBIC = Image.Resampling.BICUBIC
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on broken files; nothing but them runs where it is caught."""


def _too_large(path: Path, asked: str, size: str) -> DataError:
    limit = f"{MAX_PIXELS // 1_000_000} million pixels and {MAX_SIDE} a side"
    return DataError(f"{path} is too large a picture{asked}: {size}, the limit is {limit}. Scale it down.")


def _pad(image: Image.Image, side: int, background: RGB) -> Image.Image:
    """The padded square, scaled without ever being drawn in full.

    Pillow scales rows first and columns second, rounding between, so scaling the rows that hold the picture and then
    the columns of all rows gives the same bytes as scaling the square at once.
    """
    longest = max(image.size)
    rows = Image.new("RGB", (side, longest), background)
    if image.width == longest:
        rows.paste(image.resize((side, image.height), _BICUBIC), (0, (longest - image.height) // 2))
    else:
        _paste_widened(rows, image, background)
    return rows.resize((side, side), _BICUBIC)


def _paste_widened(rows: Image.Image, image: Image.Image, background: RGB) -> None:
    """A tall picture's rows, widened to its height with background and scaled, a strip at a time."""
    width, height = image.size
    step = max(1, 4_000_000 // height)
    for upper in range(0, height, step):
        lower = min(upper + step, height)
        strip = Image.new("RGB", (height, lower - upper), background)
        strip.paste(image.crop((0, upper, width, lower)), ((height - width) // 2, 0))
        rows.paste(strip.resize((rows.width, lower - upper), _BICUBIC), (0, upper))


def _crop(image: Image.Image, side: int) -> Image.Image:
    """As CLIPImageProcessor: the longer side truncated to whole pixels, the cut rounded to the upper left."""
    short, long = sorted(image.size)
    scaled = int(side * long / short)
    if scaled * side > MAX_PIXELS:
        raise DataError(f"A picture of {image.width}×{image.height} pixels is too long to be cut to a square. Crop it.")
    width, height = (scaled, side) if image.width > image.height else (side, scaled)
    left, top = (width - side) // 2, (height - side) // 2
    return image.resize((width, height), _BICUBIC).crop((left, top, left + side, top + side))
