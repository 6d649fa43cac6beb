"""How people behave, as data: what they read, press, click and answer, and when they have enough.

The figures are chances. They are invented to be believable, and to let every branch of the product
happen: measure with them how the product behaves, never how customers would.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from app.demo.people import Person

Front = Literal["telegram", "webchat", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """A kind of person. `weight` is its share of all.

    `reads` is the chance that a message is looked at, by the address that it came to. Of what she
    has read: `presses` a button below it, follows a link (`clicks`), is brought to the shop by it
    (`buys`), and of advertising alone has enough (`tires`) and leaves by the way at hand. Who has
    left comes back with the chance `returns`, weeks later.
    """

    name: str
    weight: int
    front: Front
    reads: Mapping[str, float]
    presses: float
    clicks: float
    buys: float
    tires: float
    returns: float
    gives_email: float = 0.0
    invites: float = 0.0
    scores: Sequence[int] = ()
    """What she gives out of ten when she is asked, each as likely."""


CHARACTERS = (
    Character(
        name="regular", weight=34, front="telegram",
        reads={"telegram": 0.75, "email": 0.3, "phone": 0.9},
        presses=0.55, clicks=0.2, buys=0.1, tires=0.004, returns=0.5,
        gives_email=0.35, invites=0.1, scores=(7, 8, 8, 9, 9, 10, 10),
    ),
    Character(
        name="enthusiast", weight=12, front="telegram",
        reads={"telegram": 0.95, "email": 0.6, "phone": 0.95},
        presses=0.85, clicks=0.45, buys=0.2, tires=0.0, returns=1.0,
        gives_email=0.7, invites=0.4, scores=(9, 10, 10),
    ),
    Character(
        name="silent", weight=16, front="telegram",
        reads={"telegram": 0.25, "email": 0.05, "phone": 0.6},
        presses=0.05, clicks=0.03, buys=0.02, tires=0.001, returns=0.1,
        scores=(5, 7, 8),
    ),
    Character(
        name="touchy", weight=8, front="telegram",
        reads={"telegram": 0.7, "email": 0.4, "phone": 0.9},
        presses=0.25, clicks=0.1, buys=0.03, tires=0.08, returns=0.4,
        gives_email=0.2, scores=(0, 2, 3, 5, 6, 7),
    ),
    Character(
        name="browser", weight=16, front="webchat",
        reads={"webchat": 0.45, "email": 0.45, "phone": 0.85},
        presses=0.5, clicks=0.3, buys=0.1, tires=0.008, returns=0.3,
        gives_email=0.6, invites=0.08, scores=(6, 7, 8, 9, 10),
    ),
    Character(
        name="card only", weight=14, front="none",
        reads={"phone": 0.8, "email": 0.35},
        presses=0.0, clicks=0.12, buys=0.05, tires=0.01, returns=0.1,
        scores=(6, 8, 9),
    ),
)  # fmt: skip

ENGLISH = 0.06
"""Chance that she reads English."""
GIVES_BACK = 0.025
"""Chance that a receipt is followed by a return, and of those that nothing is kept of it …"""
GIVES_ALL_BACK = 0.4
CANCELS = 0.006
"""… and that the cashier cancels it at once."""
ENTERS_CODES = 0.3
"""Chance that she takes the trouble to enter the code of an offer."""
DEAD_ADDRESS = 0.02
CHANGES_SETTINGS = 0.06
"""Chance that she sets how often or when she is written to, some time after joining."""
ADDS_MEDICINE = 0.1
"""Chance that she keeps a medicine in the chat that she has not bought here."""
VISITS_SITE = 0.35
"""Chance that she uses the chain's site at all; then about twice a month."""
BROUGHT = 0.12
"""Chance that a newcomer was sent by a friend, if any friend sends."""


QUIET = (21 * 60, 9 * 60)
"""Of who has chosen nothing else."""


@dataclass(slots=True)
class Life:
    """One person's way through the year. `dice` are her own: what others do changes nothing.

    `id` is that of the customer row, once there is one; `chat` her user id or thread. `stopped` is
    since when she wants no advertising, by channel ("": at all), in microseconds. `weekly_max` and
    `quiet` (minutes of her day, from and until) are what she has chosen.
    """

    number: int
    person: Person
    character: Character
    language: str
    dice: random.Random
    id: int = 0
    chat: int = 0
    blocked: bool = False
    referral_code: str = ""
    stopped: dict[str, int] = field(default_factory=dict)
    receipts: int = 0
    asked_back: bool = False
    weekly_max: int | None = None
    quiet: tuple[int, int] = QUIET

    @property
    def agreed(self) -> bool:
        """Whether she has ever agreed to advertising; at the start or when she came back."""
        return self.person.marketing or self.asked_back

    @property
    def front(self) -> Front:
        return self.character.front

    def happens(self, chance: float) -> bool:
        return self.dice.random() < chance


LEAP_BORN = date(1988, 2, 29)


def lives(crowd: Sequence[Person], seed: int) -> list[Life]:
    """A character for each; one in fifty was born on 29 February, so that somebody is."""
    dice = random.Random(f"characters:{seed}")
    kinds = dice.choices(CHARACTERS, [each.weight for each in CHARACTERS], k=len(crowd))
    return [
        Life(
            number=number,
            person=person,
            character=kind,
            language="en" if dice.random() < ENGLISH else "ru",
            dice=random.Random(f"life:{seed}:{number}"),
        )
        for number, (person, kind) in enumerate(zip(crowd, kinds, strict=True))
    ]
