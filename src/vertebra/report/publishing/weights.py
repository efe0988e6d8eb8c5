"""The models' checkpoints in their folders of a report, so that each can be uploaded as it is."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from vertebra.files import storing
from vertebra.report.publishing.models import folder_name
from vertebra.report.rows import Cell

CARD = "README.md"
"""Is the report's."""


def put_weights(cells: Sequence[Cell], models: Path) -> list[Path]:
    """Puts each model's checkpoint into its folder, the weights as hard links where the file system can.

    The folders that have one now. Small files are copied: whoever edits one there must not change the store.
    """
    found = {
        models / folder_name(cell.family, cell.backbone, cell.seed): cell.model
        for cell in cells
        if cell.model and cell.score
    }
    for folder, checkpoint in found.items():
        for path in sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != CARD):
            _put(path, folder / path.relative_to(checkpoint))
    return list(found)


def _put(path: Path, target: Path) -> None:
    with storing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(path):
            return  # renaming one name of a file over another leaves both
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            _link(path, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _link(path: Path, target: Path) -> None:
    if path.suffix == ".safetensors":
        try:
            os.link(path, target)
        except OSError:  # another file system, or one that has no links
            pass
        else:
            return
    shutil.copyfile(path, target)
