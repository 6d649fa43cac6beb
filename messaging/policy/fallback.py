"""When the next channel takes over from a try, and what is asked again before it does. Pure.

Instants and durations in microseconds.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from messaging.policy.caps import Free, Full, as_verdict
from messaging.policy.consent import Allowed, Stopped
from messaging.policy.verdicts import Send, Skip, Verdict, Wait, Why

STEPS: Mapping[str, int] = {"delivered": 1, "read": 2, "clicked": 3}
"""Each status includes those before it."""

GIVEN_UP = frozenset({"undelivered", "bounced"})


class Tried(Struct, frozen=True, kw_only=True):
    """The last try of a message, as far as anybody has told.

    `state` is that of the attempt; failed ones are those that the channel never tries again.
    `status` is the furthest word of the provider, "" while there is none. `deadline_us` after
    `sent_at` the next step of the route follows; None: it has none.
    """

    state: Literal["sent", "failed", "unknown"]
    sent_at: int
    status: str = ""
    wants: str = ""
    deadline_us: int | None = None


class Cause(StrEnum):
    """Why a fallback fires."""

    FAILED = "failed"
    """The channel could not take it and never will."""
    GIVEN_UP = "given_up"
    """The provider took it and has given up since."""
    UNSEEN = "unseen"
    """The wanted status has not come by the deadline."""


class Done(Struct, frozen=True):
    """Nothing follows: the wanted status has come, none was wanted, or she has complained."""


class Pending(Struct, frozen=True):
    """To be asked again at `until`, or when the provider says more."""

    until: int


class Fires(Struct, frozen=True):
    """The next channel is due, if `recheck` lets it."""

    cause: Cause


def after(tried: Tried, now: int) -> Done | Pending | Fires:
    """What follows a try. The wanted status counts even when it comes after its deadline.

    A hard failure fires at once, deadline or not: the message has gone nowhere. A try whose outcome
    is unknown may have reached her, so it is given its deadline like one that was sent, and without
    one it ends there. Who has complained is not written to again.
    """
    if tried.state == "failed":
        return Fires(Cause.FAILED)
    if tried.status in GIVEN_UP:
        return Fires(Cause.GIVEN_UP)
    if tried.status == "complained" or tried.deadline_us is None:
        return Done()
    if satisfies(tried.status, tried.wants):
        return Done()
    due = tried.sent_at + tried.deadline_us
    return Fires(Cause.UNSEEN) if now >= due else Pending(due)


def satisfies(status: str, wants: str) -> bool:
    """Whether the status is the wanted one or goes beyond it: what was read was delivered."""
    return STEPS.get(status, 0) >= STEPS.get(wants, 0)


class Circumstances(Struct, frozen=True, kw_only=True):
    """What holds at the moment at which the next try would go.

    `consent` is that of the next channel and address. `cap` is asked without the contact that the
    message has already: it presses once, whatever the number of its tries. `quiet` is the verdict
    of `quiet_hours.check`.
    """

    expires_at: int
    goal_reached: bool
    consent: Allowed | Stopped
    cap: Free | Full
    quiet: Verdict


def recheck(found: Circumstances, now: int) -> Verdict:
    """Whether a try may go now: asked before the first one, and again before every fallback.

    In the order of finality: expiry, the goal, consent, caps, quiet hours. Of a cap and the night
    the longer wait is told. A stop that ends (`Stopped.until`) is waited for while the message
    lives; whether another address is open instead is the route's question.
    """
    if now >= found.expires_at:
        return Skip(Why.EXPIRED)
    if found.goal_reached:
        return Skip(Why.GOAL_REACHED)
    verdicts = [
        _of_consent(found.consent, found.expires_at),
        as_verdict(found.cap, found.expires_at),
        found.quiet,
    ]
    for verdict in verdicts:
        if isinstance(verdict, Skip):
            return verdict
    waits = [verdict for verdict in verdicts if isinstance(verdict, Wait)]
    return max(waits, key=lambda wait: wait.until) if waits else Send()


def _of_consent(found: Allowed | Stopped, expires_at: int) -> Verdict:
    if isinstance(found, Allowed):
        return Send()
    if found.until is None or found.until >= expires_at:
        return Skip(found.reason)
    return Wait(found.reason, found.until)


def ttl_s(*, now: int, deadline_us: int | None, expires_at: int, provider_max_s: int) -> int:
    """For how many whole seconds the provider may try: no longer than until another channel does.

    Nor beyond the message's expiry, nor beyond what the provider takes. 0: less than a second is
    left, so that it is too late to send.
    """
    left_us = max(expires_at - now, 0)
    if deadline_us is not None:
        left_us = min(left_us, deadline_us)
    return min(left_us // 1_000_000, provider_max_s)
