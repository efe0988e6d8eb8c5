"""A judge that has spoken: its stored replies, for computing a score anew without asking anybody.

    ReplayedJudge("gpt-4-0613", Path("out/judgments.jsonl"), "openai")

A reply that is not stored stays without a judgment, as a call does that failed.
"""

from collections.abc import AsyncIterator
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
class ReplayedJudge:
    """The replies of a file that an `EndpointJudge` has kept."""

    name: str
    file: Path
    endpoint: str
    """As a study names it; its replies count where those of several are in the file."""

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Ask]:
        """A way to ask that reaches for no network."""
        known = self._known()

        async def ask(call: Call) -> Reply:
            row = known.get((request_digest(call.request), call.run, call.attempt))
            if row is None:
                return Reply(None, why=f"no reply is stored in {self.file}")
            return Reply(str(row["content"]), str(row.get("model", "")))

        yield ask

    def _known(self) -> dict[tuple[Json, Json, Json], dict[str, Json]]:
        """By what was asked; where an endpoint's replies are not there, those of the judge's name at another one.

        A study says `openai` for whatever OPENAI_BASE_URL was when it ran.
        """
        place = Server(self.name, OPENAI if self.endpoint == "openai" else self.endpoint).place
        rows = [row for row in read_rows(self.file) if row.get("judge") == self.name and "content" in row]
        ordered = sorted(rows, key=lambda row: row.get("endpoint") == place)  # the last of the same key stays
        return {(row.get("request"), row.get("run"), row.get("attempt")): row for row in ordered}


def replayed(judge: Judging, file: Path) -> Judge:
    """The judge of a study, without asking it: the rules, which say the same again, or stored replies."""
    return ScriptedJudge() if judge.name == NAME else ReplayedJudge(judge.name, file, judge.endpoint)
