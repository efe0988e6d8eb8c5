"""`vertebra check`: does a backbone fit? Its tokenizer and chat format, and a tiny copy of its architecture.

The same verb looks at a benchmark's and a mixture's files (`cli.inspection`).

vertebra check llama-3-8b --tokenizer DIR --conversations chats.json --tokens tokens.jsonl
{"id": "17", "input_ids": [128000, ..., -200, 198, ...], "labels": [-100, ..., 128009], "prompt": "<|begin_of..."}
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from vertebra.cli.inspection import check_benchmark, check_mixture, show_prompts
from vertebra.cli.names import kind_of
from vertebra.cli.study import AsJson, DataFolder
from vertebra.cli.text import checked, paragraph, printable
from vertebra.errors import ConfigError

if TYPE_CHECKING:
    from vertebra.catalog import Catalog
    from vertebra.chat import ChatFormat
    from vertebra.chat.conversation import Conversation
    from vertebra.chat.fitting import Fitted
    from vertebra.model.contract import Report
    from vertebra.spec import Json

_IMAGE = -200
"""What stands for an image among the ids of the published code."""


class _Row(NamedTuple):
    id: str
    ids: list[int]
    labels: list[int]
    prompt: str
    fitted: "Fitted"


Name = Annotated[
    str,
    typer.Argument(
        help="A backbone, such as llama-3-8b, or its YAML file; a benchmark; a mixture, or its mixtures/*.yaml."
    ),
]
Prompt = Annotated[
    bool, typer.Option("--prompt", help="Of a benchmark, print the exact prompts of a few questions (--show).")
]
Exclude = Annotated[
    bool,
    typer.Option("--exclude", help="List a mixture's records that cannot be used; every training leaves them out."),
]
Tokenizer = Annotated[Path | None, typer.Option(help="Folder with the tokenizer, if not beside the weights.")]
Conversations = Annotated[Path | None, typer.Option(help="LLaVA JSON to be told in this backbone's tokens.")]
Tokens = Annotated[Path | None, typer.Option(help="Write each conversation's ids and labels here, JSONL.")]
Stage = Annotated[str, typer.Option(help="`pretrain` tells bare captions, `finetune` the backbone's chat.")]
Longest = Annotated[int, typer.Option("--max-tokens", min=1, help="Longest sample, images expanded.")]
ImageTokens = Annotated[int, typer.Option(min=1, help="Positions that an image takes.")]
Show = Annotated[int, typer.Option(min=0, help="Show this many conversations, what is learned in green; or prompts.")]


def check(
    name: Name,
    data: DataFolder = None,
    prompt: Prompt = False,
    exclude: Exclude = False,
    tokenizer: Tokenizer = None,
    conversations: Conversations = None,
    tokens: Tokens = None,
    stage: Stage = "finetune",
    longest: Longest = 2048,
    image_tokens: ImageTokens = 576,
    show: Show = 0,
    as_json: AsJson = False,
) -> None:
    """Prove that a backbone fits before anything trains on it, or that a benchmark's or mixture's files are whole."""
    from vertebra.catalog import Catalog

    catalog = Catalog.installed()
    kind = _kind_of_file(Path(name)) or kind_of(name, catalog, ("backbone", "benchmark", "mixture"))
    if kind != "backbone" and (tokenizer or conversations or tokens):
        raise ConfigError(f"{name} is a {kind}; --tokenizer, --conversations and --tokens are for backbones.")
    for option, given, meant in (("--prompt", prompt, "benchmark"), ("--exclude", exclude, "mixture")):
        if given and kind != meant:
            raise ConfigError(f"{name} is a {kind}; {option} is for {meant}s.")
    if kind == "mixture":
        check_mixture(name, data, catalog, as_json, exclude)
    elif prompt:
        show_prompts(name, data, show or 3, as_json)
    elif kind == "benchmark":
        check_benchmark(name, data, as_json)
    else:
        talks = _Talks(conversations, tokens, stage, longest, image_tokens, show)
        _check_backbone(catalog, name, tokenizer, talks, as_json)


def _kind_of_file(path: Path) -> Literal["backbone", "mixture"] | None:
    """What a YAML file describes, by the catalogue's folder that it lies in."""
    if path.suffix not in (".yaml", ".yml"):
        return None
    return "mixture" if path.absolute().parent.name == "mixtures" else "backbone"


class _Talks(NamedTuple):
    """Conversations to be told in a backbone's tokens, and how."""

    path: Path | None
    tokens: Path | None
    stage: str
    longest: int
    image_tokens: int
    show: int


