"""The web push channel: one POST to the browser's push service, and what its answer means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
import structlog
from msgspec.structs import replace
from yarl import URL

from loyalty.clock import Clock
from messaging import push_subscriptions
from messaging.channels.base import (
    Failed,
    Limit,
    Outgoing,
    SendResult,
    Sent,
    Status,
    Unknown,
    Words,
)
from messaging.channels.email.tokens import Tokens
from messaging.channels.http import (
    NOT_WRITTEN,
    HttpTimes,
    open_session,
    read_at_most,
    retry_after_s,
    said,
)
from messaging.channels.webpush.encryption import encrypt
from messaging.channels.webpush.endpoints import Services, read_keys
from messaging.channels.webpush.notification import payload, tag
from messaging.channels.webpush.vapid import Vapid
from messaging.push_subscriptions import ADDRESS_KIND, Subscription
from messaging.templates import Body

TTL_S, TTL_S_MAX = 86_400, 28 * 86_400
"""How long a push service keeps what cannot be shown yet: a day, if the message does not say."""
ANSWER_BYTES_MAX = 16 * 1024
URGENCY: Mapping[str, str] = {"service": "high", "survey": "normal", "marketing": "low"}
"""RFC 8030, section 5.3: `low` waits until the phone is awake, `high` wakes it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPushOptions:
    """`title` stands over messages without a subject. `per_second` 0 knows no limit."""

    title: str
    services: Services = field(default_factory=Services)
    per_second: int = 0
    times: HttpTimes = field(default_factory=HttpTimes)


class WebPushChannel:
    """Sends to `webpush` addresses, which are numbers of subscriptions."""

    name = "webpush"
    address_kinds: Sequence[str] = (ADDRESS_KIND,)
    keeps_body = False
    reports: Sequence[Status] = (Status.DELIVERED, Status.READ)

    def __init__(
        self, vapid: Vapid, options: WebPushOptions, *, tokens: Tokens, clock: Clock
    ) -> None:
        """`tokens` sign what a notification reports back with."""
        self._vapid = vapid
        self._options = options
        self._tokens = tokens
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        per_second = options.per_second
        self.limits: Sequence[Limit] = (
            (Limit(name="webpush", amount=per_second),) if per_second else ()
        )

    def units(self, body: Body) -> int:
        return 1

    def price(self, words: Words, address: str) -> int:
        return 0

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, outgoing: Outgoing) -> SendResult:
        """One subscription is read, one request is written. Its row ends with a dead endpoint."""
        if not outgoing.body.plain.strip():
            return Failed("no_text", True)
        try:
            found = await push_subscriptions.find(outgoing.address)
        except Exception as error:  # nothing has been written, so it may be tried again
            log.exception("push_subscription_not_read")
            return Failed("no_database", False, detail=said(error))
        if found is None:
            return Failed("address_unknown", True, detail="the subscription has ended")
        request = self._request(outgoing, found)
        result = request if isinstance(request, Failed) else await self._post(*request)
        if isinstance(result, Failed) and result.reason == "address_unknown":
            await self._end(outgoing.address)
        return result

    async def ring(self, outgoing: Outgoing) -> SendResult:
        """The notification beside a message in the chat. What it reports is of the message's try:
        shown is delivered, clicked is read."""
        ring = outgoing.ring
        assert ring is not None
        return await self.send(
            replace(outgoing, address_kind=ADDRESS_KIND, address=ring.address, body=ring.body)
        )

    def _request(
        self, outgoing: Outgoing, found: Subscription
    ) -> tuple[URL, dict[str, str], bytes] | Failed:
        """Where to, with which headers, which bytes."""
        if found.server_key != self._vapid.key.public:
            return Failed("address_unknown", True, detail="subscribed for another key of ours")
        origin = self._options.services.origin_of(found.endpoint)
        keys = read_keys(found.p256dh, found.auth)
        if origin is None or keys is None:  # checked when it came; the settings have changed since
            return Failed("address_unknown", True, detail="no push service that is known here")
        token = self._tokens.make(outgoing.attempt_id)
        text = payload(outgoing, title=self._options.title, token=token)
        ttl_s = TTL_S if outgoing.ttl_s is None else min(max(outgoing.ttl_s, 0), TTL_S_MAX)
        headers = {
            "Authorization": self._vapid.authorization(origin),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(ttl_s),
            "Urgency": URGENCY.get(outgoing.topic, "normal"),
            "Topic": tag(outgoing.message_id),
        }
        content = encrypt(text, p256dh=keys.p256dh, auth=keys.auth)
        return URL(found.endpoint, encoded=True), headers, content

    async def _post(self, url: URL, headers: dict[str, str], content: bytes) -> SendResult:
        if self._session is None:
            self._session = open_session(self._options.times, {})
        try:
            async with self._session.post(
                url, data=content, headers=headers, allow_redirects=False
            ) as response:
                answer = await read_at_most(response, ANSWER_BYTES_MAX) or b""
                detail = f"{url.host}: HTTP {response.status} {_printable(answer)}".strip()[:200]
                return verdict(response.status, response.headers.get("Retry-After", ""), detail)
        except NOT_WRITTEN as error:
            return Failed("no_connection", False, detail=said(error), provider_down=True)
        except TimeoutError:
            return Unknown("no_answer_in_time")
        except aiohttp.ClientError as error:
            log.warning("push_service_broke_off", service=url.host, error=said(error))
            return Unknown("no_answer")

    async def _end(self, address: str) -> None:
        """The verdict stands even if its row cannot be written now: the address is suppressed."""
        try:
            await push_subscriptions.end_gone(address, at=self._clock.now())
        except Exception:
            log.exception("push_subscription_not_ended")


def verdict(status: int, retry_after: str = "", detail: str = "") -> SendResult:
    """What an HTTP status says. The service's own id of the message is of no use: reports come
    from the notification itself."""
    match status:
        case 404 | 410:
            return Failed("address_unknown", True, detail=detail)
        case 413:
            return Failed("too_long", True, detail=detail)
        case 429:
            return Failed("rate_limited", False, retry_after_s(retry_after), detail)
        case 401 | 403:  # our key or its signature, not her address
            return Failed("key_refused", False, detail=detail, provider_down=True)
        case 504:  # a proxy has written the request on and got no answer
            return Unknown("no_answer")
        case _ if status >= 500:
            after = retry_after_s(retry_after) if retry_after else None
            return Failed("provider_down", False, after, detail, provider_down=True)
        case _ if status >= 400:
            return Failed("refused_by_provider", True, detail=detail)
        case _ if status >= 300:  # followed nowhere
            return Failed("provider_down", False, detail=detail, provider_down=True)
        case _:
            return Sent()


def _printable(answer: bytes) -> str:
    text = answer.decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
