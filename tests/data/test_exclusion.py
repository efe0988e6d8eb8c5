"""Lists of excluded records: what they leave out, and what they are refused for."""

import json
from pathlib import Path

import pytest
from PIL import Image

from vertebra.chat import Conversation
from vertebra.chat.records import Record
from vertebra.chat.regions import Told
from vertebra.data import open_mixture
from vertebra.data.exclusion import Excluded, read_exclusions, write_exclusions
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four records in one file and one in another; the second lacks its picture, and three share an id."""
    (tmp_path / "few.json").write_text(json.dumps(RECORDS))
    (tmp_path / "more.json").write_text(json.dumps(RECORDS[2:3]))
    return tmp_path


def test_one_of_several_records_with_the_same_id_is_left_out_and_named_with_the_faults(folder):
    write_exclusions(MIXTURE, folder, [left_out(1)])
    dataset = open_mixture(MIXTURE, folder, 0)
    assert [(record.id, record.images) for record in dataset.records] == [
        (name, ()) for name in ("twin", "own", "twin", "own")
    ]
    assert dataset.faults == ("few.json: record 1 (id twin): It is lost.",)


def test_the_same_number_in_another_file_is_another_record(folder):
    write_exclusions(MIXTURE, folder, [left_out(1), left_out(0, "own", "more.json")])
    assert [record.id for record in open_mixture(MIXTURE, folder, 0).records] == ["twin", "own", "twin"]


def test_numbers_count_malformed_records_too(folder):
    (folder / "few.json").write_text(json.dumps([{"id": "bad"}, *RECORDS[:3]]))
    write_exclusions(MIXTURE, folder, [left_out(2)])
    dataset = open_mixture(MIXTURE.model_copy(update={"faulty": 0.2}), folder, 0)
    assert [record.id for record in dataset.records] == ["twin", "own", "own"]
    assert [fault.split(" (id ")[1][:4] for fault in dataset.faults] == ["bad)", "twin"]


def test_a_list_is_read_as_it_was_written(folder):
    odd = [left_out(3, why="\ud800 \u2028 “é”"), left_out(0, "own", "more.json")]
    write_exclusions(MIXTURE, folder, odd)
    assert list(read_exclusions(MIXTURE, folder).values()) == odd
    document = json.loads((folder / "few.excluded.json").read_text())
    assert document["mixture"] == "few"
    assert document["of"] == {name: file_digest(folder / name) for name in ("few.json", "more.json")}
    assert document["records"][1] == {"file": "more.json", "number": 0, "id": "own", "why": "It is lost."}


def test_an_id_that_is_half_a_character_is_found_again(folder):
    (folder / "few.json").write_text(json.dumps([{"id": "\ud83d", "conversations": SAID}, *RECORDS[1:]]))
    write_exclusions(MIXTURE, folder, [left_out(0, "\ud83d"), left_out(1)])
    assert len(open_mixture(MIXTURE, folder, 0)) == 3


def test_without_a_list_nothing_is_excluded_and_none_is_kept_for_nothing(folder):
    assert read_exclusions(MIXTURE, folder) == {}
    write_exclusions(MIXTURE, folder, [left_out(1)])
    write_exclusions(MIXTURE, folder, [])
    assert not (folder / "few.excluded.json").exists()


def test_a_list_of_other_record_files_is_refused(folder):
    write_exclusions(MIXTURE, folder, [left_out(1)])
    (folder / "more.json").write_text(json.dumps(RECORDS[3:]))
    with pytest.raises(
        DataError, match=r"few\.excluded\.json was written for other files than few\.json, more\.json as"
    ):
        open_mixture(MIXTURE, folder, 0)


@pytest.mark.parametrize("edited", [left_out(1, "own"), left_out(9), left_out(1, file="less.json")])
def test_a_list_that_names_what_there_is_not_is_refused(folder, edited):
    write_exclusions(MIXTURE, folder, [edited])
    with pytest.raises(DataError, match=r"1 excluded records are not where .* record \d of \w+\.json \(id \w+\)"):
        open_mixture(MIXTURE, folder, 0)


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
        open_mixture(MIXTURE, folder, 0)


def test_the_number_of_records_refers_to_all_of_them(folder):
    write_exclusions(MIXTURE, folder, [left_out(1)])
    with pytest.raises(DataError, match="should hold 4 records, its files hold 5"):
        open_mixture(MIXTURE.model_copy(update={"count": 4}), folder, 0)


def test_excluded_records_are_no_part_of_what_a_mixture_bears(folder):
    write_exclusions(MIXTURE, folder, [left_out(0), left_out(1), left_out(2, "own")])
    assert len(open_mixture(MIXTURE, folder, 0)) == 2


def test_what_stops_a_training_says_how_to_leave_it_out(folder):
    with pytest.raises(DataError, match=r"gone\.png.*`vertebra check few --data \S+ --exclude`"):
        open_mixture(MIXTURE, folder, 0)
    Image.new("RGB", (60, 40)).save(folder / "gone.png")
    dataset = open_mixture(MIXTURE, folder, 0)
    (folder / "gone.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"gone\.png .*\(record twin\).*`vertebra check few --data \S+ --exclude`"):
        dataset.sample(1, 0)
