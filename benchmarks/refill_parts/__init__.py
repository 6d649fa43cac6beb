"""The parts of `python -m benchmarks.refill`: invented patients, and how forecasts are judged."""
