"""Where SMS providers post what has become of a message: `POST /webhooks/sms/{gateway}`.

A request is believed only with its provider's signature. 403 without one, 400 and 413 for what is
no report, 503 when it could not be kept (the provider may come again); the same report may come
any number of times.
"""

from urllib.parse import parse_qsl

import structlog
from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from loyalty.clock import Clock
from loyalty.instants import to_micros
from messaging.channels.base import Report, Status, TakeReports
from messaging.channels.sms.channel import CHANNEL
from messaging.channels.sms.gateways import Gateway, Posted
from messaging.channels.sms.http_gateway import HttpAccount, webhook_path, webhook_secret

BODY_BYTES_MAX = 64 * 1024
FIELDS_MAX = 100
ID_LENGTH_MAX = 120
_ATTEMPT_MAX = (1 << 63) - 1

log = structlog.get_logger(__name__)


class _MalformedError(ValueError):
    """What was posted is no report."""


def add_sms_webhook(
    app: web.Application,
    gateway: Gateway,
    account: HttpAccount,
    *,
    clock: Clock,
    take_reports: TakeReports,
) -> None:
    """Listen to this gateway. Without a secret agreed upon nobody would be believed: no address."""
    if webhook_secret(gateway, account):
        webhook = _Webhook(gateway, account, clock, take_reports)
        app.router.add_post(webhook_path(gateway), webhook.handle)


class _Webhook:
    def __init__(
        self, gateway: Gateway, account: HttpAccount, clock: Clock, take_reports: TakeReports
    ) -> None:
        self._gateway = gateway
        self._secret = webhook_secret(gateway, account)
        self._public_url = account.public_url
        self._clock = clock
        self._take_reports = take_reports

    async def handle(self, request: web.Request) -> web.Response:
        try:
            body = await _body(request)
            if body is None:
                return web.Response(status=413)
            posted = Posted(self._url(request), request.headers, _form(body))
            if not self._gateway.webhook.signature.holds(posted, self._secret):
                log.warning("sms_webhook_not_signed", gateway=self._gateway.name)
                return web.Response(status=403)
            report = self._report(posted, _attempt(request, self._gateway))
        except _MalformedError as error:
            log.warning("sms_webhook_malformed", gateway=self._gateway.name, error=str(error))
            return web.Response(status=400)
        if report is not None:
            try:
                await self._take_reports([report])
            except Exception:
                log.exception("sms_report_not_kept", gateway=self._gateway.name)
                return web.Response(status=503)
        return web.Response(text="OK")

    def _url(self, request: web.Request) -> str:
        """As the provider called it, whatever proxies stand between."""
        target = request.raw_path
        if not target.startswith("/"):
            raise _MalformedError("no path")
        return self._public_url + target

    def _report(self, posted: Posted, attempt_id: int | None) -> Report | None:
        """What it tells, if that is final; every field of it is the provider's word."""
        webhook = self._gateway.webhook
        id_, told = posted.first(webhook.id_field), posted.first(webhook.status_field)
        if not id_ or not told:
            raise _MalformedError(f"lacks {webhook.id_field} or {webhook.status_field}")
        if len(id_) > ID_LENGTH_MAX or not id_.isprintable():
            raise _MalformedError(f"{webhook.id_field} is no id")
        if told not in webhook.statuses:
            log.info("sms_status_not_understood", gateway=self._gateway.name, status=told[:40])
        status = webhook.statuses.get(told)
        if status is None:
            return None
        error = posted.first(webhook.error_field)
        if status == Status.UNDELIVERED and webhook.error_is_signed and error in webhook.dead:
            status = Status.BOUNCED
        return Report(
            channel=CHANNEL,
            status=status,
            at=to_micros(self._clock.now()),
            provider_id=id_,
            attempt_id=attempt_id or self._gateway.attempt_of(id_),
            detail=" ".join(_printable(word) for word in (told, error) if word)[:80],
        )


def _attempt(request: web.Request, gateway: Gateway) -> int | None:
    """The try that the URL was made for, which is proven where the signature covers the URL."""
    parameter = gateway.webhook.attempt_parameter
    found = request.query.get(parameter, "") if parameter else ""
    if not (found.isascii() and found.isdigit() and len(found) < 20):
        return None
    return attempt if (attempt := int(found)) <= _ATTEMPT_MAX else None


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode("ascii")  # whatever is not is escaped in a form
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:  # too many fields, too, and escapes that are not UTF-8
        raise _MalformedError("is no form") from None


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


async def _body(request: web.Request) -> bytes | None:
    """The body, or None when it is longer than any report."""
    read = bytearray()
    try:
        async for chunk in request.content.iter_chunked(8192):
            read += chunk
            if len(read) > BODY_BYTES_MAX:
                return None
    except (ClientError, HttpProcessingError, web.RequestPayloadError, OSError):
        raise _MalformedError("its body breaks off") from None
    return bytes(read)
