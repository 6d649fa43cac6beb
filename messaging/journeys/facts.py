"""Checks that any journey may ask, each answered for a whole batch in one query."""

from collections.abc import Mapping, Sequence, Set

from loyalty.database import query
from loyalty.identities import FRONTS
from loyalty.instants import to_micros
from loyalty.rules.consents import standing
from loyalty.sql.lists import listed
from messaging.journeys.registry import Around, Entry, check, entry
from messaging.journeys.stepping import Enrolled, MessageState
from messaging.notices import EventRow
from messaging.policy.caps import DAY_US
from messaging.policy.consent import CONFIRMING_PROOFS
from messaging.records import rowset


def message_key(enrolment_id: int, step: str) -> str:
    """The key of the message of a step: however often it is written, it is one message."""
    return f"journey:{enrolment_id}:{step}"


_STATES = rowset(
    """
    SELECT r.id, m.state, m.reason FROM {rows} JOIN message m ON m.dedupe_key = r.key
    """,
    id="bigint",
    key="text",
)


async def message_states(asked: Mapping[int, str]) -> dict[int, MessageState]:
    """What has become of the messages of these steps, by enrolment."""
    if not asked:
        return {}
    rows = [{"id": i, "key": message_key(i, step)} for i, step in asked.items()]
    return {
        row["id"]: MessageState(row["state"], row["reason"]) for row in await _STATES.query(rows)
    }


_BOUGHT = rowset(
    """
    SELECT r.id FROM {rows} WHERE EXISTS (
        SELECT 1 FROM receipt t WHERE t.customer_id = r.customer_id AND t.at > r.since
        AND t.state = 'committed')
    """,
    id="bigint",
    customer_id="bigint",
    since="bigint",
)


@check("bought", hears=["receipt.committed"])
async def bought(enrolled: Sequence[Enrolled], _about: str, _around: Around) -> Set[int]:
    """Since she entered."""
    return await _bought_since(enrolled, {each.id: each.entered_at for each in enrolled})


@check("has_bought", hears=["receipt.committed"])
async def has_bought(enrolled: Sequence[Enrolled], _about: str, _around: Around) -> Set[int]:
    """Ever."""
    return await _bought_since(enrolled, {each.id: 0 for each in enrolled})


async def _bought_since(enrolled: Sequence[Enrolled], since: Mapping[int, int]) -> Set[int]:
    rows = [{"id": e.id, "customer_id": e.customer_id, "since": since[e.id]} for e in enrolled]
    return {row["id"] for row in await _BOUGHT.query(rows)}


@check("heard")
async def heard(enrolled: Sequence[Enrolled], about: str, _around: Around) -> Set[int]:
    """An event of this kind since she entered, as `enrolling` has noted it."""
    return {each.id for each in enrolled if about in each.heard}


_SEEN = rowset(
    """
    SELECT r.id FROM {rows} JOIN message m ON m.dedupe_key = r.key
    WHERE EXISTS (SELECT 1 FROM attempt a WHERE a.message_id = m.id
        AND (a.clicked_at IS NOT NULL OR CAST($2 AS INT) = 0 AND a.status = 'read'))
    """,
    id="bigint",
    key="text",
)


@check("read")
async def read(enrolled: Sequence[Enrolled], about: str, _around: Around) -> Set[int]:
    """She has seen the message of the step: read, or clicked upon."""
    return await _reacted(enrolled, about, clicked_only=False)


@check("clicked")
async def clicked(enrolled: Sequence[Enrolled], about: str, _around: Around) -> Set[int]:
    """She has followed a link of the message of the step."""
    return await _reacted(enrolled, about, clicked_only=True)


async def _reacted(enrolled: Sequence[Enrolled], step: str, *, clicked_only: bool) -> Set[int]:
    rows = [{"id": e.id, "key": message_key(e.id, step)} for e in enrolled]
    return {row["id"] for row in await _SEEN.query(rows, int(clicked_only))}


_TOOK = rowset(
    """
    SELECT r.id FROM {rows} JOIN enrolment_step s ON s.enrolment_id = r.id AND s.step = r.step
    WHERE s.edge = r.edge
    """,
    id="bigint",
    step="text",
    edge="text",
)


