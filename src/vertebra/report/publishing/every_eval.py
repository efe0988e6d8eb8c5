"""A model's results as records of Every Eval Ever, schema 0.3.0, with an instance for each question.

    every_eval_ever/data/pope/ORGANIZATION/MODEL/3f0c6a52-....json             aggregate: metrics, intervals, judge
    every_eval_ever/data/pope/ORGANIZATION/MODEL/3f0c6a52-..._samples.jsonl    a line per question

https://github.com/evaleval/every_eval_ever. Its names of files have to be UUIDs of version 4; these are digests in that
form, so that the same result has the same name.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from vertebra.report.grid import metric_title
from vertebra.report.publishing.models import Graded, Published, Result
from vertebra.report.publishing.names import file_name
from vertebra.report.publishing.sources import dataset
from vertebra.scoring.intervals import PERCENT
from vertebra.scoring.sources import Web
from vertebra.spec import Json, Judge

if TYPE_CHECKING:
    from vertebra.report import Material

VERSION = "0.3.0"
ROOT = "every_eval_ever"


def files(material: "Material", model: Published, result: Result) -> Iterator[tuple[str, bytes]]:
    """Name and content of the two files of a benchmark."""
    name = evaluation_id(model, result)
    uuid = UUID(bytes=hashlib.sha256(name.encode()).digest()[:16], version=4)
    stem = f"data/{file_name(result.name)}/{model.name}/{uuid}"
    lines = "".join(json.dumps(row) + "\n" for row in instances(model, result)).encode()
    detailed: dict[str, Json] = {
        "format": "jsonl",
        "file_path": f"{stem}_samples.jsonl",
        "hash_algorithm": "sha256",
        "checksum": hashlib.sha256(lines).hexdigest(),
        "total_rows": len(result.rows),
    }
    record = {**aggregate(material, model, result), "detailed_evaluation_results": detailed}
    yield f"{ROOT}/{stem}.json", json.dumps(record, indent=2, allow_nan=False).encode() + b"\n"
    yield f"{ROOT}/{stem}_samples.jsonl", lines


def evaluation_id(model: Published, result: Result) -> str:
    """`benchmark/owner/model/seconds since 1970`."""
    return f"{result.name}/{model.name}/{_seconds(result.scored)}"


def aggregate(material: "Material", model: Published, result: Result) -> dict[str, Json]:
    """The record of one benchmark, but for where its instances are."""
    return {
        "schema_version": VERSION,
        "evaluation_id": evaluation_id(model, result),
        "evaluation_timestamp": _seconds(result.asked),
        "retrieved_timestamp": _seconds(result.scored),
        "source_metadata": {
            "source_name": material.study.title or material.study.study,
            "source_type": "evaluation_run",
            "source_organization_name": material.organization or "unknown",
            "evaluator_relationship": "third_party" if model.adopted else "first_party",
            "additional_details": {"study": material.study.study},
        },
        "eval_library": {"name": "vertebra", "version": _version(result)},
        "model_info": _model_info(model, result),
        "evaluation_results": [_metric(material, result, name) for name in result.card.ordered()],
    }


def instances(model: Published, result: Result) -> Iterator[dict[str, Json]]:
    """A record for each question, belonging to the headline metric."""
    name = evaluation_id(model, result)
    for row in result.rows:
        question, answer = result.questions.get(row.id), result.answers.get(row.id)
        asked = question.text if question else answer.prompt if answer else ""
        gold = list(question.gold) if question else []
        yield {
            "schema_version": VERSION,
            "evaluation_id": name,
            "model_id": model.name,
            "evaluation_name": result.name,
            "evaluation_result_id": _result_id(result, result.card.headline),
            "sample_id": row.id,
            "sample_hash": hashlib.sha256(json.dumps([asked, gold]).encode()).hexdigest(),
            "interaction_type": "single_turn",
            "input": {"raw": asked, "reference": gold},
            "output": {"raw": [answer.text] if answer else []},
            "answer_attribution": _attribution(result, row),
            "evaluation": {"score": row.score, "is_correct": row.score == 1.0},
            "metadata": _metadata(result, row),
            **({} if answer else {"error": "there is no answer"}),
        }


def _attribution(result: Result, row: Graded) -> list[Json]:
    """What the grading read in the answer; what a judge gave stands in the metadata."""
    if row.parsed is None or result.benchmark.judged:
        return []
    return [
        {
            "turn_idx": 0,
            "source": "output.raw",
            "extracted_value": row.parsed,
            "extraction_method": f"vertebra {result.name} grading {result.benchmark.grading}",
            "is_terminal": True,
        }
    ]


def _metadata(result: Result, row: Graded) -> dict[str, Json]:
    question = result.questions.get(row.id)
    groups = question.groups.items() if question else ()
    found: dict[str, Json] = {name: value if isinstance(value, str) else ", ".join(value) for name, value in groups}
    found["cluster"] = row.cluster
    if result.benchmark.judged and row.parsed is not None:
        found["judgments"] = row.parsed
    return found


def _result_id(result: Result, metric: str) -> str:
    return f"{result.name}.{metric}"


def _metric(material: "Material", result: Result, name: str) -> dict[str, Json]:
    card, bounds = result.card, result.benchmark.bounds.get(name, PERCENT)
    low, high = bounds or (0.0, None)
    config: dict[str, Json] = {
        "evaluation_description": f"{result.benchmark.title}, {metric_title(name)}, protocol {card.protocol}",
        "metric_id": name if name in ("accuracy", "f1") else f"{result.name}.{name}",
        "metric_name": metric_title(name),
        "metric_unit": "percent" if bounds == PERCENT else "points",
        "lower_is_better": name == "std",
        "score_type": "continuous",
        "min_score": low,
        "max_score": "Infinity" if high is None else high,
        "additional_details": {"protocol": card.protocol, "grading": str(result.benchmark.grading)},
    }
    if result.benchmark.judged and material.study.judge:
        config["llm_scoring"] = _judging(material.study.judge, result)
    return {
        "evaluation_result_id": _result_id(result, name),
        "evaluation_name": result.name,
        "source_data": _source(material, result),
        "evaluation_timestamp": _seconds(result.asked),
        "metric_config": config,
        "score_details": {
            "score": card.metrics[name],
            "details": {"missing_answers": str(card.missing)},
            "uncertainty": _uncertainty(result, name),
        },
        "generation_config": _generation(material, result),
    }


def _uncertainty(result: Result, name: str) -> dict[str, Json]:
    found: dict[str, Json] = {"num_samples": result.card.n}
    if name in result.errors:
        found["standard_error"] = {"value": result.errors[name], "method": "jackknife, clustered by image"}
    if name in result.card.ci95:
        low, high = result.card.ci95[name]
        score = result.benchmark.bounds.get(name, PERCENT) is not None
        method = f"{'Wilson score' if score else 'Student t'} interval of the clustered jackknife's standard error"
        found["confidence_interval"] = {"lower": low, "upper": high, "confidence_level": 0.95, "method": method}
    return found


def _generation(material: "Material", result: Result) -> dict[str, Json]:
    temperature = material.study.temperature.get(result.name, 0.0)
    return {
        "generation_args": {"temperature": temperature, "max_tokens": result.benchmark.max_new_tokens},
        "additional_details": {"beams": str(material.study.beams.get(result.name, 1))},
    }


def _source(material: "Material", result: Result) -> dict[str, Json]:
    found = dataset(material, result)
    if found and found.on_hub:
        source: dict[str, Json] = {"dataset_name": result.name, "source_type": "hf_dataset", "hf_repo": found.id}
        return {**source, **({"hf_split": found.split} if found.split else {}), "samples_number": result.card.n}
    urls: list[Json] = [
        part.url for each in result.benchmark.sources.values() for part in each.parts if isinstance(part, Web)
    ]
    if urls and not found and not result.benchmark.releases:
        return {"dataset_name": result.name, "source_type": "url", "url": urls}
    made = {"made_by": f"{found.id}, in the layout of {result.benchmark.title}"} if found else {}
    return {"dataset_name": found.id if found else result.name, "source_type": "other", "additional_details": made}


def _model_info(model: Published, result: Result) -> dict[str, Json]:
    served = bool(model.adopted and model.adopted.endpoint)
    elsewhere = bool(model.adopted and model.adopted.weights)
    details: dict[str, Json] = {
        "deployment_type": "unknown" if served else "self_deployed",
        "model_availability": "open_weights" if elsewhere else "unknown",
        "family": model.family,
        "backbone": model.backbone,
        "seed": str(model.seed),
    }
    commit = result.record.get("commit")
    return {
        "name": model.name.rpartition("/")[2],
        "id": model.name,
        "developer": model.name.partition("/")[0],
        "inference_engine": {"name": "vertebra", "version": _version(result)},
        "additional_details": {**details, **({"vertebra_commit": str(commit)} if commit else {})},
    }


def _judging(judge: Judge, result: Result) -> dict[str, Json]:
    info: dict[str, Json] = {
        "name": judge.name,
        "id": judge.name,
        "additional_details": {"deployment_type": "unknown", "model_availability": "unknown"},
    }
    return {
        "judges": [{"model_info": info, "additional_details": {"runs": str(judge.runs)}}],
        "input_prompt": _prompt(result),
        "aggregation_method": "average",
    }


def _prompt(result: Result) -> str:
    """What the judge is told of the first question, its answer named and not given."""
    assert result.benchmark.judging
    question = next(iter(result.questions.values()), None)
    if question is None:
        return f"the official prompt of {result.benchmark.title}"
    request = result.benchmark.judging.request(question, "{answer}", 0)
    return "\n\n".join(f"{role}: {text}" for role, text in request.messages)


def _version(result: Result) -> str:
    versions = result.record.get("versions")
    return str(versions.get("vertebra", "unknown")) if isinstance(versions, Mapping) else "unknown"


def _seconds(when: datetime) -> str:
    return str(int(when.timestamp()))
