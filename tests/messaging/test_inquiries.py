"""What nothing was heard of is asked about: when, how often, and what the answers change."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from messaging.channels.base import Status, Unknown
from messaging.channels.sms.channel import Fate
from messaging.dispatcher import Dispatcher
from messaging.inquiries import Inquiries
from messaging.outbox import Draft, enqueue
from tests.messaging.conftest import ToldChannel, attempts, customer_with, states

PHONE = "+79001234567"


class Provider(ToldChannel):
    """An SMS channel that can be asked; `fates` are its next answers, None after them."""

    name = "sms"
    reports = (Status.DELIVERED,)

    def __init__(self) -> None:
        super().__init__("phone")
        self.fates: list[Fate | None] = []
        self.asked: list[tuple[int, str]] = []

    async def ask(self, attempt_id: int, address: str) -> Fate | None:
        self.asked.append((attempt_id, address))
        return self.fates.pop(0) if self.fates else None


@pytest.fixture
def provider() -> Provider:
    made = Provider()
    made.answers.append(Unknown("no_answer_in_time"))
    return made


@pytest.fixture
def inquiries(provider: Provider, clock: VirtualClock) -> Inquiries:
    return Inquiries(provider, clock)


@pytest.fixture
async def unheard(
    db: str,
    provider: Provider,
    clock: VirtualClock,
    make_dispatcher: Callable[..., Dispatcher],
    code: Callable[..., Draft],
) -> None:
    """A code was sent, and the provider has said nothing."""
    await enqueue([code(expires_at=clock.now() + timedelta(days=3))], at=clock.now())
    await make_dispatcher(provider).drain()
    assert (await states())["code:1"] == ("unknown", "no_answer_in_time")


async def ask_at(inquiries: Inquiries, clock: VirtualClock, age_s: int, since: Any) -> int:
    clock.advance(since + timedelta(seconds=age_s) - clock.now())
    return await inquiries.ask_due()


async def test_it_is_asked_ever_more_seldom(
    inquiries: Inquiries, unheard: None, clock: VirtualClock
) -> None:
    since = clock.now()
    # age in seconds | whether it is asked then
    for age_s, asked in [
        (0, 0), (29, 0), (30, 1), (31, 0), (59, 0), (60, 1), (119, 0), (120, 1), (239, 0), (240, 1),
        (3600, 1), (7199, 0), (7200, 1), (10_799, 0), (10_800, 1), (86_399, 1), (100_000, 0),
    ]:  # fmt: skip
        assert await ask_at(inquiries, clock, age_s, since) == asked, age_s
    assert (await states())["code:1"] == ("unknown", "no_answer_in_time")


async def test_what_the_provider_has_is_sent(
    inquiries: Inquiries, provider: Provider, unheard: None, clock: VirtualClock
) -> None:
    provider.fates += ["taken"]
    clock.advance(timedelta(seconds=30))
    assert await inquiries.ask_due() == 1
    [row] = await query("SELECT id FROM attempt")
    assert provider.asked == [(row["id"], PHONE)]
    assert (await states())["code:1"] == ("sent", "")
    assert [state for *_, state, _ in await attempts()] == ["sent"]
    clock.advance(timedelta(hours=2))
    assert await inquiries.ask_due() == 0
    assert len(provider.got) == 1


async def test_what_has_arrived_has_arrived(
    inquiries: Inquiries, provider: Provider, unheard: None, clock: VirtualClock
) -> None:
    provider.fates += [None, Status.DELIVERED]
    for _ in range(2):
        clock.advance(timedelta(minutes=1))
        await inquiries.ask_due()
    assert (await states())["code:1"] == ("sent", "no_answer_in_time")
    [row] = await query("SELECT state, status FROM attempt")
    assert tuple(row) == ("sent", "delivered")


async def test_what_the_provider_has_never_had_goes_by_another_channel(
    db: str,
    inquiries: Inquiries,
    provider: Provider,
    clock: VirtualClock,
    make_dispatcher: Callable[..., Dispatcher],
) -> None:
    chat = ToldChannel("telegram")
    draft = Draft(
        dedupe_key="w:1",
        topic="service",
        template="welcome",
        context={"programme": "Капсула", "points": 100},
        customer_id=await customer_with(("phone", PHONE)),
        urgent=True,
    )
    await enqueue([draft], at=clock.now())
    dispatcher = make_dispatcher(provider, chat)
    await dispatcher.drain()
    [person] = await query("SELECT id FROM customer")
    await query(
        "INSERT INTO identity (id, customer_id, kind, value, proof, created_at) "
        "VALUES (77, $1, 'telegram', '77', 'front', 0)",
        None,
        person["id"],
    )
    provider.fates += ["absent", "absent"]
    clock.advance(timedelta(seconds=60))
    await inquiries.ask_due()
    await dispatcher.drain()
    assert chat.got == []  # it may still be on its way into their books
    clock.advance(timedelta(seconds=60))
    await inquiries.ask_due()
    await dispatcher.drain()
    assert len(chat.got) == 1
    assert (await states())["w:1"] == ("sent", "")
    assert len(provider.got) == 1
