"""Which browsers are subscribed for whom: one row per conversation, ended at once, never twice."""

import asyncio
from datetime import timedelta

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.models import Identity
from messaging import push_subscriptions
from messaging.push_subscriptions import PushDesk, PushRefusal, find, subscriptions_of
from tests.messaging.channels.webpush.conftest import THREAD, ends
from tests.messaging.channels.webpush.push_service import BrowserKeys, PushService
from tests.messaging.conftest import customer_with

OTHER = THREAD + 1


@pytest.fixture
def url(service: PushService) -> str:
    return service.endpoint()


async def addresses(customer_id: int) -> list[str]:
    found = await subscriptions_of([customer_id])
    return [front.value for front in found.get(customer_id, [])]


async def test_a_browser_is_an_address(
    desk: PushDesk, customer: int, browser: BrowserKeys, url: str, clock: VirtualClock
) -> None:
    assert await desk.serves(THREAD)
    assert await desk.subscribe(THREAD, endpoint=url, **browser.given) is None
    [front] = (await subscriptions_of([customer, customer + 1]))[customer]
    assert (front.kind, front.seen_at) == ("webpush", to_micros(clock.now()))
    found = await find(front.value)
    assert found is not None
    assert (found.endpoint, found.server_key) == (url, desk.key)
    assert (found.p256dh, found.auth) == tuple(browser.given.values())


async def test_saying_it_again_changes_nothing_but_when_it_was_seen(
    desk: PushDesk, customer: int, browser: BrowserKeys, url: str, clock: VirtualClock
) -> None:
    await desk.subscribe(THREAD, endpoint=url, **browser.given)
    before = await addresses(customer)
    clock.advance(timedelta(days=1))
    padded = {name: value + "=" for name, value in browser.given.items()}
    await desk.subscribe(THREAD, endpoint=url, **padded)
    assert await addresses(customer) == before
    [front] = (await subscriptions_of([customer]))[customer]
    assert front.seen_at == to_micros(clock.now())


async def test_a_browser_that_subscribes_anew_is_another_address(
    desk: PushDesk, customer: int, browser: BrowserKeys, url: str
) -> None:
    await desk.subscribe(THREAD, endpoint=url, **browser.given)
    [before] = await addresses(customer)
    await desk.subscribe(THREAD, endpoint=url + "-2", **BrowserKeys().given)
    [after] = await addresses(customer)
    assert after != before
    assert await find(before) is None
    assert await ends() == [("replaced", ""), ("", url + "-2")]


async def test_a_browser_whose_conversation_is_another_belongs_to_that_one(
    desk: PushDesk, customer: int, browser: BrowserKeys, url: str
) -> None:
    boris = await customer_with(("webchat", str(OTHER)))
    await desk.subscribe(THREAD, endpoint=url, **browser.given)
    await desk.subscribe(OTHER, endpoint=url, **browser.given)
    assert await addresses(customer) == []
    assert len(await addresses(boris)) == 1


async def test_two_browsers_of_one_customer_the_latest_first(
    desk: PushDesk, customer: int, browser: BrowserKeys, url: str, clock: VirtualClock
) -> None:
    await Identity.create(
        customer_id=customer, kind="webchat", value=str(OTHER), proof="front",
        created_at=clock.now(),
    )  # fmt: skip
    await Identity.create(
        customer_id=customer, kind="phone", value="+79001234567", proof="staff",
        created_at=clock.now(),
    )  # fmt: skip
    await desk.subscribe(THREAD, endpoint=url, **browser.given)
    clock.advance(timedelta(hours=1))
    await desk.subscribe(OTHER, endpoint=url + "-phone", **BrowserKeys().given)
    found = [await find(address) for address in await addresses(customer)]
    assert [each.endpoint for each in found if each] == [url + "-phone", url]


@pytest.mark.parametrize("field", ["p256dh", "auth"])
async def test_keys_that_are_none_are_refused(
    desk: PushDesk, customer: int, browser: BrowserKeys, url: str, field: str
) -> None:
    given = browser.given | {field: "AQID"}
    refused = await desk.subscribe(THREAD, endpoint=url, **given)
    assert (refused, await ends()) == (PushRefusal.BAD_SUBSCRIPTION, [])


async def test_an_unknown_push_service_is_refused(
    desk: PushDesk, customer: int, browser: BrowserKeys
) -> None:
    refused = await desk.subscribe(THREAD, endpoint="https://evil.example/x", **browser.given)
    assert (refused, await ends()) == (PushRefusal.UNKNOWN_SERVICE, [])


async def test_a_stranger_is_refused(desk: PushDesk, browser: BrowserKeys, url: str) -> None:
    await customer_with(("telegram", str(THREAD)))
    assert not await desk.serves(THREAD)
    refused = await desk.subscribe(THREAD, endpoint=url, **browser.given)
    assert (refused, await ends()) == (PushRefusal.NOT_A_MEMBER, [])


async def test_who_leaves_is_notified_no_more_and_soon_forgotten(
    desk: PushDesk, customer: int, address: str, url: str, clock: VirtualClock
) -> None:
    boris = await customer_with(("webchat", str(OTHER)))
    await desk.subscribe(OTHER, endpoint=url + "-boris", **BrowserKeys().given)
    await Identity.filter(value=str(THREAD)).update(ended_at=clock.now())
    assert await addresses(customer) == []
    await push_subscriptions.end_of_nobody(at=clock.now())
    assert [why for why, _ in await ends()] == ["left", ""]
    assert await find(address) is None
    assert len(await addresses(boris)) == 1


async def test_a_merge_takes_the_browser_along(address: str, customer: int) -> None:
    other = await customer_with(("phone", "+79001234567"))
    await Identity.filter(value=str(THREAD)).update(customer_id=other)
    assert (await addresses(customer), await addresses(other)) == ([], [address])


async def test_ended_twice_is_ended_as_at_first(
    desk: PushDesk, address: str, clock: VirtualClock
) -> None:
    await desk.unsubscribe(THREAD)
    await push_subscriptions.end_gone(address, at=clock.now())
    await push_subscriptions.end_gone("nonsense", at=clock.now())
    assert await ends() == [("off", "")]


async def test_all_tabs_at_once_make_one_row(
    desk: PushDesk, customer: int, browser: BrowserKeys, url: str
) -> None:
    """Of one browser and one conversation."""
    refused = await asyncio.gather(
        *(desk.subscribe(THREAD, endpoint=url, **browser.given) for _ in range(12))
    )
    assert refused == [None] * 12
    assert await ends() == [("", url)]


async def test_rivals_at_once_leave_one_row_each(
    desk: PushDesk, customer: int, browser: BrowserKeys, url: str
) -> None:
    """Two conversations over one endpoint, from two processes: who comes last has it."""
    await customer_with(("webchat", str(OTHER)))
    refused = await asyncio.gather(
        *(desk.subscribe(THREAD + n % 2, endpoint=url, **browser.given) for n in range(8))
    )
    assert refused == [None] * 8
    assert [endpoint for _, endpoint in await ends() if endpoint] == [url]


async def test_an_ended_row_keeps_no_place_of_the_browser(address: str) -> None:
    with pytest.raises(Exception, match="push_subscription_forgets"):
        await query("UPDATE push_subscription SET ended_at = 1")
