"""Several messages for one customer: the caps let the first ones go, by class, expiry and value."""

import asyncio
from collections.abc import Sequence

from messaging.attempts import Outcome
from messaging.decisions.deciding import decide
from messaging.decisions.endings import waits
from messaging.decisions.world import Held, Try, World
from messaging.facts import Facts, Person
from messaging.outbox import Claimed
from messaging.policy.arbitration import Waiting, arbitrate, rank
from messaging.policy.verdicts import Skip, Wait

BREATH = 8
"""Messages that are decided in a row before others may have a turn: their outcomes to record."""


async def decide_all(messages: Sequence[Claimed], facts: Facts, world: World) -> list[Try | Held]:
    """Each message's decision, those that go in the order in which they should. Nothing is awaited
    but others' turns.

    Only those that could go are rivals: who waits for the morning stands in nobody's way. What is
    outranked waits until the caps open after those that go.
    """
    decided = []
    for nth, message in enumerate(messages, 1):
        decided.append(decide(message, facts, world))
        if not nth % BREATH:
            await asyncio.sleep(0)
    rivals: dict[int, list[Try]] = {}
    for each in decided:
        if isinstance(each, Try) and each.presses and each.message.customer_id is not None:
            rivals.setdefault(each.message.customer_id, []).append(each)
    outranked: dict[int, Held] = {}
    for customer_id, tries in rivals.items():
        if len(tries) > 1:
            outranked |= _outranked(tries, facts.people[customer_id], world)
    results = [
        outranked.get(each.message.id, each) if isinstance(each, Try) else each for each in decided
    ]
    return sorted(results, key=lambda each: rank(each.message) if isinstance(each, Try) else ())


def _outranked(tries: Sequence[Try], person: Person, world: World) -> dict[int, Held]:
    """Those who have to wait, or are too late when their turn comes.

    One that has its contact already (a fallback) does not ask for another place.
    """
    pressed = {message_id for message_id, _ in person.contacts}
    rulings = arbitrate(
        [_waiting(each) for each in tries if each.message.id not in pressed],
        world.policies.caps_of(person),
        [contact for _, contact in person.contacts],
        world.now,
    )
    held: dict[int, Held] = {}
    for ruling in rulings:
        message_id, verdict = ruling.message.id, ruling.verdict
        if isinstance(verdict, Wait):
            held[message_id] = waits(message_id, verdict.reason, verdict.until, {})
        elif isinstance(verdict, Skip):
            outcome = Outcome(message_id=message_id, state="skipped", reason=verdict.reason)
            held[message_id] = Held(outcome)
    return held


def _waiting(each: Try) -> Waiting:
    message = each.message
    return Waiting(
        id=message.id,
        topic=message.topic,
        expires_at=message.expires_at,
        created_at=message.created_at,
        channel=each.channel.name,
        kind=message.kind,
        value=message.value,
    )
