"""One message: the questions in the order of finality, each answered by its policy."""

from collections.abc import Iterable

from messaging.decisions.endings import gone, held
from messaging.decisions.routing import routed
from messaging.decisions.ways import Ways, standing, ways_of
from messaging.decisions.world import Case, Held, Try, World
from messaging.facts import Facts
from messaging.outbox import Claimed
from messaging.policy import fallback, quiet_hours
from messaging.policy.caps import Candidate, Free, Full, as_verdict
from messaging.policy.verdicts import Send, Verdict, Wait


def decide(message: Claimed, facts: Facts, world: World) -> Try | Held:
    """What becomes of the message now. Every reason has a name (`policy.verdicts.Why`)."""
    person = facts.person(message)
    if person is None:
        return gone(message)
    case = Case.of(message, person, facts, world)
    ways = ways_of(case)
    verdict = fallback.recheck(_circumstances(case, ways), world.now)
    if not isinstance(verdict, Send):
        return held(case, verdict, ways)
    full = _full_channels(case, ways)
    for name in full:
        del ways.open[name]
    if not ways.open:
        return held(case, _soonest(full.values(), message.expires_at), ways)
    return routed(case, ways)


def _circumstances(case: Case, ways: Ways) -> fallback.Circumstances:
    message, now = case.message, case.world.now
    return fallback.Circumstances(
        expires_at=message.expires_at,
        goal_reached=case.facts.goal_reached(message),
        consent=standing(ways),
        cap=_cap(case, ""),
        quiet=quiet_hours.check(
            message.id,
            topic=message.topic,
            urgent=message.urgent,
            expires_at=message.expires_at,
            zone=case.person.timezone,
            now=now,
            by=case.world.policies.release_of(case.person),
        ),
    )


def _cap(case: Case, channel: str) -> Free | Full:
    candidate = Candidate(case.message.topic, channel, case.message.kind)
    return case.tally.check(candidate, case.world.now)


def _full_channels(case: Case, ways: Ways) -> dict[str, Full]:
    """The channels that have a cap of their own which is full."""
    if not case.world.policies.names_channels:  # her own rule never does
        return {}
    found = {name: _cap(case, name) for name in ways.open}
    return {name: cap for name, cap in found.items() if isinstance(cap, Full)}


def _soonest(full: Iterable[Full], expires_at: int) -> Verdict:
    verdicts = [as_verdict(found, expires_at) for found in full]
    waits = [verdict for verdict in verdicts if isinstance(verdict, Wait)]
    return min(waits, key=lambda wait: wait.until) if waits else verdicts[0]
