"""What the product takes for an error during a simulation: nobody else would read its log."""

import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

from app.simulation.findings import Findings

_BAD = frozenset({"error", "exception", "critical"})


@contextmanager
def overheard(findings: Findings) -> Iterator[None]:
    """Each error that is logged in the block is a finding."""

    def listen(_logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        if method in _BAD:
            error = event.get("exc_info")
            error = error if isinstance(error, BaseException) else sys.exc_info()[1]
            findings.add(f"logged an error: {event['event']}", repr(error))
        return event

    processors = structlog.get_config()["processors"]  # the list itself: loggers may know it
    processors.insert(0, listen)
    try:
        yield
    finally:
        processors.remove(listen)
