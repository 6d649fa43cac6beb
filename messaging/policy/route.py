"""By which channels a message goes, and in which order: the cheapest way to be seen. Pure.

A route is tried step by step until she has seen the message. A step costs its price and, with the
chance that she does not see it, what follows:

    cost(step, rest) = price + (1 - chance) * cost(rest)

Prices are whole millionths of the programme's currency, durations microseconds.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from messaging.policy.verdicts import Why

OPTIONS_MAX = 8
"""Ways compared at once: their combinations double with each. The dearest beyond are left out."""

_SLACK = 1e-12
"""Chances are floats: a reach that falls short by less than this is reached."""


class Option(Struct, frozen=True, kw_only=True):
    """A channel with an address of hers, and what is known of it.

    `chance` is that of the wanted status, or of her seeing it where none is wanted (0 … 1).
    `reports` are the statuses that the channel can tell of. After `deadline_us` without the wanted
    one a fallback may follow; None: nothing may. A negative price or another chance raises
    ValueError.
    """

    channel: str
    address_kind: str = ""
    address: str = ""
    price: int
    chance: float
    reports: frozenset[str] = frozenset()
    deadline_us: int | None = None

    def __post_init__(self) -> None:
        if self.price < 0 or not 0 <= self.chance <= 1:
            raise ValueError(f"{self.channel}: price {self.price}, chance {self.chance}")


class Need(Struct, frozen=True, kw_only=True):
    """What a message asks of its route.

    With `wants` (delivered, read) others follow until the status has come, as far as `reach` asks
    for: the probability that it comes at last. A reach of 0 is as much as can be had when a status
    is wanted, and otherwise a single try. `cost_max` bounds the worst case, all steps together.
    Where she sees less than `chance_min` of what is sent she hardly looks: nothing goes there while
    there is another way that can be paid. It should be well below what the base sees. A reach that
    is no probability raises ValueError.
    """

    wants: str = ""
    reach: float = 0.0
    cost_max: int | None = None
    chance_min: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.reach <= 1:
            raise ValueError(f"a reach of {self.reach}")


class Standing(StrEnum):
    """What became of a route that was considered."""

    CHOSEN = "chosen"
    DEARER = "dearer"
    LESS_SURE = "less_sure"
    """It reaches her less probably than asked for, or than the chosen one does."""
    TOO_DEAR = "too_dear"
    """In the worst case it costs more than the message may."""
    HARDLY_USED = "hardly_used"
    LEFT_OUT = "left_out"
    """There were more than `OPTIONS_MAX` ways."""


class Considered(Struct, frozen=True):
    """A route and its figures: the expected and the worst cost, and the chance to reach her."""

    options: tuple[Option, ...]
    expected: float
    worst: int
    reach: float
    standing: Standing


class Because(StrEnum):
    """Why a step is taken."""

    ONLY_WAY = "only_way"
    CHEAPEST = "cheapest"
    """It opens the route that does what was asked for at the least expected cost."""
    SUREST = "surest"
    """No route is as sure as was asked for: it opens the surest."""
    FALLBACK = "fallback"
    """The step before may fail or stay without the wanted status."""


class Step(Struct, frozen=True):
    """One try: `odds` is the probability that it is needed at all.

    Without the wanted status after `deadline_us` the next one follows; the last has no deadline.
    """

    option: Option
    deadline_us: int | None
    odds: float
    why: Because


class Plan(Struct, frozen=True):
    """The steps in order and all that was compared. `reason` says what is lacking, if anything.

    Without steps it is `no_channel` or `too_dear`; with steps it may be `reach_not_possible`.
    """

    steps: tuple[Step, ...]
    considered: tuple[Considered, ...]
    reason: str = ""


def plan(options: Sequence[Option], need: Need) -> Plan:
    """The cheapest route that does what the message needs, else the surest that it can pay for.

    Of equally dear ones the shorter, then the surer, then the one whose options were named first.
    All sets of options are compared, each in its cheapest order (see `_routes`).
    """
    limit = math.inf if need.cost_max is None else need.cost_max
    if len(options) == 1:
        return _only_way(options[0], need, limit)
    usable, left = _usable(options, need, limit)
    if not usable:
        return Plan((), left, Why.TOO_DEAR if options else Why.NO_CHANNEL)
    routes = _routes(usable, need)
    best, miss_max, why = _choice([route for route in routes if route[2] <= limit], need)
    steps = _steps(best[0], why)
    considered = (_considered(route, best, limit, miss_max) for route in routes)
    short = why is Because.SUREST and need.reach
    return Plan(steps, (*considered, *left), Why.REACH_NOT_POSSIBLE if short else "")


def _only_way(option: Option, need: Need, limit: float) -> Plan:
    """As `plan` of many, where there is nothing to compare: most customers have one way."""
    price, alone = option.price, (option,)
    if price > limit:
        left = Considered(alone, price, price, option.chance, Standing.TOO_DEAR)
        return Plan((), (left,), Why.TOO_DEAR)
    short = need.reach and 1 - option.chance > 1 - need.reach + _SLACK
    chosen = Considered(alone, float(price), price, option.chance, Standing.CHOSEN)
    steps = (Step(option, None, 1.0, Because.ONLY_WAY),)
    return Plan(steps, (chosen,), Why.REACH_NOT_POSSIBLE if short else "")


def seen_chance(
    own_seen: int, own_sent: int, base_seen: int, base_sent: int, weight: float = 5.0
) -> float:
    """How probably she sees what is sent to her there: her own habit, shrunk to the base's.

        base = (base_seen + 1) / (base_sent + 2)
        chance = (own_seen + weight * base) / (own_sent + weight)

    The mean of the posterior when her chance is drawn from Beta(weight * base, weight * (1 - base))
    (Gelman et al., Bayesian Data Analysis, 3rd ed., 2.4 and 5.1; Casella, An Introduction to
    Empirical Bayes Data Analysis, 1985); the base's own mean is Laplace's rule of succession, so a
    channel that nobody knows is worth a half. `weight` > 0 is how many of her messages the base is
    worth. More seen than sent, or a weight of none, raises ValueError.
    """
    if not (0 <= own_seen <= own_sent and 0 <= base_seen <= base_sent and weight > 0):
        raise ValueError(f"{own_seen} of {own_sent}, {base_seen} of {base_sent}, {weight}")
    base = (base_seen + 1) / (base_sent + 2)
    return (own_seen + weight * base) / (own_sent + weight)


_Route = tuple[tuple[Option, ...], float, int, float]
"""The options in order, the expected and the worst cost, the chance to miss her."""


def _usable(
    options: Sequence[Option], need: Need, limit: float
) -> tuple[list[Option], tuple[Considered, ...]]:
    """The options worth combining, and the others with the reason why they are not."""
    payable = [option for option in options if option.price <= limit]
    used = [option for option in payable if option.chance >= need.chance_min] or payable
    usable = used
    if len(used) > OPTIONS_MAX:
        usable = sorted(used, key=_by_price_of_seeing)[:OPTIONS_MAX]
    left = []
    for option in options:
        if option not in usable:
            standing = Standing.LEFT_OUT if option in used else Standing.HARDLY_USED
            if option.price > limit:
                standing = Standing.TOO_DEAR
            alone = (option,)
            left.append(Considered(alone, option.price, option.price, option.chance, standing))
    return usable, tuple(left)


def _routes(options: Sequence[Option], need: Need) -> list[_Route]:
    """One route for each set of options that can be a route, in the set's cheapest order.

    An option that cannot tell of the wanted status may only be the last. The others go by price
    divided by chance: for neighbours x, y the order x y costs price_x + (1 - chance_x) * price_y
    before the same rest, so it is cheaper than y x where price_x / chance_x < price_y / chance_y
    (Simon and Kadane, Optimal Problem-Solving Search, Artificial Intelligence 6, 1975). Built from
    the end: each option, the dearest to be seen first, is put before all routes made so far.
    """
    last = [option for option in options if not _may_be_followed(option, need)]
    others = [option for option in options if _may_be_followed(option, need)]
    others.sort(key=_by_price_of_seeing)
    routes: list[_Route] = [((), 0.0, 0, 1.0)]
    routes += [((o,), float(o.price), o.price, 1 - o.chance) for o in last]
    for option in reversed(others):
        first, price, unseen = (option,), option.price, 1 - option.chance
        routes += [
            (first + rest, price + unseen * expected, price + worst, unseen * miss)
            for rest, expected, worst, miss in routes
        ]
    return routes[1:]


def _may_be_followed(option: Option, need: Need) -> bool:
    return option.deadline_us is not None and need.wants in option.reports


def _choice(routes: list[_Route], need: Need) -> tuple[_Route, float, Because]:
    """The best of them, the greatest chance to miss her that was tolerated, and why it is."""
    if not (need.wants or need.reach):
        return min(routes, key=_single), math.inf, Because.CHEAPEST
    miss_max = 1 - (need.reach or 1.0) + _SLACK
    if sure := [route for route in routes if route[3] <= miss_max]:
        return min(sure, key=_cheapest), miss_max, Because.CHEAPEST
    best = min(routes, key=_surest)
    return best, best[3] + _SLACK, Because.SUREST


def _by_price_of_seeing(option: Option) -> tuple[float, float]:
    """What it costs to be seen there once, if one could try for ever; of free ones the surer."""
    price = option.price / option.chance if option.chance else math.inf
    return price, -option.chance


def _single(route: _Route) -> tuple[float, float]:
    return _by_price_of_seeing(route[0][0])


def _cheapest(route: _Route) -> tuple[float, int, float]:
    return route[1], len(route[0]), route[3]


def _surest(route: _Route) -> tuple[float, float, int]:
    return round(route[3], 12), route[1], len(route[0])


def _considered(route: _Route, best: _Route, limit: float, miss_max: float) -> Considered:
    options, expected, worst, miss = route
    if route is best:
        standing = Standing.CHOSEN
    elif worst > limit:
        standing = Standing.TOO_DEAR
    else:
        standing = Standing.LESS_SURE if miss > miss_max else Standing.DEARER
    return Considered(options, expected, worst, 1 - miss, standing)


def _steps(options: Sequence[Option], why: Because) -> tuple[Step, ...]:
    steps: list[Step] = []
    odds = 1.0
    for option in options:
        follows = len(steps) + 1 < len(options)
        deadline_us = option.deadline_us if follows else None
        steps.append(Step(option, deadline_us, odds, Because.FALLBACK if steps else why))
        odds *= 1 - option.chance
    return tuple(steps)
