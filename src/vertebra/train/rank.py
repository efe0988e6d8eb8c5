"""One of the processes that train a model together: `torchrun ... -m vertebra.train.rank rank.json` (train/launch)."""

import json
import os
import signal
import sys
import threading
from fcntl import LOCK_EX, flock
from pathlib import Path

from vertebra.bench import Bench
from vertebra.collector import uncollected
from vertebra.errors import Stopped, VertebraError
from vertebra.spec import Runtime

with uncollected():
    from vertebra.train.distributed import joined
    from vertebra.train.launch import say
    from vertebra.train.stage import device_for, run_stage


def main() -> int:
    """Takes part in the stage that a file describes; the exit code."""
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: signals.append(received))
    threading.Thread(target=_leave_with_launcher, daemon=True).start()
    path = Path(sys.argv[1])
    order = json.loads(path.read_bytes())
    runtime = Runtime.model_validate(order["runtime"])
    bench = Bench.read(
        order["bench"],
        progress=lambda done, total, unit, note="": say(progress=[done, total, unit, note]),
        stopping=lambda: bool(signals),
        note=lambda message: say(noted=message),
    )
    try:
        with joined(device_for(runtime)) as ranks:
            run_stage(bench, runtime, ranks)
    except Stopped:
        return 0  # whoever sent the signal knows
    except VertebraError as error:
        with path.open() as turn:
            flock(turn, LOCK_EX)  # a pipe mixes long lines of several processes
            say(failed=str(error), exit_code=error.exit_code)
        # Others may wait for this one in an exchange; torchrun ends them.
        os._exit(1)
    return 0


def _leave_with_launcher() -> None:
    """The life line closes when whoever launched is gone, however it went."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
