"""What Every Eval Ever 0.3.0 asks of the fields that we write, in our own words, and stricter: no other field may be.

https://github.com/evaleval/every_eval_ever (eval.schema.json, instance_level_eval.schema.json). `make install` puts its
package beside this environment, not into it, since it needs Python 3.12 and an older huggingface_hub; where it is, the
schemas in it are asked too.
"""

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from jsonschema import Draft7Validator

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SECONDS: Schema = {"type": "string", "pattern": "^[0-9]+$"}
DETAILS: Schema = {"type": "object", "additionalProperties": TEXT}
UUID4 = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def record(required: Schema, **optional: Schema) -> Schema:
    """An object with these fields and no others."""
    found = {"type": "object", "properties": {**required, **optional}, "required": [*required]}
    return {**found, "additionalProperties": False}


def one(*values: str) -> Schema:
    """One of these words."""
    return {"enum": list(values)}


DEPLOYMENT: Schema = {
    **record(
        {
            "deployment_type": one("self_deployed", "externally_managed", "unknown"),
            "model_availability": one("open_weights", "closed_weights", "unknown"),
        }
    ),
    "additionalProperties": TEXT,
}
MODEL = record(
    {"name": TEXT, "id": TEXT, "additional_details": DEPLOYMENT},
    developer=TEXT,
    inference_engine=record({"name": TEXT, "version": TEXT}),
)
JUDGING = record(
    {
        "judges": {
            "type": "array",
            "minItems": 1,
            "items": record({"model_info": MODEL}, additional_details=DETAILS),
        },
        "input_prompt": TEXT,
        "aggregation_method": one("majority_vote", "average", "weighted_average", "median"),
    }
)
BOUND: Schema = {"oneOf": [NUMBER, {"const": "Infinity"}]}
METRIC = record(
    {
        "evaluation_description": TEXT,
        "metric_id": TEXT,
        "metric_name": TEXT,
        "metric_unit": one("percent", "points"),
        "lower_is_better": {"type": "boolean"},
        "score_type": one("continuous"),
        "min_score": BOUND,
        "max_score": BOUND,
        "additional_details": DETAILS,
    },
    llm_scoring=JUDGING,
)
SOURCE: Schema = {
    "oneOf": [
        record(
            {"dataset_name": TEXT, "source_type": one("hf_dataset"), "hf_repo": TEXT, "samples_number": COUNT},
            hf_split=TEXT,
        ),
        record(
            {"dataset_name": TEXT, "source_type": one("url"), "url": {"type": "array", "minItems": 1, "items": TEXT}}
        ),
        record({"dataset_name": TEXT, "source_type": one("other"), "additional_details": DETAILS}),
    ]
}
SCORE = record(
    {
        "score": NUMBER,
        "details": DETAILS,
        "uncertainty": record(
            {"num_samples": COUNT},
            standard_error=record({"value": NUMBER, "method": TEXT}),
            confidence_interval=record(
                {"lower": NUMBER, "upper": NUMBER, "confidence_level": {"const": 0.95}, "method": TEXT}
            ),
        ),
    }
)
RESULT = record(
    {
        "evaluation_result_id": TEXT,
        "evaluation_name": TEXT,
        "source_data": SOURCE,
        "evaluation_timestamp": SECONDS,
        "metric_config": METRIC,
        "score_details": SCORE,
        "generation_config": record(
            {
                "generation_args": record({"temperature": NUMBER, "max_tokens": {"type": "integer", "minimum": 1}}),
                "additional_details": DETAILS,
            }
        ),
    }
)
AGGREGATE = record(
    {
        "schema_version": {"const": "0.3.0"},
        "evaluation_id": TEXT,
        "evaluation_timestamp": SECONDS,
        "retrieved_timestamp": SECONDS,
        "source_metadata": record(
            {
                "source_name": TEXT,
                "source_type": one("evaluation_run"),
                "source_organization_name": TEXT,
                "evaluator_relationship": one("first_party", "third_party", "collaborative", "other"),
                "additional_details": DETAILS,
            }
        ),
        "eval_library": record({"name": TEXT, "version": TEXT}),
        "model_info": MODEL,
        "evaluation_results": {"type": "array", "minItems": 1, "items": RESULT},
        "detailed_evaluation_results": record(
            {
                "format": one("jsonl"),
                "file_path": {"type": "string", "pattern": f"^data/[^/]+/[^/]+/[^/]+/{UUID4}_samples\\.jsonl$"},
                "hash_algorithm": one("sha256"),
                "checksum": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "total_rows": COUNT,
            }
        ),
    }
)
TEXTS: Schema = {"type": "array", "items": TEXT}
INSTANCE = record(
    {
        "schema_version": {"const": "0.3.0"},
        "evaluation_id": TEXT,
        "model_id": TEXT,
        "evaluation_name": TEXT,
        "evaluation_result_id": TEXT,
        "sample_id": TEXT,
        "sample_hash": TEXT,
        "interaction_type": one("single_turn"),
        "input": record({"raw": TEXT, "reference": TEXTS}),
        "output": record({"raw": TEXTS}),
        "answer_attribution": {
            "type": "array",
            "items": record(
                {
                    "turn_idx": COUNT,
                    "source": one("output.raw"),
                    "extracted_value": TEXT,
                    "extraction_method": TEXT,
                    "is_terminal": {"type": "boolean"},
                }
            ),
        },
        "evaluation": record(
            {"score": {"type": "number", "minimum": 0, "maximum": 1}, "is_correct": {"type": "boolean"}}
        ),
        "metadata": DETAILS,
    },
    error=TEXT,
)
_OURS = {"eval.schema.json": AGGREGATE, "instance_level_eval.schema.json": INSTANCE}


def complaints(value: object, name: str) -> Iterator[str]:
    """What is wrong with a record, by the rules above and, where it is at hand, the schema of this name."""
    for validator in _validators(name):
        for error in validator.iter_errors(value):
            yield f"{error.json_path}: {error.message}"


@cache
def _validators(name: str) -> list[Draft7Validator]:
    """Of our rules, and of the schema in the package where that is at hand."""
    packages = sorted((Path(sys.prefix) / "schemas").glob("every_eval_ever-*.whl"))
    official = [json.loads(ZipFile(package).read(f"every_eval_ever/schemas/{name}")) for package in packages[-1:]]
    return [Draft7Validator(schema) for schema in (_OURS[name], *official)]
