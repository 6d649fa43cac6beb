"""One SMPP connection from its bind to its unbind: requests and answers, deliveries handed on.

It never retries and never decides. What it says of a request is one of three things: the answer,
that nothing was written, or that it was written and no answer has come.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiosmpplib import (
    BindTransceiver,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SmppCommandStatus,
    SmppMessage,
    Unbind,
    UnbindResp,
)

from messaging.channels.sms import pdus
from messaging.channels.sms.pdus import Delivered, Pdu, WireError, parse_delivered, read_pdu

SEQUENCE_MAX = 0x7FFFFFFF
DELIVERIES_AT_ONCE_MAX = 200
DELIVERIES_WAITING_MAX = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppServer:
    """Where a message centre is, and who we are to it. `tls` None: in the clear."""

    host: str
    port: int
    system_id: str
    password: str
    system_type: str = ""
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppTimes:
    """Seconds. An idle line is asked whether it lives; no answer in time ends it."""

    connect_s: float = 5.0
    answer_s: float = 10.0
    idle_s: float = 30.0
    unbind_s: float = 2.0
    backoff_s: float = 1.0
    backoff_s_max: float = 60.0


class RefusedError(Exception):
    """The bind was answered with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused: {status:#x}")
        self.status = status


class NotWrittenError(ConnectionError):
    """The line was gone before the request was written."""


class NoAnswerError(ConnectionError):
    """The request was written; the line went, or the time was over, before it was answered."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


TakeDelivered = Callable[[Sequence[Delivered]], Awaitable[None]]
"""Keeps what was delivered; when it raises, the message centre is asked to deliver again later."""


class Session:
    """A bound connection. Made by `open_session`; dead as soon as `closed` is set."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        times: SmppTimes,
        take: TakeDelivered,
    ) -> None:
        self.closed = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._times = times
        self._take = take
        self._sequence = 0
        self._asked: dict[int, asyncio.Future[Pdu]] = {}
        self._delivered: asyncio.Queue[Pdu] = asyncio.Queue(DELIVERIES_WAITING_MAX)
        self._heard_at = asyncio.get_running_loop().time()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Listen. Until then nothing is answered."""
        for work in (self._listen(), self._keep_alive(), self._hand_on()):
            task = asyncio.create_task(work)
            task.add_done_callback(self._worker_ended)
            self._tasks.append(task)

    async def request(self, message: SmppMessage) -> Pdu:
        """Write it and wait for its answer. Raises NotWrittenError or NoAnswerError."""
        if self.closed.is_set() or self._writer.is_closing():
            raise NotWrittenError("the line is gone")
        self._sequence = self._sequence % SEQUENCE_MAX + 1
        sequence = message.sequence_num = self._sequence
        written = message.pdu()
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._asked[sequence] = answer
        self._writer.write(written)  # from here on it may have been sent
        try:
            async with asyncio.timeout(self._times.answer_s):
                await self._writer.drain()
                return await answer
        except TimeoutError:
            raise NoAnswerError("no_answer_in_time") from None
        except NoAnswerError:
            raise
        except OSError:
            raise NoAnswerError("no_answer") from None
        finally:
            del self._asked[sequence]
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen, if it came while the line would not take more

    async def close(self) -> None:
        """Take leave: what is under way may be answered, then unbind."""
        if under_way := list(self._asked.values()):
            await asyncio.wait(under_way, timeout=self._times.answer_s)
        with suppress(ConnectionError):
            async with asyncio.timeout(self._times.unbind_s):
                await self.request(Unbind())
        await self.abandon()

    async def abandon(self) -> None:
        """Drop the line; whatever waits for an answer will not get one."""
        self._end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(OSError, TimeoutError, ssl.SSLError):
            async with asyncio.timeout(self._times.unbind_s):
                await self._writer.wait_closed()

    def _end(self) -> None:
        self.closed.set()
        self._writer.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(NoAnswerError("no_answer"))

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("smpp_session_broke", exc_info=error)
        self._end()

    async def _listen(self) -> None:
        try:
            while True:
                pdu = await read_pdu(self._reader)
                self._heard_at = asyncio.get_running_loop().time()
                if pdu.is_response:
                    self._answered(pdu)
                elif not self._asked_of_us(pdu):
                    return
        except (OSError, asyncio.IncompleteReadError) as error:
            log.info("smpp_line_ended", error=type(error).__name__)
        except WireError as error:
            log.warning("smpp_line_spoke_nonsense", error=str(error))

    def _answered(self, pdu: Pdu) -> None:
        answer = self._asked.get(pdu.sequence)
        if answer is None:  # too late: whoever asked has been told that no answer came
            log.warning("smpp_answer_to_nobody", command=f"{pdu.command:#x}", status=pdu.status)
        elif not answer.done():
            answer.set_result(pdu)

    def _asked_of_us(self, pdu: Pdu) -> bool:
        """Do what the message centre asks; returns whether the session goes on."""
        if pdu.command == pdus.ENQUIRE_LINK:
            self._write(EnquireLinkResp(sequence_num=pdu.sequence))
        elif pdu.command == pdus.DELIVER_SM:
            self._queue(pdu)
        elif pdu.command == pdus.UNBIND:
            self._write(UnbindResp(sequence_num=pdu.sequence))
            return False
        elif pdu.command not in (pdus.ALERT_NOTIFICATION, pdus.OUTBIND):  # these want no answer
            status = SmppCommandStatus.ESME_RINVCMDID
            self._write(GenericNack(sequence_num=pdu.sequence, command_status=status))
        return True

    def _queue(self, pdu: Pdu) -> None:
        try:
            self._delivered.put_nowait(pdu)
        except asyncio.QueueFull:
            self._acknowledge(pdu, SmppCommandStatus.ESME_RX_T_APPN)

    async def _hand_on(self) -> None:
        """Deliveries are kept before they are acknowledged, many at a time when many come."""
        while True:
            batch = [await self._delivered.get()]
            while len(batch) < DELIVERIES_AT_ONCE_MAX and not self._delivered.empty():
                batch.append(self._delivered.get_nowait())
            status = SmppCommandStatus.ESME_ROK
            try:
                await self._take([d for pdu in batch if (d := _readable(pdu)) is not None])
            except Exception:
                log.exception("smpp_deliveries_not_kept", count=len(batch))
                status = SmppCommandStatus.ESME_RX_T_APPN
            for pdu in batch:
                self._acknowledge(pdu, status)

    def _acknowledge(self, pdu: Pdu, status: SmppCommandStatus) -> None:
        self._write(DeliverSmResp(sequence_num=pdu.sequence, command_status=status))

    def _write(self, message: SmppMessage) -> None:
        if not self._writer.is_closing():
            self._writer.write(message.pdu())

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            quiet_s = loop.time() - self._heard_at
            if quiet_s < self._times.idle_s:
                await asyncio.sleep(self._times.idle_s - quiet_s)
                continue
            try:
                await self.request(EnquireLink())
            except ConnectionError:
                log.warning("smpp_line_is_dead")
                return
            self._heard_at = loop.time()


def _readable(pdu: Pdu) -> Delivered | None:
    """What cannot be read is acknowledged too: it would only come again."""
    try:
        return parse_delivered(pdu.body)
    except WireError as error:
        log.warning("smpp_delivery_unreadable", error=str(error))
        return None


async def open_session(server: SmppServer, times: SmppTimes, take: TakeDelivered) -> Session:
    """Connect and bind as a transceiver. Raises OSError, TimeoutError or RefusedError."""
    bind = BindTransceiver(
        system_id=server.system_id, password=server.password, system_type=server.system_type
    )
    async with asyncio.timeout(times.connect_s):
        reader, writer = await asyncio.open_connection(server.host, server.port, ssl=server.tls)
    session = Session(reader, writer, times, take)
    try:
        session.start()
        answer = await session.request(bind)
        if answer.command != pdus.BIND_TRANSCEIVER_RESP or answer.status:
            raise RefusedError(answer.status or SmppCommandStatus.ESME_RBINDFAIL)
    except BaseException:
        await session.abandon()
        raise
    return session
