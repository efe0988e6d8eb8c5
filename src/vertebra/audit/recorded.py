"""What finished steps put down of themselves: versions and devices they ran on, and how much they saw.

    Field("finetune", "versions")   {"torch": "2.13.0+cpu", …}    run.json
    Field("finetune", "tokens")     5972                          log.jsonl, of the mixture as this tokenizer reads it

Runtime settings are not compared: none of them can move a result (docs/decisions.md).
"""

from collections.abc import Iterator, Mapping, Sequence

from vertebra.audit.arms import Field, part_of
from vertebra.plan import Step
from vertebra.spec import Json
from vertebra.store import Store

_SEEN = {"samples": "samples", "tokens": "tokens", "supervised": "supervised_tokens", "steps": "steps"}
"""Keys of the line in which a stage says what there is to learn from."""
_LEFT_OUT = ("cut", "lost", "faults", "excluded")


def recorded(steps: Sequence[Step], store: Store) -> dict[Field, Json]:
    """By part, what the finished steps of an arm put down; nothing of others."""
    found: dict[Field, Json] = {}
    for step in steps:
        if step.kind != "score" and store.done(step.key):
            facts = {**dict(_of_run(store.record(step.key))), **dict(_of_log(store.log(step.key)))}
            found |= {Field(part_of(step), name): value for name, value in facts.items()}
    return found


def _of_run(run: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    yield from ((name, run[name]) for name in ("versions", "python", "commit") if name in run)


def _of_log(log: Sequence[Mapping[str, Json]]) -> Iterator[tuple[str, Json]]:
    """The last line of each kind counts, because a step may have been taken up again."""
    for line in log:
        if "device" in line:
            yield "device", line["device"]
        if "steps" in line and "supervised" in line:
            yield from ((told, line[name]) for name, told in _SEEN.items() if name in line)
            yield from ((name, _number(line.get(name))) for name in _LEFT_OUT)


def _number(left_out: Json) -> Json:
    return left_out.get("number", 0) if isinstance(left_out, Mapping) else 0
