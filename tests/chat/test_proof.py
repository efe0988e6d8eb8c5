"""The mutation table: whatever is done to a format or a tokenizer, some check says so, and the clean ones pass."""

import copy
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.chat.kinds import KINDS, proof, words
from tokenizers import normalizers

from vertebra.catalog import Catalog
from vertebra.chat.proof import EXAMPLE, Proof
from vertebra.errors import Refused


def rewritten(pattern: str, by: str) -> Callable[[str], Proof]:
    """A mutation of the template's text; that it changes something is part of it."""

    def mutate(kind: str) -> Proof:
        text = Catalog.installed().template(KINDS[kind][0])
        changed = re.sub(pattern, by, text, count=1, flags=re.DOTALL)
        assert changed != text, f"the mutation does nothing to {kind}"
        return proof(kind, changed)

    return mutate


def altered(**fields: object) -> Callable[[str], Proof]:
    return lambda kind: replace(proof(kind), **fields)


def pad_is_a_stop(kind: str) -> Proof:
    return replace(proof(kind), pad=KINDS[kind][3][0])


def on(kind: str, tokenizer: object) -> Proof:
    known = proof(kind)
    return replace(known, words=tokenizer, chat=replace(known.chat, tokenizer=tokenizer))


def split_image_token(kind: str) -> Proof:
    known = proof(kind)
    return replace(known, chat=replace(known.chat, image_token="<pic ture>"))


def lower_case(kind: str) -> Proof:
    changed = copy.deepcopy(words(kind))
    changed.backend_tokenizer.normalizer = normalizers.Lowercase()
    return on(kind, changed)


def too_few_rows(kind: str) -> Proof:
    return replace(proof(kind), rows=60)


class Doubling:
    """A tokenizer that puts a begin token before every text, asked or not."""

    def __init__(self, kind: str) -> None:
        self._words = words(kind)

    def __getattr__(self, name: str) -> object:
        return getattr(self._words, name)

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        begin = self._words.convert_tokens_to_ids(self._words.bos_token or self._words.eos_token)
        return [begin, *self._words.encode(text, add_special_tokens=False)]


ANSWERS = r"\{%- generation -%\}(.*?)\{%- endgeneration -%\}"
FIRST_WORD = r"(\{%- macro text)"
MUTATIONS: dict[str, Callable[[str], Proof]] = {
    "the answer has no end marker": rewritten(
        r"(generation -%\}\{\{-.*?text\(message\)) ~ [^}]*?( -\}\}\{%- endgeneration)", r"\1\2"
    ),
    "the end marker carries no loss": rewritten(
        r"text\(message\) ~ ((?:'[^']*')|eos_token) -\}\}\{%- endgeneration -%\}",
        r"text(message) -}}{%- endgeneration -%}{{- \1 -}}",
    ),
    "the answer loses its last letter": rewritten(r"(generation -%\}.*?)text\(message\)", r"\1text(message)[:-1]"),
    "the answer is trimmed away": rewritten(r"(generation -%\}.*?)text\(message\)", r"\1''"),
    "the question is not written": rewritten(r"text\(message\)", "''"),
    "the question comes twice": rewritten(r"text\(message\)", "text(message) ~ text(message)"),
    "the separator behind the question is lost": rewritten(r"text\(message\) ~ [^}]*? -\}\}", "text(message) -}}"),
    "the separator behind the question is another": rewritten(r"text\(message\) ~ ", "text(message) ~ '; ' ~ "),
    "two questions are merged into one": rewritten(
        r"(\{%- for message in messages -%\})(?!.*for message in messages)",
        r"{%- if messages | length > 2 -%}{%- set messages = [{'role': 'user', 'content': "
        r"messages[0].content + messages[2].content}, messages[1]] + messages[3:] -%}{%- endif -%}\1",
    ),
    "the newline behind the image is lost": rewritten(r"else '\\n'", "else ''"),
    "the image is not written": rewritten(r"image_token ~", "'' ~"),
    "the image comes twice": rewritten(r"image_token ~", "image_token ~ image_token ~"),
    "only the last turn is written": rewritten(
        r"for message in messages -%\}(?!.*for message in messages)", "for message in messages[-1:] -%}"
    ),
    "the last turn is lost": rewritten(
        r"for message in messages -%\}(?!.*for message in messages)", "for message in messages[:-1] -%}"
    ),
    "a blank comes before the first turn": rewritten(
        r"(\{%- for message in messages -%\})(?!.*for message in messages)", r"{{- ' ' -}}\1"
    ),
    "a prompt is longer than what was trained on": rewritten(
        r"\Z", r"{%- if add_generation_prompt -%}{{- ' So' -}}{%- endif -%}"
    ),
    "what comes before a text is not in the prompt": rewritten(
        FIRST_WORD, r"{%- if not add_generation_prompt -%}{{- 'Hello' -}}{%- endif -%}\1"
    ),
    "a system prompt that was not there": rewritten(FIRST_WORD, r"{{- 'Be kind. ' -}}\1"),
    "everything carries loss": rewritten(
        r"\{%- if message\['role'\] == 'user' -%\}(.*?)\{%- else -%\}",
        r"{%- if message['role'] == 'user' -%}{%- generation -%}\1{%- endgeneration -%}{%- else -%}",
    ),
    "the image token is no token": split_image_token,
    "the pad is a stop": pad_is_a_stop,
    "the pad is unknown": altered(pad="<no such pad>"),
    "a stop token is unknown": altered(stop=("<no such stop>",)),
    "another token is called the stop": altered(stop=("a",)),
    "the tokenizer loses capitals": lower_case,
    "the tokenizer begins every text twice": lambda kind: on(kind, Doubling(kind)),
    "the vocabulary has fewer rows than ids": too_few_rows,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_clean_format_passes_every_check(kind):
    assert [check for check in proof(kind).checks() if not check.passed] == []


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_mutant_is_caught(kind, mutation):
    caught = [check.name for check in MUTATIONS[mutation](kind).checks() if not check.passed]
    print(f"{mutation} | {kind} | {', '.join(caught)}")  # noqa: T201  the mutation table: pytest -rP
    assert caught


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if KINDS[kind][0] in ("vicuna_v1", "llama_3", "chatml", "phi_3")]
)
def test_a_lost_system_prompt_is_caught(kind):
    mutant = rewritten(r"\{\{- [\"'](?:A chat between|You are a helpful).*?-\}\}\n", "")(kind)
    assert "format" in [check.name for check in mutant.checks() if not check.passed]


def test_a_check_says_what_it_looked_at():
    figures = {check.name: check.figure for check in proof("byte-level, no begin token").checks()}
    assert figures["begin token"] == "the tokenizer has none"
    assert "24 answers" in figures["labels"]


def test_a_format_without_an_example_is_proven_without_it():
    assert "format" not in [check.name for check in replace(proof("sentencepiece, own pad"), example=None).checks()]


def test_a_template_that_refuses_is_a_failed_check_and_no_crash():
    mutant = proof("byte-level, no begin token", "{{ raise_exception('only one turn') }}")
    failed = [check for check in mutant.checks() if not check.passed]
    assert any("only one turn" in check.figure for check in failed)
    with pytest.raises(Refused, match="only one turn"):
        mutant.chat.render(EXAMPLE)
