"""One of the processes that train a model together: `torchrun ... -m vertebra.train.rank rank.json` (launching)."""

import sys

from vertebra.bench import Bench
from vertebra.collector import uncollected
from vertebra.launching import take_part
from vertebra.runtime import Runtime

with uncollected():
    from vertebra.model.checkpoint import device_for
    from vertebra.train.distributed import joined
    from vertebra.train.stage import run_stage


def _train(bench: Bench, runtime: Runtime) -> None:
    with joined(device_for(runtime)) as ranks:
        run_stage(bench, runtime, ranks)


if __name__ == "__main__":
    sys.exit(take_part(_train))
