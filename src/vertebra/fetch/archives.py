"""Zip archives of strangers: looked at before anything is written.

unzip(Path("SEED-Bench-image.zip"), Path("seed_img/SEED-Bench-image"))
"""

import shutil
import stat
import zlib
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from vertebra.errors import DataError

MAX_BYTES = 256 << 30
MAX_FILES = 2_000_000
MAX_RATIO = 200
"""Unpacked bytes for one in the archive; pictures are hardly compressed at all."""


def unzip(archive: Path, folder: Path) -> None:
    """All files of the archive under the folder; a leading folder of its name in the archive counts as it.

    `DataError`, and nothing written, for names that lead out of the folder or are there twice, for links and devices,
    locked files, and for more than `MAX_FILES`, `MAX_BYTES` or `MAX_RATIO`; also for a file that is broken.
    """
    try:
        with ZipFile(archive) as opened:
            members = _members(archive, opened, folder.name)
            for info, target in members.items():
                path = folder / target
                path.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(info) as packed, path.open("wb") as file:
                    shutil.copyfileobj(packed, file, 1 << 20)
    except (BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
        raise DataError(f"{archive} is broken: {error}. Delete it and fetch it again.") from error


def _members(archive: Path, opened: ZipFile, top: str) -> dict[ZipInfo, PurePosixPath]:
    """Each file of the archive and where it goes."""
    infos = [info for info in opened.infolist() if not info.is_dir()]
    size = sum(info.file_size for info in infos)
    packed = max(1, sum(info.compress_size for info in infos))
    if len(infos) > MAX_FILES or size > MAX_BYTES or size > MAX_RATIO * packed:
        raise DataError(
            f"{archive} unpacks to {len(infos):,} files of {size:,} bytes, more than any benchmark. "
            "Is it the official archive?"
        )
    targets: dict[ZipInfo, PurePosixPath] = {}
    seen: set[str] = set()
    for info in infos:
        path = PurePosixPath(info.filename)
        # The drive and separator of Windows, too, because an archive may be unpacked there.
        leads_out = not path.parts or path.is_absolute() or ".." in path.parts or {"\\", "\0", ":"} & set(info.filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if leads_out or kind not in (0, stat.S_IFREG) or info.flag_bits & 1 or str(path).lower() in seen:
            raise DataError(f"{archive}: the member {info.filename[:80]!r} is not one to unpack. Nothing was unpacked.")
        seen.add(str(path).lower())
        targets[info] = path.relative_to(top) if path.parts[0] == top and len(path.parts) > 1 else path
    return targets
