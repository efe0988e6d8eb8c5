"""Excel files of one table, and files that only say they are."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertebra.errors import DataError
from vertebra.scoring import sheets
from vertebra.scoring.sheets import sheet_rows, write_sheet


@pytest.fixture
def read(tmp_path):
    def read(data: bytes, needed=("index",)):
        path = tmp_path / "answers.xlsx"
        path.write_bytes(data)
        return list(sheet_rows(path, needed))

    return read


def test_a_table_comes_back_as_it_was_written(read):
    rows = read(write_sheet(["index", "text"], [[1, "one"], [2, None]]))
    assert [row for _, row in rows] == [{"index": 1, "text": "one"}, {"index": 2, "text": None}]
    assert rows[0][0].endswith("answers.xlsx: row 2")


def test_text_is_never_a_formula(read):
    ((_, row),) = read(write_sheet(["index", "text"], [[1, '=HYPERLINK("http://x")']]))
    assert row["text"] == '=HYPERLINK("http://x")'


def test_what_excel_cannot_hold_is_left_out_or_cut(read):
    ((_, row),) = read(write_sheet(["index", "text"], [[1, "a\x00\x0b\ud800b" + "c" * 100_000]]))
    assert row["text"] == "ab" + "c" * 32_765


def test_a_missing_column_is_named(read):
    with pytest.raises(DataError, match=r"row 1 has no column 'prediction'.*'index'"):
        read(write_sheet(["index", "text"], []), ("index", "prediction"))


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(read, monkeypatch):
    monkeypatch.setattr(sheets, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match="bytes; 1,000 are allowed"):
        read(write_sheet(["index"], [[1]]))


def packed(**parts: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for name, text in parts.items():
            zipped.writestr(name.replace("__", "/").replace("_", "."), text)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"question_id": 1, "text": "A"}\n',
        write_sheet(["index"], [[1]])[:-100],
        packed(),
        packed(a_txt="not a workbook"),
        packed(xl__workbook_xml="<workbook", a_txt=""),
    ],
)
def test_what_is_no_excel_file_is_refused(read, data):
    with pytest.raises(DataError, match=r"answers\.xlsx is not a readable Excel file"):
        read(data)


@given(st.binary(max_size=200), st.integers(0, 5000))
def test_no_damage_ends_in_a_traceback(tmp_path_factory, noise, place):
    path = tmp_path_factory.getbasetemp() / "damaged.xlsx"
    data = bytearray(_WHOLE)
    place %= len(data)
    data[place : place + len(noise)] = noise
    path.write_bytes(data)
    try:
        rows = list(sheet_rows(path, ("index",)))
    except DataError:
        return
    assert len(rows) <= 1


_WHOLE = write_sheet(["index", "text"], [[1, "one"]])
