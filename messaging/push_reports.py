"""What a notification tells of itself: `POST /chat/push/{token}/shown`, and `…/read` when it was
clicked or came while she was looking at the chat.

The token is of one try and signed, so that nobody needs to sign in and nobody can tell of another.
Any number of times, in any order.
"""

import structlog
from aiohttp import web

from loyalty.clock import Clock
from loyalty.instants import to_micros
from messaging.channels.base import Report, Status, TakeReports
from messaging.channels.email.tokens import Tokens

PATH = "/chat/push/{token}/{told:shown|read}"
_MEANS = {"shown": Status.DELIVERED, "read": Status.READ}

log = structlog.get_logger(__name__)


def add_push_reports(
    app: web.Application, *, tokens: Tokens, clock: Clock, take_reports: TakeReports
) -> None:
    """Listen to the service workers. 204 when kept, 403 for what we have not signed."""

    async def handle(request: web.Request) -> web.Response:
        attempt_id = tokens.read(request.match_info["token"])
        if attempt_id is None:
            return web.Response(status=403)
        report = Report(
            channel="webpush",
            status=_MEANS[request.match_info["told"]],
            at=to_micros(clock.now()),
            attempt_id=attempt_id,
        )
        try:
            await take_reports([report])
        except Exception:
            log.exception("push_report_not_kept")
            return web.Response(status=503)
        return web.Response(status=204)

    app.router.add_post(PATH, handle)
