"""One of the processes that answer a step's questions: `torchrun ... -m vertebra.predict.rank rank.json`."""

import os
import sys

from vertebra.bench import Bench
from vertebra.collector import uncollected
from vertebra.launching import take_part
from vertebra.runtime import Part, Runtime

with uncollected():
    import torch

    from vertebra.predict.step import answer_part


def _answer(bench: Bench, runtime: Runtime) -> None:
    """As torchrun has it: RANK of WORLD_SIZE processes, LOCAL_RANK of this machine's."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    answer_part(bench, runtime, Part(int(os.environ["RANK"]) + 1, int(os.environ["WORLD_SIZE"])))


if __name__ == "__main__":
    sys.exit(take_part(_answer))
