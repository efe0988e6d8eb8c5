"""Lists of excluded records: what they leave out, and what they are refused for."""

import json
from pathlib import Path

import pytest

from vertebra.chat import Conversation
from vertebra.chat.records import Record
from vertebra.chat.regions import Told
from vertebra.corpus.exclusion import Excluded, Exclusions, read_exclusions, record_digests, write_exclusions
from vertebra.corpus.survey import Survey, survey
from vertebra.errors import DataError
from vertebra.spec import Mixture
from vertebra.store import file_digest

SAID = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]
SHOWN = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "a cup"}]
RECORDS = [
    {"id": "twin", "conversations": SAID},
    {"id": "twin", "image": "gone.png", "conversations": SHOWN},
    {"id": "own", "conversations": SAID},
    {"id": "twin", "conversations": SAID},
]
MIXTURE = Mixture(name="few", records=("few.json", "more.json"), count=5)


def left_out(number: int, name: str = "twin", file: str = "few.json", why: str = "It is lost.") -> Excluded:
    return Excluded.of((file, number), Record(name, (), lambda rng, folder: Told(Conversation(())), ""), why)


def write(folder: Path, *excluded: Excluded) -> None:
    write_exclusions(MIXTURE, folder, record_digests(MIXTURE, folder), excluded)


def read(folder: Path) -> Exclusions:
    return read_exclusions(MIXTURE, folder, record_digests(MIXTURE, folder))


def surveyed(folder: Path, mixture: Mixture = MIXTURE) -> Survey:
    return survey(mixture, folder, excluded=read(folder))


def ids(found: Survey) -> list[str]:
    return [one.record.id for one in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four records in one file and one in another; the second lacks its picture, and three share an id."""
    (tmp_path / "few.json").write_text(json.dumps(RECORDS))
    (tmp_path / "more.json").write_text(json.dumps(RECORDS[2:3]))
    return tmp_path


def test_one_of_several_records_with_the_same_id_is_left_out_and_named_apart_from_the_faults(folder):
    write(folder, left_out(1))
    found = surveyed(folder)
    assert [(one.record.id, one.record.images) for one in found] == [
        (name, ()) for name in ("twin", "own", "twin", "own")
    ]
    assert [one.position for one in found] == [("few.json", n) for n in (0, 2, 3)] + [("more.json", 0)]
    assert [str(each) for each in found.excluded] == ["few.json: record 1 (id twin): It is lost."]
    assert found.faults == ()


def test_the_same_number_in_another_file_is_another_record(folder):
    write(folder, left_out(1), left_out(0, "own", "more.json"))
    assert ids(surveyed(folder)) == ["twin", "own", "twin"]


def test_numbers_count_malformed_records_too(folder):
    (folder / "few.json").write_text(json.dumps([{"id": "bad"}, *RECORDS[:3]]))
    write(folder, left_out(2))
    found = surveyed(folder, MIXTURE.model_copy(update={"faulty": 0.2}))
    assert ids(found) == ["twin", "own", "own"]
    assert "record 0 (id bad)" in found.faults[0]
    assert [each.number for each in found.excluded] == [2]


def test_a_list_is_read_as_it_was_written(folder):
    odd = [left_out(3, why="\ud800 \u2028 “é”"), left_out(0, "own", "more.json")]
    write(folder, *odd)
    assert list(read(folder).values()) == odd
    document = json.loads((folder / "few.excluded.json").read_text())
    assert document["mixture"] == "few"
    assert document["of"] == {name: file_digest(folder / name) for name in ("few.json", "more.json")}
    assert document["records"][1] == {"file": "more.json", "number": 0, "id": "own", "why": "It is lost."}


def test_an_id_that_is_half_a_character_is_found_again(folder):
    (folder / "few.json").write_text(json.dumps([{"id": "\ud83d", "conversations": SAID}, *RECORDS[1:]]))
    write(folder, left_out(0, "\ud83d"), left_out(1))
    assert len(surveyed(folder)) == 3


def test_without_a_list_nothing_is_excluded_and_none_is_kept_for_nothing(folder):
    assert read(folder) == {}
    write(folder, left_out(1))
    write(folder)
    assert not (folder / "few.excluded.json").exists()


def test_a_list_of_other_record_files_is_refused(folder):
    write(folder, left_out(1))
    (folder / "more.json").write_text(json.dumps(RECORDS[3:]))
    with pytest.raises(
        DataError, match=r"few\.excluded\.json was written for other files than few\.json, more\.json as"
    ):
        surveyed(folder)


@pytest.mark.parametrize("edited", [left_out(1, "own"), left_out(9), left_out(1, file="less.json")])
def test_a_list_that_names_what_there_is_not_is_refused(folder, edited):
    write(folder, edited)
    with pytest.raises(DataError, match=r"1 excluded records are not where .* record \d of \w+\.json \(id \w+\)"):
        surveyed(folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ('{"mixture": "few", "of": {}, "records": [{"number": -1}]}', "records: 0: file: Field required"),
    ],
)
def test_what_is_no_list_is_refused_with_what_is_wrong(folder, text, told):
    (folder / "few.excluded.json").write_text(text)
    with pytest.raises(DataError, match=f"few.excluded.json is no list of excluded records: .*{told}.*--exclude`"):
        surveyed(folder)


def test_the_number_of_records_refers_to_all_of_them(folder):
    write(folder, left_out(1))
    with pytest.raises(DataError, match="should hold 4 records, its files hold 5"):
        surveyed(folder, MIXTURE.model_copy(update={"count": 4}))


def test_excluded_records_are_no_part_of_what_a_mixture_bears(folder):
    write(folder, left_out(0), left_out(1), left_out(2, "own"))
    assert len(surveyed(folder)) == 2


def test_a_mixture_of_which_nothing_is_left_is_an_error(folder):
    write(folder, *map(left_out, (0, 1, 3)), left_out(2, "own"), left_out(0, "own", "more.json"))
    with pytest.raises(DataError, match=r"few holds no records that can be used: few\.json, more\.json"):
        surveyed(folder)


def test_a_missing_file_is_told_with_its_record_and_how_to_leave_it_out(folder):
    with pytest.raises(
        DataError,
        match=r"1 of 5 .* few\.json: record 1 \(id twin\): \S+gone\.png\. .*`vertebra check few --data \S+ --exclude`",
    ):
        surveyed(folder)
