"""Tokenizers that were released as sentencepiece's own file alone, such as Vicuna's.

    tokenizer.model    pieces in the order of their ids, each with a score: ("▁t", -1.0), ("er", -2.0), ("▁", -1e9), ...

transformers would join pieces in the order of their ids. sentencepiece joins by score, and Llama-2's runs of blanks
have early ids but the lowest score, so `a  b` would be other tokens than those that the model was trained on. Here the
joins are ordered by score, and what comes out is compared with sentencepiece's own ids.
https://github.com/google/sentencepiece
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sentencepiece import SentencePieceProcessor
from transformers import LlamaTokenizer

from vertebra.errors import DataError
from vertebra.reading import read_text
from vertebra.spec import Json

_PROBES = (
    "What is  it?   Two\n\n\tlines, 1234.50 and 16 more.",
    "def f(x):\n    return x  # Ünïcödé, 一只猫 🙂, ﬁne, e\u0301",
    "The quick brown fox; ((a)) [b] {c} <d> \\e\\ 'f' \"g\"... 好",
)


@contextmanager
def readable(folder: Path) -> Iterator[Path]:
    """A folder with the same tokenizer that transformers reads as sentencepiece does; mostly the folder itself.

    `DataError` for a tokenizer.model that is torn or of another kind than Llama's, without a tokenizer.json beside it.
    """
    model = folder / "tokenizer.model"
    if (folder / "tokenizer.json").is_file() or not model.is_file():
        yield folder
        return
    try:
        pieces = SentencePieceProcessor(model_file=str(model))
    except (RuntimeError, OSError) as error:
        raise DataError(f"{model} is torn or is no sentencepiece model. Fetch it again.") from error
    with TemporaryDirectory() as name:
        place = Path(name)
        _tokenizer(pieces, model, _settings(folder)).save_pretrained(place)
        for path in (*folder.glob("*.json"), *folder.glob("*.jinja")):
            if not path.name.endswith(".index.json"):
                shutil.copy(path, place)
        yield place


def _tokenizer(pieces: SentencePieceProcessor, model: Path, settings: Mapping[str, Json]) -> LlamaTokenizer:
    spelled = [pieces.id_to_piece(number) for number in range(len(pieces))]
    special = {spelled[number] for number in range(len(pieces)) if pieces.is_control(number)}
    named = {"unk_token": spelled[pieces.unk_id()]}
    ends = {"bos_token": pieces.bos_id(), "eos_token": pieces.eos_id()}
    named |= {name: spelled[number] for name, number in ends.items() if number >= 0}
    words = LlamaTokenizer(
        vocab={piece: number for number, piece in enumerate(spelled)},
        merges=_joins(pieces, spelled),
        extra_special_tokens=sorted(special - {*named.values()}, key=spelled.index),
        add_bos_token=bool(settings.get("add_bos_token", True)),
        add_eos_token=bool(settings.get("add_eos_token", False)),
        **named,
    )
    for probe in _PROBES:
        if words.encode(probe, add_special_tokens=False) != pieces.encode(probe):
            raise DataError(
                f"{model} is no tokenizer of Llama's kind: read as one it cuts {probe[:20]!r}... otherwise than "
                "sentencepiece does. Put the release's tokenizer.json beside it."
            )
    return words


def _joins(pieces: SentencePieceProcessor, spelled: list[str]) -> list[tuple[str, str]]:
    """Every way in which two pieces make a third, the best third first."""
    known = {piece: number for number, piece in enumerate(spelled)}
    joins = [
        (-pieces.get_score(number), number, known[piece[:cut]], known[piece[cut:]])
        for number, piece in enumerate(spelled)
        for cut in range(1, len(piece))
        if piece[:cut] in known and piece[cut:] in known
    ]
    return [(spelled[left], spelled[right]) for *_, left, right in sorted(joins)]


def _settings(folder: Path) -> dict[str, Json]:
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return {}
    try:
        settings = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON. Fetch it again.") from error
    return settings if isinstance(settings, dict) else {}
