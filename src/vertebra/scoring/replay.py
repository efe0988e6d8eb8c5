"""A judge that has spoken: its stored replies, for computing a score anew without asking anybody.

    RememberedJudge.of("gpt-4-0613", read_rows(path), "judgments.jsonl")

A reply that is not stored stays without a judgment, as a call does that failed.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from vertebra.endpoint import OPENAI, Reply, Server
from vertebra.files import read_rows
from vertebra.scoring.hearing import Ask, Call, Judge
from vertebra.scoring.judge import request_digest
from vertebra.scoring.rules import NAME, ScriptedJudge
from vertebra.spec import Json
from vertebra.spec import Judge as Judging


@dataclass(frozen=True, slots=True)
class RememberedJudge:
    """The replies that an `EndpointJudge` has kept."""

    name: str
    replies: Mapping[tuple[Json, Json, Json], Reply]
    """By digest of the request, run and attempt."""
    runs: int
    """How often it was asked about each answer."""
    where: str
    """For complaints."""

    @classmethod
    def of(cls, name: str, rows: Sequence[Mapping[str, Json]], where: str, place: str = "") -> "RememberedJudge":
        """The replies of this judge among rows; where several endpoints have replied, those of `place` count."""
        own = [row for row in rows if row.get("judge") == name and isinstance(row.get("content"), str)]
        replies: dict[tuple[Json, Json, Json], Reply] = {}
        runs = 1
        for row in sorted(own, key=lambda row: row.get("endpoint") == place):  # the last of the same key stays
            run = row.get("run")
            if isinstance(run, int):
                reply = Reply(str(row["content"]), str(row.get("model", "")))
                replies[row.get("request"), run, row.get("attempt")] = reply
                runs = max(runs, run + 1)
        return cls(name, replies, runs, where)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Ask]:
        """A way to ask that reaches for no network."""

        async def ask(call: Call) -> Reply:
            key = (request_digest(call.request), call.run, call.attempt)
            return self.replies.get(key, Reply(None, why=f"{self.where} has no reply about this very answer"))

        yield ask


def replayed(judge: Judging, file: Path) -> Judge:
    """The judge of a study, without asking it: the rules, which say the same again, or stored replies.

    A study says `openai` for whatever OPENAI_BASE_URL was when it ran, so another endpoint's replies count too.
    """
    if judge.name == NAME:
        return ScriptedJudge()
    place = Server(judge.name, OPENAI if judge.endpoint == "openai" else judge.endpoint).place
    return RememberedJudge.of(judge.name, read_rows(file), str(file), place)
