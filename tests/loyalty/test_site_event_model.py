"""Any order of batches, repeats and sign-ins: each event is told once, to whose browser it was."""

import asyncio
import contextvars
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.database import database
from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import from_micros
from loyalty.models import Customer, Identity
from loyalty.programme import build_programme
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.site_events import SiteEvent
from loyalty.site_events import Batch, Taken
from loyalty.sites import KnownSite, NewKeys

SECRET = b"a secret of the tests, 32 bytes or more"
START = 1_767_225_600_000_000
VISITORS = ("visitor-0000000a", "visitor-0000000b")
CHATS = ("51", "52")
KEYS = tuple(f"event-{n:03}" for n in range(6))

sends = st.tuples(
    st.just("send"), st.sampled_from(VISITORS), st.lists(st.sampled_from(KEYS), max_size=4)
)
joins = st.tuples(st.just("join"), st.sampled_from(VISITORS), st.sampled_from(CHATS))


class Model:
    """What should be: whose each browser is, what was sent, what was told to whom."""

    def __init__(self) -> None:
        self.owner: dict[str, str] = {}
        self.waiting: dict[str, list[str]] = {}
        self.sent: set[tuple[str, str]] = set()
        self.told: list[tuple[str, str, str]] = []

    def send(self, visitor: str, keys: list[str]) -> int:
        new = [key for key in dict.fromkeys(keys) if (visitor, key) not in self.sent]
        self.sent |= {(visitor, key) for key in new}
        self.waiting.setdefault(visitor, []).extend(new)
        if visitor in self.owner:
            self._tell(visitor)
        return len(new)

    def join(self, visitor: str, chat: str) -> None:
        self.owner[visitor] = chat
        self._tell(visitor)

    def _tell(self, visitor: str) -> None:
        for key in self.waiting.pop(visitor, []):
            self.told.append((visitor, key, self.owner[visitor]))


def test_any_order_tells_each_event_once_to_whose_browser_it_was(tmp_path: Path) -> None:
    """One database for all examples: each has a site, chats and customers of its own."""
    context, numbers = contextvars.copy_context(), count(1)
    house = database(f"sqlite://{tmp_path / 'model.sqlite3'}")
    with asyncio.Runner() as runner:
        runner.run(house.__aenter__(), context=context)

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(st.one_of(sends, joins), max_size=12))
        def check(story: list[Any]) -> None:
            runner.run(lived(story, next(numbers)), context=context)

        try:
            check()
        finally:
            runner.run(house.__aexit__(None, None, None), context=context)


async def lived(story: list[Any], number: int) -> None:
    clock = VirtualClock(from_micros(START))
    programme = build_programme(clock=clock, secret=SECRET, rules=ProgrammeRules())
    keys = await programme.sites.add(f"shop {number}", ["https://shop.example"])
    assert isinstance(keys, NewKeys)
    site = await programme.sites.by_key(keys.public)
    assert isinstance(site, KnownSite)
    people = {await customer_of(f"{number}{chat}", clock): chat for chat in CHATS}
    model = Model()
    for what, visitor, detail in story:
        if what == "join":
            assert await programme.site_events.join_front(
                keys.public, "https://shop.example", visitor, kind="webchat",
                value=f"{number}{detail}",
            )  # fmt: skip
            model.join(visitor, detail)
        else:
            events = [SiteEvent(key, "view", None, {"sku": f"{visitor}/{key}"}) for key in detail]
            taken = await programme.site_events.take(site, Batch(visitor=visitor, events=events))
            assert isinstance(taken, Taken)
            new = model.send(visitor, detail)
            assert (taken.taken, taken.known) == (new, len(detail) - new)
            assert taken.is_customer is (visitor in model.owner)
    rows = await query("SELECT customer_id, payload ->> 'sku' AS sku FROM event")
    told = sorted(
        (*row["sku"].split("/"), people[row["customer_id"]])
        for row in rows
        if row["customer_id"] in people
    )
    assert told == sorted(model.told)
    adrift = await query(
        "SELECT COUNT(*) FROM site_event WHERE customer_id IS NULL AND site_id = $1", None, site.id
    )
    assert adrift[0][0] == sum(map(len, model.waiting.values()))
    await programme.stop()


async def customer_of(chat: str, clock: VirtualClock) -> int:
    customer = await Customer.create(name=chat, joined_at=clock.now())
    await Identity.create(
        customer=customer, kind="webchat", value=chat, proof="front", created_at=clock.now()
    )
    return customer.id
