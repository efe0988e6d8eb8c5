"""Reading YAML: what is accepted, and the line that a complaint names."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vertebra.errors import ConfigError, DataError, UnknownName, VertebraError
from vertebra.spec import Backbone, Family, Lora, Stage, Study, canonical, digest, read_spec

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


def test_names_and_titles_are_not_hashed() -> None:
    fields = {"weights": "w", "chat": "c", "image": "i", "pad": "p", "stop": ("s",)}
    one, two = Backbone(name="one", title="One", **fields), Backbone(name="two", **fields)  # type: ignore[arg-type]
    assert one.preimage() == two.preimage()
    assert "name" not in one.preimage()


def test_every_other_field_is_hashed() -> None:
    stage = Stage(mixture="few", learning_rate=1e-3, batch=8)
    others = [
        stage.model_copy(update=change)
        for change in (
            *({"mixture": "many"}, {"trains": "projector"}, {"chat": "plain"}, {"learning_rate": 1e-4}),
            *({"batch": 4}, {"epochs": 2.0}, {"warmup": 0.0}, {"square": "crop"}, {"max_tokens": 9}),
            *({"projector_learning_rate": 1e-4}, {"lora": Lora(rank=2, alpha=4)}),
        )
    ]
    assert len({digest(one.preimage()) for one in [stage, *others]}) == len(Stage.model_fields) + 1


def test_an_option_not_taken_leaves_a_stages_key_as_it_was_before_there_was_the_option() -> None:
    preimage = Stage(mixture="few", learning_rate=1e-3, batch=8).preimage()
    assert not {"lora", "projector_learning_rate"} & preimage.keys()
    assert digest(preimage) == "85f212e9563fe52660ebdb7fda46c7bdc619fc4a1f59c68546f124413db34616"


def test_adapters_are_hashed_whole_and_read_back(tmp_path: Path) -> None:
    stage = read_spec(written(tmp_path, FAMILY + LORA), Family).stages["pretrain"]
    assert stage.lora == Lora(rank=2, alpha=4, dropout=0.05, quantize="4bit", keep="merged")
    assert Stage.model_validate(stage.preimage()) == stage
    others = ({"rank": 3}, {"alpha": 5}, {"dropout": 0.0}, {"quantize": "none"}, {"keep": "adapter"})
    every = [stage.lora, *(stage.lora.model_copy(update=change) for change in others)]
    assert len({digest(lora.preimage()) for lora in every}) == len(Lora.model_fields) + 1


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


def test_canonical_json_knows_no_order_and_no_blanks() -> None:
    assert canonical({"b": [1, 2.5, None], "a": "ü"}) == '{"a":"ü","b":[1,2.5,null]}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_texts_that_no_file_can_hold_have_a_digest_too() -> None:
    assert len({digest("\ud800"), digest("\\ud800"), digest("\ud801")}) == 3
