"""Where mail providers post bounces and complaints: `POST /webhooks/email/{token}`."""

import asyncio
import hmac

import structlog
from aiohttp import web

from loyalty.clock import Clock
from loyalty.instants import to_micros
from messaging.channels.base import TakeReports
from messaging.channels.email.providers import (
    ForgedError,
    MailProvider,
    UnreadableError,
    read_call,
)
from messaging.channels.email.tokens import Tokens

PATH = "/webhooks/email/{token}"
BODY_BYTES_MAX = 256 * 1024
BODY_SECONDS_MAX = 10

log = structlog.get_logger(__name__)


def add_mail_webhook(
    app: web.Application,
    provider: MailProvider,
    *,
    token: str,
    key: str,
    tokens: Tokens,
    clock: Clock,
    take_reports: TakeReports,
) -> None:
    """Listen to `provider`. `token` stands in the URL and is a secret; `key` is what it signs with.

    Without a token anybody could declare anybody's address dead: ValueError.
    """
    if not token or (provider.signature is not None and not key):
        raise ValueError("a webhook needs a secret")

    async def read(body: bytes) -> int:
        """The status to answer with."""
        try:
            posted = read_call(provider, body, key=key, tokens=tokens, at=to_micros(clock.now()))
        except ForgedError:
            return 403
        except UnreadableError as error:
            log.warning("mail_webhook_unreadable", error=str(error))
            return 400
        if posted.confirm:
            log.warning("mail_webhook_to_be_confirmed", open_this_link=posted.confirm[:1000])
        if posted.reports:
            await take_reports(posted.reports)
        return 200

    async def handle(request: web.Request) -> web.Response:
        """403 for a wrong secret or signature, 413 and 400 for what is no event.

        A 500, when a report cannot be kept, makes the provider come again.
        """
        given = request.match_info["token"].encode("utf-8", "replace")
        if not hmac.compare_digest(given, token.encode()):
            return web.Response(status=403)
        body = await _body(request)
        return web.Response(status=413 if body is None else await read(body))

    app.router.add_post(PATH, handle)


async def _body(request: web.Request) -> bytes | None:
    """The body, or None when it is longer than any event."""
    if request.content_length is not None and request.content_length > BODY_BYTES_MAX:
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    return None
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return bytes(body)
