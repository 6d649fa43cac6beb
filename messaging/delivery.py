"""From a claimed message to one try: to whom now, in which words, and what its result means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.rules.consents import is_granted
from messaging.attempts import Beginning, Outcome, Verdict
from messaging.channels.base import Channel, Failed, Outgoing, SendResult, Sent
from messaging.facts import Facts, Person
from messaging.i18n import supported
from messaging.outbox import Claimed
from messaging.policy.caps import (
    DAY_US,
    DEFAULT_RULES,
    Candidate,
    Free,
    Rule,
    check,
    horizon,
    own_rule,
)
from messaging.policy.fronts import Front, in_order
from messaging.policy.retries import RetryRules, retry_delay_s
from messaging.policy.verdicts import Why
from messaging.suppressions import Suppressed
from messaging.templates import Reader, TemplateError, render

ADDRESS_DEAD = frozenset({"blocked", "chat_not_found", "address_unknown"})
"""Refusals that speak of the address, not of the message."""


@dataclass(frozen=True, slots=True)
class Shut:
    """Channels whose provider is down, and when (microseconds) they may be tried again."""

    until: Mapping[str, int]

    def among(self, channels: Sequence[Channel]) -> int | None:
        """When the first of these opens, if none is open now."""
        if any(channel.name not in self.until for channel in channels):
            return None
        return min(self.until[channel.name] for channel in channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What the programme has laid down about writing to people."""

    caps: Sequence[Rule] = DEFAULT_RULES

    @property
    def horizon(self) -> int:
        """How far back contacts count, in microseconds; her own cap looks back a week."""
        return max(horizon(self.caps), 7 * DAY_US)

    def counts(self, message: Claimed, channel: str) -> bool:
        """Whether a contact must be kept of it."""
        rules = (*self.caps, own_rule(0))
        return any(rule.counts.takes(message.topic, channel, message.kind) for rule in rules)


