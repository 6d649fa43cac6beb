"""What becomes of one try, told by real servers: kind ones, strict ones, broken ones."""

import asyncio
import email
import email.policy
from pathlib import Path

import pytest

from messaging.channels.base import Failed, Limit, SendResult, Sent, Unknown
from messaging.channels.email.pool import PoolRules
from messaging.templates import Body
from tests.messaging.channels.email.conftest import TOKENS, MakeChannel, outgoing
from tests.messaging.channels.email.peers import Inbox, certificate, lines, scripted, serving

PIPELINING = ("PIPELINING",)


@pytest.fixture(params=[True, False], ids=["pipelining", "one by one"])
def inbox(request: pytest.FixtureRequest) -> Inbox:
    return Inbox(pipelining=request.param)


async def test_a_mail_arrives_with_its_envelope(inbox: Inbox, make_channel: MakeChannel) -> None:
    async with serving(inbox) as port:
        result = await make_channel(port).send(outgoing(99))
    assert result == Sent("ABC1")
    (envelope,) = inbox.envelopes
    assert envelope.mail_from == f"bounce+{TOKENS.make(99)}@b.kapsula.example"
    assert envelope.rcpt_tos == ["anna@example.com"]
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert mail["Subject"] == "Ваш чек"


async def test_lines_that_begin_with_a_dot_arrive_whole(
    inbox: Inbox, make_channel: MakeChannel
) -> None:
    text = ".\n..\n.dots\n\n.\r\nMAIL FROM:<x@y>\n."
    async with serving(inbox) as port:
        await make_channel(port).send(outgoing(body=Body("<p>.</p>", subject="s", text=text)))
    mail = email.message_from_bytes(inbox.envelopes[0].content, policy=email.policy.default)
    part = mail.get_body(("plain",))
    assert part is not None
    assert part.get_content().replace("\r\n", "\n") == text.replace("\r\n", "\n") + "\n"


async def test_connections_are_few_and_used_again(make_channel: MakeChannel) -> None:
    inbox = Inbox()
    async with serving(inbox) as port:
        channel = make_channel(port, rules=PoolRules(size=3))
        results = await asyncio.gather(*(channel.send(outgoing(i)) for i in range(1, 61)))
    assert all(isinstance(result, Sent) for result in results)
    assert len({e.mail_from for e in inbox.envelopes}) == 60
    assert len(inbox.sessions) <= 3


async def test_an_idle_connection_is_closed_and_a_worn_one_replaced(
    make_channel: MakeChannel,
) -> None:
    inbox = Inbox()
    async with serving(inbox) as port:
        channel = make_channel(port, rules=PoolRules(idle_s=0.05))
        await channel.send(outgoing(1))
        await asyncio.sleep(0.15)
        await channel.send(outgoing(2))
        worn = make_channel(port, rules=PoolRules(mails_max=1))
        await worn.send(outgoing(3))
        await worn.send(outgoing(4))
    assert len(inbox.envelopes) == 4


@pytest.mark.parametrize(
    ("reply", "reason", "permanent", "down", "wait"),
    [
        ("550 5.1.1 No such user", "address_unknown", True, False, None),
        ("550 User unknown", "address_unknown", True, False, None),
        ("550 5.1.2 Bad destination system", "domain_unknown", True, False, None),
        ("550 5.2.1 Mailbox disabled", "mailbox_disabled", True, False, None),
        ("552 5.2.2 Mailbox full", "mailbox_full", False, False, 3600),
        ("452 4.2.2 Over quota", "mailbox_full", False, False, 3600),
        ("552 Mailbox quota exceeded", "mailbox_full", False, False, 3600),
        ("450 4.2.0 Greylisted, try again in 120 seconds", "greylisted", False, False, 120),
        ("451 4.7.1 Greylisting in action", "greylisted", False, False, 300),
        ("451 4.7.1 Please try again in 5 minutes", "greylisted", False, False, 300),
        ("451 4.3.0 Local error", "not_now", False, True, None),
        ("450 4.1.8 Sender domain not found", "not_now", False, False, None),
        ("550 5.7.1 Blocked by policy", "refused_by_policy", True, False, None),
        ("554 5.7.1 Relay access denied", "relay_denied", False, True, None),
        ("550 Go away", "refused_by_provider", True, False, None),
        ("421 4.3.2 Shutting down", "provider_down", False, True, None),
    ],
)
async def test_a_refused_recipient(
    inbox: Inbox,
    make_channel: MakeChannel,
    reply: str,
    reason: str,
    permanent: bool,
    down: bool,
    wait: float | None,
) -> None:
    inbox.refusals["RCPT"] = [reply]
    async with serving(inbox) as port:
        channel = make_channel(port)
        result = await channel.send(outgoing(1))
        again = await channel.send(outgoing(2))
    assert isinstance(result, Failed)
    assert (result.reason, result.permanent, result.provider_down) == (reason, permanent, down)
    assert result.retry_after_s == wait
    assert reply.split(maxsplit=1)[1] in result.detail
    assert isinstance(again, Sent)  # the transaction that was broken off leaves nothing behind
    assert [e.mail_from for e in inbox.envelopes] == [f"bounce+{TOKENS.make(2)}@b.kapsula.example"]


