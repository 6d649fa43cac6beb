"""A stage for journeys: a programme, a messenger that takes everything, an engine over both.

Time moves by hand; `live` lets everything happen that is due on the way, hour by hour.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.models import Customer, Identity
from loyalty.programme import Programme
from loyalty.refusals import Refusal
from messaging.dispatcher import Dispatcher
from messaging.journeys.declaration import Journey, OnEvent, Send
from messaging.journeys.engine import Journeys
from messaging.journeys.revisions import publish
from messaging.journeys.switches import set_switches
from messaging.notices import Notices
from tests.messaging.conftest import ToldChannel
from tests.messaging.letters import LINKS

HOUR = timedelta(hours=1)


class Stage:
    def __init__(self, clock: VirtualClock, programme: Programme, channel: ToldChannel) -> None:
        self.clock, self.programme, self.channel = clock, programme, channel
        self.journeys = Journeys(clock, programme, links=LINKS)
        self.sms = ToldChannel("phone")
        self.sms.name = "sms"
        self.sms.price = lambda body, address: 4_000_000  # type: ignore[method-assign]
        channels = [channel, self.sms]
        self.dispatcher = Dispatcher(clock, channels, Notices("RUB"), journeys=self.journeys)
        self._people = 0

    async def settle(self) -> None:
        """Until nobody has anything to do at this moment."""
        await self.journeys.scan()
        while True:
            await self.dispatcher.drain()
            if not await self.journeys.drain():
                return

    async def live(self, span: timedelta, *, step: timedelta = HOUR) -> None:
        end = self.clock.now() + span
        await self.settle()
        while self.clock.now() < end:
            self.clock.advance(min(step, end - self.clock.now()))
            await self.settle()

    async def customer(
        self,
        *,
        agrees: bool = True,
        born_on: date | None = None,
        joined_at: datetime | None = None,
        fronts: Sequence[str] = ("telegram",),
        name: str = "Анна",
        language: str = "ru",
    ) -> int:
        """Somebody who has been there before, with an account and these fronts."""
        self._people += 1
        at = joined_at or self.clock.now()
        customer = await Customer.create(
            name=name, language=language, joined_at=at, born_on=born_on, timezone="Europe/Moscow"
        )
        for kind in fronts:
            await Identity.create(
                customer=customer, kind=kind, value=str(5000 + self._people), proof="front",
                created_at=at,
            )  # fmt: skip
        await self.programme.ledger.open_accounts([customer.id])
        await self.programme.customers.record_consent(
            customer.id, purpose="marketing", channel="", granted=agrees, source="till", wording="1"
        )
        return customer.id

    async def join(self, phone: str = "+79001234567", *, marketing: bool = True) -> int:
        joined = await self.programme.customers.join(
            phone=phone, proof="own_contact", front_kind="telegram", front_value=phone[-9:],
            name="Анна", language="ru", consent_wording="1", marketing=marketing, source="telegram",
        )  # fmt: skip
        assert not isinstance(joined, Refusal), joined
        return joined.customer.id

    async def buys(self, customer_id: int, at: datetime | None = None, *, told: bool = True) -> int:
        """A receipt of 500.00, as the till leaves it, with its event."""
        at, receipt_id = at or self.clock.now(), next_id()
        await query(
            "INSERT INTO shop (id, code, name, city, address, timezone) "
            "VALUES (1, 's', 'Аптека', '', '', 'Europe/Moscow') ON CONFLICT DO NOTHING"
        )
        await query(
            "INSERT INTO till (id, shop_id, code, name) VALUES (1, 1, 't', 'T') "
            "ON CONFLICT DO NOTHING"
        )
        await query(
            "INSERT INTO receipt (id, customer_id, till_id, number, state, at, recorded_at, "
            "total_minor, paid_minor, spent_points, earned_points, key, fingerprint, answer) "
            f"VALUES ({receipt_id}, {customer_id}, 1, '{receipt_id}', 'committed', "
            f"{to_micros(at)}, {to_micros(at)}, 50000, 50000, 0, 0, 'k{receipt_id}', '', '{{}}')"
        )
        if told:
            await self.event("receipt.committed", customer_id, at, receipt_id=receipt_id,
                             number=str(receipt_id), shop="Аптека", total_minor=50000,
                             paid_minor=50000, spent=0, earned=0, returned=0, taken_back=0,
                             balance=0, next_expiry=None)  # fmt: skip
        return receipt_id

    async def event(self, kind: str, customer_id: int, at: datetime, **payload: Any) -> None:
        from loyalty.database import transaction  # noqa: PLC0415
        from loyalty.events import record  # noqa: PLC0415

        async with transaction():
            await record(kind, customer_id, at, payload)

    async def publish(self, journey: Journey, *, moves_inside: bool = False, key: str = "") -> int:
        number = await publish(
            journey, author="test", key=key or f"k{next_id()}", moves_inside=moves_inside,
            at=self.clock.now(),
        )  # fmt: skip
        assert isinstance(number, int), number
        await self.journeys.shelf.refresh()
        return number

    async def switch_off(self, name: str) -> None:
        found = self.journeys.shelf.newest(name)
        assert found is not None, name
        await set_switches(found[1], {"is_on": False}, by="test", at=self.clock.now())

    async def read_all(self) -> None:
        """Everything that has come is read."""
        await query("UPDATE attempt SET status = 'read', status_at = 1 WHERE state = 'sent'")

    # -- what can be seen -------------------------------------------------------------------------

    async def sent(self, journey: str = "") -> list[str]:
        """The templates of journeys' messages that went out, in order."""
        rows = await query(
            "SELECT m.template FROM message m JOIN attempt a ON a.message_id = m.id "
            "WHERE m.source LIKE $1 AND a.state = 'sent' ORDER BY a.id",
            None,
            f"journey:{journey}%",
        )
        return [row["template"] for row in rows]

    async def steps(self, journey: str) -> list[str]:
        """The steps taken in this journey, each with its end, in order."""
        rows = await query(
            "SELECT s.step, s.edge FROM enrolment_step s JOIN enrolment e ON e.id = s.enrolment_id "
            "WHERE e.journey = $1 ORDER BY e.id, s.at, s.step",
            None,
            journey,
        )
        return [f"{row['step']}={row['edge']}" for row in rows]

    async def outcomes(self, journey: str) -> list[str]:
        """Of each enrolment of it, "" for one that sleeps."""
        rows = await query(
            "SELECT outcome FROM enrolment WHERE journey = $1 ORDER BY id", None, journey
        )
        return [row["outcome"] for row in rows]


def journey(*steps: Any, name: str = "j", **fields: Any) -> Journey:
    fields.setdefault("trigger", OnEvent(kinds=("customer.joined",)))
    return Journey(name=name, title={"ru": "Ж", "en": "J"}, steps=steps, **fields)


def hello(name: str = "hello", template: str = "welcome_tour", **fields: Any) -> Send:
    fields.setdefault("topic", "service")
    return Send(name=name, template=template, **fields)


def advice(name: str = "advice", **fields: Any) -> Send:
    return Send(name=name, template="welcome_advice", **fields)
