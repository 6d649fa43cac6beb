"""When another channel takes over, what is asked again before, and how long a provider may try."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.policy.caps import Free, Full
from messaging.policy.consent import Allowed, Stopped
from messaging.policy.fallback import (
    Circumstances,
    Done,
    Fires,
    Pending,
    Tried,
    after,
    recheck,
    satisfies,
    ttl_s,
)
from messaging.policy.route import Need, Option, plan
from messaging.policy.verdicts import Send, Skip, Verdict, Wait, Why
from tests.messaging.policy.instants import DAY, HOUR, MINUTE, span

SENT = 1000 * DAY

# state | status | wants | deadline | asked after | what follows
TABLE = """
sent    |             | read      | 24h | 0s        | pending 24h
sent    |             | read      | 24h | 23h       | pending 24h
sent    |             | read      | 24h | 24h -1u   | pending 24h
sent    |             | read      | 24h | 24h       | fires unseen
sent    |             | read      | 24h | 9d        | fires unseen
sent    | delivered   | read      | 24h | 1h        | pending 24h
sent    | delivered   | read      | 24h | 24h       | fires unseen
sent    | read        | read      | 24h | 1h        | done
sent    | read        | read      | 24h | 25h       | done
sent    | clicked     | read      | 24h | 25h       | done
sent    | read        | delivered | 24h | 25h       | done
sent    |             | delivered | 1h  | 1h        | fires unseen
sent    | delivered   | delivered | 1h  | 1h        | done
sent    | undelivered | delivered | 1h  | 1s        | fires given_up
sent    | bounced     | read      | 24h | 1s        | fires given_up
sent    | bounced     |           | -   | 1s        | fires given_up
sent    | complained  | read      | 24h | 25h       | done
sent    |             | read      | -   | 9d        | done
sent    |             |           | -   | 9d        | done
failed  |             | read      | 24h | 0s        | fires failed
failed  |             |           | -   | 0s        | fires failed
unknown |             | read      | 24h | 1h        | pending 24h
unknown |             | read      | 24h | 24h       | fires unseen
unknown | read        | read      | 24h | 24h       | done
unknown |             |           | -   | 9d        | done
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines(), ids=lambda row: " ".join(row.split()))
def test_what_follows_a_try(row: str) -> None:
    state, status, wants, deadline, asked, expected = (cell.strip() for cell in row.split("|"))
    tried = Tried(
        state=state,  # type: ignore[arg-type]
        sent_at=SENT,
        status=status,
        wants=wants,
        deadline_us=None if deadline == "-" else span(deadline),
    )
    match after(tried, SENT + span(asked)):
        case Done():
            found = "done"
        case Pending(until):
            found = f"pending {until - SENT}"
            expected = f"pending {span(expected.removeprefix('pending '))}"
        case Fires(cause):
            found = f"fires {cause}"
    assert found == expected


@pytest.mark.parametrize(
    ("status", "delivered", "read"),
    [
        ("", False, False),
        ("delivered", True, False),
        ("read", True, True),
        ("clicked", True, True),
        ("undelivered", False, False),
        ("bounced", False, False),
    ],
)
def test_a_status_includes_those_before_it(status: str, delivered: bool, read: bool) -> None:
    assert satisfies(status, "")
    assert satisfies(status, "delivered") is delivered
    assert satisfies(status, "read") is read


NOW, EXPIRY = SENT, SENT + DAY
NIGHT = Wait(Why.QUIET_HOURS, NOW + 9 * HOUR)


def circumstances(**changes: Any) -> Circumstances:
    fair = {
        "expires_at": EXPIRY,
        "goal_reached": False,
        "consent": Allowed(),
        "cap": Free(),
        "quiet": Send(),
    }
    return Circumstances(**(fair | changes))


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Send()),
        ({"expires_at": NOW}, Skip("expired")),
        ({"goal_reached": True}, Skip("goal_reached")),
        ({"consent": Stopped("no_consent", "channel")}, Skip("no_consent")),
        ({"consent": Stopped("suppressed:asleep", "topic", EXPIRY)}, Skip("suppressed:asleep")),
        (
            {"consent": Stopped("suppressed:asleep", "topic", EXPIRY - 1)},
            Wait("suppressed:asleep", EXPIRY - 1),
        ),
        ({"cap": Full("sms_week", NOW + HOUR)}, Wait("capped:sms_week", NOW + HOUR)),
        ({"cap": Full("sms_week", EXPIRY)}, Skip("capped_until_expiry:sms_week")),
        ({"cap": Full("sms_week", None)}, Skip("capped_until_expiry:sms_week")),
        ({"quiet": NIGHT}, NIGHT),
        ({"quiet": Skip("quiet_until_expiry")}, Skip("quiet_until_expiry")),
        ({"quiet": NIGHT, "cap": Full("sms_week", NOW + HOUR)}, NIGHT),
        (
            {"quiet": NIGHT, "cap": Full("sms_week", NOW + 10 * HOUR)},
            Wait("capped:sms_week", NOW + 10 * HOUR),
        ),
        ({"quiet": NIGHT, "cap": Full("sms_week", None)}, Skip("capped_until_expiry:sms_week")),
    ],
    ids=[
        "nothing has changed",
        "it is too late",
        "she has bought already",
        "she has withdrawn her consent",
        "she sleeps until it is too late",
        "she sleeps, but not for long",
        "the cap of the next channel is full",
        "the cap opens too late",
        "the cap never opens",
        "it is night",
        "the night is too long",
        "the longer wait is told",
        "whichever it is",
        "what ends it goes before what delays it",
    ],
)
def test_what_is_asked_again(changes: dict[str, Any], verdict: Verdict) -> None:
    assert recheck(circumstances(**changes), NOW) == verdict


