"""SMS by SMPP: bound to the provider's message centre as a transceiver.

The line is kept up while the process lives, and made anew with growing pauses when it breaks. Ids
of sent parts go back to whoever sends; nothing about a message is remembered here.
"""

import asyncio
import random
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import structlog
from aiosmpplib import SubmitSm

from loyalty.clock import Clock
from loyalty.instants import to_micros
from messaging.channels.base import (
    Failed,
    Outgoing,
    Report,
    SendResult,
    Sent,
    Status,
    TakeReports,
    Unknown,
)
from messaging.channels.sms import pdus
from messaging.channels.sms.channel import CHANNEL, Sms, SmsTerms, digits_of, text_of, unsendable
from messaging.channels.sms.delivery_receipts import (
    Spelling,
    as_told,
    from_decimal,
    from_hexadecimal,
    parse_delivery_receipt,
)
from messaging.channels.sms.pdus import Delivered, message_id
from messaging.channels.sms.session import (
    NoAnswerError,
    NotWrittenError,
    RefusedError,
    Session,
    SmppServer,
    SmppTimes,
    open_session,
)
from messaging.channels.sms.submits import parts_of, source_of
from messaging.channels.sms.verdicts import failure, status_name

WHOLE_S_MAX = 15.0
"""All of one send, waiting included: less than the dispatcher gives it."""
PART_AGAIN_S = 1.0
WRITTEN_DOWN_S = 1.0
"""After so long whoever sent a message has written its ids down."""
_GONE = Failed("no_connection", False, provider_down=True)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Try:
    """One send: on which line, until when of the loop's time, and the ids that it got."""

    session: Session
    until: float
    ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppOptions:
    """`window`: requests under way at once. `hexadecimal_ids`: see `delivery_receipts`."""

    window: int = 10
    hexadecimal_ids: bool = False


