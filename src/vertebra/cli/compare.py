"""`vertebra compare`: is the difference real? Two models, or all those of a study.

$ vertebra compare a.jsonl b.jsonl --benchmark pope --annotations pope/          two answers files
$ vertebra compare llava-1.5/vicuna-7b llava-1.5/llama-3-8b --store DIR          models of a store, all their seeds
$ vertebra compare DIR/out OTHER/out --fail-if "pope.f1 drop > 1 with p < .05"   two stored scores; exit 6 if it did
$ vertebra compare llm-backbones --store DIR                                     every pair of a study's models
$ vertebra compare llava-1.5/vicuna-13b llava-1.5/llama-3-8b --published study-llm-backbones    numbers of a table

Differences are B less A.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertebra.cli.gates import Gate, parse
from vertebra.cli.study import STORE, AsJson, DataFolder, StoreFolder
from vertebra.errors import ConfigError, DataError, UnknownName, VertebraError

if TYPE_CHECKING:
    from vertebra.scoring.comparing import Comparison, Measured
    from vertebra.store import Store

Results = Mapping[str, Sequence["Measured"]]
"""Benchmark -> a result for each seed."""


def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="A B | STUDY", help="Two stored scores, models in the store or answers files; or one study."
        ),
    ],
    benchmark: Annotated[str, typer.Option(help="A and B are answers files to this benchmark.")] = "",
    annotations: Annotated[Path | None, typer.Option(help="Its official questions and gold answers.")] = None,
    protocol: Annotated[str, typer.Option(help="Score the answers files under this protocol.")] = "",
    published: Annotated[
        str, typer.Option(metavar="TABLE", help="A and B are models of a published table, such as study-llm-backbones.")
    ] = "",
    judgments_a: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A judge's replies to A: official files, or its cache.")
    ] = None,
    judgments_b: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="And to B.")] = None,
    store: StoreFolder = STORE,
    data: DataFolder = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(metavar="GATE", help='Exit 6 if so: "pope.f1 drop > 1 with p < .05"; may be given again.'),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell whether a difference is more than chance: A and B, or every pair of a study's models."""
    gates = [parse(text) for text in fail_if or ()]
    if len(names) > 2:
        raise ConfigError(f"{len(names)} things to compare: {', '.join(names)}. Give two, or one study.")
    if published:
        if len(names) != 2 or gates or benchmark or annotations or protocol:
            raise ConfigError("--published takes two models, FAMILY/BACKBONE each, and none of the other options.")
        from vertebra.cli.summaries import compare_published

        compare_published(names, published, as_json)
        return
    if len(names) == 1:
        from vertebra.cli.matrix import compare_study

        if gates or benchmark or annotations or protocol:
            raise ConfigError("--fail-if, --benchmark, --annotations and --protocol need A and B; a study is alone.")
        compare_study(names[0], store, data, as_json)
        return
    of_files = (protocol, judgments_a, judgments_b)
    if bool(benchmark) != bool(annotations) or (any(of_files) and not benchmark):
        raise ConfigError("Answers files need --benchmark NAME and --annotations PATH together.")
    if annotations:
        given = zip(names, (judgments_a or (), judgments_b or ()), strict=True)
        first, second = ({benchmark: [_scored(name, benchmark, annotations, protocol, files)]} for name, files in given)
    else:
        first, second = _found(names, store)
    _compare_two(names, first, second, gates, as_json)


def _compare_two(names: Sequence[str], first: Results, second: Results, gates: Sequence[Gate], as_json: bool) -> None:
    from vertebra import benchmarks
    from vertebra.cli.differences import show
    from vertebra.scoring.comparing import align, document
    from vertebra.scoring.comparing import compare as compared
    from vertebra.scoring.significance import holm

    found: dict[str, Comparison] = {}
    for name in first:
        chosen = benchmarks.benchmark(name)
        aligned = align(chosen, {"A": first[name], "B": second[name]})
        found[name] = compared(chosen, aligned, "A", "B", bootstrap=True)
    _demand_known(gates, found)
    adjusted = holm([each.headline.p for each in found.values()])
    happened = [gate for gate in gates if _holds(gate, found)]
    if as_json:
        passed = [{"gate": gate.text, "passed": gate not in happened} for gate in gates]
        given = dict(zip("ab", names, strict=True))
        told = [document(each, p) | given for each, p in zip(found.values(), adjusted, strict=True)]
        whole = {**given, "tests": len(found), "comparisons": told, "gates": passed}
        typer.echo(json.dumps(whole, allow_nan=False))
    else:
        show(names, list(found.values()), adjusted)
    if happened:
        raise _failed(happened, found)


