"""The parts of `python -m benchmarks.promo`, a module each.

A part has `async def run(report, arguments)`, which adds its aims and figures to the report, and
may have `add_arguments(parser)` for options of its own.
"""
