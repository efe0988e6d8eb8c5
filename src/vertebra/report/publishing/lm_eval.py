"""A model's results in lm-eval's layout, so that its viewers and converters read them.

    results_2026-11-23T23-50-54.json             every metric with its standard error, how it was measured
    samples_pope_2026-11-23T23-50-54.jsonl       {"doc_id": 0, "doc": {...}, "target": "yes", "resps": [["Yes"]], ...}

The layout is `lm_eval/result_schema.py` of https://github.com/EleutherAI/lm-evaluation-harness as its evaluation
tracker writes it to disk. What is percent elsewhere is a share here, as lm-eval has it. A sample's `score` is 0 to 1;
`parsed` is what the grading took the answer for.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from vertebra.report.publishing.models import Graded, Published, Result
from vertebra.report.publishing.names import file_name
from vertebra.report.publishing.sources import dataset
from vertebra.scoring.intervals import PERCENT
from vertebra.spec import Json

if TYPE_CHECKING:
    from vertebra.report import Material


class Samples(NamedTuple):
    """A benchmark's file of samples, and the digest that it goes by in the results."""

    name: str
    data: bytes
    digest: str


def samples_file(material: "Material", model: Published, result: Result) -> Samples:
    """The samples of one benchmark."""
    rows = list(samples(material, result))
    digest = _sha("".join(str(row[f"{name}_hash"]) for row in rows for name in _HASHED))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    return Samples(f"samples_{file_name(result.name)}_{model.date_id}.jsonl", lines.encode(), digest)


def results_file(material: "Material", model: Published, digests: Mapping[str, str]) -> tuple[str, bytes]:
    """Name and content of the results, `digests` being those of the samples."""
    document = {**results(material, model), "task_hashes": digests}
    return f"results_{model.date_id}.json", json.dumps(document, indent=2, allow_nan=False).encode() + b"\n"


def results(material: "Material", model: Published) -> dict[str, Json]:
    """The aggregated results, without the hashes of the samples."""
    numbers = {result.name: _numbers(result) for result in model.results}
    better = {result.name: {name: name != "std" for name in result.card.metrics} for result in model.results}
    seconds = sum(result.cell.answering.seconds for result in model.results if result.cell.answering)
    return {
        "results": numbers,
        "group_subtasks": {name: [] for name in numbers},
        "configs": {result.name: _config(material, result) for result in model.results},
        "versions": {result.name: result.benchmark.grading for result in model.results},
        "n-shot": dict.fromkeys(numbers, 0),
        "higher_is_better": better,
        "n-samples": {result.name: dict.fromkeys(("original", "effective"), result.card.n) for result in model.results},
        "config": {
            "model": "vertebra" if model.adopted and model.adopted.endpoint else "hf",
            "model_args": f"pretrained={model.name}",
            "batch_size": None,
            "limit": None,
            "gen_kwargs": None,
            "random_seed": model.seed,
        },
        "date": model.when.timestamp(),
        **_environment(model.results[-1].record),
        **_identity(model),
        "total_evaluation_time_seconds": str(seconds),
    }


def _identity(model: Published) -> dict[str, Json]:
    """Who was asked, and how it is spoken to."""
    path = model.checkpoint / "chat_template.jinja" if model.checkpoint else None
    template = path.read_text("utf-8") if path and path.is_file() else None
    return {
        "model_source": "hf",
        "model_name": model.name,
        "model_name_sanitized": re.sub(r"[\"<>:/|\\?*\[\]]+", "__", model.name),
        "system_instruction": None,
        "system_instruction_sha": None,
        "fewshot_as_multiturn": None,
        "chat_template": template,
        "chat_template_sha": None if template is None else _sha(template),
    }


def _environment(record: Mapping[str, Json]) -> dict[str, Json]:
    """What it ran on, without the machine's name."""
    found = record.get("versions")
    versions = found if isinstance(found, Mapping) else {}
    lines = [f"{name}: {record.get(name, 'unknown')}" for name in ("platform", "python")]
    return {
        "git_hash": record.get("commit"),
        "upper_git_hash": None,
        "pretty_env_info": "\n".join([*lines, *(f"{name}: {version}" for name, version in versions.items())]),
        "transformers_version": versions.get("transformers"),
        "vertebra_version": versions.get("vertebra"),
    }


def samples(material: "Material", result: Result) -> Iterator[dict[str, Json]]:
    """A row for each question, in the official order."""
    settings = _generation(material, result)
    for number, row in enumerate(result.rows):
        question, answer = result.questions.get(row.id), result.answers.get(row.id)
        text = question.text if question else answer.prompt if answer else ""
        gold = list(question.gold) if question else []
        doc: dict[str, Json] = {
            "id": row.id,
            "question": text,
            "image": question.image if question else None,
            "gold": gold,
            "cluster": row.cluster,
        }
        target = gold[0] if len(gold) == 1 else json.dumps(gold) if gold else ""
        said = [answer.text] if answer else []
        yield {
            "doc_id": number,
            "doc": doc,
            "target": target,
            "arguments": {"gen_args_0": {"arg_0": text, "arg_1": settings}},
            "resps": [said],
            "filtered_resps": said,
            "filter": "none",
            "metrics": ["score"],
            "doc_hash": _sha(json.dumps(doc)),
            "prompt_hash": _sha(text),
            "target_hash": _sha(target),
            "score": row.score,
            "parsed": _parsed(row),
        }


_HASHED = ("doc", "prompt", "target")


def _parsed(row: Graded) -> str:
    """As text, so that a column of a table has one type."""
    return row.parsed or ""


def _numbers(result: Result) -> dict[str, Json]:
    """`f1,none` and `f1_stderr,none`, as lm-eval names a metric without a filter."""
    found: dict[str, Json] = {"alias": result.benchmark.title, "name": result.name, "sample_len": result.card.n}
    for name in result.card.ordered():
        error = result.errors.get(name)
        found[f"{name},none"] = _scaled(result, name, result.card.metrics[name])
        found[f"{name}_stderr,none"] = "N/A" if error is None else _scaled(result, name, error)
    return found


def _scaled(result: Result, metric: str, value: float) -> float:
    """Percent as a share; points as they are."""
    return value / 100 if result.benchmark.bounds.get(metric, PERCENT) == PERCENT else value


def _config(material: "Material", result: Result) -> dict[str, Json]:
    found = dataset(material, result)
    config: dict[str, Json] = {
        "task": result.name,
        "dataset_path": found.id if found and found.on_hub else "",
        "test_split": found.split if found else "",
        "output_type": "generate_until",
        "num_fewshot": 0,
        "generation_kwargs": _generation(material, result),
        "metric_list": [{"metric": name, "higher_is_better": name != "std"} for name in result.card.ordered()],
        "metadata": {
            "protocol": result.card.protocol,
            "prompts": result.benchmark.prompts,
            "grading": result.benchmark.grading,
            "missing": result.card.missing,
            "ci95": {name: [_scaled(result, name, end) for end in ends] for name, ends in result.card.ci95.items()},
            "made_by": material.study.data,
            "has_questions": bool(result.questions),
        },
    }
    return config


def _generation(material: "Material", result: Result) -> dict[str, Json]:
    temperature = material.study.temperature.get(result.name)
    return {
        "do_sample": temperature is not None,
        "temperature": temperature or 0.0,
        "num_beams": material.study.beams.get(result.name, 1),
        "max_gen_toks": result.benchmark.max_new_tokens,
    }


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
