"""Where returned mail is read: a Maildir, and IMAP as a server of the test's speaks it."""

import asyncio
import re
import socketserver
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from loyalty.clock import SystemClock
from messaging.channels.base import Report, Status
from messaging.channels.email.mailbox import BounceReader, Imap, Maildir, open_mailbox
from tests.messaging.channels.email import returned
from tests.messaging.channels.email.conftest import TOKENS
from tests.messaging.channels.email.peers import certificate


def mail(sample: str, attempt_id: int) -> bytes:
    return sample.replace("{token}", TOKENS.make(attempt_id)).encode()


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1.bounce").write_bytes(mail(returned.EXIM, 1))
    (tmp_path / "new" / "2.letter").write_bytes(mail(returned.LETTER, 2))
    (tmp_path / "new" / "3.leaving").write_bytes(mail(returned.LEAVING, 3))
    return tmp_path


class Told:
    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.leavers: list[int] = []
        self.broken = False

    async def take_reports(self, reports: Sequence[Report]) -> None:
        if self.broken:
            raise OSError("no database")
        self.reports += reports

    async def take_leaves(self, attempt_ids: Sequence[int]) -> None:
        self.leavers += attempt_ids

    def reader(self, mailbox: object, *, leaves: bool = True) -> BounceReader:
        return BounceReader(
            mailbox,  # type: ignore[arg-type]
            TOKENS,
            clock=SystemClock(),
            take_reports=self.take_reports,
            take_leaves=self.take_leaves if leaves else None,
            every_s=0.01,
        )


async def test_a_maildir_is_read_and_the_rest_left_for_a_person(maildir: Path) -> None:
    told = Told()
    reader = told.reader(open_mailbox(f"maildir://{maildir}"))
    assert await reader.read_some() == 3
    assert [(r.attempt_id, r.status) for r in told.reports] == [(1, Status.BOUNCED)]
    assert told.leavers == [3]
    assert list((maildir / "new").iterdir()) == []
    assert [path.name for path in (maildir / "cur").iterdir()] == ["2.letter:2,S"]
    assert await reader.read_some() == 0


async def test_nothing_goes_before_it_is_kept(maildir: Path) -> None:
    told = Told()
    told.broken = True
    stop = asyncio.Event()
    running = asyncio.create_task(told.reader(Maildir(maildir)).run(stop))
    await asyncio.sleep(0.1)
    assert len(list((maildir / "new").iterdir())) == 3
    told.broken = False
    async with asyncio.timeout(5):
        while list((maildir / "new").iterdir()):  # noqa: ASYNC110 - a folder has no event
            await asyncio.sleep(0.01)
    stop.set()
    await running
    assert len(told.reports) == 1


def nested(depth: int) -> bytes:
    """Parts in parts in parts, which the standard library's parser reads by recursion."""
    head = "".join(
        f'Content-Type: multipart/report; boundary="b{i}"\n\n--b{i}\n' for i in range(depth)
    )
    return f"To: bounce+{TOKENS.make(9)}@b.example\n{head}".encode()


async def test_a_mail_that_nobody_can_read_stands_in_nobodys_way(maildir: Path) -> None:
    (maildir / "new" / "0.nested").write_bytes(nested(3_000))
    told = Told()
    await told.reader(Maildir(maildir)).read_some()
    assert [report.attempt_id for report in told.reports] == [1]
    assert "0.nested:2,S" in [path.name for path in (maildir / "cur").iterdir()]


async def test_two_readers_do_no_harm(maildir: Path) -> None:
    told = Told()
    readers = [told.reader(Maildir(maildir)) for _ in range(4)]
    await asyncio.gather(*(reader.read_some() for reader in readers))
    assert {report.attempt_id for report in told.reports} == {1}
    assert list((maildir / "new").iterdir()) == []


async def test_who_takes_no_leaves_leaves_them_to_a_person(maildir: Path) -> None:
    told = Told()
    await told.reader(Maildir(maildir), leaves=False).read_some()
    assert len(list((maildir / "cur").iterdir())) == 2


