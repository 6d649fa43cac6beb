"""How much one visitor or one address may ask of the web chat: so many in so many seconds."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WebchatLimits:
    """Counted per process, which is enough to keep one visitor from crowding out the others."""

    frames: int = 20
    frames_s: float = 10.0
    new_threads: int = 30
    new_threads_s: float = 600.0


class Window:
    """A sliding window of `limit` takes in `seconds`, per key. Instants: seconds of one clock."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._takes: dict[Hashable, deque[float]] = {}
        self._swept_at = 0.0

    def take(self, key: Hashable, now: float) -> float:
        """Count one; 0 when it is allowed, else the seconds until the next one would be."""
        self._sweep(now)
        takes = self._takes.setdefault(key, deque())
        while takes and takes[0] <= now - self._seconds:
            takes.popleft()
        if len(takes) >= self._limit:
            return takes[0] + self._seconds - now
        takes.append(now)
        return 0.0

    def _sweep(self, now: float) -> None:
        """Forget keys that were last seen a window ago, once per window."""
        if now - self._swept_at < self._seconds:
            return
        self._swept_at = now
        stale = [k for k, takes in self._takes.items() if takes[-1] <= now - self._seconds]
        for key in stale:
            del self._takes[key]
