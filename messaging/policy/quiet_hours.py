"""When a message waits for the morning, and until when exactly. Pure: the zone is an argument.

She is in her quiet hours when the clock on her wall says so. Where the clocks change, the wall is
still right: an hour that is skipped is nobody's, one that comes twice is quiet twice.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from messaging.policy.verdicts import Send, Skip, Verdict, Wait, Why

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE_US = 60_000_000
_DAY_US = 24 * 60 * _MINUTE_US


class QuietHours(Struct, frozen=True, kw_only=True):
    """From `begin` until before `end`, minutes since her midnight (0 … 1439); may wrap it.

    Equal ones mean that no hour is quiet. Others than these raise ValueError.
    """

    begin: int = 21 * 60
    end: int = 9 * 60

    def __post_init__(self) -> None:
        if not (0 <= self.begin < 24 * 60 and 0 <= self.end < 24 * 60):
            raise ValueError(f"no minutes of a day: {self.begin}, {self.end}")


class Release(Struct, frozen=True, kw_only=True):
    """How those that waited for the morning are let go: evenly over `spread_us` microseconds.

    `seed` makes another order of the same messages. `fallback_zone` is for customers whose zone
    nobody knows.
    """

    hours: QuietHours = QuietHours()
    spread_us: int = 30 * _MINUTE_US
    fallback_zone: str = "Europe/Moscow"
    seed: int = 0


def check(
    message_id: int, *, topic: str, urgent: bool, expires_at: int, zone: str, now: int, by: Release
) -> Verdict:
    """Whether it may go at `now`; else when, or why never. Instants in microseconds.

    Urgent service messages go at any hour. The others wait for the end of the quiet hours and then
    for a moment of their own in the spread, which ends before the message expires and before the
    hours are quiet again.
    """
    if now >= expires_at:
        return Skip(Why.EXPIRED)
    if urgent and topic == "service":
        return Send()
    where = zone_of(zone, by.fallback_zone)
    opens = opens_at(by.hours, where, now)
    if opens == now:
        return Send()
    if opens >= expires_at:
        return Skip(Why.QUIET_UNTIL_EXPIRY)
    closes = closes_at(by.hours, where, opens)
    room = min(by.spread_us, expires_at - opens, closes - opens)
    return Wait(Why.QUIET_HOURS, opens + place_in(room, message_id, by.seed))


def is_quiet(hours: QuietHours, zone: ZoneInfo, at: int) -> bool:
    """Whether the wall clock in `zone` stands within the quiet hours at instant `at`."""
    if hours.begin == hours.end:
        return False
    since_begin = (_wall(zone, at) - hours.begin * _MINUTE_US) % _DAY_US
    return since_begin < (hours.end - hours.begin) % (24 * 60) * _MINUTE_US


def opens_at(hours: QuietHours, zone: ZoneInfo, at: int) -> int:
    """The first instant from `at` on that is not quiet."""
    while is_quiet(hours, zone, at):
        at = _next(hours.end, zone, at)
    return at


def closes_at(hours: QuietHours, zone: ZoneInfo, at: int) -> int:
    """The first instant from `at` on that is quiet; a day later when none is."""
    if hours.begin == hours.end:
        return at + _DAY_US
    while not is_quiet(hours, zone, at):
        at = _next(hours.begin, zone, at)
    return at


def place_in(room: int, message_id: int, seed: int) -> int:
    """A message's own place in 0 … room - 1, always the same, evenly spread over many messages.

    The finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
    Generators, 2014), scaled to `room` by multiplication.
    """
    mask = (1 << 64) - 1
    mixed = (message_id + (seed + 1) * 0x9E3779B97F4A7C15) & mask
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & mask
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & mask
    return (mixed ^ mixed >> 31) * room >> 64


def _next(minute: int, zone: ZoneInfo, at: int) -> int:
    """When the wall clock next shows `minute`, or the clocks change if they do so before that."""
    ahead = (minute * _MINUTE_US - _wall(zone, at)) % _DAY_US or _DAY_US
    before = _offset(zone, at)
    if _offset(zone, at + ahead) == before:
        return at + ahead
    low, high = at // 1_000_000, -(-(at + ahead) // 1_000_000)  # clocks change at whole seconds
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle * 1_000_000) == before:
            low = middle
        else:
            high = middle
    return high * 1_000_000


def _wall(zone: ZoneInfo, at: int) -> int:
    """Microseconds since midnight by the clock on the wall."""
    return (at + _offset(zone, at)) % _DAY_US


@lru_cache(maxsize=4096)  # a batch of messages is asked about at one instant, in a few zones
def _offset(zone: ZoneInfo, at: int) -> int:
    local = (_EPOCH + timedelta(microseconds=at)).astimezone(zone)
    return (local.utcoffset() or timedelta()) // _MICROSECOND


@lru_cache(maxsize=4096)
def zone_of(name: str, fallback: str = "Europe/Moscow") -> ZoneInfo:
    """The zone, or the fallback when there is no such zone, or UTC when there is neither."""
    for candidate in (name, fallback):
        try:
            return ZoneInfo(candidate)
        except (KeyError, ValueError, OSError):  # unknown; no name of a zone; a folder of zones
            continue
    return ZoneInfo("UTC")