class SmppChannel(Sms):
    """One per process that sends; several may be bound at once, delivery receipts come to any."""

    reports: Sequence[Status] = (Status.DELIVERED, Status.UNDELIVERED)

    def __init__(
        self,
        server: SmppServer,
        terms: SmsTerms,
        *,
        clock: Clock,
        take_reports: TakeReports,
        options: SmppOptions | None = None,
        times: SmppTimes | None = None,
    ) -> None:
        super().__init__(terms)
        options = options or SmppOptions()
        self._server = server
        self._times = times or SmppTimes()
        self._clock = clock
        self._take_reports = take_reports
        self._window = asyncio.Semaphore(options.window)
        hexadecimal = options.hexadecimal_ids
        self._own_id: Spelling = from_hexadecimal if hexadecimal else as_told
        self._told_id: Spelling = from_decimal if hexadecimal else as_told
        self._source = source_of(terms.sender)
        self._reference = random.randrange(256)
        self._session: Session | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()  # bound, or known to be unreachable just now
        self._trouble: Failed = _GONE
        self._closing = False
        self._young: set[str] = set()  # ids that are not written down yet, for all we know

    async def open(self) -> None:
        """Bind in the background, and stay bound until `close`."""
        if self._keeper is None and not self._closing:
            self._keeper = asyncio.create_task(self._keep_bound())

    async def close(self) -> None:
        """Unbind; no more is sent."""
        self._closing = True
        if self._session is not None:
            await self._session.close()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def send(self, outgoing: Outgoing) -> SendResult:
        if (reason := unsendable(outgoing.body, outgoing.address)) is not None:
            return reason
        until = asyncio.get_running_loop().time() + WHOLE_S_MAX
        session = await self._bound()
        if session is None:
            return self._trouble
        attempt = _Try(session, until)
        try:
            return await self._send_parts(attempt, self._parts(outgoing))
        finally:
            asyncio.get_running_loop().call_later(
                WRITTEN_DOWN_S, self._young.difference_update, attempt.ids
            )

    async def _bound(self) -> Session | None:
        await self.open()
        try:
            async with asyncio.timeout(self._times.connect_s):
                await self._settled.wait()
        except TimeoutError:
            return None
        return self._session

    async def _send_parts(self, attempt: _Try, parts: Sequence[SubmitSm]) -> SendResult:
        """The first part decides whether the message is taken; the others must follow it."""
        first = await self._submit(attempt, parts[0])
        if not isinstance(first, Sent) or len(parts) == 1:
            return first
        others = await asyncio.gather(*(self._submit_surely(attempt, part) for part in parts[1:]))
        ids = [other.provider_id for other in others if isinstance(other, Sent)]
        if len(ids) < len(others):
            log.warning("sms_partly_sent", parts=len(parts), taken=1 + len(ids))
            return Unknown("partly_sent")
        return Sent(first.provider_id, tuple(ids))

    async def _submit_surely(self, attempt: _Try, part: SubmitSm) -> SendResult:
        """Offered again while the provider says "not now": its fellows are gone already."""
        loop = asyncio.get_running_loop()
        while True:
            result = await self._submit(attempt, part)
            throttled = isinstance(result, Failed) and not result.permanent
            late = loop.time() + PART_AGAIN_S >= attempt.until
            if not throttled or late or attempt.session.closed.is_set():
                return result
            await asyncio.sleep(PART_AGAIN_S)

    async def _submit(self, attempt: _Try, part: SubmitSm) -> SendResult:
        try:
            async with asyncio.timeout_at(attempt.until - self._times.answer_s):
                await self._window.acquire()
        except TimeoutError:
            return Failed("window_full", False)
        try:
            answer = await attempt.session.request(part)
        except NotWrittenError:
            return _GONE
        except NoAnswerError as error:
            return Unknown(error.reason)
        finally:
            self._window.release()
        if answer.status:
            return failure(answer.status)
        if answer.command != pdus.SUBMIT_SM_RESP:
            return Unknown("answer_not_understood")
        id_ = self._own_id(message_id(answer.body))
        attempt.ids.append(id_)
        self._young.add(id_)
        return Sent(id_)

    def _parts(self, outgoing: Outgoing) -> list[SubmitSm]:
        self._reference = (self._reference + 1) % 256
        return parts_of(
            text_of(outgoing.body),
            source=self._source,
            number=digits_of(outgoing.address) or "",
            ttl_s=outgoing.ttl_s,
            reference=self._reference,
        )

    async def _keep_bound(self) -> None:
        loop = asyncio.get_running_loop()
        backoff_s = self._times.backoff_s
        while True:
            began_at = loop.time()
            await self._bind_once()
            self._settled.set()
            if loop.time() - began_at > self._times.backoff_s_max:
                backoff_s = self._times.backoff_s
            await asyncio.sleep(backoff_s * random.uniform(0.8, 1.2))
            backoff_s = min(backoff_s * 2, self._times.backoff_s_max)
            self._settled.clear()

    async def _bind_once(self) -> None:
        """Bind, and return when the line is gone; or when there is none, with the trouble kept."""
        try:
            session = await open_session(self._server, self._times, self._take_delivered)
        except RefusedError as refused:
            self._trouble = _down(failure(refused.status))
            log.error("smpp_bind_refused", status=status_name(refused.status))
        except (OSError, TimeoutError) as error:
            detail = f"{type(error).__name__}: {error}"
            self._trouble = Failed("no_connection", False, detail=detail, provider_down=True)
            log.warning("smpp_unreachable", error=detail)
        except Exception:
            self._trouble = _GONE
            log.exception("smpp_bind_broke")
        else:
            log.info("smpp_bound", host=self._server.host, port=self._server.port)
            await self._serve(session)

    async def _serve(self, session: Session) -> None:
        self._session = session
        self._settled.set()
        try:
            await session.closed.wait()
        finally:
            self._session, self._trouble = None, _GONE
            await session.abandon()

    async def _take_delivered(self, delivered: Sequence[Delivered]) -> None:
        reports = []
        at = to_micros(self._clock.now())
        for one in delivered:
            receipt = parse_delivery_receipt(one)
            if receipt is None:
                log.info("sms_from_a_phone_ignored")
            elif receipt.status is not None:
                reports.append(
                    Report(
                        channel=CHANNEL,
                        status=receipt.status,
                        at=at,
                        provider_id=self._told_id(receipt.message_id),
                        detail=receipt.detail,
                    )
                )
        if reports:
            await self._until_written_down({report.provider_id for report in reports})
            await self._take_reports(reports)

    async def _until_written_down(self, ids: Set[str]) -> None:
        """A refusal may be told at once, before anybody could know which message it speaks of."""
        while not self._young.isdisjoint(ids):  # noqa: ASYNC110 - rare, and over in a second
            await asyncio.sleep(WRITTEN_DOWN_S / 20)


def _down(failed: Failed) -> Failed:
    """Without a bind nothing goes out: that is the provider's trouble, never an address's."""
    return Failed(failed.reason, False, failed.retry_after_s, failed.detail, provider_down=True)
