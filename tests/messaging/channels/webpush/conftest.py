"""A push service, a browser that is subscribed there, and the channel that writes to it."""

from collections.abc import AsyncIterator, Callable

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from messaging.channels.base import Outgoing
from messaging.channels.email.tokens import Tokens
from messaging.channels.http import HttpTimes
from messaging.channels.webpush.channel import WebPushChannel, WebPushOptions
from messaging.channels.webpush.endpoints import Services
from messaging.channels.webpush.vapid import Vapid, VapidKey
from messaging.push_subscriptions import PushDesk, subscriptions_of
from messaging.templates import Body
from tests.messaging.channels.webpush.push_service import BrowserKeys, PushService, running
from tests.messaging.conftest import customer_with

THREAD = 1 << 54
KEY = VapidKey.new()
TOKENS = Tokens(b"a key of the tests, 32 bytes long")
SUBJECT = "mailto:owner@kapsula.example"


@pytest.fixture
async def service(clock: VirtualClock) -> AsyncIterator[PushService]:
    made = PushService(now=clock.now().timestamp(), subscribed_for=KEY.public)
    async with running(made):
        yield made
        assert made.complaints == []


@pytest.fixture
def browser() -> BrowserKeys:
    return BrowserKeys()


@pytest.fixture
def desk(db: str, service: PushService, clock: VirtualClock) -> PushDesk:
    return PushDesk(key=KEY.public, services=Services(service.url), clock=clock)


@pytest.fixture
async def customer(db: str) -> int:
    return await customer_with(("webchat", str(THREAD)))


@pytest.fixture
async def address(customer: int, desk: PushDesk, service: PushService, browser: BrowserKeys) -> str:
    """Anna's browser is subscribed."""
    refused = await desk.subscribe(THREAD, endpoint=service.endpoint(), **browser.given)
    assert refused is None
    [front] = (await subscriptions_of([customer]))[customer]
    return front.value


MakeChannel = Callable[..., WebPushChannel]


@pytest.fixture
async def make_channel(service: PushService, clock: VirtualClock) -> AsyncIterator[MakeChannel]:
    made: list[WebPushChannel] = []

    def make(*, key: VapidKey = KEY, services: str = "", per_second: int = 0) -> WebPushChannel:
        options = WebPushOptions(
            title="Капсула",
            services=Services(services or service.url),
            per_second=per_second,
            times=HttpTimes(connect_s=5.0, whole_s=5.0),
        )
        vapid = Vapid(key, SUBJECT, clock)
        made.append(WebPushChannel(vapid, options, tokens=TOKENS, clock=clock))
        return made[-1]

    yield make
    for channel in made:
        await channel.close()


@pytest.fixture
def channel(make_channel: MakeChannel) -> WebPushChannel:
    return make_channel()


def push(to: str, body: Body | str = "Аптека ответила", **fields: object) -> Outgoing:
    values = {"message_id": 4660, "attempt_id": 7, "address_kind": "webpush", "address": to}
    words = body if isinstance(body, Body) else Body(body)
    return Outgoing(**values | fields | {"body": words})  # type: ignore[arg-type]


async def ends() -> list[tuple[str, str]]:
    """Every subscription in its order: why it ended ("" is open) and the endpoint it keeps."""
    rows = await query("SELECT ended_why, endpoint FROM push_subscription ORDER BY id")
    return [(row["ended_why"], row["endpoint"]) for row in rows]