@check("took")
async def took(enrolled: Sequence[Enrolled], about: str, _around: Around) -> Set[int]:
    """An earlier step ended so: `took` about `ask=sent`."""
    step, _, edge = about.partition("=")
    rows = [{"id": e.id, "step": step, "edge": edge} for e in enrolled]
    return {row["id"] for row in await _TOOK.query(rows)}


_KINDS = listed(
    """
    SELECT customer_id, kind, proof FROM identity
    WHERE customer_id IN {list} AND ended_at IS NULL AND kind <> 'card'
    """
)


async def identities_of(customer_ids: Sequence[int]) -> dict[int, set[str]]:
    """By customer the kinds of her addresses; a confirmed e-mail counts as `confirmed` too."""
    found: dict[int, set[str]] = {}
    for row in await query(*_KINDS, customer_ids):
        kinds = found.setdefault(row["customer_id"], set())
        kinds.add(row["kind"])
        if row["kind"] == "email" and row["proof"] in CONFIRMING_PROOFS:
            kinds.add("confirmed")
        if row["kind"] in FRONTS:
            kinds.add("chat")
    return found


@check("reachable", hears=["customer.front_added", "customer.email_confirmed"])
async def reachable(enrolled: Sequence[Enrolled], about: str, _around: Around) -> Set[int]:
    """She has an address of one of these kinds: phone, email, confirmed (e-mail), chat."""
    kinds, hers = set(about.split(",")), await identities_of([e.customer_id for e in enrolled])
    return {each.id for each in enrolled if kinds & hers.get(each.customer_id, set())}


_CONSENTS = listed(
    """
    SELECT customer_id, purpose, channel, granted FROM consent_fact
    WHERE customer_id IN {list} AND purpose = 'marketing' ORDER BY at, id
    """
)


@check("agrees")
async def agrees(enrolled: Sequence[Enrolled], _about: str, _around: Around) -> Set[int]:
    """She takes advertising by some channel."""
    said: dict[int, list[tuple[str, str, bool]]] = {}
    for row in await query(*_CONSENTS, [e.customer_id for e in enrolled]):
        fact = (row["purpose"], row["channel"], bool(row["granted"]))
        said.setdefault(row["customer_id"], []).append(fact)
    return {each.id for each in enrolled if any(standing(said.get(each.customer_id, ())).values())}


_AWAKE = rowset(
    """
    SELECT r.id FROM {rows} WHERE EXISTS (
        SELECT 1 FROM receipt t WHERE t.customer_id = r.customer_id AND t.at > $2)
    OR EXISTS (
        SELECT 1 FROM message m JOIN attempt a ON a.message_id = m.id
        WHERE m.customer_id = r.customer_id AND m.created_at > $2
        AND (a.status = 'read' OR a.clicked_at IS NOT NULL))
    """,
    id="bigint",
    customer_id="bigint",
)


@check("silent")
async def silent(enrolled: Sequence[Enrolled], about: str, around: Around) -> Set[int]:
    """For so many days she has neither bought nor read anything."""
    since = around.now - int(about) * DAY_US
    rows = [{"id": e.id, "customer_id": e.customer_id} for e in enrolled]
    awake = {row["id"] for row in await _AWAKE.query(rows, since)}
    return {each.id for each in enrolled} - awake


_UNUSED = rowset(
    """
    SELECT r.id FROM {rows} JOIN promo_code c ON c.code = r.code
    JOIN promo_campaign p ON p.id = c.campaign_id
    WHERE c.taken = 0 AND c.revoked_at IS NULL AND p.revoked_at IS NULL AND p.ends_at > $2
    """,
    id="bigint",
    code="text",
)


@check("code_unused", hears=["receipt.committed"])
async def code_unused(enrolled: Sequence[Enrolled], _about: str, around: Around) -> Set[int]:
    """The promo code that she was given is still good."""
    rows = [{"id": e.id, "code": str(e.data["code"])} for e in enrolled if e.data.get("code")]
    return {row["id"] for row in await _UNUSED.query(rows, around.now)}


@entry("each")
async def each_event(happened: Sequence[EventRow], _around: Around) -> list[Entry]:
    """One entry for each event; what it tells is what the words may use."""
    return [
        Entry(
            customer_id=event.customer_id,
            key=str(event.id),
            due_at=to_micros(event.at),
            entered_at=to_micros(event.at),
            data=dict(event.payload),
        )
        for event in happened
    ]