@pytest.mark.parametrize(
    ("command", "reply", "expected"),
    [
        ("MAIL", "553 5.7.1 Not your address", ("sender_refused", False, True)),
        ("MAIL", "530 5.7.0 Authentication required", ("sender_refused", False, True)),
        ("MAIL", "451 4.3.1 Disk full", ("not_now", False, True)),
        ("DATA", "554 5.7.1 Looks like spam", ("refused_by_policy", True, False)),
        ("DATA", "552 5.3.4 Message too big", ("message_too_large", True, False)),
        ("DATA", "451 4.3.0 Try later", ("not_now", False, True)),
    ],
)
async def test_a_refused_sender_and_refused_content(
    inbox: Inbox,
    make_channel: MakeChannel,
    command: str,
    reply: str,
    expected: tuple[str, bool, bool],
) -> None:
    inbox.refusals[command] = [reply]
    async with serving(inbox) as port:
        channel = make_channel(port)
        result = await channel.send(outgoing(1))
        assert isinstance(await channel.send(outgoing(2)), Sent)
    assert isinstance(result, Failed)
    assert (result.reason, result.permanent, result.provider_down) == expected
    assert len(inbox.envelopes) == 1


# From here on the servers break.

OK = "250 ok"
GO = "354 go"
MAIL_OK = (("MAIL", OK), ("RCPT", OK), ("DATA", GO))
QUICK = PoolRules(ready_s=0.3, answer_s=0.3)


async def sent_to(
    make_channel: MakeChannel, *scripts: object, rules: PoolRules | None = None
) -> SendResult:
    async with scripted(*scripts) as port:  # type: ignore[arg-type]
        return await make_channel(port, rules=rules).send(outgoing())


async def test_lost_before_the_final_dot_is_tried_again(make_channel: MakeChannel) -> None:
    for script in (
        lines(("MAIL", "")),
        lines(("MAIL", OK), ("RCPT", ""), offers=PIPELINING),
        lines(("MAIL", OK), ("RCPT", OK), ("DATA", "")),
    ):
        result = await sent_to(make_channel, script)
        assert isinstance(result, Failed)
        assert (result.reason, result.permanent) == ("connection_lost", False)
        assert not result.provider_down


async def test_lost_after_the_final_dot_is_unknown(make_channel: MakeChannel) -> None:
    assert await sent_to(make_channel, lines(*MAIL_OK, (".", ""))) == Unknown("no_answer")


