"""Quiet hours by the wall clock where she lives, also on the nights when it is changed."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.policy.quiet_hours import (
    QuietHours,
    Release,
    check,
    closes_at,
    is_quiet,
    opens_at,
    place_in,
)
from messaging.policy.verdicts import Send, Skip, Verdict, Wait, Why
from tests.messaging.policy.instants import DAY, HOUR, MINUTE, as_utc, instant, utc

# zone                | quiet hours | at                              | opens
TABLE = """
Europe/Moscow         | 21:00-09:00 | 2026-01-10T20:59:59.999999+0300 | 2026-01-10T20:59:59.999999+0300
Europe/Moscow         | 21:00-09:00 | 2026-01-10T21:00+0300           | 2026-01-11T09:00+0300
Europe/Moscow         | 21:00-09:00 | 2026-01-11T00:00+0300           | 2026-01-11T09:00+0300
Europe/Moscow         | 21:00-09:00 | 2026-01-11T08:59:59.999999+0300 | 2026-01-11T09:00+0300
Europe/Moscow         | 21:00-09:00 | 2026-01-11T09:00+0300           | 2026-01-11T09:00+0300
Asia/Vladivostok      | 21:00-09:00 | 2026-01-10T21:00+0300           | 2026-01-11T09:00+1000
Asia/Vladivostok      | 21:00-09:00 | 2026-01-11T06:00+1000           | 2026-01-11T02:00+0300
Asia/Kathmandu        | 21:00-09:00 | 2026-01-11T06:00+0545           | 2026-01-11T09:00+0545
Europe/Moscow         | 13:00-14:00 | 2026-01-10T13:30+0300           | 2026-01-10T14:00+0300
Europe/Moscow         | 13:00-14:00 | 2026-01-10T03:00+0300           | 2026-01-10T03:00+0300
Europe/Moscow         | 00:00-09:00 | 2026-01-10T23:59+0300           | 2026-01-10T23:59+0300
Europe/Moscow         | 21:00-00:00 | 2026-01-10T23:59+0300           | 2026-01-11T00:00+0300
Europe/Moscow         | 09:00-09:00 | 2026-01-10T09:00+0300           | 2026-01-10T09:00+0300
Europe/Moscow         | 09:01-09:00 | 2026-01-10T09:01+0300           | 2026-01-11T09:00+0300
Europe/Berlin         | 21:00-09:00 | 2026-03-28T21:00+0100           | 2026-03-29T09:00+0200
Europe/Berlin         | 21:00-09:00 | 2026-10-24T21:00+0200           | 2026-10-25T09:00+0100
Europe/Berlin         | 21:00-02:30 | 2026-03-29T01:00+0100           | 2026-03-29T03:00+0200
Europe/Berlin         | 21:00-03:00 | 2026-03-29T01:00+0100           | 2026-03-29T03:00+0200
Europe/Berlin         | 02:00-03:00 | 2026-03-29T01:59+0100           | 2026-03-29T01:59+0100
Europe/Berlin         | 21:00-02:30 | 2026-10-25T01:00+0200           | 2026-10-25T02:30+0200
Europe/Berlin         | 21:00-02:30 | 2026-10-25T02:15+0100           | 2026-10-25T02:30+0100
Europe/Berlin         | 02:30-09:00 | 2026-10-25T02:45+0200           | 2026-10-25T02:00+0100
Europe/Berlin         | 21:00-03:00 | 2026-10-25T02:59+0200           | 2026-10-25T03:00+0100
Australia/Lord_Howe   | 21:00-02:15 | 2026-10-04T01:00+1030           | 2026-10-04T02:30+1100
Pacific/Apia          | 21:00-09:00 | 2011-12-29T23:00-1000           | 2011-12-31T09:00+1400
"""  # noqa: E501 - a table


@pytest.mark.parametrize("row", TABLE.strip().splitlines(), ids=lambda row: " ".join(row.split()))
def test_when_the_night_ends(row: str) -> None:
    zone, quiet, at, opens = (cell.strip() for cell in row.split("|"))
    assert as_utc(opens_at(hours(quiet), ZoneInfo(zone), instant(at))) == as_utc(instant(opens))


def hours(text: str) -> QuietHours:
    begin, end = (int(word[:2]) * 60 + int(word[3:]) for word in text.split("-"))
    return QuietHours(begin=begin, end=end)


AT_ONCE = Release(spread_us=0)
NIGHT, MORNING, DAYTIME = (
    instant(f"2026-01-11T{clock}+0300") for clock in ("03:00", "09:00", "12:00")
)


@pytest.mark.parametrize(
    ("topic", "urgent", "now", "expires_at", "verdict"),
    [
        ("marketing", False, DAYTIME, DAYTIME + 1, Send()),
        ("marketing", False, NIGHT, MORNING + 1, Wait(Why.QUIET_HOURS, MORNING)),
        ("survey", False, NIGHT, MORNING + DAY, Wait(Why.QUIET_HOURS, MORNING)),
        ("service", False, NIGHT, MORNING + DAY, Wait(Why.QUIET_HOURS, MORNING)),
        ("service", True, NIGHT, NIGHT + 1, Send()),
        ("marketing", True, NIGHT, MORNING + DAY, Wait(Why.QUIET_HOURS, MORNING)),
        ("marketing", False, NIGHT, MORNING, Skip(Why.QUIET_UNTIL_EXPIRY)),
        ("service", True, NIGHT, NIGHT, Skip(Why.EXPIRED)),
        ("marketing", False, DAYTIME, DAYTIME, Skip(Why.EXPIRED)),
    ],
    ids=[
        "by day it goes",
        "by night it waits",
        "a survey waits",
        "service waits too",
        "unless it is urgent",
        "nothing else is urgent",
        "too late in the morning",
        "too late now, urgent or not",
        "too late by day",
    ],
)
def test_who_waits(topic: str, urgent: bool, now: int, expires_at: int, verdict: Verdict) -> None:
    found = check(
        1, topic=topic, urgent=urgent, expires_at=expires_at, zone="Europe/Moscow", now=now,
        by=AT_ONCE,
    )  # fmt: skip
    assert found == verdict


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "Europe", "../etc/passwd", "/x", "a\0b", "x" * 9999]
)
def test_a_zone_that_nobody_knows_is_the_programmes(zone: str) -> None:
    assert _until(1, zone=zone, by=AT_ONCE) == MORNING


def test_without_any_known_zone_it_is_utc() -> None:
    by = Release(spread_us=0, fallback_zone="Nowhere")
    assert _until(1, zone="Nowhere", by=by) == MORNING + 3 * HOUR


def _until(message_id: int, *, by: Release, zone: str = "Europe/Moscow", **more: int) -> int:
    found = check(
        message_id, topic="marketing", urgent=False, expires_at=more.get("expires_at", 1 << 62),
        zone=zone, now=NIGHT, by=by,
    )  # fmt: skip
    assert isinstance(found, Wait)
    return found.until


def test_the_morning_is_no_burst() -> None:
    """Ten thousand messages over half an hour: each minute takes its thirtieth, give or take."""
    minutes = [0] * 30
    for message_id in range(1 << 40, (1 << 40) + 10_000):
        minutes[(_until(message_id, by=Release()) - MORNING) // MINUTE] += 1
    assert min(minutes) > 250
    assert max(minutes) < 420


def test_a_message_keeps_its_place_and_another_seed_gives_another() -> None:
    assert _until(7, by=Release()) == _until(7, by=Release())
    assert _until(7, by=Release()) != _until(7, by=Release(seed=1))


def test_the_spread_ends_before_the_message_expires() -> None:
    untils = [_until(i, by=Release(), expires_at=MORNING + MINUTE) for i in range(200)]
    assert all(MORNING <= until < MORNING + MINUTE for until in untils)
    assert len(set(untils)) > 190


def test_the_spread_ends_before_the_hours_are_quiet_again() -> None:
    by = Release(hours=hours("09:05-09:00"))
    assert all(MORNING <= _until(i, by=by) < MORNING + 5 * MINUTE for i in range(200))


@pytest.mark.parametrize(("begin", "end"), [(-1, 0), (0, 1440), (1440, 0), (0, -1)])
def test_minutes_that_no_day_has_are_refused(begin: int, end: int) -> None:
    with pytest.raises(ValueError, match="no minutes of a day"):
        QuietHours(begin=begin, end=end)


CHANGES = [
    ("Europe/Berlin", utc("2026-03-29 01:00")),
    ("Europe/Berlin", utc("2026-10-25 01:00")),
    ("America/New_York", utc("2026-11-01 06:00")),
    ("Australia/Lord_Howe", utc("2026-10-03 15:30")),
    ("Africa/Casablanca", utc("2026-02-15 02:00")),
    ("Pacific/Apia", utc("2011-12-30 10:00")),
    ("Asia/Pyongyang", utc("2018-05-04 15:00")),
    ("Europe/Moscow", utc("2014-10-25 22:00")),
    ("UTC", utc("2026-06-01 00:00")),
]
nights = st.sampled_from(CHANGES).flatmap(
    lambda change: st.tuples(
        st.just(ZoneInfo(change[0])),
        st.integers(-26 * 60, 6 * 60).map(lambda minutes: change[1] + minutes * MINUTE)
        | st.integers(-8 * HOUR, 2 * HOUR).map(lambda micros: change[1] + micros),
    )
)
minutes_of_day = st.integers(0, 1439) | st.sampled_from([0, 60, 90, 120, 135, 150, 180, 540, 1260])
any_hours = st.builds(QuietHours, begin=minutes_of_day, end=minutes_of_day)


@given(nights, any_hours)
def test_the_answer_is_that_of_watching_the_clock_by_minutes(
    night: tuple[ZoneInfo, int], quiet: QuietHours
) -> None:
    zone, now = night
    assert is_quiet(quiet, zone, now) == naively_quiet(quiet, zone, now)
    assert as_utc(opens_at(quiet, zone, now)) == as_utc(watch(quiet, zone, now, False))
    if quiet.begin != quiet.end:
        assert as_utc(closes_at(quiet, zone, now)) == as_utc(watch(quiet, zone, now, True))


def watch(quiet: QuietHours, zone: ZoneInfo, at: int, wanted: bool) -> int:
    """The first instant at which it is as wanted; after `at` only whole minutes can be."""
    while naively_quiet(quiet, zone, at) is not wanted:
        at = (at // MINUTE + 1) * MINUTE
    return at


def naively_quiet(quiet: QuietHours, zone: ZoneInfo, at: int) -> bool:
    local = as_utc(at).astimezone(zone)
    minute = local.hour * 60 + local.minute
    if quiet.begin <= quiet.end:
        return quiet.begin <= minute < quiet.end
    return minute >= quiet.begin or minute < quiet.end


@given(
    st.integers(1, (1 << 63) - 1), nights, any_hours, st.integers(0, 2 * DAY), st.integers(0, DAY)
)
def test_whoever_waits_goes_at_the_end_of_it(
    message_id: int, night: tuple[ZoneInfo, int], quiet: QuietHours, life_us: int, spread_us: int
) -> None:
    zone, now = night
    by = Release(hours=quiet, spread_us=spread_us)
    asked = {"topic": "marketing", "urgent": False, "expires_at": now + life_us, "zone": zone.key}
    found = check(message_id, now=now, by=by, **asked)  # type: ignore[arg-type]
    if isinstance(found, Wait):
        assert now < found.until < now + life_us
        assert check(message_id, now=found.until, by=by, **asked) == Send()  # type: ignore[arg-type]


@given(st.integers(0, 1 << 62), st.integers(1, DAY), st.integers(0, 1 << 32))
def test_a_place_is_within_the_room(message_id: int, room: int, seed: int) -> None:
    assert 0 <= place_in(room, message_id, seed) < room
