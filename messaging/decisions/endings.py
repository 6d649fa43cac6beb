"""What becomes of a message that has no try now: it waits, or it ends, each with its reason."""

from collections.abc import Mapping
from typing import Any, Literal

from messaging.attempts import Outcome
from messaging.decisions.ways import Ways, standing
from messaging.decisions.world import Case, Held
from messaging.outbox import Claimed
from messaging.policy import fallback, route
from messaging.policy.verdicts import Skip, Verdict, Wait, Why


def held(case: Case, verdict: Verdict, ways: Ways) -> Held:
    """As the policy has said. Where every address has refused it, it has failed."""
    if isinstance(verdict, Wait):
        return waits(case.message.id, verdict.reason, verdict.until, figures(None, ways))
    assert isinstance(verdict, Skip)
    hopeless = not ways.open and verdict.reason == getattr(standing(ways), "reason", "")
    failed = hopeless and (ways.failed or verdict.reason == Why.NO_CHANNEL)
    details = figures(None, ways)
    return ended(case, "failed" if failed else "skipped", verdict.reason, details)


def waits(message_id: int, reason: str, until: int, details: Mapping[str, Any]) -> Held:
    outcome = Outcome(
        message_id=message_id, state="queued", reason=reason, not_before=until, waited=True
    )
    return Held(outcome, details)


def gone(message: Claimed) -> Held:
    """Whom it was for is no customer any more."""
    outcome = Outcome(
        message_id=message.id, state="skipped", reason="customer_gone", first=message.is_first
    )
    return Held(outcome)


def ended(
    case: Case,
    state: Literal["skipped", "failed"],
    reason: str,
    details: Mapping[str, Any],
) -> Held:
    """No further try. What has gone before stands, and tells why nothing follows it."""
    went = [each for each in case.before if each.went]
    alive = [each for each in went if each.status not in fallback.GIVEN_UP]
    message_id = case.message.id
    if alive:
        sent = any(each.state == "sent" for each in alive)
        outcome = Outcome(
            message_id=message_id,
            state="sent" if sent else "unknown",
            reason=f"no_fallback:{reason}",
        )
    elif went:
        outcome = Outcome(message_id=message_id, state="failed", reason=went[-1].status)
    else:
        outcome = Outcome(
            message_id=message_id, state=state, reason=reason, first=case.message.is_first
        )
    return Held(outcome, details)


def figures(planned: route.Plan | None, ways: Ways) -> dict[str, Any]:
    """The routes that were considered and the ways that are closed, for the story."""
    found: dict[str, Any] = {}
    if planned is not None and (len(planned.considered) > 1 or planned.reason):
        found["routes"] = [
            {
                "route": " > ".join(option.channel for option in each.options),
                "expected": round(each.expected),
                "worst": each.worst,
                "reach": round(each.reach, 3),
                "standing": str(each.standing),
            }
            for each in planned.considered
        ]
    if planned is not None and planned.reason:
        found["lacks"] = str(planned.reason)
    if ways.stopped:
        found["closed"] = {name: stopped.reason for name, stopped in ways.stopped.items()}
    return found
