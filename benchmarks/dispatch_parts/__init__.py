"""The parts of `benchmarks.dispatch`, each a question of its own."""
