"""Makes the weights that are shipped in `weights/`: `python -m vertebra.miniature.build [FOLDER]`.

One tower, four language models with their tokenizers, float16, together under 10 MB. Everything follows from one seed:
on the same machine with the same versions the files come out the same, byte for byte.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel

from vertebra.catalog import Catalog
from vertebra.chat import ChatFormat
from vertebra.files import write_atomically
from vertebra.miniature import language, teaching, tower

SEED = 7
TOWER_STEPS = 3000
LANGUAGE_STEPS = 2000


def build(folder: Path, share: float = 1.0) -> None:
    """Writes the tower and every language model into folders of their names; a `share` below 1 teaches less."""
    torch.set_num_threads(1)  # the order of sums, and so the weights, must not depend on the machine's cores
    build_tower(folder / "tower", round(TOWER_STEPS * share))
    for name in language.KINDS:
        build_language(folder / name, round(LANGUAGE_STEPS * share))


def build_tower(folder: Path, steps: int) -> None:
    """Teaches the tower and writes it."""
    _write(tower.teach(steps, SEED, _reporter("tower", steps)), folder)


def build_language(folder: Path, steps: int) -> None:
    """Teaches the language model that the folder is named after and writes it with its tokenizer."""
    kind = language.KINDS[folder.name]
    template = Catalog.installed().template(kind.template)
    words = kind.tokenizer(language.corpus(template, SEED), language.phrases(template), language.VOCABULARY)
    chat = ChatFormat(template, words, image_token=words.eos_token)  # it has no image token yet, and sees none
    model = language.newborn(kind, words, SEED)
    teaching.teach(model, teaching.Teacher(chat, words), steps, SEED, _reporter(folder.name, steps))
    _write(model, folder)
    words.save_pretrained(folder)


def _write(model: PreTrainedModel, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.detach().half().contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = {**model.config.to_diff_dict(), "architectures": [type(model).__name__], "dtype": "float16"}
    config.pop("transformers_version", None)
    write_atomically(folder / "config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")


def _reporter(name: str, steps: int) -> Callable[[int, str], None]:
    return lambda step, text: print(f"{name} {step}/{steps}: {text}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "weights")
