"""`python -m bench NAME [--small] [--json]`: each name is a module of this package with a `measure(small)`."""

import argparse
import importlib
import json
import pkgutil
from dataclasses import asdict

import bench
from bench.measurement import Measurement, machine, versions


def main() -> None:
    """Measures and prints."""
    names = [found.name for found in pkgutil.iter_modules(bench.__path__) if not found.name.startswith("_")]
    names.remove("measurement")
    parser = argparse.ArgumentParser(prog="python -m bench", description="Side-by-side measurements.")
    parser.add_argument("name", choices=names)
    parser.add_argument("--small", action="store_true", help="in small, to see that it works")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    chosen = parser.parse_args()
    found: Measurement = importlib.import_module(f"bench.{chosen.name}").measure(chosen.small)
    if chosen.json:
        arms = {name: arm._asdict() for name, arm in found.arms.items()}
        print(json.dumps({**asdict(found), "arms": arms, "machine": machine(), "versions": versions()}))
        return
    for name, arm in found.arms.items():
        print(f"{name:<24} {arm.value:9.2f} {arm.unit}")
    for name, ratio in found.ratios.items():
        print(f"{name:<24} {ratio:9.2f} x")
    print(f"{'equal':<24} {'yes' if found.equal else 'NO':>9}")
    print(*found.notes, machine(), versions(), sep="\n")


if __name__ == "__main__":
    main()
