"""Reading YAML: what is accepted, and the line that a complaint names."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vertebra.errors import ConfigError, DataError, UnknownName, VertebraError
from vertebra.reading import read_spec, with_setting, with_value
from vertebra.runtime import Runtime
from vertebra.spec import Backbone, Family, Lora, Stage, Study

BACKBONE = "weights: builtin:tiny\nchat: phi_3\nimage: <image>\npad: <pad>\nstop: [<|end|>]\n"
FAMILY = (
    "model: llava\nvision: builtin:tower\nlayers: [-2]\n"
    "stages:\n  pretrain:\n    mixture: few\n    learning_rate: 1e-3\n    batch: 8\n"
)
LORA = "    lora: {rank: 2, alpha: 4, quantize: 4bit}\n"
STUDY = "study: small\nfamilies: [eyes]\nbackbones: [ada]\n"


def written(tmp_path: Path, text: str, name: str = "entry.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_an_entrys_name_is_its_files_stem(tmp_path: Path) -> None:
    assert read_spec(written(tmp_path, BACKBONE, "tiny-phi-3.yaml"), Backbone).name == "tiny-phi-3"


def test_a_name_inside_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="an entry's name is its file's name, 'entry'"):
        read_spec(written(tmp_path, BACKBONE + "name: other\n"), Backbone)


def test_numbers_may_be_written_as_people_write_them(tmp_path: Path) -> None:
    assert read_spec(written(tmp_path, FAMILY), Family).stages["pretrain"].learning_rate == 0.001


@pytest.mark.parametrize(
    ("text", "kind", "complaint"),
    [
        (BACKBONE + "stopp: [x]\n", Backbone, r"entry\.yaml:6: no field is named 'stopp'\. Did you mean 'stop'\?"),
        (BACKBONE.replace("chat", "chatt"), Backbone, r":2: no field is named 'chatt'\. Did you mean 'chat'\?"),
        (
            FAMILY + "    lerning_rate: 1\n",
            Family,
            r":9: no field is named 'lerning_rate'\. Did you mean 'learn",
        ),
        (
            FAMILY.replace("batch: 8", "batch: 0"),
            Family,
            r":8: `stages\.pretrain\.batch`: input should be greater",
        ),
        (FAMILY + LORA + "    trains: projector\n", Family, r":5: `stages\.pretrain`: `lora` has no place in a stage"),
        (
            FAMILY + "    order: by_modality\n    mean_over: 3\n",
            Family,
            r":5: `stages\.pretrain`: `mean_over` has to divide `batch`, whose micro-batches `order: by_modality`",
        ),
        (
            FAMILY + "    projector_learning_rate: 1e-4\n    trains: projector\n",
            Family,
            r":5: `stages\.pretrain`: `projector_learning_rate` has no place in a stage that trains only the projector",
        ),
        (FAMILY + LORA.replace("rank", "rnk"), Family, r":9: no field is named 'rnk'\. Did you mean 'rank'\?"),
        (FAMILY.replace("1e-3", ".inf"), Family, r":7: `stages\.pretrain\.learning_rate`: input should be a finite"),
        (BACKBONE.replace("[<|end|>]", "[a, b, a]"), Backbone, r":5: `stop`: 'a' is given twice"),
        (STUDY.replace("small", "../etc"), Study, r":1: `study`: string should match pattern"),
        (STUDY + "seeds: [0, 0]\n", Study, r":4: `seeds`: 0 is given twice"),
        ("study: small\nfamilies: [eyes]\n", Study, r":1: a study takes `families` and `backbones`, or `adopt`"),
        (
            STUDY + "adopt: {ada: {family: eyes, weights: w}}\n",
            Study,
            r":1: 'ada' is adopted and a backbone; rename it",
        ),
        (
            STUDY + "adopt: {a/b: {family: eyes, weights: w}}\n",
            Study,
            r":4: `adopt\.a/b.*`: string should match pattern",
        ),
        (STUDY + "adopt: {a: {family: eyes, weight: w}}\n", Study, r":4: .*no field is named 'weight'"),
        (STUDY + "temperature: {v7w: 0}\n", Study, r":4: `temperature\.v7w`: input should be greater than 0"),
        (BACKBONE + "pad: x\n", Backbone, r":6: `pad` is given twice"),
        ("- a\n- b\n", Backbone, r":1: expected `key: value` lines, found list"),
        ("stop: [a\n", Backbone, r":2: not valid YAML"),
        ("stop: &s [a]\nimage: *s\n", Backbone, r"entry\.yaml:1: YAML aliases are not allowed"),
        ("pad: !!python/object/apply:os.system [ls]\n", Backbone, r"entry\.yaml:1: "),
        ("[" * 5000, Backbone, r"not valid YAML"),
        ("", Backbone, r":1: `weights` is missing"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_what_was_meant(
    tmp_path: Path, text: str, kind: type[Backbone], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read_spec(written(tmp_path, text), kind)


def test_an_unknown_field_is_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        read_spec(written(tmp_path, STUDY + "benchmark: all\n"), Study)
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "entry.yaml"
    path.write_bytes(b"pad: \xff\n")
    with pytest.raises(DataError, match=r"entry\.yaml is not UTF-8 text \(byte 5\)"):
        read_spec(path, Backbone)


@given(st.text() | st.text(alphabet="stop: [a,]{}#&*!|>-?\n\"'\t%@`0e.x"))
@example("stop: !!binary x")
@example("? [a]\n: b")
@example("<<: {pad: x}")
@example("a: 0x")
@example("2024-99-99: 2024-99-99")
def test_no_text_whatever_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("spec") / "entry.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(VertebraError, match=r"entry\.yaml"):
        read_spec(path, Backbone)


def test_adapters_in_a_file_are_read_with_their_defaults(tmp_path: Path) -> None:
    stage = read_spec(written(tmp_path, FAMILY + LORA), Family).stages["pretrain"]
    assert stage.lora == Lora(rank=2, alpha=4, dropout=0.05, quantize="4bit", keep="merged")


@pytest.mark.parametrize("word", ["on", "off", "auto"])
def test_on_and_off_are_words_where_they_are_meant(tmp_path: Path, word: str) -> None:
    assert read_spec(written(tmp_path, f"compile: {word}\n"), Runtime).compile == word


def test_a_setting_is_read_as_in_a_file_and_the_last_one_counts() -> None:
    runtime = Runtime(devices=2)
    for setting in ("pack_tokens=8192", "tracking=[tensorboard, mlflow]", "compile=off", "devices = 4", "devices=8"):
        runtime = with_setting(runtime, setting, "--set")
    assert runtime == Runtime(devices=8, pack_tokens=8192, tracking=("tensorboard", "mlflow"), compile="off")
    assert with_setting(runtime, "pack_tokens=", "--set").pack_tokens is None
    assert with_setting(runtime, "data=a=b", "--set").data == Path("a=b")


def test_a_dotted_setting_leads_inwards_and_leaves_its_neighbours() -> None:
    stage = Stage(mixture="few", learning_rate=1, batch=8)
    family = Family(model="llava", vision="v", layers=(-2,), stages={"one": stage})
    family = with_setting(family, "stages.one.lora={rank: 2, alpha: 4}", "--set")
    family = with_setting(family, "stages.one.lora.rank=8", "--set")
    assert family.stages["one"].lora == Lora(rank=8, alpha=4)
    assert family.stages["one"].batch == 8


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("pakcing=auto", r"^here: no field is named 'pakcing'\. Did you mean 'packing'\?$"),
        ("packing=pad", r"^here: `packing`: input should be 'auto' or 'padded'\.$"),
        ("devices", r"^here: expected KEY=VALUE\.$"),
        ("=3", r"^here: no field is named ''\. Known: "),
        ("devices.all=3", r"^here: `devices`: input should be a valid integer"),
        ("tracking=tensorboard", r"^here: `tracking`: expected a list, as in \[a, b\]\.$"),
        ("tracking=[wandb, wandb]", r"^here: `tracking`: 'wandb' is given twice\.$"),
        ("tracking=[a", r"^here:1: not valid YAML"),
        ("tracking=[&a wandb, *a]", r"^here:1: YAML aliases are not allowed"),
        ("data=!!python/name:os.system", r"^here:1: .* is not a plain value"),
        ("peak_tflops=.inf", r"^here: `peak_tflops`: input should be a finite number"),
        ("launcher=[srun, '']", r"^here: `launcher\.1`: string should have at least 1 character"),
    ],
)
def test_a_mistake_in_a_setting_is_told_with_what_was_meant(setting: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        with_setting(Runtime(), setting, "here")


@given(st.text() | st.text(alphabet="devicsa.=[,]{}#&*!|>-?\n\"'\t%@`0e.x"))
def test_no_setting_whatever_ends_in_a_traceback(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"^here"):
        with_setting(Runtime(), f"{setting}=!", "here")


def test_a_value_that_is_none_of_yamls_is_checked_too() -> None:
    assert with_value(Runtime(), "checkpoint_seconds", 1.5, "here").checkpoint_seconds == 1.5
    with pytest.raises(ConfigError, match=r"^here: `checkpoint_seconds`: input should be a finite number"):
        with_value(Runtime(), "checkpoint_seconds", float("inf"), "here")