class ImapHandler(socketserver.StreamRequestHandler):
    """As much of IMAP as a mailbox needs."""

    def handle(self) -> None:
        self.say("* OK ready")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            tag, command, *_ = line.split(" ", 2)
            rest = line.split(" ", 2)[2] if line.count(" ") > 1 else ""
            if not self.answer(tag, command.upper(), rest):
                return

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def answer(self, tag: str, command: str, rest: str) -> bool:
        mails: dict[str, bytes] = self.server.mails  # type: ignore[attr-defined]
        flags: dict[str, str] = self.server.flags  # type: ignore[attr-defined]
        if command == "CAPABILITY":
            self.say("* CAPABILITY IMAP4rev1")
        elif command == "LOGIN" and rest != 'anna@x.example "p@ss"':
            self.say(f"{tag} NO wrong")
            return True
        elif command == "SELECT":
            self.say(f"* {len(mails)} EXISTS")
        elif rest.startswith("SEARCH UNSEEN"):
            self.say("* SEARCH " + " ".join(uid for uid in mails if uid not in flags))
        elif found := re.match(r"FETCH (\d+) \(BODY\.PEEK\[\]<0\.\d+>\)", rest):
            raw = mails[found[1]]
            self.say(f"* 1 FETCH (UID {found[1]} BODY[]<0> {{{len(raw)}}}")
            self.wfile.write(raw + b")\r\n")
        elif found := re.match(r"STORE ([\d,]+) \+FLAGS.SILENT \((\S+)\)", rest):
            flags.update(dict.fromkeys(found[1].split(","), found[2]))
        elif command == "EXPUNGE":
            for uid in [uid for uid, flag in flags.items() if flag == r"\Deleted"]:
                mails.pop(uid, None)
        elif command == "LOGOUT":
            self.say("* BYE")
        self.say(f"{tag} OK done")
        return command != "LOGOUT"


@pytest.fixture
def imap_server() -> Iterator[socketserver.ThreadingTCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), ImapHandler) as server:
        server.mails = {  # type: ignore[attr-defined]
            "11": mail(returned.EXIM, 1),
            "12": mail(returned.LETTER, 2),
        }
        server.flags = {}  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_imap(imap_server: socketserver.ThreadingTCPServer) -> None:
    told = Told()
    port = imap_server.server_address[1]
    mailbox = open_mailbox(f"imap://anna%40x.example:p%40ss@127.0.0.1:{port}")
    reader = told.reader(mailbox)
    assert await reader.read_some() == 2
    assert [report.attempt_id for report in told.reports] == [1]
    assert list(imap_server.mails) == ["12"]  # type: ignore[attr-defined]
    assert imap_server.flags["12"] == r"\Seen"  # type: ignore[attr-defined]
    assert await reader.read_some() == 0


async def test_a_mailbox_out_of_reach_is_waited_out(
    imap_server: socketserver.ThreadingTCPServer,
) -> None:
    told = Told()
    port = imap_server.server_address[1]
    stop = asyncio.Event()
    reader = told.reader(open_mailbox(f"imap://anna%40x.example:wrong@127.0.0.1:{port}"))
    running = asyncio.create_task(reader.run(stop))
    await asyncio.sleep(0.1)
    assert not running.done()
    stop.set()
    await running
    assert told.reports == []


@pytest.mark.parametrize(
    "url",
    [
        "maildir://host/folder",
        "maildir:///there/is/none",
        "imaps://host/INBOX",
        "imaps://user@host",
        "pop3://user:password@host",
        "imaps://user:password@host/a%22b",
        "nonsense",
    ],
)
def test_a_wrong_address_of_a_mailbox(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        open_mailbox(url)


async def test_imap_believes_no_unknown_certificate(tmp_path: Path) -> None:
    server_context, _ = certificate(tmp_path)

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=server_context)
    port = server.sockets[0].getsockname()[1]
    mailbox = open_mailbox(f"imaps://user:password@127.0.0.1:{port}")
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.to_thread(mailbox.fetch, 1)
    server.close()


def test_imap_is_spoken_under_tls_on_its_port() -> None:
    mailbox = open_mailbox("imaps://user:p%3Aw@mail.example/Bounces")
    assert isinstance(mailbox, Imap)
    server = mailbox._server
    assert (server.port, server.tls, server.folder) == (993, True, "Bounces")
    assert (server.user, server.password) == ("user", "p:w")
