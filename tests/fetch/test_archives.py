"""Archives of strangers."""

import stat
import warnings
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from vertebra.errors import DataError
from vertebra.fetch import archives
from vertebra.fetch.archives import unzip


@pytest.fixture
def pack(tmp_path):
    def pack(*members: str | ZipInfo, content: bytes = b"picture"):
        with warnings.catch_warnings(), ZipFile(tmp_path / "a.zip", "w", ZIP_DEFLATED) as archive:
            warnings.simplefilter("ignore")  # a name that is there twice
            for member in members:
                archive.writestr(member, content)
        return tmp_path / "a.zip"

    return pack


def link(name: str) -> ZipInfo:
    info = ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_files_arrive_and_a_leading_folder_of_the_same_name_counts_as_it(pack, tmp_path):
    unzip(pack("pictures/1.jpg", "pictures/deep/2.jpg", "3.jpg"), tmp_path / "pictures")
    found = sorted(str(path.relative_to(tmp_path / "pictures")) for path in (tmp_path / "pictures").rglob("*.jpg"))
    assert found == ["1.jpg", "3.jpg", "deep/2.jpg"]


@pytest.mark.parametrize(
    "members",
    [
        ["../out.jpg"],
        ["a/../../out.jpg"],
        ["/out.jpg"],
        ["..\\out.jpg"],
        ["C:out.jpg"],
        [link("out.jpg")],
        ["a.jpg", "a.jpg"],
        ["a.jpg", "A.jpg"],
        ["."],
    ],
    ids=str,
)
def test_a_hostile_archive_is_refused_before_anything_is_written(pack, tmp_path, members):
    with pytest.raises(DataError, match="not one to unpack"):
        unzip(pack("good.jpg", *members), tmp_path / "deep" / "pictures")
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zip"]


def test_a_bomb_is_refused(pack, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="more than any benchmark"):
        unzip(pack("1.jpg", content=bytes(10_000_000)), tmp_path / "pictures")
    monkeypatch.setattr(archives, "MAX_FILES", 1)
    with pytest.raises(DataError, match="2 files"):
        unzip(pack("1.jpg", "2.jpg"), tmp_path / "pictures")
    assert not (tmp_path / "pictures").exists()


def test_half_an_archive_is_told_of(pack, tmp_path):
    path = pack("1.jpg", content=bytes(range(256)) * 100)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="is broken"):
        unzip(path, tmp_path / "pictures")


def test_a_flipped_byte_is_told_of(pack, tmp_path):
    path = pack("1.jpg", content=bytes(range(256)) * 100)
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(data)
    with pytest.raises(DataError, match="is broken"):
        unzip(path, tmp_path / "pictures")