def test_it_goes_only_when_everything_agrees_and_waits_only_while_it_lives() -> None:
    for goal, consent, cap, quiet, expires_at in product(
        (False, True),
        (Allowed(), Stopped("x", "all"), Stopped("x", "all", NOW + HOUR)),
        (Free(), Full("c", None), Full("c", NOW + HOUR)),
        (Send(), NIGHT, Skip("quiet_until_expiry")),
        (NOW, NOW + HOUR, EXPIRY),
    ):
        found = recheck(
            Circumstances(
                expires_at=expires_at, goal_reached=goal, consent=consent, cap=cap, quiet=quiet
            ),
            NOW,
        )
        fair = (not goal, consent == Allowed(), cap == Free(), quiet == Send(), expires_at > NOW)
        assert (found == Send()) == all(fair)
        assert not (isinstance(found, Skip) and sum(fair) == 5)


@pytest.mark.parametrize(
    ("deadline", "life", "provider_max_s", "ttl"),
    [
        ("1h", "2d", 259_200, 3600),
        ("1h", "30m", 259_200, 1800),
        (None, "2d", 259_200, 172_800),
        (None, "30d", 259_200, 259_200),
        ("90s", "1d", 60, 60),
        ("1s 1m", "1d", 259_200, 61),
        ("2s -1u", "1d", 259_200, 1),
        ("1h", "1s -1u", 259_200, 0),
        ("1h", "-5s", 259_200, 0),
    ],
    ids=[
        "until the fallback",
        "until it expires",
        "without a fallback until it expires",
        "as long as the provider can",
        "or for as little",
        "minutes and seconds",
        "whole seconds, rounded down",
        "less than a second is too late",
        "past its expiry",
    ],
)
def test_the_provider_gives_up_before_the_next_channel_begins(
    deadline: str | None, life: str, provider_max_s: int, ttl: int
) -> None:
    deadline_us = None if deadline is None else span(deadline)
    found = ttl_s(
        now=NOW, deadline_us=deadline_us, expires_at=NOW + span(life), provider_max_s=provider_max_s
    )
    assert found == ttl


@given(st.none() | st.integers(0, 9 * DAY), st.integers(-DAY, 9 * DAY), st.integers(1, 300_000))
def test_no_provider_ever_tries_beyond_deadline_or_expiry(
    deadline_us: int | None, life_us: int, provider_max_s: int
) -> None:
    found = ttl_s(
        now=NOW, deadline_us=deadline_us, expires_at=NOW + life_us, provider_max_s=provider_max_s
    )
    assert 0 <= found <= provider_max_s
    assert found * 1_000_000 <= max(life_us, 0)
    assert deadline_us is None or found * 1_000_000 <= deadline_us


READ = frozenset({"delivered", "read"})
LADDER = [
    Option(channel="messenger", price=0, chance=0.6, reports=READ, deadline_us=HOUR),
    Option(channel="email", price=50_000, chance=0.3, reports=READ, deadline_us=DAY),
    Option(channel="sms", price=3_000_000, chance=0.95),
]

# What each channel does with the message: `read 10m` tells it so late, `-` says nothing.
STORIES = {
    "she reads it at once": ("read 10m", "-", "-", "messenger 0s"),
    "she does not look": ("-", "-", "-", "messenger 0s, email 1h, sms 25h"),
    "blocked, then bounced": ("failed 0s", "bounced 2m", "-", "messenger 0s, email 0s, sms 2m"),
    "no answer is no failure": ("unknown 0s", "read 5m", "-", "messenger 0s, email 1h"),
    "delivered is not read": ("delivered 1m", "-", "-", "messenger 0s, email 1h, sms 25h"),
    "read after the deadline": ("read 2h", "read 3m", "-", "messenger 0s, email 1h"),
    "she complains": ("-", "complained 9m", "-", "messenger 0s, email 1h"),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_the_story_of_a_message(story: tuple[str, ...]) -> None:
    *behaviour, expected = story
    sent, now = [], SENT
    for step, acts in zip(
        plan(LADDER, Need(wants="read", reach=0.9)).steps, behaviour, strict=True
    ):
        sent.append((step.option.channel, now - SENT))
        now, fires = watch(acts, now, step.deadline_us)
        if not fires:
            break
    tries = (word.split() for word in expected.split(", "))
    assert sent == [(channel, span(at)) for channel, at in tries]


def watch(acts: str, sent_at: int, deadline_us: int | None) -> tuple[int, bool]:
    """Look every minute until something follows: when that is, and whether a fallback fires."""
    what, _, later = acts.partition(" ")
    now = sent_at
    while True:
        told = what if later and now >= sent_at + span(later) else ""
        is_state = told in ("failed", "unknown")
        tried = Tried(
            state=told if is_state else "sent",  # type: ignore[arg-type]
            status="" if is_state else told,
            sent_at=sent_at,
            wants="read",
            deadline_us=deadline_us,
        )
        match after(tried, now):
            case Fires():
                return now, True
            case Done():
                return now, False
        now += MINUTE
