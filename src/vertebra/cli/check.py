"""`vertebra check`: does a backbone fit? Its tokenizer and chat format, and a tiny copy of its architecture.

vertebra check llama-3-8b --tokenizer DIR --conversations chats.json --tokens tokens.jsonl
{"id": "17", "input_ids": [128000, ..., -200, 198, ...], "labels": [-100, ..., 128009], "prompt": "<|begin_of..."}
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from vertebra.cli.text import paragraph, printable
from vertebra.errors import ConfigError

if TYPE_CHECKING:
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


def check(
    backbone: Annotated[str, typer.Argument(help="Name of the backbone, such as llama-3-8b, or a YAML file.")],
    tokenizer: Annotated[
        Path | None, typer.Option(help="Folder with the tokenizer, if not beside the weights.")
    ] = None,
    conversations: Annotated[Path | None, typer.Option(help="LLaVA JSON to be told in this backbone's tokens.")] = None,
    tokens: Annotated[Path | None, typer.Option(help="Write each conversation's ids and labels here, JSONL.")] = None,
    stage: Annotated[
        str, typer.Option(help="`pretrain` tells bare captions, `finetune` the backbone's chat.")
    ] = "finetune",
    longest: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest sample, images expanded.")] = 2048,
    image_tokens: Annotated[int, typer.Option(min=1, help="Positions that an image takes.")] = 576,
    show: Annotated[int, typer.Option(min=0, help="Show this many conversations, what is learned in green.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Prove that a backbone fits, before anything trains on it."""
    if stage not in ("pretrain", "finetune"):
        raise ConfigError(f"--stage is pretrain or finetune, not {stage!r}.")
    if (tokens or show) and conversations is None:
        raise ConfigError("--tokens and --show are about conversations: name their file with --conversations.")
    from vertebra.catalog import Catalog
    from vertebra.files import append_rows
    from vertebra.model import contract

    catalog = Catalog.installed()
    chosen = catalog.backbone(backbone)
    report = contract.examine(chosen, catalog.template(chosen.chat), catalog.example(chosen.chat), tokenizer)
    rows: list[_Row] = []
    if conversations and report.fits:
        template = catalog.template("plain" if stage == "pretrain" else chosen.chat)
        chat = contract.speech_of(chosen, template, tokenizer)
        rows = list(_rows(chat, conversations, stage == "pretrain", image_tokens, longest))
        if tokens:
            tokens.unlink(missing_ok=True)
            append_rows(tokens, [_json(row) for row in rows])
        for row in rows[:show]:
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
        mark = "ok  " if check.passed else "FAIL"
        typer.echo(paragraph(f"{mark} {check.name:<12} {check.figure}", hang=18))
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
