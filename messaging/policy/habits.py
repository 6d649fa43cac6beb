"""How probably she sees what goes over a channel, and how long a sign is waited for. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from messaging.policy.route import seen_chance

PRIOR_WEIGHT = 40
"""How many messages of the base the usual is worth while the base is small."""


class Usual(Struct, frozen=True):
    """What is usual of a channel until its history says otherwise.

    `seen` and `delivered` are chances (0 … 1), `patience_s` how long a wanted status is waited for
    before another channel takes over.
    """

    seen: float
    delivered: float
    patience_s: int


USUAL: Mapping[str, Usual] = {
    "messenger": Usual(seen=0.7, delivered=0.97, patience_s=4 * 3600),
    "webpush": Usual(seen=0.3, delivered=0.8, patience_s=3600),
    "email": Usual(seen=0.25, delivered=0.95, patience_s=24 * 3600),
    "sms": Usual(seen=0.9, delivered=0.97, patience_s=2 * 3600),
}
UNHEARD_OF = Usual(seen=0.5, delivered=0.9, patience_s=4 * 3600)
"""Of a channel that is not named above."""


class Record(Struct, frozen=True):
    """How many messages went over a channel, and how many of them were seen."""

    sent: int = 0
    seen: int = 0


def chance(usual: Usual, *, wants: str, tells_of_reading: bool, own: Record, base: Record) -> float:
    """That she sees it there; with `wants` "delivered" that it is delivered.

    Where nobody tells whether a message was read (SMS), silence means nothing and the usual holds.
    Elsewhere her own habit is shrunk to the base's (`route.seen_chance`), and the base's to the
    usual by PRIOR_WEIGHT messages.
    """
    if wants == "delivered":
        return usual.delivered
    if not tells_of_reading:
        return usual.seen
    return seen_chance(
        min(own.seen, own.sent),
        own.sent,
        min(base.seen, base.sent) + round(PRIOR_WEIGHT * usual.seen),
        base.sent + PRIOR_WEIGHT,
    )
