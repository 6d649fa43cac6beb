"""A try as it is written down, and what the channel's answer makes of its message."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from loyalty.instants import to_micros
from messaging.attempts import ARRIVES_WITHIN_US, Beginning, Outcome, Verdict
from messaging.channels.base import Failed, SendResult, Sent, Status
from messaging.decisions import Held, Try
from messaging.policy.retries import RetryRules, retry_delay_s
from messaging.suppressions import Suppressed

ADDRESS_DEAD = frozenset({"blocked", "chat_not_found", "address_unknown"})
"""Refusals that speak of the address, not of the message."""


def beginning(chosen: Try) -> Beginning:
    outgoing = chosen.outgoing
    return Beginning(
        attempt_id=outgoing.attempt_id,
        message_id=outgoing.message_id,
        channel=chosen.channel.name,
        address_kind=outgoing.address_kind,
        address=outgoing.address,
        body=outgoing.body.plain if chosen.channel.keeps_body else "",
        cost=chosen.cost,
        presses=chosen.presses,
    )


def verdict(decided: Try | Held) -> Verdict:
    """The decision as the message's story tells it."""
    if isinstance(decided, Try):
        return Verdict(message_id=decided.message.id, verdict="send", details=decided.details)
    outcome = decided.outcome
    said = {"queued": "wait", "failed": "fail"}.get(outcome.state, "skip")
    return Verdict(
        message_id=outcome.message_id,
        verdict=said,  # type: ignore[arg-type]
        reason=outcome.reason,
        details=decided.details,
    )


def dead_address(chosen: Try, result: SendResult) -> Suppressed | None:
    """An address that will take no message any more. A chat opens again when she comes back."""
    if isinstance(result, Failed) and result.permanent and result.reason in ADDRESS_DEAD:
        return Suppressed(
            address_kind=chosen.outgoing.address_kind,
            address=chosen.outgoing.address,
            reason=result.reason,
        )
    return None


def judge(
    chosen: Try,
    result: SendResult,
    *,
    at: datetime,
    begun_at: int,
    rules: RetryRules,
    chance: float,
) -> Outcome:
    """What the channel's answer makes of the message: sent, tried again, failed, or unknown.

    Sent and unknown ones are given their deadline, after which another channel takes over.
    `begun_at` (microseconds) is when its contact was reserved.
    """
    at_us = to_micros(at)
    late = at_us - begun_at > ARRIVES_WITHIN_US
    fallback_at = None
    if chosen.fallback_after_us is not None:
        fallback_at = at_us + chosen.fallback_after_us
    if isinstance(result, Sent):
        return Outcome(
            message_id=chosen.message.id,
            state="sent",
            attempt_id=chosen.outgoing.attempt_id,
            attempt_state="sent",
            fallback_at=fallback_at,
            provider_id=result.provider_id,
            more_ids=result.more_ids,
            # Of reading tell our own links and chats, which know the try.
            traced=any(status is not Status.READ for status in chosen.channel.reports),
            late=late,
            habit_of=_habit_of(chosen),
            channel=chosen.channel.name,
        )
    tried = Outcome(
        message_id=chosen.message.id,
        state="unknown",
        attempt_id=chosen.outgoing.attempt_id,
        attempt_state="unknown",
        fallback_at=fallback_at,
        late=late,
    )
    if isinstance(result, Failed):
        failed = replace(tried, state="failed", attempt_state="failed", fallback_at=None)
        return _after_failure(chosen, failed, result, at=at, rules=rules, chance=chance)
    return replace(tried, reason=result.reason, error=result.reason)


def _habit_of(chosen: Try) -> int | None:
    """Whether she looks at service messages tells nothing, unless a sign of it was asked for."""
    tells = chosen.message.topic != "service" or chosen.message.wants
    return chosen.message.customer_id if tells else None


def _after_failure(
    chosen: Try,
    outcome: Outcome,
    failed: Failed,
    *,
    at: datetime,
    rules: RetryRules,
    chance: float,
) -> Outcome:
    """A hard failure goes to the next address or channel at once, a temporary one waits its turn.

    When the turns are over it counts as hard, if there is another way.
    """
    told = failed.reason + (f" ({failed.detail})" if failed.detail else "")
    tries = chosen.message.tries
    over = tries >= rules.tries_max and not failed.unasked
    if failed.permanent or (over and chosen.others_left):
        outcome = replace(outcome, error=f"permanent: {told}")
        if chosen.message.customer_id is None:
            return replace(outcome, reason=failed.reason)
        return replace(outcome, state="queued", not_before=to_micros(at), anew=True)
    outcome = replace(outcome, error=f"temporary: {told}", waited=failed.unasked)
    if over:
        return replace(outcome, reason=failed.reason)
    delay_s = max(retry_delay_s(rules, tries, chance), failed.retry_after_s or 0.0)
    return replace(outcome, state="queued", not_before=to_micros(at + timedelta(seconds=delay_s)))
