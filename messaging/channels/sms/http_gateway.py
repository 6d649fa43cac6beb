"""SMS by a provider's HTTP interface, whichever `gateways` describes it."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import structlog
from msgspec.structs import replace

from messaging.channels.base import Failed, Outgoing, SendResult, Sent, Status, Unknown
from messaging.channels.http import (
    NOT_WRITTEN,
    HttpTimes,
    open_session,
    read_at_most,
    retry_after_s,
    said,
)
from messaging.channels.sms.channel import Fate, Sms, SmsTerms, digits_of, text_of, unsendable
from messaging.channels.sms.gateways import Gateway, StatusQuery

ANSWER_BYTES_MAX = 64 * 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAccount:
    """Who we are to a gateway. `public_url` is ours; empty: nobody can call us back.

    `api_url` empty: the gateway's own.
    """

    login: str
    password: str
    webhook_secret: str = ""
    api_url: str = ""
    public_url: str = ""


def webhook_path(gateway: Gateway) -> str:
    return f"/webhooks/sms/{gateway.name}"


def webhook_secret(gateway: Gateway, account: HttpAccount) -> str:
    """What the gateway's requests to us are signed with; "" when nothing is agreed upon."""
    return account.password if gateway.signed_with == "password" else account.webhook_secret


class HttpSmsChannel(Sms):
    """One gateway, one account. The lines are opened with the first message."""

    def __init__(
        self,
        gateway: Gateway,
        account: HttpAccount,
        terms: SmsTerms,
        *,
        times: HttpTimes | None = None,
    ) -> None:
        super().__init__(terms)
        self.gateway = gateway
        self.account = account
        self._times = times or HttpTimes()
        self._session: aiohttp.ClientSession | None = None
        login = quote(account.login, safe="")
        self._api_url = (account.api_url or gateway.api_url).rstrip("/")
        self._url = self._api_url + gateway.path.format(login=login)
        if account.public_url and webhook_secret(gateway, account):
            told = {status for status in gateway.webhook.statuses.values() if status}
            if gateway.webhook.error_is_signed:
                told.add(Status.BOUNCED)
            self.reports: Sequence[Status] = sorted(told)

    async def open(self) -> None:
        """There is no line to be kept: a session opens one whenever it needs it."""
        if self._session is None:
            self._session = open_session(self._times, self._authorization())

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, outgoing: Outgoing) -> SendResult:
        if (reason := unsendable(outgoing.body, outgoing.address)) is not None:
            return reason
        await self.open()
        assert self._session is not None
        try:
            async with self._session.post(
                self._url, data=self._form(outgoing), allow_redirects=False
            ) as response:
                return self._verdict(response, await _answer(response))
        except NOT_WRITTEN as error:
            return Failed("no_connection", False, detail=said(error), provider_down=True)
        except TimeoutError:
            return Unknown("no_answer_in_time")
        except aiohttp.ClientError as error:
            log.warning("sms_gateway_broke_off", gateway=self.gateway.name, error=said(error))
            return Unknown("no_answer")

    async def ask(self, attempt_id: int, address: str) -> Fate | None:
        """What has become of a try that nothing was heard of; None when that cannot be told now."""
        query = self.gateway.query
        assert query is not None
        form = {
            **query.fixed,
            **self._credentials(),
            query.id_field: self.gateway.own_id(attempt_id),
            query.to_field: digits_of(address) or "",
        }
        await self.open()
        assert self._session is not None
        try:
            async with self._session.post(
                self._api_url + query.path, data=form, allow_redirects=False
            ) as response:
                answer = await _answer(response)
        except (TimeoutError, aiohttp.ClientError) as error:
            log.info("sms_gateway_not_asked", gateway=self.gateway.name, error=said(error))
            return None
        return self._fate(query, answer)

    def _fate(self, query: StatusQuery, answer: Mapping[str, Any]) -> Fate | None:
        told = str(answer.get(query.status_at, ""))
        if self.gateway.error_of(answer) or told not in self.gateway.webhook.statuses:
            log.warning("sms_fate_not_told", gateway=self.gateway.name, answer=str(answer)[:200])
            return None
        if told in query.absent:
            return "absent"
        return self.gateway.webhook.statuses[told] or "taken"

    def _form(self, outgoing: Outgoing) -> dict[str, str]:
        gateway = self.gateway
        digits = digits_of(outgoing.address) or ""
        form = {
            **gateway.fixed,
            gateway.to_field: f"+{digits}" if gateway.to_with_plus else digits,
            gateway.text_field: text_of(outgoing.body),
        }
        form |= self._credentials()
        if gateway.own_id_field:
            form[gateway.own_id_field] = gateway.own_id(outgoing.attempt_id)
        if self.terms.sender:
            form[gateway.sender_field] = self.terms.sender
        if outgoing.ttl_s is not None:
            form[gateway.validity.field] = gateway.validity.value(outgoing.ttl_s)
        if gateway.callback_field and self.reports:
            parameter = gateway.webhook.attempt_parameter
            mark = f"?{parameter}={outgoing.attempt_id}" if parameter else ""
            form[gateway.callback_field] = self.account.public_url + webhook_path(gateway) + mark
        return form

    def _credentials(self) -> dict[str, str]:
        """As fields, for a gateway that wants them there."""
        if self.gateway.auth != "form":
            return {}
        pair = (self.account.login, self.account.password)
        return dict(zip(self.gateway.auth_fields, pair, strict=True))

    def _authorization(self) -> dict[str, str]:
        if self.gateway.auth != "basic":
            return {}
        pair = f"{self.account.login}:{self.account.password}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}

    def _verdict(self, response: aiohttp.ClientResponse, answer: Mapping[str, Any]) -> SendResult:
        """What the answer says; a code of the gateway's own says more than an HTTP status."""
        code, id_ = self.gateway.error_of(answer), answer.get(self.gateway.id_at)
        taken = 200 <= response.status < 300
        if taken and not code:
            # Taken, as far as one can tell, but without an id something is odd.
            return Sent(str(id_)) if id_ else Unknown("answer_not_understood")
        known = self.gateway.errors.get(code) if code else None
        if known is None and taken:
            known = Failed("refused_for_now", False)
        by_status = by_http_status(response.status, response.headers.get("Retry-After", ""))
        if known is None and isinstance(by_status, Unknown):
            return by_status
        failed = known or by_status
        assert isinstance(failed, Failed)
        text = f"{code} {answer.get(self.gateway.error_text_at, '')}".strip()
        return replace(failed, detail=text[:200] or failed.detail)


def by_http_status(status: int, retry_after: str = "") -> Failed | Unknown:
    """What a status other than 2xx says when the answer itself says nothing."""
    detail = f"HTTP {status}"
    match status:
        case 429:
            return Failed("rate_limited", False, retry_after_s(retry_after), detail)
        case 504:  # a proxy has written the request on and got no answer
            return Unknown("no_answer")
        case 401 | 403 | 404 | 407:
            return Failed("login_refused", False, detail=detail, provider_down=True)
        case _ if status >= 500:
            return Failed("provider_down", False, detail=detail, provider_down=True)
        case _ if status >= 400:
            return Failed("refused_by_provider", True, detail=detail)
        case _:  # a redirect: the URL is wrong
            return Failed("provider_down", False, detail=detail, provider_down=True)


async def _answer(response: aiohttp.ClientResponse) -> Mapping[str, Any]:
    """The answer's JSON object; empty for anything else."""
    read = await read_at_most(response, ANSWER_BYTES_MAX)
    try:
        found = json.loads(read or b"")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
