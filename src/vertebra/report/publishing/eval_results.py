"""A model's headline scores as the Hub's evaluation results: `.eval_results/pope.yaml`.

    - dataset: {id: lmms-lab-encoder/POPE, task_id: pope}
      value: 85.9
      date: '2026-11-23T23:50:54+00:00'
      notes: F1 in percent, protocol llava, 8,910 questions, 95 % interval 84.9 to 86.9, measured by vertebra 0.1.0

https://huggingface.co/docs/hub/eval-results. A model's page shows those of datasets that are registered as benchmarks.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import yaml

from vertebra.report.grid import metric_title, plain
from vertebra.report.publishing.models import NEVER, Published, Result
from vertebra.report.publishing.names import file_name
from vertebra.report.publishing.sources import Dataset, dataset

if TYPE_CHECKING:
    from huggingface_hub import EvalResultEntry

    from vertebra.report import Material


def files(material: "Material", model: Published) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file; a benchmark that is no dataset of the Hub has none."""
    from huggingface_hub import eval_result_entries_to_yaml

    for result in model.results:
        found = dataset(material, result)
        if found:
            entries = eval_result_entries_to_yaml([_entry(result, found)])
            text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)
            yield f".eval_results/{file_name(result.name)}.yaml", text.encode()


def left_out(material: "Material", model: Published) -> list[str]:
    """Titles of the benchmarks whose questions are no known release of a dataset on the Hub."""
    return [result.benchmark.title for result in model.results if dataset(material, result) is None]


def _entry(result: Result, found: Dataset) -> "EvalResultEntry":
    from huggingface_hub import EvalResultEntry

    return EvalResultEntry(
        dataset_id=found.id,
        task_id=result.name,
        value=result.card.metrics[result.card.headline],
        date=None if result.scored == NEVER else result.scored.isoformat(),
        notes=_notes(result, found),
    )


def _notes(result: Result, found: Dataset) -> str:
    card = result.card
    notes = [f"{metric_title(card.headline)}, protocol {card.protocol}", f"{card.n:,} questions"]
    if card.headline in card.ci95:
        low, high = card.ci95[card.headline]
        notes.append(f"95 % interval {low:.1f} to {high:.1f}")
    if not found.on_hub:
        notes.append(f"questions made by the study in the layout of {result.benchmark.title}, not the official ones")
    return plain(", ".join([*notes, "measured by vertebra"]))
