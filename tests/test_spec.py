"""What of a record is hashed, and what a runtime may say."""

from vertebra.spec import Backbone, Lora, Stage, canonical, digest


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
            *({"projector_learning_rate": 1e-4}, {"lora": Lora(rank=2, alpha=4)}, {"precision": "bfloat16"}),
            *({"order": "by_modality"}, {"mean_over": 2}),
        )
    ]
    assert len({digest(one.preimage()) for one in [stage, *others]}) == len(Stage.model_fields) + 1


def test_an_option_not_taken_leaves_a_stages_key_as_it_was_before_there_was_the_option() -> None:
    preimage = Stage(mixture="few", learning_rate=1e-3, batch=8).preimage()
    assert not {"lora", "projector_learning_rate", "precision", "order", "mean_over"} & preimage.keys()
    assert digest(preimage) == "85f212e9563fe52660ebdb7fda46c7bdc619fc4a1f59c68546f124413db34616"


def test_adapters_are_hashed_whole_and_read_back() -> None:
    lora = Lora(rank=2, alpha=4, quantize="4bit")
    stage = Stage(mixture="few", learning_rate=1e-3, batch=8, lora=lora)
    assert Stage.model_validate(stage.preimage()) == stage
    others = ({"rank": 3}, {"alpha": 5}, {"dropout": 0.0}, {"quantize": "none"}, {"keep": "adapter"})
    every = [lora, *(lora.model_copy(update=change) for change in others)]
    assert len({digest(each.preimage()) for each in every}) == len(Lora.model_fields) + 1


def test_canonical_json_knows_no_order_and_no_blanks() -> None:
    assert canonical({"b": [1, 2.5, None], "a": "ü"}) == '{"a":"ü","b":[1,2.5,null]}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_texts_that_no_file_can_hold_have_a_digest_too() -> None:
    assert len({digest("\ud800"), digest("\\ud800"), digest("\ud801")}) == 3
