"""A circuit breaker per channel: while its provider is down no tries are burnt on it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    failures: int = 5
    """Failures of the provider in a row that open it."""
    open_s: float = 15.0
    """Seconds until one message may try again; doubled each time, up to `open_s_max`."""
    open_s_max: float = 300.0


class Breaker:
    """Instants are microseconds. Closed: all may try. Open: none. Half-open: one at a time."""

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._failures = 0
        self._openings = 0
        self._shut_until = 0
        self._probing = False

    def admits(self, at: int) -> bool:
        """Whether a try may be made; of an open breaker's time being over, by one alone."""
        if self._failures < self._rules.failures:
            return True
        return at >= self._shut_until and not self._probing

    def started(self) -> None:
        self._probing = self._failures >= self._rules.failures

    def succeeded(self) -> None:
        """The provider has answered, whatever it said of the message."""
        self._failures = self._openings = 0
        self._probing = False

    def failed(self, at: int) -> None:
        """The provider is in trouble."""
        self._failures += 1
        self._probing = False
        if self._failures >= self._rules.failures:
            open_s = min(self._rules.open_s * 2.0**self._openings, self._rules.open_s_max)
            self._openings = min(self._openings + 1, 30)
            self._shut_until = at + int(open_s * 1_000_000)

    def opens_at(self) -> int:
        """When the next try may be made, if none may now."""
        return self._shut_until
