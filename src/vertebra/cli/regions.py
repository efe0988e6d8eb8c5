"""`vertebra regions`: COCO's annotations as region records to train on.

vertebra regions instances.json mine.json --images photos
mine.json: 120 records, 431 regions; 2 crowds left out.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from vertebra.cli.text import many, paragraph
from vertebra.errors import ConfigError, DataError

_SHOWN = 5


def regions(
    instances: Annotated[Path, typer.Argument(help="Annotations as COCO has them: instances_val2017.json.")],
    out: Annotated[Path, typer.Argument(help="Where the records go, .json; a mixture's `records:` names it.")],
    ask: Annotated[str, typer.Option(help="The question, with <bbox> for the region.")] = "What is <bbox>?",
    images: Annotated[
        str, typer.Option(metavar="PREFIX", help="The pictures' folder in the mixture's, such as val2017.")
    ] = "",
    most: Annotated[int, typer.Option(min=1, max=100, help="Regions a record; the rest goes into further ones.")] = 8,
    kind: Annotated[list[str] | None, typer.Option(help="A kind of mark to choose from; again for more.")] = None,
    name: Annotated[str, typer.Option(help="What ids begin with.")] = "coco",
    faulty: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Of the annotations, this many may be unusable.")
    ] = 0.01,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Turn COCO's annotations into region records: a question for each region, answered by category or caption.

    Crowds are left out. So are annotations without area, category or image, which are named, and an error above a
    share. Outlines are kept; run-length encoded ones are left out, and only their box is marked.
    """
    from vertebra.chat.coco import Asking, convert
    from vertebra.files import write_atomically

    if out.suffix.lower() != ".json":
        raise ConfigError(f"{out} must end in .json.")
    if out.exists() and instances.exists() and out.samefile(instances):
        raise ConfigError(f"{out} holds the annotations themselves. Name another file.")
    found = convert(instances, Asking(ask, images, most, name, tuple(kind or ())))
    _tell(found.faults, found.annotations)
    if len(found.faults) > faulty * found.annotations:
        raise DataError(f"{instances}: that is more than {faulty:.2%}. Mend them, or allow more by --faulty.")
    if not found.records:
        raise DataError(f"{instances} holds no region that could be asked about.")
    write_atomically(out, json.dumps(found.records, ensure_ascii=False, allow_nan=False))
    if as_json:
        told = {"records": len(found.records), "regions": found.regions, "crowds": found.crowds}
        typer.echo(json.dumps({**told, "faults": list(found.faults)}))
        return
    left = f"; {many(found.crowds, 'crowd')} left out" if found.crowds else ""
    typer.echo(paragraph(f"{out}: {many(len(found.records), 'record')}, {many(found.regions, 'region')}{left}."))


def _tell(faults: tuple[str, ...], annotations: int) -> None:
    """Names the first few on stderr."""
    if not faults:
        return
    typer.echo(f"{len(faults):,} of {annotations:,} annotations cannot be used:", err=True)
    more = [f"and {len(faults) - _SHOWN:,} more"] if len(faults) > _SHOWN else []
    for fault in [*faults[:_SHOWN], *more]:
        typer.echo(paragraph(f"  {fault}", hang=2), err=True)
