"""How Python's garbage collector is set while Kapsula works."""

import gc


def spare_the_collector() -> None:
    """What the start has made stays: the garbage collector need not walk it again and again.

    A full walk over some hundred thousand objects would stop every till for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)