def _check_backbone(catalog: "Catalog", name: str, tokenizer: Path | None, talks: _Talks, as_json: bool) -> None:
    if talks.stage not in ("pretrain", "finetune"):
        raise ConfigError(f"--stage is pretrain or finetune, not {talks.stage!r}.")
    if (talks.tokens or talks.show) and talks.path is None:
        raise ConfigError("--tokens and --show are about conversations: name their file with --conversations.")
    from vertebra.collector import uncollected
    from vertebra.files import append_rows

    chosen = catalog.backbone(name)
    with uncollected():
        from vertebra.model import contract

        report = contract.examine(chosen, catalog.template(chosen.chat), catalog.example(chosen.chat), tokenizer)
    rows: list[_Row] = []
    if talks.path and report.fits:
        bare = talks.stage == "pretrain"
        chat = contract.speech_of(chosen, catalog.template("plain" if bare else chosen.chat), tokenizer)
        rows = list(_rows(chat, talks.path, bare, talks.image_tokens, talks.longest))
        if talks.tokens:
            talks.tokens.unlink(missing_ok=True)
            append_rows(talks.tokens, [_json(row) for row in rows])
        for row in rows[: talks.show]:
            _view(chat, row)
    if as_json:
        typer.echo(json.dumps(_document(report, rows)))
    else:
        _tell(report, rows)
    report.demand()


def _rows(chat: "ChatFormat", path: Path, bare: bool, image_tokens: int, longest: int) -> Iterator[_Row]:
    from vertebra.chat.fitting import fit
    from vertebra.chat.records import read_conversations

    image = chat.tokenizer.convert_tokens_to_ids(chat.image_token)
    unbegun = replace(chat, tokenizer=_Unbegun(chat.tokenizer.eos_token))
    for name, conversation in read_conversations(path):
        told = _captioned(conversation, name) if bare else conversation
        sample = chat.supervise(told)
        ids = [_IMAGE if token == image else token for token in sample.ids]
        prompt = unbegun.render(told).replace(chat.image_token, "<image>")
        yield _Row(name, ids, sample.labels, prompt, fit(sample, image, image_tokens, longest))


class _Unbegun(NamedTuple):
    """Stands for the tokenizer where a text is written without the begin token that the tokenizer would put there."""

    eos_token: str | None
    bos_token: str | None = None

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        raise AssertionError(text, add_special_tokens)

    def convert_tokens_to_ids(self, tokens: str) -> int:
        raise AssertionError(tokens)


def _captioned(conversation: "Conversation", name: str) -> "Conversation":
    """The first stage knows one picture and what is told of it."""
    from vertebra.errors import DataError

    if len(conversation.turns) != 2 or conversation.images != 1:
        raise DataError(f"Record {name}: the first stage takes one image and one answer to it.")
    return conversation


def _json(row: _Row) -> "dict[str, Json]":
    return {"id": row.id, "input_ids": row.ids, "labels": row.labels, "prompt": row.prompt}


def _cut(rows: list[_Row]) -> tuple[list[str], list[str]]:
    """The ids of samples that lose a part of their answers to the limit, and of those that lose them all."""
    lost = [row.id for row in rows if not row.fitted.teaches]
    return [row.id for row in rows if row.fitted.lost and row.fitted.teaches], lost


def _document(report: "Report", rows: list[_Row]) -> "dict[str, Json]":
    cut, lost = _cut(rows)
    document = report.document()
    if rows:
        document["conversations"] = {"n": len(rows), "cut": cut, "lost": lost}
    return document


def _tell(report: "Report", rows: list[_Row]) -> None:
    for check in report.checks:
        typer.echo(checked(check.passed, check.name, check.figure))
    for word, names in zip(("lose a part of their answers", "lose every answer"), _cut(rows), strict=True):
        if names:
            typer.echo(
                paragraph(f"{len(names)} of {len(rows)} conversations {word} to the limit: {_some(names)}", hang=2)
            )
    if report.fits:
        typer.echo(f"{report.backbone} fits: {len(report.checks)} checks passed.")


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _view(chat: "ChatFormat", row: _Row) -> None:
    """A conversation token by token: what carries loss green, special tokens and images dim."""
    from rich.console import Console
    from rich.text import Text

    typer.echo(f"{printable(row.id)}:")
    text = Text()
    for token, label in zip(row.ids, row.labels, strict=True):
        spelled = "<image>" if token == _IMAGE else _spelled(chat, token)
        style = "black on green" if label != -100 else "dim" if token == _IMAGE else ""
        text.append(printable(spelled).replace("\n", "⏎"), style)
        text.append("|", "bright_black")
    Console().print(text, soft_wrap=False)


def _spelled(chat: "ChatFormat", token: int) -> str:
    return str(chat.tokenizer.decode([token]))  # type: ignore[attr-defined]
