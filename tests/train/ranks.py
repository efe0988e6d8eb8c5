"""Several stages in one start of several processes: `torchrun ... -m tests.train.ranks cases.json`.

    [{"bench": {...}, "runtime": {"devices": 2}, "stop_after": 2}, ...]

Each process writes beside the cases how each ended for it: `ended.0.json`, ["", "Stopped. Everything ...", ...].
"""

import json
import sys
from pathlib import Path
from typing import Any

from vertebra.bench import Bench
from vertebra.errors import VertebraError
from vertebra.runtime import Runtime
from vertebra.train.distributed import Ranks, joined
from vertebra.train.stage import run_stage


def main() -> None:
    cases = Path(sys.argv[1])
    with joined("cpu") as ranks:
        ended = [ending(case, ranks) for case in json.loads(cases.read_text())]
        cases.with_name(f"ended.{ranks.rank}.json").write_text(json.dumps(ended))


def ending(case: dict[str, Any], ranks: Ranks) -> str:
    """Takes part in a stage; the error that ended it. One of the processes alone gets the signal, as on a cluster."""
    done, stop = [case["begun"]], case["stop_after"]
    bench = Bench.read(
        case["bench"],
        progress=lambda number, total, unit, note="": done.append(number) if unit == "batches" else None,
        stopping=lambda: ranks.is_first and stop is not None and done[-1] >= stop - 1,
    )
    try:
        run_stage(bench, Runtime.model_validate(case["runtime"]), ranks)
    except VertebraError as error:
        return str(error)
    finally:
        ranks.meet()
    return ""


if __name__ == "__main__":
    main()
