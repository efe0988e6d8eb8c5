"""What is published of each model, ready for `hf upload`: docs/publishing.md.

models/llava-1.5--vicuna-7b--seed0/
├── README.md                                     the model card
├── .eval_results/pope.yaml                       a score as the Hub shows it
├── results_2026-11-23T23-50-54.json              lm-eval's layout
├── samples_pope_2026-11-23T23-50-54.jsonl
├── every_eval_ever/data/pope/OWNER/MODEL/        Every Eval Ever's
└── model.safetensors, config.json, ...           with --weights
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vertebra.files import storing
from vertebra.report.publishing import eval_results, every_eval, lm_eval
from vertebra.report.publishing.card import card
from vertebra.report.publishing.models import Published, published
from vertebra.report.publishing.weights import CARD, put_weights

if TYPE_CHECKING:
    from vertebra.report import Material

__all__ = ["FOLDER", "documents", "organization_of", "put_weights", "remove_stale", "stale"]

FOLDER = "models"
_OURS = ("results_*.json", "samples_*.jsonl", ".eval_results/*.yaml", f"{every_eval.ROOT}/data/*/*/*/*.json*")
"""Files of a model's folder whose names change with what was measured."""


def documents(material: "Material", fingerprint: str) -> Iterator[tuple[str, bytes]]:
    """Every file about every model, by its path under the report's folder; the checkpoints' own are not among them.

    One at a time: those of a large study together would not fit into memory. `fingerprint` is the SHA-256 of the
    report's results.
    """
    for model in published(material):
        for name, data in _files(material, model, fingerprint):
            yield f"{FOLDER}/{model.folder}/{name}", data


def stale(out: Path, written: Collection[str]) -> list[Path]:
    """What other reports wrote into the folders of this one's models and this one did not."""
    folders = sorted({Path(*Path(name).parts[:2]) for name in written if name.startswith(f"{FOLDER}/")})
    found = [path for folder in folders for pattern in _OURS for path in sorted((out / folder).glob(pattern))]
    return [path for path in found if path.relative_to(out).as_posix() not in written]


def remove_stale(out: Path, written: Collection[str]) -> None:
    """Takes away what would be uploaded beside what this report says."""
    for path in stale(out, written):
        with storing(path):
            path.unlink()


def organization_of(out: Path) -> str:
    """Whose models a report that lies in a folder says that they are; "" where it does not say."""
    for path in sorted(out.glob(f"{FOLDER}/*/{every_eval.ROOT}/data/*/*/*")):
        if path.name == path.parents[4].name:  # a model with a name of its own keeps its owner's
            return path.parent.name
    return ""


def _files(material: "Material", model: Published, fingerprint: str) -> Iterator[tuple[str, bytes]]:
    digests: dict[str, str] = {}
    for result in model.results:
        samples = lm_eval.samples_file(material, model, result)
        digests[result.name] = samples.digest
        yield samples.name, samples.data
        yield from every_eval.files(material, model, result)
        result.close()
    yield lm_eval.results_file(material, model, digests)
    yield from eval_results.files(material, model)
    yield CARD, card(material, model, fingerprint)
