"""The journeys of the house, one module each: its declaration, and what only it asks or looks for.

Every module here is one or more journeys, in `JOURNEY` or `JOURNEYS`; a new one is one file.
"""

import importlib
import pkgutil
from collections.abc import Iterator

from messaging.journeys import actions, facts
from messaging.journeys.declaration import Journey

__all__ = ["HOUSE_JOURNEYS", "actions", "facts"]  # importing the two registers what they offer


def _journeys() -> Iterator[Journey]:
    for found in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        module = importlib.import_module(f"{__name__}.{found}")
        yield from getattr(module, "JOURNEYS", None) or (module.JOURNEY,)


HOUSE_JOURNEYS: tuple[Journey, ...] = tuple(_journeys())
"""All of them, on unless staff have switched one off."""
