"""Which addresses of a customer are open to a message, and why the others are not."""

from msgspec import Struct, field

from messaging.decisions.world import Case
from messaging.facts import Before
from messaging.policy import consent, fallback
from messaging.policy.fronts import Front, in_order

_HARD = "permanent: "


class Ways(Struct):
    """By channel, the open addresses, best first, and what closes the others.

    `failed` are the reasons with which addresses have refused this very message, `spent` what its
    tries have cost, `missed` the probability that she has seen none of them. `unserved`: the bare
    address that it names is of a kind for which there is no channel.
    """

    open: dict[str, list[Front]] = field(default_factory=dict)
    stopped: dict[str, consent.Stopped] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    unserved: bool = False
    spent: int = 0
    missed: float = 1.0


def ways_of(case: Case) -> Ways:
    """A channel by which the message has gone is no way any more; nor is who has refused it."""
    ways = Ways()
    before = case.before
    refused: dict[tuple[str, str], str] = {}
    gone: set[str] = set()
    if before:
        ways.spent = sum(each.cost for each in before if each.went)
        refused = {each.address: bare(each.error) for each in before if _is_hard(each)}
        gone = {each.channel for each in before if each.went}
    channels, named = case.world.channels, case.message.channels
    served = [front for front in case.person.addresses if front.kind in channels]
    ways.unserved = case.message.customer_id is None and not served
    for front in in_order(served, at=case.world.now):
        channel = channels[front.kind]
        if named and channel.name not in named:
            continue
        if (front.kind, front.value) in refused:
            ways.failed.add(refused[front.kind, front.value])
        elif channel.name not in gone:
            _add(ways, channel.name, front, _consent(case, front, channel.name))
    for each in before:
        if each.went and each.status not in fallback.GIVEN_UP:
            ways.missed *= 1 - case.chance(each.address[0])
    return ways


def standing(ways: Ways) -> consent.Allowed | consent.Stopped:
    """What stands in the way of all of them together; of stops that end the first to end."""
    if ways.open:
        return consent.Allowed()
    reasons = sorted(ways.failed | {found.reason for found in ways.stopped.values()})
    if not reasons:
        return consent.Stopped("no_channel" if ways.unserved else "no_address", "all")
    ends = [found.until for found in ways.stopped.values() if found.until is not None]
    return consent.Stopped(", ".join(reasons), "all", min(ends, default=None))


def bare(error: str) -> str:
    """`permanent: blocked (Forbidden: …)` is `blocked`."""
    return error.removeprefix(_HARD).split(" (")[0]


def _consent(case: Case, front: Front, channel: str) -> consent.Allowed | consent.Stopped:
    address = (front.kind, front.value)
    return consent.check(
        consent.Ask(
            topic=case.message.topic,
            channel=channel,
            address_kind=front.kind,
            address=front.value,
        ),
        consents=case.person.consents,
        suppressions=[*case.facts.suppressed.get(address, ()), *case.person.stops],
        opt_in=case.facts.opt_ins.get(front.value, consent.OptIn.MISSING),
        taken=case.facts.taken.get(case.message.id, frozenset()),
        now=case.world.now,
    )


def _add(ways: Ways, channel: str, front: Front, found: consent.Allowed | consent.Stopped) -> None:
    if isinstance(found, consent.Stopped):
        ways.stopped.setdefault(channel, found)
    else:
        ways.open.setdefault(channel, []).append(front)


def _is_hard(before: Before) -> bool:
    return before.state == "failed" and before.error.startswith(_HARD)
