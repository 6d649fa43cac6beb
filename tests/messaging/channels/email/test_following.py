"""The envelope of the next mail goes along with the one before it, and nothing comes of that but
speed: each mail is taken once or not at all, whatever becomes of its neighbours."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from messaging.channels.base import Failed, SendResult, Sent, Unknown
from messaging.channels.email.channel import EmailChannel
from messaging.channels.email.pool import PoolRules
from tests.messaging.channels.email.conftest import MakeChannel, outgoing
from tests.messaging.channels.email.peers import lines, scripted

OK, GO = "250 2.0.0 Ok", "354 go"
ALONE = PoolRules(size=1, ready_s=2, answer_s=2)
MAIL = (("MAIL", OK), ("RCPT", OK), ("DATA", GO))


async def both(channel: EmailChannel) -> list[SendResult]:
    return list(await asyncio.gather(channel.send(outgoing(1)), channel.send(outgoing(2))))


async def begun(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greeted, and the first mail read to its end; it has no answer yet."""
    await lines(*MAIL, (".", ""), offers=("PIPELINING",))(reader, writer)


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The envelope of one more mail, command by command."""
    for wanted, answer in MAIL:
        assert (await reader.readline()).startswith(wanted.encode())
        writer.write(f"{answer}\r\n".encode())


async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The last mail; then the connection is left to its other end."""
    await reader.readuntil(b"\r\n.\r\n")
    writer.write(f"{OK}\r\n".encode())
    await reader.read()


async def test_the_envelope_comes_before_the_answer_to_the_mail(make_channel: MakeChannel) -> None:
    commands: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await begun(reader, writer)
        commands.extend([await reader.readline() for _ in range(3)])
        writer.write(f"{OK}\r\n{OK}\r\n{OK}\r\n{GO}\r\n".encode())
        await taken(reader, writer)

    async with scripted(script) as port:
        results = await both(make_channel(port, rules=ALONE))
    assert [type(result) for result in results] == [Sent, Sent]
    assert [line[:4] for line in commands] == [b"MAIL", b"RCPT", b"DATA"]


async def test_without_pipelining_nothing_comes_before_the_answer(
    make_channel: MakeChannel,
) -> None:
    early: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await lines(*MAIL, (".", ""))(reader, writer)
        with pytest.raises(TimeoutError):
            early.append(await asyncio.wait_for(reader.read(1), 0.1))
        writer.write(f"{OK}\r\n".encode())
        await asked(reader, writer)
        await taken(reader, writer)

    async with scripted(script) as port:
        results = await both(make_channel(port, rules=ALONE))
    assert ([type(result) for result in results], early) == ([Sent, Sent], [])


async def test_a_refused_mail_does_not_hinder_the_next(make_channel: MakeChannel) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await begun(reader, writer)
        writer.write(f"554 5.7.1 spam\r\n{OK}\r\n{OK}\r\n{GO}\r\n".encode())
        await taken(reader, writer)

    async with scripted(script) as port:
        first, second = await both(make_channel(port, rules=ALONE))
    assert isinstance(first, Failed)
    assert first.reason == "refused_by_policy"
    assert isinstance(second, Sent)