def plan(
    message: Claimed,
    facts: Facts,
    policies: Policies,
    channels: Mapping[str, Channel],
    shut: Shut,
    *,
    at: datetime,
) -> Outgoing | Outcome:
    """One try of the message, or the outcome that ends or delays it. Reasons by name."""
    if to_micros(at) >= message.expires_at:
        return Outcome(message_id=message.id, state="skipped", reason="expired")
    reader = Reader(supported(message.language))
    fronts = [Front(message.address_kind, message.address)]
    if message.customer_id is not None:
        person = facts.people.get(message.customer_id)
        if person is None or person.erased:
            return Outcome(message_id=message.id, state="skipped", reason="customer_gone")
        reader = Reader(supported(message.language or person.language), person.timezone)
        fronts = in_order(person.fronts, at=to_micros(at))
        if message.topic == "marketing":
            fronts = [f for f in fronts if _agreed(person, f, channels)]
            if not fronts:
                return Outcome(message_id=message.id, state="skipped", reason=Why.NO_CONSENT)
        if held_up := _capped(message, person, policies, at=to_micros(at)):
            return held_up
    stopped = {front: facts.stopped(message, front) for front in fronts}
    fronts = [front for front in fronts if stopped[front] is None]
    if not fronts:
        return _unreachable(message, sorted({why for why in stopped.values() if why}))
    served = [front for front in fronts if front.kind in channels]
    if not served:
        return Outcome(message_id=message.id, state="failed", reason="no_channel")
    opens_at = shut.among([channels[front.kind] for front in served])
    if opens_at is not None:
        return Outcome(
            message_id=message.id, state="queued", not_before=opens_at, waited=True,
            reason="provider_down",
        )  # fmt: skip
    front = next(f for f in served if channels[f.kind].name not in shut.until)
    try:
        body = render(message.template, message.context, reader)
    except TemplateError as error:
        return Outcome(message_id=message.id, state="failed", reason=f"template: {error}")
    return Outgoing(
        message_id=message.id,
        attempt_id=next_id(),
        address_kind=front.kind,
        address=front.value,
        body=body,
        topic=message.topic,
        ttl_s=max(1, (message.expires_at - to_micros(at)) // 1_000_000),
    )


def _agreed(person: Person, front: Front, channels: Mapping[str, Channel]) -> bool:
    channel = channels.get(front.kind)
    return channel is not None and is_granted(person.consents, "marketing", channel.name)


def _capped(message: Claimed, person: Person, policies: Policies, *, at: int) -> Outcome | None:
    """The wait for its turn, or the end of a message whose turn would come too late."""
    rules = list(policies.caps)
    if person.weekly_max is not None:
        rules.append(own_rule(person.weekly_max))
    others = [contact for message_id, contact in person.contacts if message_id != message.id]
    found = check(rules, Candidate(message.topic, "", message.kind), others, at)
    if isinstance(found, Free):
        return None
    if found.until is None or found.until >= message.expires_at:
        reason = Why.CAPPED_UNTIL_EXPIRY.of(found.rule)
        return Outcome(message_id=message.id, state="skipped", reason=reason)
    return Outcome(
        message_id=message.id, state="queued", reason=Why.CAPPED.of(found.rule),
        not_before=found.until, waited=True,
    )  # fmt: skip


def _unreachable(message: Claimed, reasons: Sequence[str]) -> Outcome:
    if not reasons:
        return Outcome(message_id=message.id, state="skipped", reason="no_address")
    suppressed = all(reason.startswith(Why.SUPPRESSED) for reason in reasons)
    return Outcome(
        message_id=message.id,
        state="skipped" if suppressed else "failed",
        reason=", ".join(reasons),
    )


def beginning(
    message: Claimed, outgoing: Outgoing, channel: Channel, policies: Policies
) -> Beginning:
    return Beginning(
        attempt_id=outgoing.attempt_id,
        message_id=outgoing.message_id,
        channel=channel.name,
        address_kind=outgoing.address_kind,
        address=outgoing.address,
        body=outgoing.body.plain if channel.keeps_body else "",
        cost=channel.price(outgoing.body, outgoing.address),
        presses=policies.counts(message, channel.name),
    )


def verdict(decided: Outgoing | Outcome, channels: Mapping[str, Channel]) -> Verdict:
    """The decision as the message's story tells it."""
    if isinstance(decided, Outgoing):
        channel = channels[decided.address_kind]
        return Verdict(
            message_id=decided.message_id,
            verdict="send",
            details={
                "channel": channel.name,
                "to": decided.address_kind,
                "cost": channel.price(decided.body, decided.address),
            },
        )
    said = {"queued": "wait", "skipped": "skip"}.get(decided.state, "fail")
    return Verdict(message_id=decided.message_id, verdict=said, reason=decided.reason)  # type: ignore[arg-type]


def dead_address(outgoing: Outgoing, result: SendResult) -> Suppressed | None:
    """An address that will take no message any more. A chat opens again when she comes back."""
    if isinstance(result, Failed) and result.permanent and result.reason in ADDRESS_DEAD:
        return Suppressed(
            address_kind=outgoing.address_kind, address=outgoing.address, reason=result.reason
        )
    return None


def judge(
    message: Claimed,
    outgoing: Outgoing,
    channel: Channel,
    result: SendResult,
    *,
    at: datetime,
    rules: RetryRules,
    chance: float,
) -> Outcome:
    """What the channel's answer makes of the message: sent, tried again, failed, or unknown."""
    if isinstance(result, Sent):
        return Outcome(
            message_id=message.id,
            state="sent",
            attempt_id=outgoing.attempt_id,
            attempt_state="sent",
            provider_ids=(result.provider_id, *result.more_ids),
            traced=bool(channel.reports),
        )
    if isinstance(result, Failed):
        return _after_failure(message, outgoing, result, at=at, rules=rules, chance=chance)
    return Outcome(
        message_id=message.id,
        state="unknown",
        reason=result.reason,
        attempt_id=outgoing.attempt_id,
        attempt_state="unknown",
        error=result.reason,
    )


def _after_failure(
    message: Claimed,
    outgoing: Outgoing,
    failed: Failed,
    *,
    at: datetime,
    rules: RetryRules,
    chance: float,
) -> Outcome:
    kind = "permanent" if failed.permanent else "temporary"
    error = f"{kind}: {failed.reason}" + (f" ({failed.detail})" if failed.detail else "")
    again = message.tries < rules.tries_max
    delay_s = retry_delay_s(rules, message.tries, chance)
    if failed.permanent:
        # A customer may have another conversation open: it is looked for at once.
        again, delay_s = again and message.customer_id is not None, 0.0
    elif failed.retry_after_s is not None:
        delay_s = max(delay_s, failed.retry_after_s)
    return Outcome(
        message_id=message.id,
        state="queued" if again else "failed",
        reason="" if again else failed.reason,
        not_before=to_micros(at + timedelta(seconds=delay_s)) if again else None,
        attempt_id=outgoing.attempt_id,
        attempt_state="failed",
        error=error,
    )
