"""Invented patients who take medicines over time: day by day, tablet by tablet.

What is assumed, none of it known to the forecast but the doses a day on the label:

- she takes what the label says, misses some of it, or takes half or twice as much (a tenth does);
  missed doses come one by one and in spells; one dose in eight is changed within the year;
- she goes to the shop on days of her own, every 3 to 12 days, and buys at the first visit at which
  no more than her reserve is left: some keep a week, some come days after the last tablet;
- one pack most of the time, now and then two or three; in weeks of a promotion (one in seven) many
  buy earlier and more than they need;
- now and then she takes nothing for two to eight weeks (hospital, travel, a holiday of the
  medicine), and one purchase in twelve is made elsewhere, where nobody sees it;
- she comes for a year and a half at most, and some stop for good.

Shares are round numbers of the adherence literature's order (about half of those with a standing
medicine take it as told; see Sabaté, WHO 2003), not fitted to any method.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DAYS = 540
PACKS = ((30, 1.0), (28, 1.0), (60, 2.0), (50, 1.0), (90, 1.0), (20, 1.0), (60, 1.0))
"""Units in a pack and units a day by the label."""


@dataclass(frozen=True, slots=True)
class Bought:
    """One purchase that the shop has seen: the day since the beginning, with its fraction."""

    day: float
    units: int


@dataclass(frozen=True, slots=True)
class History:
    """One medicine of one customer."""

    item: str
    daily: float
    bought: Sequence[Bought]


@dataclass(slots=True)
class _Patient:
    pack: int
    label: float
    takes: float
    misses: float
    reserve_days: float
    visits_every: float
    hoards: float
    ends: int


def histories(count: int, seed: int) -> Iterator[History]:
    """`count` courses; the same seed makes the same ones."""
    chance = random.Random(seed)
    promotions = frozenset(week for week in range(DAYS // 7 + 1) if chance.random() < 1 / 7)
    for _ in range(count):
        n = chance.randrange(len(PACKS))
        patient = _patient(*PACKS[n], chance)
        yield History(f"item-{n}", patient.label, tuple(_life(patient, promotions, chance)))


def _patient(pack: int, label: float, chance: random.Random) -> _Patient:
    kind = chance.random()
    dose = chance.choice((0.5, 2.0)) if chance.random() < 0.1 else 1.0
    misses = 0.01 if kind < 0.5 else chance.uniform(0.03, 0.15) if kind < 0.85 else 0.3
    return _Patient(
        pack=pack,
        label=label,
        takes=label * dose,
        misses=misses * chance.uniform(0.5, 1.5),
        reserve_days=chance.gauss(3.0, 4.0),
        visits_every=chance.uniform(3.0, 12.0),
        hoards=chance.choice((0.0, 0.1, 0.3, 0.6)),
        ends=DAYS if chance.random() < 0.75 else chance.randrange(120, DAYS),
    )


def _life(patient: _Patient, promotions: frozenset[int], chance: random.Random) -> Iterator[Bought]:
    """Her days. She begins with a pack, bought on some day of the first two months."""
    day = first = chance.randrange(60)
    yield Bought(day + chance.random() * 0.5, patient.pack)
    stock, next_visit, spell, pause, out_since = float(patient.pack), first + 1.0, 0, 0, -1
    changes_on = chance.randrange(60, DAYS) if chance.random() < 0.18 else DAYS + 1
    for day in range(first, patient.ends):
        if day == changes_on:
            patient.takes *= chance.choice((0.5, 2.0))
        if pause == 0 and chance.random() < 0.5 / 365:
            pause = chance.randrange(14, 57)
        if spell == 0 and chance.random() < patient.misses / 4:
            spell = chance.randrange(2, 6)
        if pause:
            pause -= 1
            continue
        if spell:
            spell -= 1
        elif chance.random() >= patient.misses:
            stock = max(0.0, stock - patient.takes)
        out_since = day if stock <= 0 and out_since < 0 else out_since if stock <= 0 else -1
        if day < next_visit:
            continue
        next_visit = day + max(1.0, chance.gauss(patient.visits_every, patient.visits_every / 4))
        packs = _packs(patient, stock, day - out_since if out_since >= 0 else 0,
                       day // 7 in promotions, chance)  # fmt: skip
        if packs:
            stock += packs * patient.pack
            out_since = -1
            if chance.random() >= 1 / 12:
                yield Bought(day + 0.3 + chance.random() * 0.5, packs * patient.pack)


def _packs(
    patient: _Patient, stock: float, days_out: int, promotion: bool, chance: random.Random
) -> int:
    """How many she buys at this visit."""
    left_days = stock / patient.takes if stock > 0 else -days_out
    if promotion and chance.random() < patient.hoards and left_days < 45:
        return chance.choice((1, 2, 2, 3))
    if left_days > patient.reserve_days:
        return 0
    return chance.choices((1, 2, 3), (0.8, 0.15, 0.05))[0]