async def test_lost_in_the_middle_of_a_long_mail_is_tried_again(make_channel: MakeChannel) -> None:
    """More than the system's buffers hold: the dot cannot have left."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await lines(*MAIL_OK, offers=PIPELINING)(reader, writer)
        await reader.readexactly(100_000)

    async with scripted(script) as port:
        body = Body("<p>long</p>", subject="s", text="x\n" * 6_000_000)
        result = await make_channel(port).send(outgoing(body=body))
    assert isinstance(result, Failed)
    assert result.reason == "connection_lost"


async def test_silence_before_the_dot_is_a_failure_and_after_it_unknown(
    make_channel: MakeChannel,
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await lines()(reader, writer)
        await asyncio.sleep(5)

    async def ponders(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await lines(*MAIL_OK)(reader, writer)
        await asyncio.sleep(5)

    before = await sent_to(make_channel, silent, rules=QUICK)
    assert isinstance(before, Failed)
    assert not before.permanent
    assert await sent_to(make_channel, ponders, rules=QUICK) == Unknown("no_answer")


async def test_a_refusal_and_a_hang_up_at_once_is_a_refusal(make_channel: MakeChannel) -> None:
    result = await sent_to(make_channel, lines(*MAIL_OK, (".", "554 5.7.1 spam")))
    assert isinstance(result, Failed)
    assert result.reason == "refused_by_policy"


async def test_nonsense_is_no_answer(make_channel: MakeChannel) -> None:
    result = await sent_to(make_channel, lines(("MAIL", "hello there")))
    assert isinstance(result, Failed)
    assert result.reason == "connection_lost"
    assert await sent_to(make_channel, lines(*MAIL_OK, (".", "oh well"))) == Unknown("no_answer")
    endless = "250-" + "x" * 40_000
    result = await sent_to(make_channel, lines(("MAIL", endless)))
    assert isinstance(result, Failed)


async def test_a_connection_that_has_died_meanwhile_is_replaced(make_channel: MakeChannel) -> None:
    once = lines(*MAIL_OK, (".", OK), offers=PIPELINING)  # hangs up after its first mail
    async with scripted(once) as port:
        channel = make_channel(port)
        for attempt_id in range(1, 6):
            assert isinstance(await channel.send(outgoing(attempt_id)), Sent)


async def test_a_server_that_has_had_enough_of_a_connection_gets_a_fresh_one(
    make_channel: MakeChannel,
) -> None:
    weary = lines(*MAIL_OK, (".", OK), ("MAIL", "421 4.7.0 Too many mails, good bye"))
    async with scripted(weary, lines(*MAIL_OK, (".", OK))) as port:
        channel = make_channel(port)
        assert isinstance(await channel.send(outgoing(1)), Sent)
        assert isinstance(await channel.send(outgoing(2)), Sent)


async def test_a_recipient_refused_although_data_is_wanted_gets_nothing(
    make_channel: MakeChannel,
) -> None:
    """RFC 2920: the server may say 354 all the same; the mail it then gets has no line."""
    odd = lines(
        ("MAIL", OK),
        ("RCPT", "550 5.1.1 no"),
        ("DATA", GO),
        (".", "554 5.5.1 no valid recipients"),
        offers=PIPELINING,
    )

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(True)
        await odd(reader, writer)

    seen: list[bool] = []
    result = await sent_to(make_channel, script, rules=QUICK)
    assert isinstance(result, Failed)
    assert len(seen) == 1


async def test_a_cancelled_send_gives_its_place_back(make_channel: MakeChannel) -> None:
    inbox = Inbox()
    inbox.delay_s["DATA"] = 0.5
    async with serving(inbox) as port:
        channel = make_channel(port, rules=PoolRules(size=1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await channel.send(outgoing(1))
        inbox.delay_s.clear()
        assert isinstance(await channel.send(outgoing(2)), Sent)


async def test_a_busy_pool_says_so(make_channel: MakeChannel) -> None:
    inbox = Inbox()
    inbox.delay_s["DATA"] = 0.6
    async with serving(inbox) as port:
        channel = make_channel(port, rules=PoolRules(size=1, ready_s=0.3, answer_s=3))
        first, second = await asyncio.gather(channel.send(outgoing(1)), channel.send(outgoing(2)))
    assert isinstance(first, Sent)
    assert second == Failed("busy", False, retry_after_s=1.0, unasked=True)


async def test_all_who_wait_too_long_are_told_so_and_who_comes_later_is_served(
    make_channel: MakeChannel,
) -> None:
    inbox = Inbox()
    inbox.delay_s["DATA"] = 0.8
    async with serving(inbox) as port:
        channel = make_channel(port, rules=PoolRules(size=1, ready_s=0.3, answer_s=3))
        first = asyncio.create_task(channel.send(outgoing(1)))
        early = [asyncio.create_task(channel.send(outgoing(n))) for n in (2, 3)]
        await asyncio.sleep(0.25)
        late = asyncio.create_task(channel.send(outgoing(4)))
        assert {await each for each in early} == {
            Failed("busy", False, retry_after_s=1.0, unasked=True)
        }
        assert not late.done()
        inbox.delay_s.clear()
        late.cancel()
        assert isinstance(await first, Sent)
        assert isinstance(await channel.send(outgoing(5)), Sent)


# Getting in.


async def test_nobody_listens(make_channel: MakeChannel) -> None:
    async with scripted(lines()) as port:
        pass
    result = await make_channel(port).send(outgoing())
    assert isinstance(result, Failed)
    assert (result.reason, result.permanent, result.provider_down) == ("no_connection", False, True)


@pytest.mark.parametrize("banner", ["421 4.3.2 not now", "554 no service for you"])
async def test_a_server_that_greets_with_a_no_is_down(
    make_channel: MakeChannel, banner: str
) -> None:
    result = await sent_to(make_channel, lines(banner=banner))
    assert isinstance(result, Failed)
    assert (result.reason, result.permanent, result.provider_down) == ("provider_down", False, True)


async def test_tls_from_the_first_byte_and_starttls_with_a_password(
    tmp_path: Path, make_channel: MakeChannel, inbox: Inbox
) -> None:
    server, client = certificate(tmp_path)
    login = {"user": "anna", "password": "пароль-1"}
    async with serving(inbox, implicit_tls=server, login=("anna", "пароль-1")) as port:
        channel = make_channel(port, security="tls", tls_context=client, **login)
        assert isinstance(await channel.send(outgoing(1)), Sent)
        assert isinstance(await channel.send(outgoing(2)), Sent)
    async with serving(inbox, starttls=server, login=("anna", "пароль-1")) as port:
        channel = make_channel(port, security="starttls", tls_context=client, **login)
        assert isinstance(await channel.send(outgoing(3)), Sent)
        assert isinstance(await channel.send(outgoing(4)), Sent)
        wrong = make_channel(
            port, security="starttls", tls_context=client, user="anna", password="no"
        )
        refused = await wrong.send(outgoing(5))
    assert isinstance(refused, Failed)
    assert (refused.reason, refused.provider_down) == ("login_refused", True)
    assert len(inbox.envelopes) == 4


async def test_no_mail_goes_out_without_the_tls_that_was_asked_for(
    tmp_path: Path, make_channel: MakeChannel, inbox: Inbox
) -> None:
    server, _ = certificate(tmp_path)
    async with serving(inbox) as port:
        result = await make_channel(port, security="starttls").send(outgoing())
        assert isinstance(result, Failed)
        assert (result.reason, result.provider_down) == ("tls_not_offered", True)
    async with serving(inbox, starttls=server) as port:  # a certificate that nobody knows
        result = await make_channel(port, security="starttls").send(outgoing())
        assert isinstance(result, Failed)
        assert (result.reason, result.provider_down) == ("tls_failed", True)
    assert inbox.envelopes == []


# Addresses.


async def test_foreign_domains_go_in_ascii_and_foreign_names_where_they_are_taken(
    make_channel: MakeChannel, inbox: Inbox
) -> None:
    async with serving(inbox) as port:
        channel = make_channel(port)
        assert isinstance(await channel.send(outgoing(1, address="anna@почта.рф")), Sent)
        refused = await channel.send(outgoing(2, address="анна@почта.рф"))
        assert isinstance(await channel.send(outgoing(3)), Sent)
    assert inbox.envelopes[0].rcpt_tos == ["anna@xn--80a1acny.xn--p1ai"]
    assert isinstance(refused, Failed)
    assert (refused.reason, refused.permanent) == ("bad_address", True)
    async with serving(inbox, smtputf8=True) as port:
        result = await make_channel(port).send(outgoing(4, address="анна@почта.рф"))
    assert isinstance(result, Sent)
    assert inbox.envelopes[-1].rcpt_tos == ["анна@xn--80a1acny.xn--p1ai"]
    content = inbox.envelopes[-1].content
    assert isinstance(content, bytes)
    assert "\r\nTo: анна@xn--80a1acny.xn--p1ai\r\n".encode() in content


@pytest.mark.parametrize(
    "address",
    [
        "anna",
        "@example.com",
        "anna@",
        "anna@localhost",
        "an na@example.com",
        "anna@exam ple.com",
        "anna@example.com>\r\nRCPT TO:<eve@example.com",
        "anna@example.com\n",
        "<anna@example.com>",
        '"anna x"@example.com',
        "anna@[127.0.0.1]",
        "anna@example.com,eve@example.com",
        "anna@-x-.com",
        "a" * 65 + "@example.com",
        "an\x00na@example.com",
        "anna\u2028@example.com",
        "anna@exam\ud800ple.com",
        "anna\udc80@example.com",
    ],
)
async def test_no_mail_goes_to_what_is_no_address(make_channel: MakeChannel, address: str) -> None:
    result = await make_channel(1).send(outgoing(address=address))
    assert isinstance(result, Failed)
    assert (result.reason, result.permanent) == ("bad_address", True)


async def test_a_mail_larger_than_the_server_takes_is_not_begun(make_channel: MakeChannel) -> None:
    async with scripted(lines(offers=["SIZE 1000"])) as port:
        result = await make_channel(port).send(outgoing())
    assert isinstance(result, Failed)
    assert (result.reason, result.permanent) == ("message_too_large", True)


def test_what_it_costs_and_what_it_may(make_channel: MakeChannel) -> None:
    channel = make_channel(1, price=10_000, per_second=14)
    assert channel.limits == (Limit(name="email", amount=14),)
    assert channel.units(Body("x")) == 1
    assert channel.price(lambda: Body("x"), "anna@example.com") == 10_000
    assert make_channel(1).limits == ()
