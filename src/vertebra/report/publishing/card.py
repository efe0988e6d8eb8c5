"""A model's card: `README.md` with its scores, how it was trained, how to load it and how to check it.

    ---
    base_model: [lmsys/vicuna-7b-v1.5, openai/clip-vit-large-patch14-336]
    library_name: transformers
    pipeline_tag: image-text-to-text
    ---
    # miniature/llava-1.5--vicuna-7b--seed0
    | Benchmark | Metric | Score | 95 % interval | Questions | Protocol |

https://huggingface.co/docs/hub/model-cards. Names come from people's files and are escaped.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from vertebra.report.grid import metric_title, plain
from vertebra.report.markdown import escaped
from vertebra.report.publishing import eval_results
from vertebra.report.publishing.models import Published, Result
from vertebra.report.publishing.recipe import Recipe, recipe
from vertebra.source import is_hub

if TYPE_CHECKING:
    from vertebra.report import Material


def card(material: "Material", model: Published, fingerprint: str) -> bytes:
    """The card's bytes; `fingerprint` is the SHA-256 of the report's results."""
    made = recipe(material, model)
    parts = [
        f"---\n{_front(model, made)}\n---",
        f"# {escaped(model.name)}",
        _opening(material, model),
        "## Scores\n\n" + _scores(model),
        *([f"## Training\n\n{_training(made)}"] if made else []),
        *([_LOADING.format(name=model.name)] if not _served(model) else []),
        "## Reproducing\n\n" + _reproducing(material, model, fingerprint),
    ]
    return ("\n\n".join(parts) + "\n").encode()


_LOADING = """## Loading

```python
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained("{name}")
processor = AutoProcessor.from_pretrained("{name}")
```"""


def _front(model: Published, made: Recipe | None) -> str:
    """The YAML that the Hub reads."""
    from huggingface_hub import ModelCardData

    adopted = model.adopted.weights if model.adopted else ""
    bases = made.bases if made else [adopted.partition("@")[0]] if adopted and is_hub(adopted) else []
    data = ModelCardData(
        base_model=bases or None,
        datasets=(made.datasets if made else None) or None,
        library_name=None if _served(model) else "transformers",
        pipeline_tag="image-text-to-text",
        tags=["vertebra", *([made.architecture] if made else []), plain(model.family), plain(model.backbone)],
    )
    return str(data.to_yaml()).strip()


def _opening(material: "Material", model: Published) -> str:
    what = f"language model {escaped(model.backbone)}, recipe {escaped(model.family)}, seed {model.seed}"
    if model.adopted:
        what = f"{escaped(model.backbone)}, trained elsewhere"
    about = escaped(material.study.title or material.study.study)
    lines = [f"A vision-language model of the study *{about}*: {what}."]
    if material.study.data:
        maker = escaped(material.study.data)
        lines.append(
            f"The questions were made by the study itself (`{maker}`) in the layouts of these benchmarks. The scores "
            "say nothing about the official ones."
        )
    return " ".join(lines)


def _scores(model: Published) -> str:
    lines = ["| Benchmark | Metric | Score | 95 % interval | Questions | Protocol |", "|---|---|---:|---:|---:|---|"]
    lines += [line for result in model.results for line in _lines(result)]
    return "\n".join(lines)


def _lines(result: Result) -> Iterator[str]:
    """A line for each metric, the headline in bold."""
    for name in result.card.ordered():
        value = f"{result.card.metrics[name]:z.1f}"
        ends = result.card.ci95.get(name)
        cells = [
            escaped(result.benchmark.title),
            escaped(metric_title(name)),
            f"**{value}**" if name == result.card.headline else value,
            f"{ends[0]:z.1f} to {ends[1]:z.1f}" if ends else "–",
            f"{result.card.n:,}" + (f" ({result.card.missing:,} unanswered)" if result.card.missing else ""),
            escaped(result.card.protocol),
        ]
        yield f"| {' | '.join(cells)} |"


def _training(made: Recipe) -> str:
    """The stages in order, as the recipe has them."""
    lines = [
        f"{escaped(made.family)}: {_code(made.sources[0])} sees through {_code(made.sources[1])}.",
        "",
        "| Stage | Mixture | Trains | Learning rate | Batch | Epochs |",
        "|---|---|---|---:|---:|---:|",
    ]
    for name, stage, mixture in made.rounds:
        trains = f"{stage.trains}, LoRA of rank {stage.lora.rank}" if stage.lora else stage.trains
        told = escaped(mixture.title or mixture.name)
        cells = [escaped(name), told, trains, f"{stage.learning_rate:g}", str(stage.batch), f"{stage.epochs:g}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _reproducing(material: "Material", model: Published, fingerprint: str) -> str:
    record = model.results[-1].record
    versions, commit = record.get("versions"), record.get("commit")
    version = versions.get("vertebra") if isinstance(versions, Mapping) else None
    lines = [
        f"Measured by vertebra {escaped(str(version or 'of an unknown version'))}"
        + (f", commit {_code(str(commit))}." if commit else "."),
        *(_commands(material) if material.study.families else ()),  # else the study is no file, but `vertebra eval`
        "",
        f"Fingerprint of the report (SHA-256 of its results without times): `{fingerprint}`",
        "",
        *(f"- {line}" for line in _contents(material, model)),
    ]
    return "\n".join(lines)


def _commands(material: "Material") -> Iterator[str]:
    name = plain(material.study.study)
    shipped = material.catalog is not None and name in material.catalog.names("studies")
    study = shlex.quote(name if shipped else f"{name}.yaml")
    yield "To run the study, and to recompute every number from the stored answers:"
    yield ""
    yield f"```\nvertebra run {study}\nvertebra report {study} --verify\n```"


def _contents(material: "Material", model: Published) -> Iterator[str]:
    """What lies beside the card, and what does not."""
    yield "`results_*.json`, `samples_*.jsonl`: every metric and every answer in lm-eval's layout"
    yield "`every_eval_ever/data`: the same as records of Every Eval Ever"
    lacking = eval_results.left_out(material, model)
    if material.study.data:
        yield "`.eval_results`: headline scores in the Hub's format, of a dataset that is not on the Hub"
    elif len(lacking) < len(model.results):
        yield "`.eval_results`: headline scores as the Hub shows them"
    if lacking:
        why = "their questions being no known release of a dataset on the Hub"
        yield f"not in `.eval_results`, {why} ({len(lacking)}): {_listed(lacking)}"
    if without := [result.benchmark.title for result in model.results if not result.questions]:
        yield f"without questions and right answers, their files not being at hand ({len(without)}): {_listed(without)}"
    if silent := [result.benchmark.title for result in model.results if not result.has_answers]:
        yield f"without the answers' text, which could not be read ({len(silent)}): {_listed(silent)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(escaped, names))


def _code(text: str) -> str:
    """A code span; what could end it is left out."""
    return f"`{plain(text).replace('`', '')}`"


def _served(model: Published) -> bool:
    return bool(model.adopted and model.adopted.endpoint)
