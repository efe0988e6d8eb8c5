"""Seconds until `vertebra plan|score|status|report --help` has answered: what imports at start-up cost.

bar    0.4 seconds, each the median of several processes, the commands by turns
"""

import statistics
import subprocess
import sys
import time

from bench.measurement import Arm, Measurement

_COMMANDS = ("plan", "score", "status", "report")
_BAR = 0.4


def measure(small: bool) -> Measurement:
    """Seconds a command; ratios are to the bar, higher is better. `equal`: every command answered."""
    rounds = 1 if small else 9
    seconds: dict[str, list[float]] = {command: [] for command in _COMMANDS}
    answered = True
    for _ in range(rounds):
        for command, each in seconds.items():
            begin = time.perf_counter()
            ran = subprocess.run(
                [sys.executable, "-m", "vertebra", command, "--help"], capture_output=True, check=False
            )
            each.append(time.perf_counter() - begin)
            answered &= ran.returncode == 0
    usual = {command: statistics.median(each) for command, each in seconds.items()}
    arms = {command: Arm(round(value, 3), "s") for command, value in usual.items()}
    ratios = {f"{command}/bar": round(_BAR / value, 2) for command, value in usual.items()}
    return Measurement("startup", arms, ratios, answered, [f"median of {rounds} rounds, caches warm"])
