"""`vertebra mark`: a visual prompt on a picture. `vertebra show`: a catalogue entry, resolved, or every kind of mark.

vertebra mark photo.jpg marked.png --box 12,20,96,88 --kind arrow --color red
vertebra show phi-3-mini
vertebra show marks sheet.png --picture photo.jpg
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertebra.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image

    from vertebra.catalog import Catalog
    from vertebra.spec import Json, Spec
    from vertebra.visual.regions import Region

_KIND = "rectangle, ellipse, triangle, point, scribble, mask, 'mask contour' or arrow."
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_UPRIGHT = 1
_WEBP = 16_383


def mark(
    image: Annotated[Path, typer.Argument(help="The picture to draw on; it stays as it is.")],
    out: Annotated[Path, typer.Argument(help="Where the marked picture goes: .png, .jpg or .webp.")],
    box: Annotated[list[str], typer.Option(help="x1,y1,x2,y2 in stored pixels; again for more.")],
    kind: Annotated[str, typer.Option(help=_KIND)] = "rectangle",
    color: Annotated[str, typer.Option(help="red, lime, blue, yellow, fuchsia, aqua, orange, purple or gold.")] = "red",
    alpha: Annotated[int | None, typer.Option(min=1, max=255, help="Opacity; without it, by chance.")] = None,
    width: Annotated[
        float | None, typer.Option(min=0.1, max=100, help="Of lines, in 336ths of the longer side.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides what is left to chance.")] = 0,
) -> None:
    """Draw visual prompts on a picture, as training draws them.

    Boxes are in pixels of the picture as it is stored, which is how training reads it. A photo that viewers turn by its
    EXIF orientation keeps that orientation in OUT, so that it is shown as before.
    """
    import random
    from dataclasses import replace

    from vertebra.visual.images import orientation, read_image
    from vertebra.visual.marks import draw, random_mark

    _demand_picture(out)
    rng = random.Random(seed)
    marks = [random_mark(kind, _region(corners), color, rng) for corners in box]
    picture = read_image(image)
    if out.exists() and out.samefile(image):
        raise ConfigError(f"{out} is the picture itself, which stays as it is. Name another file.")
    for each, corners in zip(marks, box, strict=True):
        if each.region.box.misses(picture.size):
            size = f"{picture.width}×{picture.height}"
            raise ConfigError(f"--box {corners} lies beside {image}, {size} pixels as stored. Give corners inside it.")
    chosen = {name: value for name, value in (("alpha", alpha), ("width", width)) if value is not None}
    drawn = draw(picture, [replace(each, **chosen) for each in marks])  # type: ignore[arg-type]
    _save(drawn, out, orientation(image))


def show(
    name: Annotated[str, typer.Argument(help="A backbone, benchmark or any other entry; or `marks`.")],
    out: Annotated[
        Path | None, typer.Argument(help="For `marks`, where the contact sheet goes, such as sheet.png.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="For `marks`, the photo that is drawn on.")] = None,
    box: Annotated[str | None, typer.Option(help="For `marks`, x1,y1,x2,y2: the photo's region.")] = None,
    seed: Annotated[int | None, typer.Option(help="For `marks`, another draw.")] = None,
) -> None:
    """Show a catalogue entry as it is resolved, or a contact sheet of all kinds of marks."""
    if name == "marks":
        _contact_sheet(out, picture, box, seed)
        return
    if out or picture or box or seed is not None:
        raise ConfigError("OUT, --picture, --box and --seed are for `vertebra show marks OUT.png`. Leave them out.")
    import yaml

    from vertebra.catalog import Catalog
    from vertebra.cli.names import KINDS, kind_of

    catalog = Catalog.installed()
    kind = kind_of(name, catalog, KINDS)
    entry = _benchmark(name) if kind == "benchmark" else _entry(kind, name, catalog).model_dump(mode="json")
    typer.echo(f"# {kind}")
    typer.echo(yaml.safe_dump(entry, sort_keys=False, allow_unicode=True), nl=False)


def _entry(kind: str, name: str, catalog: "Catalog") -> "Spec":
    from vertebra.audit import read_settings

    match kind:
        case "study":
            return catalog.study(name)[0]
        case "settings":
            return read_settings(catalog.path("settings", name))
        case "table":
            return catalog.reference(name)
        case _:
            found: Spec = getattr(catalog, kind)(name)
            return found


def _benchmark(name: str) -> "dict[str, Json]":
    from vertebra.benchmarks import benchmark

    found = benchmark(name)
    return {
        "name": found.name,
        "title": found.title,
        "protocols": [each.protocol for each in (found, *found.variants)],
        "headline": found.headline,
        "chance_and_ceiling": list(found.axis),
        "max_new_tokens": found.max_new_tokens,
        "judged": found.judged,
        "files": list(found.files),
        "releases": {each.name: each.questions for each in found.releases},
        "sources": list(found.sources),
        "officially": found.officially,
    }


def _contact_sheet(out: Path | None, picture: Path | None, box: str | None, seed: int | None) -> None:
    from vertebra.visual.images import read_image
    from vertebra.visual.sheet import CLEAR, contact_sheet, flower, middle

    if out is None:
        raise ConfigError("Say where the contact sheet goes: `vertebra show marks OUT.png`.")
    _demand_picture(out)
    if box and not picture:
        raise ConfigError("--box is a region of a photo: say which with --picture.")
    region = _region(box) if box else None
    scene = middle(read_image(picture)) if picture else flower()
    if region and region.box.misses(scene.picture.size):
        raise ConfigError(f"--box {box} lies beside {picture}. Give corners inside it.")
    _save(contact_sheet(scene.picture, region or scene.region, seed=CLEAR if seed is None else seed), out)


def _region(corners: str) -> "Region":
    from vertebra.visual.regions import region

    try:
        x1, y1, x2, y2 = map(float, corners.split(","))
        return region((x1, y1, x2, y2))
    except ValueError as error:
        why = f": {error}" if "box" in str(error) else ""
        raise ConfigError(f"--box takes x1,y1,x2,y2 in pixels, such as 12,20,96,88, not {corners!r}{why}.") from error


def _demand_picture(out: Path) -> None:
    if out.suffix.lower() not in _FORMATS:
        raise ConfigError(f"{out} must end in .png, .jpg or .webp, so that it is clear what to write.")


def _save(picture: "Image", out: Path, orientation: int = _UPRIGHT) -> None:
    """Writes a picture, almost without loss where the format knows no other way."""
    import io

    from PIL import ExifTags, Image

    from vertebra.files import write_atomically

    kind, options = _FORMATS[out.suffix.lower()], {"quality": 95}
    if kind == "WEBP" and max(picture.size) > _WEBP:
        raise ConfigError(f"{out}: WebP has at most {_WEBP:,} pixels a side. Write a .png.")
    if kind == "JPEG":
        options["subsampling"] = 0  # thin coloured lines do not survive half the colour resolution
    exif = Image.Exif()
    if orientation != _UPRIGHT:
        exif[ExifTags.Base.Orientation] = orientation
    data = io.BytesIO()
    picture.save(data, kind, exif=exif, **options)
    write_atomically(out, data.getvalue())
    typer.echo(out)
