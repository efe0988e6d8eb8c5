"""What can go wrong for a person, and the exit code it ends with.

Every message is one paragraph that says what, where and what to do. The exit codes are the command line's contract:
0 done, 1 a run failed, 2 usage or config, 3 refused by a check, 4 data or weights missing or corrupt, 5 judge
unavailable, 6 a gate not met, 130/143 interrupted and resumable.

    VertebraError
    ├── ConfigError ── UnknownName
    ├── Refused
    ├── DataError
    ├── JudgeError
    ├── StoreBusy
    └── Stopped
"""

from collections.abc import Iterable
from difflib import get_close_matches


class VertebraError(Exception):
    """A failure that the user can understand and mend."""

    exit_code = 1


class ConfigError(VertebraError):
    """A file or an argument that does not say what it should."""

    exit_code = 2


class UnknownName(ConfigError):
    """A name that no catalogue entry, field or benchmark carries."""

    def __init__(self, what: str, name: str, known: Iterable[str], where: str = "") -> None:
        """`what` is the kind of thing ("backbone"), `known` the names that would have been right."""
        known = sorted(known)
        close = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known) or 'none'}."
        super().__init__(f"{where + ': ' if where else ''}no {what} is named {name!r}. {hint}")


class Refused(VertebraError):
    """A check (template, mask, head, confound) that did not pass."""

    exit_code = 3


class DataError(VertebraError):
    """Data or weights that are missing or corrupt."""

    exit_code = 4


class JudgeError(VertebraError):
    """No judge to ask, or too many of its replies are missing or cannot be read."""

    exit_code = 5


class StoreBusy(VertebraError):
    """Another run owns the store."""


class Stopped(VertebraError):
    """A signal ended the run; what is finished is kept and the next run resumes."""

    def __init__(
        self, signal_number: int, kept: str = "Everything finished so far is kept; the same command resumes."
    ) -> None:
        """`signal_number` is 2 (SIGINT) or 15 (SIGTERM)."""
        self.exit_code = 128 + signal_number
        super().__init__(f"Stopped. {kept}")
