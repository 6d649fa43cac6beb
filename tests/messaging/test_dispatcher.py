"""What the outbox promises, on both databases: once, in order, with a reason for every end."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query, transaction
from loyalty.models import Customer, Event
from messaging.channels.base import Failed, Limit, Unknown
from messaging.dispatcher import Dispatcher
from messaging.outbox import Draft, enqueue
from messaging.suppressions import lift
from tests.messaging.conftest import ToldChannel, all_sent, attempts, customer_with, states, until

pytestmark = pytest.mark.usefixtures("db")
Make = Callable[..., Draft]
MakeDispatcher = Callable[..., Dispatcher]

PLAIN_SPACES = {0xA0: " ", 0x202F: " "}
RECEIPT = {
    "receipt_id": 7,
    "number": "A-17",
    "shop": "Аптека <на углу>",
    "total_minor": 123_450,
    "paid_minor": 100_000,
    "spent": 234,
    "earned": 21,
    "returned": 0,
    "taken_back": 0,
    "balance": 1,
    "next_expiry": {"points": 1, "at": "2026-04-01T09:00:00+00:00"},
}
RETURN = {
    "receipt_id": 7,
    "return_id": 8,
    "number": "A-17",
    "return_number": "B-1",
    "shop": "Аптека <на углу>",
    "amount_minor": 200_00,
    "refund_minor": 160_00,
    "given_back": 40,
    "taken_back": 8,
    "forgiven": 0,
    "is_whole": False,
    "balance": 32,
    "next_expiry": None,
}


async def test_a_message_is_sent_once_however_often_it_is_enqueued(
    dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    assert await enqueue([code(), code()], at=clock.now()) == 1
    assert await enqueue([code()], at=clock.now()) == 0
    await dispatcher.drain()
    await dispatcher.drain()
    assert channel.texts == ["Капсула: ваш код 1234. Никому его не говорите."]
    assert await states() == {"code:1": ("sent", "")}


async def test_a_rolled_back_fact_leaves_no_message(
    dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    async def fact() -> None:
        async with transaction():
            await enqueue([code()], at=clock.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fact()
    await dispatcher.drain()
    assert channel.got == []


async def test_the_code_is_wiped_once_its_message_is_closed(
    dispatcher: Dispatcher, clock: VirtualClock, code: Make
) -> None:
    await enqueue([code()], at=clock.now())
    await dispatcher.drain()
    assert (await query("SELECT context FROM message"))[0]["context"] == "{}"


async def test_an_event_becomes_a_message_in_the_customers_words(
    dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock
) -> None:
    anna = await customer_with(("webchat", "501"))
    event = await Event.create(
        kind="receipt.committed", customer_id=anna, at=clock.now(), payload=json.dumps(RECEIPT)
    )
    await dispatcher.drain()
    (outgoing,) = channel.got
    assert (outgoing.address_kind, outgoing.address) == ("webchat", "501")
    assert outgoing.body.plain.translate(PLAIN_SPACES).splitlines() == [
        "🧾 Чек № A-17 · Аптека <на углу>",
        "Сумма 1 234,50 ₽, к оплате 1 000 ₽",
        "",
        "➕ Начислено: 21 бонус",
        "➖ Списано: 234 бонуса",
        "💳 Баланс: 1 бонус",
        "⏳ Первыми сгорят: 1 бонус, 1 апреля 2026 г.",
    ]
    assert "&lt;на углу&gt;" in outgoing.body.html
    assert await states() == {f"event:{event.id}:receipt": ("sent", "")}
    await dispatcher.drain()
    assert len(channel.got) == 1


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {},
            [
                "↩️ Возврат по чеку № A-17 · Аптека <на углу>",
                "Товары на 200 ₽, деньгами 160 ₽",
                "",
                "➕ Возвращено: 40 бонусов",
                "➖ Снято: 8 бонусов",
                "💳 Баланс: 32 бонуса",
            ],
        ),
        (
            {"given_back": 0, "refund_minor": 200_00, "is_whole": True, "shop": ""},
            [
                "↩️ Чек № A-17: всё возвращено",
                "Вернули 200 ₽",
                "",
                "➖ Снято: 8 бонусов",
                "💳 Баланс: 32 бонуса",
            ],
        ),
    ],
)
async def test_a_return_is_told(
    dispatcher: Dispatcher,
    channel: ToldChannel,
    clock: VirtualClock,
    changes: dict[str, Any],
    lines: list[str],
) -> None:
    anna = await customer_with(("webchat", "501"))
    payload = RETURN | changes
    await Event.create(
        kind="receipt.returned", customer_id=anna, at=clock.now(), payload=json.dumps(payload)
    )
    await dispatcher.drain()
    (outgoing,) = channel.got
    assert outgoing.body.plain.translate(PLAIN_SPACES).splitlines() == lines


async def test_a_return_at_night_is_told_at_once(
    dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock
) -> None:
    clock.set(datetime(2026, 3, 2, 1, tzinfo=UTC))  # four in the morning in Moscow
    anna = await customer_with(("webchat", "501"))
    await Event.create(
        kind="receipt.returned", customer_id=anna, at=clock.now(), payload=json.dumps(RETURN)
    )
    await dispatcher.drain()
    assert len(channel.got) == 1


async def test_an_unreadable_event_does_not_stop_those_behind_it(
    dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock
) -> None:
    anna = await customer_with(("webchat", "501"))
    for payload in ("{", "{}", "[]", json.dumps(RECEIPT)):
        await Event.create(
            kind="receipt.cancelled", customer_id=anna, at=clock.now(), payload=payload
        )
    await dispatcher.drain()
    assert len(channel.got) == 1
    assert "Чек № A-17 отменён" in channel.texts[0]


@pytest.mark.parametrize(
    ("fields", "state", "reason"),
    [
        ({"expires_at": -1}, "skipped", "expired"),
        ({"template": "no_such"}, "failed", "template: unknown template no_such"),
        ({"context": {"code": "1"}}, "failed", "template: sms_code lacks programme"),
        ({"address_kind": "pigeon"}, "failed", "no_channel"),
        ({"customer_id": 404}, "skipped", "customer_gone"),
    ],
)
async def test_every_message_that_is_not_sent_says_why(
    dispatcher: Dispatcher,
    channel: ToldChannel,
    clock: VirtualClock,
    code: Make,
    fields: dict[str, object],
    state: str,
    reason: str,
) -> None:
    if "expires_at" in fields:
        fields["expires_at"] = clock.now() - timedelta(seconds=1)
    await enqueue([code(**fields)], at=clock.now())
    await dispatcher.drain()
    assert await states() == {"code:1": (state, reason)}
    assert channel.got == []


async def test_without_a_conversation_or_after_erasure_there_is_no_message(
    dispatcher: Dispatcher, clock: VirtualClock, code: Make
) -> None:
    shy = await customer_with()
    gone = await customer_with(("telegram", "1"))
    await Customer.filter(id=gone).update(erased_at=clock.now())
    await enqueue([code("a", customer_id=shy), code("b", customer_id=gone)], at=clock.now())
    await dispatcher.drain()
    assert await states() == {
        "a": ("skipped", "no_address"),
        "b": ("skipped", "customer_gone"),
    }


async def test_blocked_in_one_messenger_the_message_goes_to_the_other(
    dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    anna = await customer_with(("telegram", "1"), ("webchat", "2"))
    channel.answers = [Failed("blocked", permanent=True, detail="Forbidden")]
    await enqueue([code(customer_id=anna)], at=clock.now())
    await dispatcher.drain()
    assert await states() == {"code:1": ("sent", "")}
    assert await attempts() == [
        ("telegram", "1", "failed", "permanent: blocked (Forbidden)"),
        ("webchat", "2", "sent", ""),
    ]


async def test_blocked_everywhere_it_fails_with_the_reason(
    dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    anna = await customer_with(("telegram", "1"))
    channel.answers = [Failed("blocked", permanent=True)]
    await enqueue([code(customer_id=anna)], at=clock.now())
    await dispatcher.drain()
    assert await states() == {"code:1": ("failed", "blocked")}


async def test_a_temporary_failure_is_tried_again_later_and_not_for_ever(
    dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    channel.answers = [Failed("provider_down", permanent=False)] * 20
    await enqueue([code()], at=clock.now())
    await dispatcher.drain()
    assert len(channel.got) == 1, "the second try waits"
    clock.advance(timedelta(seconds=7))
    await dispatcher.drain()
    assert len(channel.got) == 2
    for _ in range(30):
        clock.advance(timedelta(minutes=13))
        await dispatcher.drain()
    assert len(channel.got) == 8
    assert await states() == {"code:1": ("failed", "provider_down")}


async def test_a_channel_without_room_costs_no_tries(
    dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    channel.answers = [Failed("busy", permanent=False, retry_after_s=1.0, unasked=True)] * 20
    await enqueue([code()], at=clock.now())
    for _ in range(30):
        await dispatcher.drain()
        clock.advance(timedelta(minutes=1))
    assert len(channel.got) == 21
    assert await states() == {"code:1": ("sent", "")}


async def test_the_providers_wish_to_wait_is_obeyed(
    dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    channel.answers = [Failed("rate_limited", permanent=False, retry_after_s=100)]
    await enqueue([code()], at=clock.now())
    await dispatcher.drain()
    clock.advance(timedelta(seconds=99))
    await dispatcher.drain()
    assert len(channel.got) == 1
    clock.advance(timedelta(seconds=1))
    await dispatcher.drain()
    assert len(channel.got) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(Unknown("no_answer"), "no_answer"), (RuntimeError("a bug"), "channel_broke")],
)
async def test_an_unknown_outcome_is_never_sent_again(
    dispatcher: Dispatcher,
    channel: ToldChannel,
    clock: VirtualClock,
    code: Make,
    answer: Unknown | Exception,
    reason: str,
) -> None:
    channel.answers = [answer]
    await enqueue([code()], at=clock.now())
    await dispatcher.drain()
    clock.advance(timedelta(days=1))
    await dispatcher.drain()
    assert len(channel.got) == 1
    assert await states() == {"code:1": ("unknown", reason)}


async def test_a_send_that_takes_too_long_is_unknown(
    make_dispatcher: MakeDispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    channel.gate = asyncio.Event()
    await enqueue([code()], at=clock.now())
    await make_dispatcher(channel, send_timeout_s=0.05).drain()
    assert await states() == {"code:1": ("unknown", "no_answer_in_time")}


async def test_the_urgent_goes_first_and_the_future_waits(
    make_dispatcher: MakeDispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    later = clock.now() + timedelta(hours=1)
    drafts = [
        code("mailing", priority=9, address="+1"),
        code("code", priority=1, address="+2"),
        code("tomorrow", priority=1, address="+3", not_before=later),
    ]
    await enqueue(drafts, at=clock.now())
    await make_dispatcher(channel, concurrency=1).drain()
    assert [outgoing.address for outgoing in channel.got] == ["+2", "+1"]
    clock.advance(timedelta(hours=1))
    await make_dispatcher(channel).drain()
    assert [outgoing.address for outgoing in channel.got] == ["+2", "+1", "+3"]


async def test_sending_is_concurrent_within_the_bound_and_in_order_for_one_person(
    make_dispatcher: MakeDispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    drafts = [code(f"n{i}", address=f"+{i}", context=_code(i)) for i in range(40)]
    drafts += [code(f"same{i}", address="+same", context=_code(i)) for i in range(10)]
    await enqueue(drafts, at=clock.now())
    await make_dispatcher(channel, concurrency=8).drain()
    assert len(channel.got) == 50
    assert 1 < channel.at_once_max <= 8
    hers = [
        text for o, text in zip(channel.got, channel.texts, strict=True) if o.address == "+same"
    ]
    assert hers == [f"Капсула: ваш код {i}. Никому его не говорите." for i in range(10)]


def _code(i: int) -> dict[str, str]:
    return {"programme": "Капсула", "code": str(i)}


async def test_a_graceful_stop_finishes_what_has_begun_and_gives_the_rest_back(
    make_dispatcher: MakeDispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    channel.gate = asyncio.Event()
    await enqueue([code("a"), code("b")], at=clock.now())  # one recipient: the second one waits
    stop = asyncio.Event()
    running = asyncio.create_task(make_dispatcher(channel).run(stop))
    await until(channel.has_some)
    stop.set()
    await asyncio.sleep(0.05)
    channel.gate.set()
    await asyncio.wait_for(running, 5)
    assert await states() == {"a": ("sent", ""), "b": ("queued", "")}
    assert (await query("SELECT SUM(tries) AS n FROM message"))[0]["n"] == 1


async def test_a_stop_does_not_wait_for_a_stuck_provider(
    make_dispatcher: MakeDispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    channel.gate = asyncio.Event()
    await enqueue([code()], at=clock.now())
    stop = asyncio.Event()
    running = asyncio.create_task(make_dispatcher(channel, stop_grace_s=0.05).run(stop))
    await until(channel.has_some)
    stop.set()
    await asyncio.wait_for(running, 5)
    assert await states() == {"code:1": ("unknown", "stopped_while_sending")}


async def test_a_wake_is_felt_at_once(
    make_dispatcher: MakeDispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
) -> None:
    stop = asyncio.Event()
    worker = make_dispatcher(channel, poll_s=60)
    running = asyncio.create_task(worker.run(stop))
    await asyncio.sleep(0.1)
    await enqueue([code()], at=clock.now())
    worker.wake()
    await until(all_sent, 2)
    stop.set()
    await asyncio.wait_for(running, 5)


class TestProviders:
    async def test_a_dead_address_is_not_tried_by_the_next_message(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
    ) -> None:
        anna = await customer_with(("telegram", "1"))
        channel.answers = [Failed("blocked", permanent=True)]
        await enqueue([code("a", customer_id=anna)], at=clock.now())
        await dispatcher.drain()
        await enqueue([code("b", customer_id=anna)], at=clock.now())
        await dispatcher.drain()
        assert len(channel.got) == 1
        assert await states() == {
            "a": ("failed", "blocked"),
            "b": ("skipped", "suppressed:blocked"),
        }
        assert await lift("telegram", "1", reason="blocked", at=clock.now())
        await enqueue([code("c", customer_id=anna)], at=clock.now())
        await dispatcher.drain()
        assert len(channel.got) == 2, "she has come back"

    async def test_while_the_provider_is_down_no_tries_are_burnt(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
    ) -> None:
        channel.answers = [Failed("provider_down", permanent=False, provider_down=True)] * 6
        await enqueue([code(f"m{n}", address=f"+790000000{n:02}") for n in range(5)],
                      at=clock.now())  # fmt: skip
        await dispatcher.drain()
        assert len(channel.got) == 5, "five failures in a row open the breaker"
        clock.advance(timedelta(seconds=10))
        await dispatcher.drain()
        assert len(channel.got) == 5
        assert set((await states()).values()) == {("queued", "provider_down")}
        clock.advance(timedelta(seconds=10))
        await dispatcher.drain()
        assert len(channel.got) == 6, "one finds out whether it is back"
        clock.advance(timedelta(minutes=10))
        await dispatcher.drain()
        assert set((await states()).values()) == {("sent", "")}

    async def test_a_limit_makes_the_rest_wait_and_the_providers_wish_too(
        self, make_dispatcher: MakeDispatcher, clock: VirtualClock, code: Make
    ) -> None:
        slow = ToldChannel()
        slow.limits = [Limit(name="slow", amount=1, per_s=0.1)]
        slow.answers = [Failed("rate_limited", permanent=False, retry_after_s=0.3)]
        await enqueue([code(f"m{n}", address=f"+790000000{n:02}") for n in range(3)],
                      at=clock.now())  # fmt: skip
        loop = asyncio.get_running_loop()
        began = loop.time()
        await make_dispatcher(slow).drain()
        assert len(slow.got) == 3
        assert loop.time() - began >= 0.3 + 0.1

    async def test_the_story_of_a_message_tells_each_decision(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
    ) -> None:
        anna = await customer_with(("telegram", "1"), ("webchat", "2"))
        channel.answers = [Failed("blocked", permanent=True)]
        await enqueue([code("a", customer_id=anna), code("b", expires_at=clock.now())],
                      at=clock.now())  # fmt: skip
        await dispatcher.drain()
        rows = await query(
            "SELECT m.dedupe_key, d.verdict, d.reason, d.details FROM decision d "
            "JOIN message m ON m.id = d.message_id ORDER BY m.dedupe_key, d.id"
        )
        told = [(r["dedupe_key"], r["verdict"], r["reason"]) for r in rows]
        assert told == [("a", "send", ""), ("a", "send", ""), ("b", "skip", "expired")]
        assert [json.loads(r["details"])["to"] for r in rows[:2]] == ["telegram", "webchat"]
