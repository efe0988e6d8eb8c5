"""What a study's training costs, as `vertebra plan` shows it: a row per stage, sums per model and of the study.

On 8 × NVIDIA H100 SXM 80 GB   steps tokens   FLOP  GPU-h  GiB  micro recompute
llava-1.5/vicuna-7b/seed0      7,379  920 M 32.8 E   23.0   71
  pretrain                     2,181  331 M 9.00 E    6.3   70 13,568 none
  finetune                     5,198  589 M 23.8 E   16.7   71  9,728 none

`micro` are the most tokens of a micro-step on one device.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from vertebra.catalog import Catalog
from vertebra.cli.text import paragraph
from vertebra.costs import GIB, MARGIN, UTILISATION, Cost, Total, total_of, training_costs
from vertebra.plan import Plan, Step
from vertebra.spec import Device, Json

_PREFIXES = ((1e21, "Z"), (1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_COLUMNS = ("steps", "tokens", "FLOP", "GPU-h", "GiB", "micro", "recompute")
_NAMES = 36
"""Columns for names; longer ones push their row."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The costs of a plan's training steps on some devices."""

    plan: Plan
    done: frozenset[str]
    device: Device
    devices: int
    costs: dict[str, Cost | None]
    """By key of a training step; None where it is unknown."""

    def of_step(self, step: Step) -> dict[str, Json]:
        """A training step's `cost` as JSON, null where it is unknown; nothing of other steps."""
        if step.kind != "train":
            return {}
        cost = self.costs.get(step.key)
        return {"cost": cost.document() if cost else None}

    def document(self) -> dict[str, Json]:
        """What it would cost to run what is not done, as JSON."""
        arms: dict[str, Json] = {crew: _json(self._total(steps)) for crew, steps in self._arms()}
        return {
            "device": self.device.name,
            "devices": self.devices,
            "assumed_utilisation": UTILISATION,
            "arms": arms,
            "would_run": _json(self._total(self._training())),
        }

    def lines(self) -> Iterator[str]:
        """A table, what it assumes and what does not fit; nothing where no cost is known."""
        if not any(self.costs.values()):
            return
        yield ""
        yield _row(
            f"On {self.devices} × {self.device.title}", "steps", "tokens", "FLOP", "GPU-h", "GiB", "micro", "recompute"
        )
        for crew, steps in self._arms():
            yield _sum(crew, self._total(steps))
            for step in steps:
                yield self._stage(step)
        total = self._total(self._training())
        yield _sum("all that would run", total)
        yield ""
        yield paragraph(self._assumed())
        if total.unknown:
            yield paragraph(f"In no sum, since nothing says what they cost: {total.unknown} training steps.")
        if total.refused:
            yield paragraph(f"Not in the hours, since they do not fit: {total.refused} training steps.")
        for why, (first, *others) in self._refused().items():
            yield paragraph(f"- {first}{f' and {len(others)} more' if others else ''}: {why}", hang=2)

    def _refused(self) -> dict[str, list[str]]:
        """Labels of the steps that would run and do not fit, by the reason."""
        found: dict[str, list[str]] = {}
        for step in self._training():
            cost = self.costs.get(step.key)
            if cost and cost.refused and step.key not in self.done:
                found.setdefault(cost.refused, []).append(step.label)
        return found

    def _training(self) -> list[Step]:
        return [step for step in self.plan.steps if step.kind == "train"]

    def _arms(self) -> Iterator[tuple[str, list[Step]]]:
        for crew, steps in groupby(self._training(), key=lambda step: step.crew):
            yield crew, list(steps)

    def _total(self, steps: list[Step]) -> Total:
        return total_of(self.costs.get(step.key) for step in steps if step.key not in self.done)

    def _stage(self, step: Step) -> str:
        name = "  " + step.label.removeprefix(f"{step.crew}/") + (" (done)" if step.key in self.done else "")
        cost = self.costs.get(step.key)
        if cost is None:
            return _row(name, "unknown")
        known = (f"{cost.steps:,}", short(cost.tokens), short(cost.flops))
        if cost.rung is None or cost.gpu_hours is None:
            return _row(name, *known, "", "", "", "no fit")
        memory = _gib(cost.rung.memory.total / GIB)
        return _row(name, *known, _hours(cost.gpu_hours), memory, f"{cost.rung.tokens:,}", cost.rung.recompute)

    def _assumed(self) -> str:
        reached, peak = self.device.matmul_tflops, self.device.peak_tflops
        of = f"{reached:g} TFLOP/s that large products reach" if reached else f"{peak:g} TFLOP/s peak"
        return (
            f"Estimates, not measurements. Assumed: {UTILISATION:.0%} of the {of} (a goal), samples as long as the "
            f"mixtures' `typical`, no padding, layers that are not fused, {MARGIN:.0%} of the memory left free. FLOP "
            "are the model's; GPU-h count what is recomputed too, but no loading, saving or answering."
        )


def estimate(plan: Plan, catalog: Catalog, done: frozenset[str], device: str, devices: int) -> Estimate:
    """The costs of a plan on so many devices of this name. `UnknownName` where there is no such device."""
    chosen = catalog.device(device)
    return Estimate(plan, done, chosen, devices, training_costs(plan, catalog, chosen, devices))


def short(number: float) -> str:
    """Three digits and a prefix: 3.28e19 -> "32.8 E"."""
    for size, prefix in _PREFIXES:
        if number >= size:
            scaled = number / size
            return f"{scaled:.{0 if scaled >= 99.5 else 1 if scaled >= 9.95 else 2}f} {prefix}"
    return f"{number:.0f}"


def _sum(name: str, total: Total) -> str:
    if not total.steps:
        return _row(name)
    return _row(
        name,
        f"{total.steps:,}",
        short(total.tokens),
        short(total.flops),
        _hours(total.gpu_hours) if total.gpu_hours else "",
        _gib(total.memory_gib) if total.memory_gib else "",
    )


def _row(name: str, steps: str = "", *cells: str) -> str:
    """One row; where the name is long the steps follow it at once."""
    first = f"{name:<{_NAMES - len(steps)}}{steps}" if len(name) + len(steps) < _NAMES else f"{name} {steps}"
    widths = (6, 6, 6, 4, 6, -9)
    others = (f"{cell:{'<' if width < 0 else '>'}{abs(width)}}" for cell, width in zip(cells, widths, strict=False))
    return " ".join((first, *others)).rstrip()


def _hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours < 99.95 else f"{hours:,.0f}"


def _gib(size: float) -> str:
    return f"{size:.0f}" if size >= 10 else f"{size:.1f}"


def _json(total: Total) -> dict[str, Json]:
    return {**total._asdict(), "tokens": round(total.tokens)}
