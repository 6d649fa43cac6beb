"""Where mail providers post bounces and complaints: `POST /webhooks/email/{token}`."""

import hmac

import structlog
from aiohttp import web

from loyalty.clock import Clock
from loyalty.instants import to_micros
from messaging.bodies import body_of
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
        try:
            body = await body_of(request, BODY_BYTES_MAX)
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        return web.Response(status=413 if body is None else await read(body))

    app.router.add_post(PATH, handle)
