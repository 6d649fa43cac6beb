"""The route by expected cost, as a price list reads; and against trying every order of any set."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.policy.route import (
    OPTIONS_MAX,
    Because,
    Need,
    Option,
    Plan,
    Standing,
    plan,
    seen_chance,
)
from tests.messaging.policy.instants import DAY, HOUR

READ = frozenset({"delivered", "read"})
CHANNELS = {
    "messenger": (0, READ, HOUR),
    "webpush": (0, frozenset({"delivered"}), HOUR),
    "email": (50_000, READ, DAY),
    "sms": (3_000_000, frozenset({"delivered"}), HOUR),
}
"""Price in millionths, what it can tell, and how long a fallback waits."""

# chances | need | steps | expected and worst cost, reach
TABLE = """
messenger .6, email .25, sms .95              | one try              | messenger            |    0       0 .6
email .25, sms .95                            | one try              | email                |  .05     .05 .25
sms .95                                       | one try              | sms                  |    3       3 .95
messenger .02, email .25, sms .95             | one try              | email                |  .05     .05 .25
messenger .6, email .01, sms .95              | one try              | messenger            |    0       0 .6
email .01, sms .95                            | one try              | sms                  |    3       3 .95
messenger .01, email .01                      | one try              | messenger            |    0       0 .01
email .01, sms .95                            | one try, at most 1   | email                |  .05     .05 .01
webpush .3, messenger .6                      | one try              | messenger            |    0       0 .6
messenger .6, email .25, sms .95              | one try, reach .9    | sms                  |    3       3 .95
messenger .6, email .25                       | one try, reach .9    | messenger            |    0       0 .6
messenger .6, email .25, sms .95              | read, reach .6       | messenger            |    0       0 .6
messenger .6, email .25, sms .95              | read, reach .7       | messenger email      |  .02     .05 .7
messenger .6, email .25, sms .95              | read, reach .9       | messenger email sms  |  .92    3.05 .985
messenger .6, email .01, sms .95              | read, reach .9       | messenger sms        |  1.2       3 .98
messenger .6, email .25, sms .95              | read                 | messenger email sms  |  .92    3.05 .985
messenger .6, email .25, sms .95              | read, at most 3      | messenger sms        |  1.2       3 .98
messenger .6, email .25, sms .95              | read, at most 2      | messenger email      |  .02     .05 .7
email .01, sms .95                            | read, reach .5       | sms                  |    3       3 .95
email .06, sms .95                            | read, reach .5       | email sms            | 2.87    3.05 .953
sms .95, sms .95                              | read                 | sms                  |    3       3 .95
sms .95, sms .95                              | delivered            | sms sms              | 3.15       6 .9975
webpush .3, messenger .6                      | read                 | messenger webpush    |    0       0 .72
webpush .3, messenger .6                      | delivered            | messenger webpush    |    0       0 .72
"""  # noqa: E501 - a table


@pytest.mark.parametrize("row", TABLE.strip().splitlines(), ids=lambda row: " ".join(row.split()))
def test_the_route(row: str) -> None:
    chances, need, steps, figures = (cell.strip() for cell in row.split("|"))
    found = plan(options(chances), asked(need))
    assert " ".join(step.option.channel for step in found.steps) == steps
    (chosen,) = (route for route in found.considered if route.standing is Standing.CHOSEN)
    told = (chosen.expected / 1e6, chosen.worst / 1e6, chosen.reach)
    assert told == pytest.approx(tuple(map(float, figures.split())))


def options(text: str) -> list[Option]:
    """`email .25, sms .95`: with the prices and habits of CHANNELS."""
    found = []
    for channel, chance in (entry.split() for entry in text.split(", ")):
        price, reports, deadline = CHANNELS[channel]
        found.append(
            Option(
                channel=channel,
                price=price,
                chance=float(chance),
                reports=reports,
                deadline_us=deadline,
            )
        )
    return found


def asked(text: str) -> Need:
    """`read, reach .9, at most 3`: the wanted status, the reach, the cost in the currency."""
    wants, *more = text.split(", ")
    said = dict(entry.rsplit(" ", 1) for entry in more)
    return Need(
        wants="" if wants == "one try" else wants,
        reach=float(said.get("reach", 0)),
        cost_max=int(said["at most"]) * 1_000_000 if "at most" in said else None,
    )


@pytest.mark.parametrize(
    ("chances", "need", "reason", "why"),
    [
        ("sms .95", "one try", "", [Because.ONLY_WAY]),
        ("email .25, sms .95", "one try", "", [Because.CHEAPEST]),
        ("email .25, sms .95", "read, reach .9", "", [Because.CHEAPEST, Because.FALLBACK]),
        ("email .25, sms .95", "read", "", [Because.SUREST, Because.FALLBACK]),
        (
            "email .25, sms .95",
            "read, reach .99",
            "reach_not_possible",
            [Because.SUREST, Because.FALLBACK],
        ),
        ("email .25, sms .95", "read, reach .9, at most 1", "reach_not_possible", None),
        ("sms .95", "one try, at most 1", "too_dear", []),
    ],
)
def test_every_step_and_every_lack_has_its_reason(
    chances: str, need: str, reason: str, why: list[Because] | None
) -> None:
    found = plan(options(chances), asked(need))
    assert found.reason == reason
    assert why is None or [step.why for step in found.steps] == why


def test_without_any_address_there_is_no_channel() -> None:
    assert plan([], Need()) == Plan((), (), "no_channel")


def test_a_step_tells_how_probably_it_is_needed_and_how_long_it_waits() -> None:
    found = plan(options("messenger .6, email .25, sms .95"), asked("read, reach .9"))
    assert [(step.odds, step.deadline_us) for step in found.steps] == [
        (1.0, HOUR),
        (pytest.approx(0.4), DAY),
        (pytest.approx(0.3), None),
    ]


def test_what_was_considered_can_be_shown() -> None:
    found = plan(options("messenger .6, email .04, sms .95"), asked("read, reach .9, at most 3"))
    shown = {
        "+".join(option.channel for option in route.options): (
            round(route.expected),
            route.worst,
            round(route.reach, 4),
            str(route.standing),
        )
        for route in found.considered
    }
    assert shown == {
        "sms": (3_000_000, 3_000_000, 0.95, "dearer"),
        "messenger": (0, 0, 0.6, "less_sure"),
        "messenger+sms": (1_200_000, 3_000_000, 0.98, "chosen"),
        "email": (50_000, 50_000, 0.04, "hardly_used"),
    }


def test_what_costs_more_than_it_may_is_shown_as_such() -> None:
    found = plan(options("messenger .6, sms .95"), asked("read, reach .9, at most 1"))
    assert [str(route.standing) for route in found.considered] == ["chosen", "too_dear"]


def test_more_ways_than_can_be_compared_leave_the_dearest_out() -> None:
    many = [
        Option(channel=f"c{i}", price=i, chance=0.5, reports=READ, deadline_us=HOUR)
        for i in range(OPTIONS_MAX + 2)
    ]
    found = plan(many[::-1], Need(wants="read"))
    assert [step.option for step in found.steps] == many[:OPTIONS_MAX]
    left = [r.options[0] for r in found.considered if r.standing is Standing.LEFT_OUT]
    assert left == many[: OPTIONS_MAX - 1 : -1]


@pytest.mark.parametrize(("price", "chance"), [(-1, 0.5), (0, -0.1), (0, 1.1), (0, math.nan)])
def test_an_impossible_option_is_refused(price: int, chance: float) -> None:
    with pytest.raises(ValueError, match="sms"):
        Option(channel="sms", price=price, chance=chance)


@pytest.mark.parametrize("reach", [-0.1, 1.1, math.nan])
def test_an_impossible_reach_is_refused(reach: float) -> None:
    with pytest.raises(ValueError, match="reach"):
        Need(reach=reach)


# --- against trying everything --------------------------------------------------------------------

some_options = st.lists(
    st.builds(
        Option,
        channel=st.sampled_from(["messenger", "email", "sms"]),
        address=st.sampled_from("abc"),
        price=st.sampled_from([0, 0, 1, 50, 3000]) | st.integers(0, 5000),
        chance=st.sampled_from([0.0, 1.0]) | st.floats(1e-9, 1),
        reports=st.sampled_from([READ, READ, frozenset({"delivered"}), frozenset()]),
        deadline_us=st.sampled_from([HOUR, DAY, None]),
    ),
    min_size=1,
    max_size=5,
)
needs = st.builds(
    Need,
    wants=st.sampled_from(["", "delivered", "read"]),
    reach=st.just(0.0) | st.floats(0, 1),
    cost_max=st.none() | st.integers(0, 8000),
    chance_min=st.sampled_from([0.0, 0.05]),
)
Figures = tuple[Fraction, int, Fraction]


def every_route(options: Sequence[Option], need: Need) -> Iterator[tuple[Option, ...]]:
    """Every order of every set in which nothing follows what cannot be followed."""
    for size in range(1, len(options) + 1):
        for places in permutations(range(len(options)), size):
            route = tuple(options[place] for place in places)
            if all(o.deadline_us is not None and need.wants in o.reports for o in route[:-1]):
                yield route


def figures(route: Sequence[Option]) -> Figures:
    """Expected cost, worst cost and reach, exactly, by playing the steps through."""
    unseen, expected, worst = Fraction(1), Fraction(0), 0
    for option in route:
        expected += unseen * option.price
        worst += option.price
        unseen *= 1 - Fraction(option.chance)
    return expected, worst, 1 - unseen


@given(some_options, needs)
def test_no_order_of_any_set_is_better(options: list[Option], need: Need) -> None:
    found = plan(options, need)
    limit = math.inf if need.cost_max is None else need.cost_max
    usable = [o for o in options if o.price <= limit and o.chance >= need.chance_min]
    usable = usable or [o for o in options if o.price <= limit]
    if not usable:
        assert found.steps == ()
        assert found.reason == "too_dear"
        return
    all_figures = [figures(route) for route in every_route(usable, need)]
    payable = [entry for entry in all_figures if entry[1] <= limit]
    expected, worst, reach = figures([step.option for step in found.steps])
    assert worst <= limit
    if not need.wants and not need.reach:
        of_seeing = [price / chance for price, _, chance in payable if chance]
        assert not reach or float(expected / reach) == pytest.approx(float(min(of_seeing)))
        assert reach or not of_seeing
    elif sure := [entry for entry in payable if entry[2] >= (need.reach or 1)]:
        assert reach >= (need.reach or 1) - Fraction(1, 10**11)
        # A route may count as sure that falls short by no more than rounding does.
        assert expected <= min(entry[0] for entry in sure) + Fraction(1, 10**6)
    else:
        best = max(entry[2] for entry in payable)
        assert reach >= best - Fraction(1, 10**11)


@given(some_options, needs)
def test_the_figures_are_those_of_playing_the_steps_through(
    options: list[Option], need: Need
) -> None:
    for route in plan(options, need).considered:
        expected, worst, reach = figures(route.options)
        assert route.expected == pytest.approx(float(expected))
        assert route.worst == worst
        assert route.reach == pytest.approx(float(reach), abs=1e-9)


@given(some_options, needs)
def test_each_set_is_considered_once_in_its_cheapest_order(
    options: list[Option], need: Need
) -> None:
    options = list(dict.fromkeys(options))
    found = plan(options, need)
    sets = [frozenset(route.options) for route in found.considered]
    assert len(sets) == len(set(sets))
    assert {option for each in sets for option in each} == set(options)
    assert sum(route.standing is Standing.CHOSEN for route in found.considered) == bool(found.steps)
    for route in found.considered:
        orders = permutations(route.options)
        allowed = [order for order in orders if order in set(every_route(order, need))]
        cheapest = min(float(figures(order)[0]) for order in allowed)
        assert route.expected == pytest.approx(cheapest)


# --- how probably she looks -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own_seen", "own_sent", "base_seen", "base_sent", "weight", "chance"),
    [
        (0, 0, 0, 0, 5.0, 0.5),
        (0, 0, 599, 998, 5.0, 0.6),
        (0, 5, 599, 998, 5.0, 0.3),
        (5, 5, 599, 998, 5.0, 0.8),
        (0, 45, 599, 998, 5.0, 0.06),
        (45, 45, 599, 998, 5.0, 0.96),
        (0, 5, 599, 998, 45.0, 0.54),
        (1, 1, 0, 0, 1.0, 0.75),
    ],
    ids=[
        "nobody knows anything",
        "a newcomer is like the others",
        "five unseen halve it",
        "five seen raise it",
        "who never looks is known for it",
        "who always looks too",
        "a heavy base is slow to believe",
        "a light one is quick",
    ],
)
def test_the_chance_that_she_looks(
    own_seen: int, own_sent: int, base_seen: int, base_sent: int, weight: float, chance: float
) -> None:
    assert seen_chance(own_seen, own_sent, base_seen, base_sent, weight) == pytest.approx(chance)


@pytest.mark.parametrize(
    "counts", [(2, 1, 0, 0, 5.0), (0, 0, 2, 1, 5.0), (0, 0, 0, 0, 0.0), (-1, 1, 0, 0, 1.0)]
)
def test_impossible_counts_are_refused(counts: tuple[int, int, int, int, float]) -> None:
    with pytest.raises(ValueError, match=" of "):
        seen_chance(*counts)


counts = st.tuples(st.integers(0, 500), st.integers(0, 500)).map(
    lambda pair: (min(pair), max(pair))
)


@given(counts, counts, st.floats(0.1, 100))
def test_the_chance_lies_between_her_own_rate_and_the_bases(
    own: tuple[int, int], base: tuple[int, int], weight: float
) -> None:
    chance = seen_chance(*own, *base, weight)
    of_base = (base[0] + 1) / (base[1] + 2)
    of_own = own[0] / own[1] if own[1] else of_base
    assert min(of_own, of_base) - 1e-9 <= chance <= max(of_own, of_base) + 1e-9
    assert 0 < chance < 1
    if own[1] > own[0]:
        assert seen_chance(own[0] + 1, own[1], *base, weight) > chance


def test_who_never_reads_mail_is_routed_past_it() -> None:
    """Forty letters unread, where others read a third of theirs."""
    others, hers = seen_chance(0, 0, 333, 1000), seen_chance(0, 40, 333, 1000)
    for chance, channel in ((others, "email"), (hers, "sms")):
        found = plan(options(f"email {chance}, sms .95"), Need())
        assert [step.option.channel for step in found.steps] == [channel]
