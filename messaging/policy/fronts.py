"""Which of the customer's open conversations a message goes to. Pure."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

PRESENT_S = 15 * 60
"""Seconds for which a browser that was seen counts as being looked at."""

AWAY_S = 60
"""Seconds after which nobody is sure any more that she is looking: a message may ring."""

_RINGS = {"telegram": 0, "webchat": 1}
"""A messenger makes a sound in her pocket; a web page waits to be opened."""


class Front(Struct, frozen=True):
    """A conversation that is open: `telegram` with a user id, `webchat` with a thread id.

    Also a browser that takes notifications; `thread` is the web chat in which it subscribed.
    """

    kind: str
    value: str
    seen_at: int = 0  # microseconds; 0: unknown
    thread: str = ""


def bell_of(front: Front, browsers: Sequence[Front], *, at: int) -> Front | None:
    """The browser that rings beside a message in a web chat, for a page makes no sound: the one
    that has the chat, unless she has just been there. Of several the first."""
    if front.kind != "webchat" or at - front.seen_at <= AWAY_S * 1_000_000:
        return None
    return next((browser for browser in browsers if browser.thread == front.value), None)


def in_order(
    fronts: Sequence[Front], *, at: int, refused: Iterable[tuple[str, str]] = ()
) -> list[Front]:
    """The fronts to try, best first, without those that have `refused` this message for good.

    First the web chat that she is looking at, then the messenger that rings, then the web chat
    whose transcript she will find when she comes back; of equals the one seen last.
    """
    closed = set(refused)
    open_ones = [f for f in fronts if (f.kind, f.value) not in closed] if closed else fronts
    if len(open_ones) == 1:
        return list(open_ones)

    def rank(front: Front) -> tuple[int, int, int]:
        present = front.kind == "webchat" and at - front.seen_at <= PRESENT_S * 1_000_000
        return (0 if present else 1, _RINGS.get(front.kind, 9), -front.seen_at)

    return sorted(open_ones, key=rank)
