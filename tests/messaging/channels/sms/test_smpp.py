"""SMS by SMPP, told by the message centre that receives them."""

import asyncio
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.clock import Clock, VirtualClock
from messaging.channels.base import Channel, Failed, Limit, SendResult, Sent, Status, Unknown
from messaging.channels.sms.channel import SmsTerms
from messaging.channels.sms.session import SmppServer
from messaging.channels.sms.smpp import SmppChannel, SmppOptions
from messaging.channels.sms.submits import parts_of, source_of
from messaging.policy.sms_segments import GSM_BASIC, GSM_EXTENDED
from messaging.templates import Body
from tests.messaging.channels.sms import smsc as centre
from tests.messaging.channels.sms.conftest import (
    CALM,
    PHONE,
    QUICK,
    TERMS,
    MakeChannel,
    Reports,
    sms,
)
from tests.messaging.channels.sms.smsc import (
    DROP,
    INVDSTADR,
    INVPASWD,
    INVSRCADR,
    MSGQFUL,
    SILENT,
    SYSERR,
    THROTTLED,
    VENDORS_OWN,
    Smsc,
    option,
    receipt,
    running_smsc,
)

CYRILLIC_150 = ("Ваша карта ждёт вас в аптеке на Лесной. " * 4)[:150]


async def soon(check: Callable[[], bool], seconds: float = 3.0) -> None:
    async with asyncio.timeout(seconds):
        while not check():  # noqa: ASYNC110 - the message centre has no event for it
            await asyncio.sleep(0.005)


def it_is_a_channel(channel: SmppChannel) -> Channel:
    return channel


