"""One address gets one message of a mailing, whoever shares it and however many workers send."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.database import database
from loyalty.clock import VirtualClock
from loyalty.database import query
from messaging.channels.base import Failed
from messaging.dispatcher import Dispatcher
from messaging.outbox import Draft, enqueue
from tests.messaging.conftest import ToldChannel, customer_with, states

PHONE = "+79001234567"


async def moves(address: str, to: int) -> None:
    """The number is somebody else's from now on."""
    await query("UPDATE identity SET ended_at = 1 WHERE value = $1", None, address)
    await query(
        "INSERT INTO identity (id, customer_id, kind, value, proof, created_at) "
        "VALUES (77, $1, 'phone', $2, 'one_time_code', 0)",
        None,
        to,
        address,
    )


@pytest.fixture
def mailed(code: Callable[..., Draft]) -> Callable[..., Draft]:
    """A draft of the mailing `spring`, to a customer or to the telephone itself."""

    def make(key: str, **fields: object) -> Draft:
        where = {"address_kind": "", "address": ""} if "customer_id" in fields else {}
        return code(key, **{"mailing": "spring", "urgent": True} | where | fields)

    return make


Make = Callable[..., Draft]


@pytest.mark.usefixtures("db")
class TestOneWorker:
    async def test_two_who_share_an_address_get_one(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, mailed: Make
    ) -> None:
        anna = await customer_with(("phone", PHONE))
        drafts = [mailed("anna", customer_id=anna), mailed("bare"), mailed("bare again")]
        await enqueue(drafts, at=clock.now())
        await dispatcher.drain()
        assert len(channel.got) == 1
        ends = (await states()).values()
        assert sorted(ends) == [("sent", ""), *[("skipped", "address_taken")] * 2]

    async def test_whose_address_it_was_before_counts(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, mailed: Make
    ) -> None:
        anna, boris = await customer_with(("phone", PHONE)), await customer_with()
        await enqueue([mailed("anna", customer_id=anna)], at=clock.now())
        await dispatcher.drain()
        await moves(PHONE, boris)
        other = mailed("another mailing", customer_id=boris, mailing="summer")
        drafts = [mailed("boris", customer_id=boris), other, mailed("none", mailing="")]
        await enqueue(drafts, at=clock.now())
        await dispatcher.drain()
        assert await states() == {
            "anna": ("sent", ""),
            "boris": ("skipped", "address_taken"),
            "another mailing": ("sent", ""),
            "none": ("sent", ""),
        }

    async def test_another_address_of_hers_is_open(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, mailed: Make
    ) -> None:
        await enqueue([mailed("bare")], at=clock.now())
        await dispatcher.drain()
        anna = await customer_with(("phone", PHONE), ("telegram", "1"))
        await enqueue([mailed("anna", customer_id=anna)], at=clock.now())
        await dispatcher.drain()
        assert [outgoing.address for outgoing in channel.got] == [PHONE, "1"]

    async def test_a_later_try_is_its_own(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, mailed: Make
    ) -> None:
        channel.answers = [Failed("provider_down", permanent=False)]
        await enqueue([mailed("bare")], at=clock.now())
        await dispatcher.drain()
        clock.advance(timedelta(minutes=1))
        await dispatcher.drain()
        assert await states() == {"bare": ("sent", "")}

    async def test_what_has_not_gone_keeps_no_address(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, mailed: Make
    ) -> None:
        channel.answers = [Failed("refused_by_provider", permanent=True)]
        await enqueue([mailed("first")], at=clock.now())
        await dispatcher.drain()
        await enqueue([mailed("second")], at=clock.now())
        await dispatcher.drain()
        assert await states() == {
            "first": ("failed", "refused_by_provider"),
            "second": ("sent", ""),
        }


async def test_several_workers_at_once_send_one_to_each_address(
    shared_url: str,
    clock: VirtualClock,
    make_dispatcher: Callable[..., Dispatcher],
    mailed: Make,
) -> None:
    channel, phones = ToldChannel(), [f"+7900123{n:04d}" for n in range(30)]
    async with database(shared_url, migrate=False):
        people = [await customer_with(("phone", phone)) for phone in phones]
        drafts = [
            draft
            for n, (phone, who) in enumerate(zip(phones, people, strict=True))
            for draft in (
                mailed(f"a{n}", address=phone),
                mailed(f"b{n}", customer_id=who),
                mailed(f"c{n}", address=phone),
            )
        ]
        await enqueue(drafts, at=clock.now())
        workers = [make_dispatcher(channel, concurrency=7) for _ in range(4)]
        await asyncio.gather(*(worker.drain() for worker in workers))
        ends = list((await states()).values())
    assert sorted(outgoing.address for outgoing in channel.got) == phones
    assert sorted(set(ends)) == [("sent", ""), ("skipped", "address_taken")]
