"""The folder of each model in a report."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.stored_study import Stored, stored_study

from vertebra.files import append_rows, read_rows
from vertebra.report import Material, write_report
from vertebra.report.publishing import documents, organization_of
from vertebra.report.publishing.names import file_name
from vertebra.report.verifying import verify

FOLDER = "models/tiny-llava-1.5--tiny-vicuna-s--seed0"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return stored_study(tmp_path_factory.mktemp("stored"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_model_has_a_folder_with_every_format(stored: Stored, tmp_path: Path) -> None:
    write_report(stored.material, tmp_path)
    found = {re.sub("[0-9a-f]{8}-[-0-9a-f]{27}", "UUID", name) for name in contents(tmp_path / FOLDER)}
    model = "small/tiny-llava-1.5--tiny-vicuna-s--seed0"
    assert found == {
        "README.md",
        "results_2026-11-23T23-50-54.json",
        *(f"samples_{name}_2026-11-23T23-50-54.jsonl" for name in ("pope", "mm_vet", "vqav2")),
        *(f".eval_results/{name}.yaml" for name in ("pope", "mm_vet", "vqav2")),
        *(f"every_eval_ever/data/{name}/{model}/UUID.json" for name in ("pope", "mm_vet", "vqav2")),
        *(f"every_eval_ever/data/{name}/{model}/UUID_samples.jsonl" for name in ("pope", "mm_vet", "vqav2")),
    }


def test_the_same_store_gives_the_same_bytes(stored: Stored, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_report(stored.material, tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_an_earlier_report_said_of_a_model_is_not_uploaded_with_it(stored: Stored, tmp_path: Path) -> None:
    write_report(stored.material, tmp_path)
    kept, gone = tmp_path / FOLDER / "notes.txt", tmp_path / FOLDER / ".eval_results" / "gqa.yaml"
    for path in (kept, gone):
        path.write_text("[]")
    write_report(stored.material, tmp_path)
    assert kept.exists()
    assert not gone.exists()


def test_a_report_of_scorecards_alone_has_no_model_folders(stored: Stored, tmp_path: Path) -> None:
    bare = [replace(cell, score=None, answers=None, model=None) for cell in stored.material.cells]
    write_report(replace(stored.material, cells=bare), tmp_path)
    assert not (tmp_path / "models").exists()


def test_no_picture_and_no_machine_s_name_is_published(stored: Stored) -> None:
    found = dict(documents(stored.material, "f" * 64))
    assert not [name for name in found if not name.endswith((".md", ".json", ".jsonl", ".yaml"))]
    everything = b"".join(found.values())
    assert b"canary-host" not in everything
    assert str(stored.store.root).encode() not in everything
    assert str(stored.data).encode() not in everything


def test_without_the_benchmarks_files_the_stored_is_published_and_the_rest_said_to_lack(stored: Stored) -> None:
    found = dict(documents(replace(stored.material, data=None), "f" * 64))
    row = json.loads(found[f"{FOLDER}/samples_pope_2026-11-23T23-50-54.jsonl"].splitlines()[1])
    assert (row["doc"]["question"], row["resps"]) != ("", [[]])
    assert row["doc"]["gold"] == []
    card = found[f"{FOLDER}/README.md"].decode()
    assert "without questions and right answers, their files not being at hand (3): POPE, MM-Vet, VQAv2" in card


def test_answers_that_cannot_be_read_do_not_stop_a_report(stored: Stored, tmp_path: Path) -> None:
    broken = tmp_path / "answers.jsonl"
    broken.write_text("{\n")
    cells = [replace(cell, answers=broken) for cell in stored.material.cells]
    card = dict(documents(replace(stored.material, cells=cells), "f" * 64))[f"{FOLDER}/README.md"].decode()
    assert "without the answers' text, which could not be read (3)" in card


def test_an_answer_may_hold_anything(stored: Stored, tmp_path: Path) -> None:
    """U+2028 inside a JSON string breaks readers that split text into lines; a lone surrogate is no UTF-8."""
    evil, answers = "a\u2028b\ud800\x00 | </script>", tmp_path / "answers.jsonl"
    append_rows(answers, [{**row, "text": evil} for row in read_rows(stored.answers("pope"))])
    found = dict(
        documents(replace(stored.material, cells=[replace(stored.material.cells[0], answers=answers)]), "f" * 64)
    )
    samples = found[f"{FOLDER}/samples_pope_2026-11-23T23-50-54.jsonl"]
    assert len(samples.decode().splitlines()) == samples.count(b"\n")
    assert json.loads(samples.splitlines()[0])["resps"] == [[evil]]
    instances = next(data for name, data in found.items() if "every_eval_ever" in name and name.endswith(".jsonl"))
    assert json.loads(instances.decode().splitlines()[0])["output"]["raw"] == [evil]


def test_a_model_has_its_organization_s_name(stored: Stored, tmp_path: Path) -> None:
    write_report(replace(stored.material, organization="lab"), tmp_path)
    card = (tmp_path / FOLDER / "README.md").read_text()
    assert 'from_pretrained("lab/tiny-llava-1.5--tiny-vicuna-s--seed0")' in card
    assert organization_of(tmp_path) == "lab"
    assert organization_of(tmp_path / "nowhere") == ""


def test_a_name_never_leads_out_of_the_folder(stored: Stored) -> None:
    names = ("../../up", "..", "\ud800", "a" * 200, "CON|<>")
    cells = [replace(cell, backbone=name) for cell in stored.material.cells[:1] for name in names]
    found = dict(documents(replace(stored.material, cells=cells), "f" * 64))
    folders = {Path(name).parts[1] for name in found}
    assert len(folders) == len(names)
    assert all(Path(name).parts[0] == "models" and ".." not in Path(name).parts for name in found)
    assert file_name("..") != ".."


def test_publishing_never_imports_torch(stored: Stored) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.stored_study import stored_study; import tempfile;"
        "from vertebra.report.publishing import documents;"
        "dict(documents(stored_study(Path(tempfile.mkdtemp()), ['pope']).material, 'f' * 64));"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "set()"


def test_an_adopted_model_from_the_hub_keeps_its_name(stored: Stored) -> None:
    material: Material = stored.material
    study = material.study.model_validate(
        {
            **material.study.model_dump(),
            "backbones": ("x",),
            "adopt": {"tiny-vicuna-s": {"weights": "liuhaotian/llava@1"}},
        }
    )
    found = dict(documents(replace(material, study=study), "f" * 64))
    card = found[f"{FOLDER}/README.md"].decode()
    assert "# liuhaotian/llava\n" in card
    assert "base_model:\n- liuhaotian/llava\n" in card
    assert "## Training" not in card
    aggregate = next(
        json.loads(data) for name, data in found.items() if "/liuhaotian/llava/" in name and name.endswith(".json")
    )
    assert aggregate["source_metadata"]["evaluator_relationship"] == "third_party"


def test_what_is_uploaded_is_written_when_asked_for_or_where_it_is_already(stored: Stored, tmp_path: Path) -> None:
    write_report(stored.material, tmp_path, publish=False)
    assert not (tmp_path / "models").exists()
    assert verify(stored.material, tmp_path).is_equal
    write_report(stored.material, tmp_path)
    card = next((tmp_path / "models").rglob("README.md"))
    card.write_text("old")
    write_report(stored.material, tmp_path, publish=False)
    assert card.read_text() != "old"
