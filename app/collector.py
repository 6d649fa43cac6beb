"""How Python's garbage collector is set while Kapsula works."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


def spare_the_collector() -> None:
    """What the start has made stays: the garbage collector need not walk it again and again.

    A full walk over some hundred thousand objects would stop every till for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    # What is frozen is not taken down at the end either, and a library of ours complains of that in
    # thirty lines on the screen of whoever stops us.
    atexit.register(gc.unfreeze)
    gc.set_threshold(20_000, 10, 10)


@contextmanager
def collector_is_lazy() -> Iterator[None]:
    """For work that makes much and keeps it for a while: it looks more rarely."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 2, 2)
    try:
        yield
    finally:
        gc.set_threshold(*before)
