"""A hearing: a judge is asked about every answer, run by run, a few at a time.

    hear(MM_VET, samples, answers, judge, runs=3)     {"v1_0": [Judgment((0.5,), "0.5", "gpt-4-0613"), ...], ...}

A reply that cannot be read is asked for again, up to five times as MM-Vet does. A call that fails for good, after the
retries of the judge's own, stays without a judgment; the hearing ends early once that makes a score impossible.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from vertebra.endpoint import Reply
from vertebra.errors import JudgeError
from vertebra.scoring.benchmark import Answer, Benchmark, Request, Sample
from vertebra.scoring.judging import Judgment, allowed, demand_answers, over_budget, settle

ATTEMPTS = 5
AT_ONCE = 8
LAST_WORDS = 60.0
"""Seconds that calls under way may still take when a hearing ends early."""


class Call(NamedTuple):
    """One question to the judge."""

    id: str
    """The sample's."""
    request: Request
    run: int
    attempt: int


Ask = Callable[[Call], Awaitable[Reply]]


class Judge(Protocol):
    """Whoever can be asked."""

    @property
    def name(self) -> str:
        """The model that is asked, as the protocol names it."""

    def session(self) -> AbstractAsyncContextManager[Ask]:
        """A way to ask, open for as long as the hearing lasts."""


Tell = Callable[[int, int], None]
"""Hears how many of how many judgments are there."""


def silent(_done: int, _total: int) -> None:
    """Tells nobody."""


def hear(
    benchmark: Benchmark,
    samples: Sequence[Sample],
    answers: Mapping[str, Answer],
    judge: Judge,
    runs: int = 1,
    official: bool = False,
    tell: Tell = silent,
) -> dict[str, list[Judgment]]:
    """A judgment per run for each sample that has an answer.

    `official` sends answers as they are and asks as often as the official code. Raises `JudgeError` when the judge
    refuses or too many judgments are unresolved, `DataError` for a missing answer that cannot be scored.
    """
    demand_answers(benchmark, [sample for sample in samples if sample.id not in answers])
    heard = [sample for sample in samples if sample.id in answers]
    return asyncio.run(_Hearing(benchmark, heard, answers, judge, runs, official).hold(tell))


class _Hearing(NamedTuple):
    benchmark: Benchmark
    samples: Sequence[Sample]
    answers: Mapping[str, Answer]
    judge: Judge
    runs: int
    official: bool

    async def hold(self, tell: Tell) -> dict[str, list[Judgment]]:
        found: dict[str, list[Judgment]] = {
            sample.id: [Judgment(None, None, why="not asked")] * self.runs for sample in self.samples
        }
        gate = asyncio.Semaphore(AT_ONCE)
        begun: set[asyncio.Task[object] | None] = set()
        unresolved: list[tuple[str, int]] = []
        async with self.judge.session() as ask:
            tasks = [
                asyncio.create_task(self._gated(ask, gate, begun, sample, run))
                for run in range(self.runs)
                for sample in self.samples
            ]
            try:
                for done, coming in enumerate(asyncio.as_completed(tasks), start=1):
                    sample, run, judgment = await coming
                    found[sample.id][run] = judgment
                    self._count(sample, run, judgment, unresolved)
                    if len(unresolved) > allowed(len(tasks)):
                        raise over_budget(self.benchmark, unresolved, len(tasks), found)
                    tell(done, len(tasks))
            except JudgeError:  # what is under way is paid for, and its replies are kept
                for task in tasks:
                    if task not in begun:
                        task.cancel()
                await asyncio.wait(tasks, timeout=LAST_WORDS)
                raise
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return found

    def _count(self, sample: Sample, run: int, judgment: Judgment, unresolved: list[tuple[str, int]]) -> None:
        assert self.benchmark.judging
        if settle(self.benchmark.judging, judgment, self.official) is None:
            unresolved.append((sample.id, run))

    async def _gated(
        self, ask: Ask, gate: asyncio.Semaphore, begun: set[asyncio.Task[object] | None], sample: Sample, run: int
    ) -> tuple[Sample, int, Judgment]:
        async with gate:
            begun.add(asyncio.current_task())
            return sample, run, await self._judgment(ask, sample, run)

    async def _judgment(self, ask: Ask, sample: Sample, run: int) -> Judgment:
        """The first reply that can be read, or the last one that cannot."""
        judging = self.benchmark.judging
        assert judging
        text = self.answers[sample.id].text
        answer = text if self.official else judging.neutral(text)
        judgment = Judgment(None, None)
        for attempt in range(judging.official_attempts if self.official else ATTEMPTS):
            reply = await ask(Call(sample.id, judging.request(sample, answer, attempt), run, attempt))
            if reply.text is None:
                return Judgment(None, None, reply.model, reply.why)
            judgment = Judgment(judging.parse(reply.text), reply.text, reply.model)
            if settle(judging, judgment, self.official) is not None and judgment.points is not None:
                break
        return judgment
