"""`vertebra convert SOURCE OUT`: a checkpoint of the original LLaVA code, made loadable by plain transformers.

$ vertebra convert vip-llava-7b vip-llava-7b-hf
vip-llava-7b-hf: ViP-LLaVA on Llama, chat format llava_v1.
Vocabulary: 32064 rows, 64 of them new.
"""

from pathlib import Path
from typing import Annotated

import typer

from vertebra.cli.stopping import stoppable
from vertebra.cli.text import paragraph


def convert(
    source: Annotated[Path, typer.Argument(help="Folder of an original LLaVA-1.5 or ViP-LLaVA checkpoint.")],
    out: Annotated[Path, typer.Argument(help="New folder to write.")],
    vision: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The vision tower's folder (default: the hub's cache).")
    ] = None,
    base: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The language model's folder, where SOURCE is a LoRA.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(metavar="NAME", help="The catalogue's backbone (default: told by the tokenizer).")
    ] = None,
    chat: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another chat format than published models have.")
    ] = None,
) -> None:
    """Convert an original LLaVA checkpoint to a folder that plain transformers loads."""
    with stoppable("Nothing was written."):
        from vertebra.catalog import Catalog
        from vertebra.model.convert import Sources
        from vertebra.model.convert import convert as converting

        done = converting(Sources(source, vision, base), out, Catalog.installed(), backbone, chat)
    new = f", {done.added} of them new" if done.added else ""
    typer.echo(paragraph(f"{out}: {done.family} on {done.language}, chat format {done.chat}."))
    typer.echo(f"Vocabulary: {done.rows} rows{new}.")