def _scored(name: str, benchmark: str, annotations: Path, protocol: str, judged: Sequence[Path]) -> "Measured":
    """The score of an answers file, by these files of judgments where it takes a judge."""
    from functools import partial

    from vertebra import benchmarks
    from vertebra.scoring.comparing import Measured
    from vertebra.scoring.judging import OFFICIAL
    from vertebra.scoring.judgments import given
    from vertebra.scoring.scorecard import score_folder

    chosen = benchmarks.benchmark(benchmark)
    chosen = chosen.under(protocol) if protocol else chosen
    if not Path(name).exists():
        raise DataError(f"{name} is missing. With --benchmark, A and B are answers files.")
    if judged and not chosen.judged:
        raise ConfigError(f"{benchmark} is graded by a rule, not by a judge. Leave --judgments-a and -b out.")
    official = protocol == OFFICIAL
    bar = partial(given, tuple(judged), judge="", official=official) if judged else None
    return Measured.of(score_folder(chosen, annotations, Path(name), bar, official), name)


def _found(names: Sequence[str], store_folder: Path) -> list[dict[str, list["Measured"]]]:
    """The results that two names stand for, of the benchmarks that both have."""
    from vertebra.scoring.comparing import Measured
    from vertebra.store import Store

    store = Store(store_folder)
    places = [_places(name, store) for name in names]
    common = [benchmark for benchmark in places[0] if benchmark in places[1]]
    if not common:
        raise ConfigError(
            f"{names[0]} is scored on {', '.join(places[0])} and {names[1]} on {', '.join(places[1])}. Compare answers "
            "to one benchmark."
        )
    for name, found in zip(names, places, strict=True):
        if alone := [benchmark for benchmark in found if benchmark not in common]:
            typer.echo(f"{name} alone is scored on {', '.join(alone)}.", err=True)
    return [{name: [Measured.read(path) for path in found[name]] for name in common} for found in places]


def _places(name: str, store: "Store") -> dict[str, list[Path]]:
    """Benchmark -> folders of results, one for each seed, that a path or a label in the store stands for."""
    from vertebra.scoring.comparing import SCORECARD, benchmark_of

    path = Path(name)
    path = path.parent if path.name == SCORECARD else path
    for folder in (path, path / "out"):
        if (folder / SCORECARD).is_file():
            return {benchmark_of(folder): [folder]}
    if path.is_file():
        raise ConfigError(f"{name} is a file. Answers files need --benchmark NAME and --annotations PATH.")
    wanted = name.removesuffix("/score").split("/")
    labels = _labels(store)
    chosen = {label: key for label, key in labels.items() if label[: len(wanted)] == tuple(wanted)}
    if not chosen:
        depth = min(max(len(wanted), 2), 4)
        known = {"/".join(label[:depth]) for label in labels}
        raise UnknownName("result", name, known, f"{store.root}")
    places: dict[str, list[Path]] = {}
    for label, key in sorted(chosen.items()):
        store.verify(key)
        places.setdefault(label[3], []).append(store.out(key))
    return places


def _labels(store: "Store") -> dict[tuple[str, ...], str]:
    """(family, backbone, seed, benchmark) -> key of the newest score step of this label."""
    found: dict[tuple[str, ...], str] = {}
    passed_over = 0
    for key, record in store.finished():
        if record.get("kind") != "score":
            continue
        label = tuple(str(record.get("label")).split("/")[:4])
        if label in found:
            passed_over += 1
            if _when(store, key) < _when(store, found[label]):
                continue
        found[label] = key
    if passed_over:
        typer.echo(f"{passed_over} older results of the same names in {store.root} are passed over.", err=True)
    return found


def _when(store: "Store", key: str) -> str:
    return str(store.record(key).get("started", ""))


def _demand_known(gates: Sequence[Gate], found: "Mapping[str, Comparison]") -> None:
    """`UnknownName` for a gate on what was not compared: better no answer than one that looks like a pass."""
    for gate in gates:
        if gate.benchmark not in found:
            raise UnknownName("compared benchmark", gate.benchmark, found, f"--fail-if {gate.text!r}")
        if gate.metric not in found[gate.benchmark].differences:
            known = found[gate.benchmark].differences
            raise UnknownName(f"metric of {gate.benchmark}", gate.metric, known, f"--fail-if {gate.text!r}")


def _holds(gate: Gate, found: "Mapping[str, Comparison]") -> bool:
    difference = found[gate.benchmark].differences[gate.metric]
    return gate.holds(difference.value, difference.p)


def _failed(happened: Sequence[Gate], found: "Mapping[str, Comparison]") -> VertebraError:
    told = []
    for gate in happened:
        difference = found[gate.benchmark].differences[gate.metric]
        told.append(f"`{gate.text}`: B less A is {difference.value:+.2f}, p = {difference.p:.2g}")
    error = VertebraError(f"Not passed: {'; '.join(told)}.")
    error.exit_code = 6
    return error