class TestWords:
    async def test_150_cyrillic_letters_go_as_three_parts_and_come_as_one_text(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        assert await channel.send(sms(CYRILLIC_150)) == Sent("id-1", ("id-2", "id-3"))
        assert [part.part and part.part[1:] for part in smsc.submitted] == [(3, 1), (3, 2), (3, 3)]
        assert {part.data_coding for part in smsc.submitted} == {8}
        assert smsc.inbox == [("79001234567", CYRILLIC_150)]

    async def test_160_letters_of_gsm_go_as_one(self, channel: SmppChannel, smsc: Smsc) -> None:
        text = ("Your card is waiting for you. " * 6)[:160]
        assert await channel.send(sms(text)) == Sent("id-1")
        (part,) = smsc.submitted
        assert (part.esm_class, part.data_coding, len(part.message)) == (0, 0, 160)
        assert smsc.inbox == [("79001234567", text)]

    async def test_a_euro_takes_an_escape_and_a_code(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        await channel.send(sms("5 €"))
        assert smsc.submitted[0].message == b"5 \x1b\x65"

    async def test_160_euros_are_three_parts_and_none_is_torn(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        result = await channel.send(sms("€" * 160))
        assert isinstance(result, Sent)
        assert [len(part.message) for part in smsc.submitted] == [6 + 152, 6 + 152, 6 + 16]
        assert smsc.inbox == [("79001234567", "€" * 160)]

    async def test_every_letter_of_the_alphabet_arrives(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        for text in (GSM_BASIC, GSM_EXTENDED):
            await channel.send(sms(text))
        assert [text for _, text in smsc.inbox] == [GSM_BASIC, GSM_EXTENDED]
        assert {part.data_coding for part in smsc.submitted} == {0}

    async def test_what_is_no_character_is_left_out(self, channel: SmppChannel, smsc: Smsc) -> None:
        await channel.send(sms("ко\0д \ud83d12"))
        assert smsc.inbox == [("79001234567", "код 12")]

    @pytest.mark.parametrize(
        ("text", "reason"), [("", "no_text"), (" \n", "no_text"), ("я" * 671, "too_long")]
    )
    async def test_some_texts_are_not_sent(
        self, channel: SmppChannel, smsc: Smsc, text: str, reason: str
    ) -> None:
        result = await channel.send(sms(text))
        assert isinstance(result, Failed)
        assert (result.reason, result.permanent) == (reason, True)
        assert smsc.submitted == []

    @pytest.mark.parametrize(
        "address", ["", "100", "+0700", "79001234567x", "+７９００１２３４５６７"]
    )
    async def test_what_is_no_number_is_not_asked_about(
        self, channel: SmppChannel, smsc: Smsc, address: str
    ) -> None:
        result = await channel.send(sms("код", to=address))
        assert isinstance(result, Failed)
        assert (result.reason, result.permanent) == ("address_unknown", True)
        assert smsc.submitted == []


@given(st.text(st.sampled_from(GSM_BASIC + GSM_EXTENDED + "яЁ😀🧪 "), min_size=1, max_size=600))
@settings(max_examples=100, deadline=None)
def test_any_text_arrives_as_it_was_written(text: str) -> None:
    written = parts_of(
        text, source=source_of("Kapsula"), number="79001234567", ttl_s=60, reference=255
    )
    submitted = [centre.parse_submit(part.pdu()[16:]) for part in written]
    assert [objection for part in submitted for objection in centre.objections(part)] == []
    assert "".join(part.text for part in submitted) == text


class TestTerms:
    def test_it_tells_segments_price_and_limit(self, make_channel: MakeChannel) -> None:
        channel = it_is_a_channel(make_channel())
        body = Body("", text=CYRILLIC_150)
        assert channel.units(body) == 3
        assert channel.price(lambda: body, PHONE) == 3 * 4_350_000
        assert channel.price(lambda: Body("", text="x" * 160), PHONE) == 4_350_000
        assert channel.limits == (Limit(name="sms", amount=20),)
        assert set(channel.reports) == {Status.DELIVERED, Status.UNDELIVERED}

    @pytest.mark.parametrize(
        ("sender", "source"),
        [
            ("Kapsula", (5, 0, "Kapsula")),
            ("Apteka 24", (5, 0, "Apteka 24")),
            ("+79001112233", (1, 1, "79001112233")),
            ("79001112233", (1, 1, "79001112233")),
            ("4477", (3, 0, "4477")),
        ],
    )
    async def test_the_sender_is_a_name_or_a_number(
        self, make_channel: MakeChannel, smsc: Smsc, sender: str, source: tuple[int, int, str]
    ) -> None:
        await make_channel(terms=SmsTerms(sender=sender)).send(sms("код"))
        assert smsc.submitted[0].source == source

    @pytest.mark.parametrize(
        ("ttl_s", "validity"),
        [
            (None, ""),
            (600, "000000001000000R"),
            (3 * 86_400 + 3_661, "000003010101000R"),
            (10**9, "000007000000000R"),
        ],
    )
    async def test_the_provider_gives_up_in_time(
        self, channel: SmppChannel, smsc: Smsc, ttl_s: int | None, validity: str
    ) -> None:
        await channel.send(sms("код", ttl_s=ttl_s))
        assert smsc.submitted[0].validity == validity

    async def test_no_more_are_under_way_than_the_window_lets(
        self, make_channel: MakeChannel, smsc: Smsc
    ) -> None:
        smsc.slow_s = 0.02
        channel = make_channel(options=SmppOptions(window=4))
        results = await asyncio.gather(*(channel.send(sms(f"код {n}")) for n in range(40)))
        assert all(isinstance(result, Sent) for result in results)
        assert smsc.at_once_max == 4
        assert len(smsc.inbox) == 40


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "failed"),
        [
            (INVDSTADR, Failed("address_unknown", True, detail="ESME_RINVDSTADR")),
            (THROTTLED, Failed("rate_limited", False, 5.0, "ESME_RTHROTTLED")),
            (MSGQFUL, Failed("queue_full", False, 30.0, "ESME_RMSGQFUL")),
            (SYSERR, Failed("provider_down", False, None, "ESME_RSYSERR", True)),
            (INVSRCADR, Failed("sender_refused", False, None, "ESME_RINVSRCADR", True)),
            (VENDORS_OWN, Failed("refused_for_now", False, None, "0x0000040A")),
        ],
    )
    async def test_a_status_is_a_verdict_and_the_line_lives(
        self, channel: SmppChannel, smsc: Smsc, status: int, failed: Failed
    ) -> None:
        smsc.script.append(status)
        assert await channel.send(sms("код")) == failed
        assert await channel.send(sms("код")) == Sent("id-1")
        assert smsc.binds == 1

    async def test_a_refused_first_part_holds_the_others_back(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        smsc.script.append(THROTTLED)
        result = await channel.send(sms(CYRILLIC_150))
        assert isinstance(result, Failed)
        assert smsc.submitted == []

    async def test_a_throttled_later_part_is_offered_again(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        smsc.script.extend([0, THROTTLED])
        assert await channel.send(sms(CYRILLIC_150)) == Sent("id-1", ("id-3", "id-2"))
        assert [text for _, text in smsc.inbox] == [CYRILLIC_150]

    async def test_a_message_of_which_a_part_was_refused_is_unknown(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        smsc.script.extend([0, INVDSTADR])
        assert await channel.send(sms(CYRILLIC_150)) == Unknown("partly_sent")


class TestLine:
    async def test_nobody_there(self, make_channel: MakeChannel, port: int) -> None:
        channel = make_channel(port=port)
        result = await channel.send(sms("код"))
        assert isinstance(result, Failed)
        assert (result.reason, result.permanent, result.provider_down) == (
            "no_connection",
            False,
            True,
        )

    async def test_a_refused_bind_says_so(self, make_channel: MakeChannel, smsc: Smsc) -> None:
        channel = make_channel(password="wrong")
        assert await channel.send(sms("код")) == Failed(
            "login_refused", False, detail="ESME_RINVPASWD", provider_down=True
        )
        assert smsc.submitted == []

    async def test_after_a_refused_bind_it_tries_again(
        self, make_channel: MakeChannel, smsc: Smsc
    ) -> None:
        smsc.bind_status = INVPASWD
        channel = make_channel()
        await channel.open()
        await soon(lambda: smsc.binds >= 2)
        smsc.bind_status = 0
        await soon(lambda: channel._session is not None)
        assert await channel.send(sms("код")) == Sent("id-1")

    async def test_cut_before_it_was_written_is_no_connection(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        await channel.send(sms("раз"))
        smsc.cut()
        await soon(lambda: channel._session is None)
        result = await channel.send(sms("два"))
        assert isinstance(result, Failed)
        assert (result.reason, result.provider_down) == ("no_connection", True)
        assert [text for _, text in smsc.inbox] == ["раз"]

    async def test_cut_after_it_was_written_is_unknown(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        smsc.script.append(DROP)
        assert await channel.send(sms("код")) == Unknown("no_answer")
        assert [text for _, text in smsc.inbox] == ["код"]

    async def test_no_answer_in_time_is_unknown_and_nothing_is_sent_again(
        self, make_channel: MakeChannel, smsc: Smsc
    ) -> None:
        channel = make_channel(times=QUICK)
        smsc.script.append(SILENT)
        assert await channel.send(sms("код")) == Unknown("no_answer_in_time")
        await asyncio.sleep(0.3)
        assert [text for _, text in smsc.inbox] == ["код"]

    async def test_a_broken_line_is_made_anew(self, channel: SmppChannel, smsc: Smsc) -> None:
        await channel.open()
        for n in range(1, 4):
            await soon(lambda: channel._session is not None)
            assert isinstance(await channel.send(sms(f"код {n}")), Sent)
            smsc.cut()
            await soon(lambda: channel._session is None)
        await soon(lambda: smsc.binds == 4)

    async def test_the_message_centre_may_take_leave(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        await channel.send(sms("раз"))
        smsc.ask(centre.UNBIND)
        await soon(lambda: smsc.binds == 2)
        await soon(lambda: channel._session is not None)
        assert isinstance(await channel.send(sms("два")), Sent)

    async def test_an_idle_line_is_asked_whether_it_lives(
        self, make_channel: MakeChannel, smsc: Smsc
    ) -> None:
        channel = make_channel(times=QUICK)
        await channel.open()
        await soon(lambda: smsc.enquiries >= 2)
        assert smsc.binds == 1

    async def test_a_line_that_has_died_silently_is_given_up(
        self, make_channel: MakeChannel, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        channel = make_channel(times=QUICK)
        await channel.open()
        await soon(lambda: smsc.binds == 1)
        monkeypatch.setattr(centre, "ENQUIRE", -1)  # it answers no more
        await soon(lambda: smsc.binds == 2)
        smsc.complaints.clear()

    async def test_what_it_cannot_do_is_refused_and_the_line_lives(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        await channel.send(sms("раз"))
        smsc.ask(centre.ENQUIRE)
        smsc.ask(0x103)  # data_sm
        smsc.ask(0x102)  # alert_notification
        assert isinstance(await channel.send(sms("два")), Sent)
        assert smsc.binds == 1

    async def test_nonsense_on_the_line_ends_it(self, channel: SmppChannel, smsc: Smsc) -> None:
        await channel.send(sms("раз"))
        smsc._bound[-1].write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await soon(lambda: smsc.binds == 2)

    async def test_closing_waits_for_answers_and_unbinds(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        await channel.send(sms("раз"))
        smsc.slow_s = 0.1
        sending = asyncio.create_task(channel.send(sms("два")))
        await asyncio.sleep(0.02)
        await channel.close()
        assert isinstance(await sending, Sent)
        assert (smsc.unbinds, len(smsc.inbox)) == (1, 2)
        result = await channel.send(sms("три"))
        assert isinstance(result, Failed)
        assert result.reason == "no_connection"

    async def test_a_thousand_messages_take_a_second_or_so(
        self, channel: SmppChannel, smsc: Smsc
    ) -> None:
        began = time.monotonic()
        results = await asyncio.gather(*(channel.send(sms("код 123")) for _ in range(1000)))
        assert len({r.provider_id for r in results if isinstance(r, Sent)}) == 1000
        assert time.monotonic() - began < 10

    async def test_however_the_line_breaks_the_channel_tells_the_truth(
        self, make_channel: MakeChannel, smsc: Smsc
    ) -> None:
        """Sent: once in the inbox. Failed: never. Unknown: at most once."""
        chance = random.Random(7)
        channel = make_channel(options=SmppOptions(window=20))
        smsc.slow_s = 0.002
        told: dict[str, SendResult] = {}

        async def send(n: int) -> None:
            await asyncio.sleep(chance.random() * 2)
            told[f"код {n}"] = await channel.send(sms(f"код {n}"))

        async def cut() -> None:
            for _ in range(12):
                await asyncio.sleep(0.15)
                smsc.script.append(chance.choice([DROP, THROTTLED, SYSERR, 0]))
                if chance.random() < 0.5:
                    smsc.cut()

        await asyncio.gather(cut(), *(send(n) for n in range(600)))
        await asyncio.sleep(0.05)
        seen = Counter(text for _, text in smsc.inbox)
        lies = [
            (text, result, seen[text])
            for text, result in told.items()
            if not _is_true(result, seen[text])
        ]
        assert lies == []
        kinds = Counter(type(result) for result in told.values())
        assert kinds[Sent] > 300
        assert kinds[Unknown] > 0
        assert kinds[Failed] > 0


def _is_true(result: SendResult, times: int) -> bool:
    if isinstance(result, Sent):
        return times == 1
    return times == 0 if isinstance(result, Failed) else times <= 1


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    async def sending(self, authority: trustme.CA, trusted: trustme.CA, clock: Clock) -> SendResult:
        """One message to a message centre of one authority by a channel that trusts another."""
        theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(theirs)
        ours = ssl.create_default_context()
        trusted.configure_trust(ours)
        async with running_smsc(theirs) as smsc:
            server = SmppServer(
                host="127.0.0.1", port=smsc.port, system_id="kapsula", password="s3cret", tls=ours
            )
            channel = SmppChannel(
                server, TERMS, clock=clock, take_reports=Reports().take, times=CALM
            )
            result = await channel.send(sms("код"))
            await channel.close()
            assert smsc.unbinds == smsc.binds
            return result

    async def test_it_speaks_under_tls(self, authority: trustme.CA, clock: VirtualClock) -> None:
        assert await self.sending(authority, authority, clock) == Sent("id-1")

    async def test_a_stranger_is_not_spoken_to(
        self, authority: trustme.CA, clock: VirtualClock
    ) -> None:
        result = await self.sending(authority, trustme.CA(), clock)
        assert isinstance(result, Failed)
        assert (result.reason, result.provider_down) == ("no_connection", True)
        assert "certificate" in result.detail.lower()


class TestReceipts:
    async def test_every_part_has_a_receipt_of_its_own(
        self, channel: SmppChannel, smsc: Smsc, reports: Reports
    ) -> None:
        smsc.receipts = lambda part: receipt(part.id)
        result = await channel.send(sms(CYRILLIC_150))
        assert isinstance(result, Sent)
        await soon(lambda: len(smsc.acknowledged) == 3)
        assert reports.told == [
            (id_, "delivered") for id_ in (result.provider_id, *result.more_ids)
        ]
        assert {(r.channel, r.detail) for r in reports} == {("sms", "DELIVRD 000")}
        assert smsc.acknowledged == [0, 0, 0]

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (receipt("7", "UNDELIV", error="27A"), [("7", "undelivered")]),
            (receipt("7", "EXPIRED"), [("7", "undelivered")]),
            (receipt("7", "REJECTD"), [("7", "undelivered")]),
            (receipt("7", "DELIVERED"), [("7", "delivered")]),
            (receipt("7", "ENROUTE"), []),
            (receipt("7", "ACCEPTD"), []),
            (receipt("7", "UNKNOWN"), []),
            (receipt("", text="id:00aF-9 stat:delivrd"), [("00aF-9", "delivered")]),
            (receipt("", text="ID: 9 Stat: DELIVRD Text: id:8 stat:UNDELIV"), [("9", "delivered")]),
            (receipt("", text="stat:DELIVRD text:id:8"), []),
            (receipt("7", data_coding=0xF1), [("7", "delivered")]),
            (
                receipt("", text="", options=option(0x1E, b"9\0") + option(0x427, b"\x02")),
                [("9", "delivered")],
            ),
            (
                receipt("7", "UNDELIV", options=option(0x1E, b"9\0") + option(0x1400, b"\xff\xfe")),
                [("9", "undelivered")],
            ),
            (
                receipt("", text="", options=option(0x424, b"id:5 stat:DELIVRD err:000")),
                [("5", "delivered")],
            ),
            (receipt("7", esm_class=0), []),  # anybody can write an SMS that reads like this
            (receipt("7", esm_class=0x20), []),  # an intermediate notification
            (receipt("7", options=b"\x00\x1e\x00"), [("7", "delivered")]),
            (receipt("7")[:20], []),
            (b"", []),
        ],
    )
    async def test_whatever_is_delivered_is_acknowledged_and_read_as_far_as_it_goes(
        self,
        channel: SmppChannel,
        smsc: Smsc,
        reports: Reports,
        body: bytes,
        told: list[tuple[str, str]],
    ) -> None:
        await channel.send(sms("код"))
        smsc.deliver(body)
        await soon(lambda: smsc.acknowledged == [0])
        assert reports.told == told
        assert isinstance(await channel.send(sms("код")), Sent)
        assert smsc.binds == 1

    async def test_a_receipt_that_could_not_be_kept_is_asked_for_again(
        self, channel: SmppChannel, smsc: Smsc, reports: Reports
    ) -> None:
        await channel.send(sms("код"))
        reports.broken = True
        smsc.deliver(receipt("id-1"))
        await soon(lambda: smsc.acknowledged == [0x64])
        reports.broken = False
        smsc.deliver(receipt("id-1"))
        await soon(lambda: smsc.acknowledged == [0x64, 0])
        assert reports.told == [("id-1", "delivered")]

    async def test_receipts_do_not_keep_answers_waiting(
        self, make_channel: MakeChannel, smsc: Smsc, reports: Reports
    ) -> None:
        gate = asyncio.Event()
        take = reports.take

        async def slow(batch: object) -> None:
            await gate.wait()
            await take(batch)  # type: ignore[arg-type]

        reports.take = slow  # type: ignore[method-assign,assignment]
        channel = make_channel()
        await channel.send(sms("раз"))
        for n in range(500):
            smsc.deliver(receipt(f"r-{n}"))
        assert isinstance(await channel.send(sms("два")), Sent)
        assert smsc.acknowledged == []
        gate.set()
        await soon(lambda: len(smsc.acknowledged) == 500)
        assert [report.provider_id for report in reports] == [f"r-{n}" for n in range(500)]

    async def test_ids_given_in_hexadecimal_and_told_in_decimal_are_the_same(
        self, make_channel: MakeChannel, smsc: Smsc, reports: Reports
    ) -> None:
        channel = make_channel(options=SmppOptions(hexadecimal_ids=True))
        smsc.id_form = "0A{:02X}"
        smsc.receipts = lambda part: receipt(f"{int(part.id, 16):010d}")
        assert await channel.send(sms("код")) == Sent(str(0x0A01))
        await soon(lambda: bool(reports))
        assert reports.told == [(str(0x0A01), "delivered")]

    async def test_an_idle_process_hears_receipts_too(
        self, channel: SmppChannel, smsc: Smsc, reports: Reports
    ) -> None:
        await channel.open()
        await soon(lambda: smsc.binds == 1)
        await asyncio.sleep(0.02)
        smsc.deliver(receipt("sent-yesterday", "EXPIRED"))
        await soon(lambda: bool(reports))
        assert reports.told == [("sent-yesterday", "undelivered")]
