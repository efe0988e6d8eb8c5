"""Measurements, not shipped: `python -m bench NAME --json` from the project's root. Results: docs/numbers.md."""