async def test_a_next_one_that_is_refused_leaves_the_connection_to_others(
    make_channel: MakeChannel,
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await begun(reader, writer)
        writer.write(f"{OK}\r\n{OK}\r\n550 5.1.1 No such user\r\n503 no\r\n".encode())
        for _ in range(3):
            await reader.readline()
        assert await reader.readline() == b"RSET\r\n"
        writer.write(f"{OK}\r\n".encode())
        await asked(reader, writer)
        await taken(reader, writer)

    async with scripted(script) as port:
        channel = make_channel(port, rules=ALONE)
        first, second = await both(channel)
        third = await channel.send(outgoing(3))
    assert isinstance(first, Sent)
    assert second == Failed("address_unknown", True, detail="550 5.1.1 No such user")
    assert isinstance(third, Sent)


@pytest.mark.parametrize("answer", ["", "421 4.3.2 Shutting down\r\n"], ids=["lost", "421"])
async def test_when_the_first_breaks_the_next_goes_another_way(
    make_channel: MakeChannel, answer: str
) -> None:
    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await begun(reader, writer)
        writer.write(answer.encode())

    kind = Kind()
    async with scripted(breaks, kind.serve) as port:
        first, second = await both(make_channel(port, rules=ALONE))
    assert isinstance(second, Sent)
    assert isinstance(first, Failed if answer else Unknown)  # 421 says that it was not taken
    assert len(kind.taken) == 1


async def test_who_is_gone_meanwhile_is_not_sent_an_empty_mail(make_channel: MakeChannel) -> None:
    after: list[bytes] = []
    let_go = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await begun(reader, writer)
        for _ in range(3):
            await reader.readline()
        await let_go.wait()
        writer.write(f"{OK}\r\n{OK}\r\n{OK}\r\n{GO}\r\n".encode())
        after.append(await reader.read())

    kind = Kind()
    async with scripted(script, kind.serve) as port:
        channel = make_channel(port, rules=ALONE)
        first = asyncio.create_task(channel.send(outgoing(1)))
        second = asyncio.create_task(channel.send(outgoing(2)))
        await asyncio.sleep(0.1)
        second.cancel()
        await asyncio.sleep(0)
        let_go.set()
        assert isinstance(await first, Sent)
        assert isinstance(await channel.send(outgoing(3)), Sent)
    assert second.cancelled()
    assert after == [b""]


class Kind:
    """Takes mails with the manners of a server that knows pipelining; `whim` may spoil a step.

    A whim is asked at each step and answers "" (go on), "hang up", or a reply to be said instead.
    """

    def __init__(self, whim: Callable[[str], str] = lambda _: "") -> None:
        self.taken: Counter[str] = Counter()
        self._whim = whim

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await lines(offers=("PIPELINING",))(reader, writer)
        sender, refused = "", False
        while line := (await reader.readline()).decode():
            step = line[:4]
            if step == "QUIT":
                return
            if step == "MAIL":
                sender, refused = line.split("<")[1].split(">")[0], False
            spoilt = "503 5.5.1 no" if refused and step != "RSET" else self._whim(step)
            if spoilt == "hang up":
                return
            refused = refused or bool(spoilt)
            writer.write(f"{spoilt or (GO if step == 'DATA' else OK)}\r\n".encode())
            if step == "DATA" and not spoilt and not await self._mail(sender, reader, writer):
                return

    async def _mail(
        self, sender: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        content = await reader.readuntil(b"\r\n.\r\n")
        assert sender.split("+")[1].split("@", maxsplit=1)[0].encode() in content  # its own words
        spoilt = self._whim(".")
        if spoilt in ("", "taken, hang up"):
            self.taken[sender] += 1
        if "hang up" in spoilt:
            return False
        writer.write(f"{spoilt or OK}\r\n".encode())
        return True


WHIMS = ("hang up", "451 4.3.0 not now", "550 5.1.1 no such user", "421 4.7.0 good bye")


@pytest.mark.parametrize("seed", range(8))
async def test_a_capricious_server_takes_each_mail_once_or_we_know(
    make_channel: MakeChannel, seed: int
) -> None:
    """Every fourth step goes wrong in some way: what we say of a mail is what became of it."""
    chance = random.Random(seed)

    def whim(step: str) -> str:
        if chance.random() > 0.06:
            return ""
        return chance.choice([*WHIMS, "taken, hang up"] if step == "." else WHIMS)

    kind = Kind(whim)
    async with scripted(kind.serve) as port:
        channel = make_channel(port, rules=PoolRules(size=2, ready_s=5, answer_s=5))
        mails = [outgoing(n) for n in range(1, 121)]
        results = await asyncio.gather(*(channel.send(mail) for mail in mails))
    senders = [channel.compose(mail).sender for mail in mails]
    taken = [kind.taken[sender] for sender in senders]
    assert max(taken) == 1
    assert sum(taken) == kind.taken.total()
    for count, result in zip(taken, results, strict=True):
        match result:
            case Sent():
                assert count == 1
            case Failed():
                assert count == 0
    kinds = Counter(type(result) for result in results)
    assert kinds[Sent] > 60
    assert kinds[Failed] > 3
