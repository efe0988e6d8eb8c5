"""The models' checkpoints in their folders of a report, so that each can be uploaded as it is."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from vertebra.files import storing
from vertebra.report.publishing.models import folder_name
from vertebra.report.rows import Cell


def put_weights(cells: Sequence[Cell], models: Path) -> list[Path]:
    """Puts each model's checkpoint into its folder: hard links where the file system can, else copies.

    The folders that have one now. What a checkpoint does not have (README.md, results) stays as it is.
    """
    found = {
        models / folder_name(cell.family, cell.backbone, cell.seed): cell.model
        for cell in cells
        if cell.model and cell.score
    }
    for folder, checkpoint in found.items():
        for path in sorted(path for path in checkpoint.rglob("*") if path.is_file()):
            _put(path, folder / path.relative_to(checkpoint))
    return list(found)


def _put(path: Path, target: Path) -> None:
    with storing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(path):
            return
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            try:
                os.link(path, temporary)
            except OSError:  # another file system, or one that has no links
                shutil.copyfile(path, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
