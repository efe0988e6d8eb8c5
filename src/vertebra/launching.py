"""A step on several devices: torchrun starts a process for each, and these say how far they are.

    torchrun --standalone --nproc-per-node=8 -m vertebra.train.rank STEP/rank.json

On a cluster the words before `-m` are Runtime's `launcher`, such as [srun, torchrun, --nnodes=4, ...]; all machines see
the same store and data. Standard input is a life line: when it closes, the processes leave. On standard output lines
that begin with a mark are for whoever launched; all others go to the log.

    vertebra {"progress": [120, 5198, "batches", "loss 1.93"]}
    vertebra {"noted": "Its samples are padded: ..."}
    vertebra {"failed": "The loss is nan on the batch of ...", "exit_code": 1}
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import IO

from vertebra.bench import Bench
from vertebra.errors import Stopped, VertebraError
from vertebra.files import write_atomically
from vertebra.runtime import Runtime
from vertebra.spec import Json

MARK = "vertebra "
_SECONDS_BETWEEN_LOOKS = 0.2


def is_launched(runtime: Runtime) -> bool:
    """Whether a step runs in processes of its own."""
    return runtime.devices > 1 or bool(runtime.launcher)


def launch(bench: Bench, runtime: Runtime, module: str) -> None:
    """Runs a module's part of a step in each process; `Stopped` after a signal. `VertebraError` when one fails."""
    order = bench.folder / "rank.json"
    write_atomically(order, json.dumps({"bench": bench.document(), "runtime": runtime.model_dump(mode="json")}))
    here = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={runtime.devices}"]
    words = [*(runtime.launcher or here), "-m", module, str(order)]
    try:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    except OSError as error:
        raise VertebraError(f"The launcher {words[0]!r} cannot be started: {error.strerror}.") from error
    with process:
        assert process.stdout
        watch = threading.Thread(target=_hand_on_signals, args=(process, bench), daemon=True)
        watch.start()
        failure = _listen(process.stdout, bench)
    if failure:
        raise failure
    if bench.stopping():
        raise Stopped(15)
    if process.returncode:
        raise VertebraError(
            f"One of the processes that worked together died (the launcher's exit code is {process.returncode}); what "
            "they said is in the log. Give the same command again: it goes on from what was kept."
        )


def take_part(work: Callable[[Bench, Runtime], None]) -> int:
    """What a launched process does: `work` on the step that a file describes; the exit code."""
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: signals.append(received))
    threading.Thread(target=_leave_with_launcher, daemon=True).start()
    path = Path(sys.argv[1])
    order = json.loads(path.read_bytes())
    bench = Bench.read(
        order["bench"],
        progress=lambda done, total, unit, note="": _say(progress=[done, total, unit, note]),
        stopping=lambda: bool(signals),
        note=lambda message: _say(noted=message),
    )
    try:
        work(bench, Runtime.model_validate(order["runtime"]))
    except Stopped:
        return 0  # whoever sent the signal knows
    except VertebraError as error:
        with path.open() as turn:
            flock(turn, LOCK_EX)  # a pipe mixes long lines of several processes
            _say(failed=str(error), exit_code=error.exit_code)
        # Others may wait for this one in an exchange; torchrun ends them.
        os._exit(1)
    return 0


def _say(**told: Json) -> None:
    """Tells whoever launched; one write, so that lines of several processes do not mix."""
    sys.stdout.write(f"{MARK}{json.dumps(told)}\n")
    sys.stdout.flush()


def _leave_with_launcher() -> None:
    """The life line closes when whoever launched is gone, however it went."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _listen(lines: IO[str], bench: Bench) -> VertebraError | None:
    """Hands on progress until all have left; the first failure that one of them tells."""
    failure = None
    for line in lines:
        if not line.startswith(MARK):
            sys.stderr.write(line)
            continue
        told = json.loads(line.removeprefix(MARK))
        if "progress" in told:
            bench.progress(*told["progress"])
        elif "noted" in told:
            bench.note(told["noted"])
        elif failure is None:
            failure = VertebraError(told["failed"])
            failure.exit_code = told["exit_code"]
    return failure


def _hand_on_signals(process: "subprocess.Popen[str]", bench: Bench) -> None:
    while process.poll() is None:
        if bench.stopping():
            process.send_signal(signal.SIGTERM)
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)
