"""SMS and mails as files: whole, for the owner's eyes, and just as they would have gone out."""

import asyncio
import stat
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from app.assembly import open_house
from app.errors import SettingsError
from app.mail import mail_room
from app.outgoing import CodeSender
from app.settings import Settings, setting_rows
from app.sms import sms_channel
from loyalty.clock import SystemClock, VirtualClock
from loyalty.database import query
from messaging.channels.base import Failed, Outgoing, Sent
from messaging.channels.email.mime import Composer, Sender
from messaging.channels.email.tokens import Tokens
from messaging.channels.folder import (
    FolderEmail,
    FolderSms,
    kept_mail,
    kept_mails,
    kept_sms,
)
from messaging.channels.sms.channel import SmsTerms
from messaging.channels.sms.tariff import Tariff
from messaging.outbox import Draft, enqueue
from messaging.templates import Body
from messaging.templates.book import built_in
from messaging.templates.samples import usual
from tests.conftest import SECRET

PHONE = "+79001234567"


def outgoing(number: int, address: str, body: Body, **options: Any) -> Outgoing:
    return Outgoing(message_id=1, attempt_id=number, address_kind="", address=address, body=body,
                    **options)  # fmt: skip


@pytest.fixture
def telephone(tmp_path: Path, clock: VirtualClock) -> FolderSms:
    terms = SmsTerms(sender="Kapsula", tariff=Tariff(5))
    return FolderSms(terms, tmp_path / "new" / "sms", clock=clock)


@pytest.fixture
def mailbox(tmp_path: Path, clock: VirtualClock) -> FolderEmail:
    sender = Sender(address="news@shop.example", name="Магазин", brand="Магазин")
    composer = Composer(sender, Tokens(b"a key of the tests"), clock=clock)
    return FolderEmail(composer, tmp_path / "new" / "mail", price=7)


async def test_an_sms_is_a_file(telephone: FolderSms, tmp_path: Path, clock: VirtualClock) -> None:
    text = "Первая строка\n\nTo: не заголовок\n" + "ж" * 80
    body = Body("", text=text)
    assert await telephone.send(outgoing(2, PHONE, Body("раз"))) == Sent("00000000000000000002.txt")
    assert await telephone.send(outgoing(10, PHONE, body)) == Sent("00000000000000000010.txt")
    last, first = kept_sms(tmp_path / "new" / "sms")
    assert (last.phone, last.text, last.segments) == (PHONE, text, "2 ucs2")
    assert (first.text, first.at, first.id) == ("раз", clock.now(), 2)
    assert (telephone.units(body), telephone.price(lambda: body, PHONE)) == (2, 10)
    [file, _] = sorted((tmp_path / "new" / "sms").iterdir())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("address", "text", "reason"),
    [("../../etc/passwd", "x", "address_unknown"), (PHONE, " ", "no_text"),
     (PHONE, "ж" * 1_000, "too_long")],
)  # fmt: skip
async def test_what_no_provider_would_take_is_no_file(
    telephone: FolderSms, tmp_path: Path, address: str, text: str, reason: str
) -> None:
    result = await telephone.send(outgoing(1, address, Body("", text=text)))
    assert isinstance(result, Failed)
    assert result.reason == reason
    assert kept_sms(tmp_path / "new" / "sms") == []


async def test_a_mail_is_what_a_mail_program_opens(mailbox: FolderEmail, tmp_path: Path) -> None:
    body = Body("<p>Здравствуйте</p>", subject="Тема\r\nBcc: x@y.example", text="Здравствуйте")
    result = await mailbox.send(
        outgoing(5, "anna@пример.рф", body, topic="marketing",
                 unsubscribe_url="https://shop.example/u/1")
    )  # fmt: skip
    assert result == Sent("00000000000000000005.eml")
    [mail] = kept_mails(tmp_path / "new" / "mail")
    assert mail == kept_mail(tmp_path / "new" / "mail", 5)
    assert (mail.subject, mail.recipient) == ("Тема Bcc: x@y.example", "anna@xn--e1afmkfd.xn--p1ai")
    assert "Здравствуйте" in mail.html
    assert mail.text.startswith("Здравствуйте")
    assert "<https://shop.example/u/1>" in dict(mail.fields)["List-Unsubscribe"]
    raw = (tmp_path / "new" / "mail" / "00000000000000000005.eml").read_bytes()
    read = message_from_bytes(raw, policy=policy.default)
    assert read["Bcc"] is None
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def test_an_address_that_is_none_is_refused(mailbox: FolderEmail, tmp_path: Path) -> None:
    result = await mailbox.send(outgoing(5, "nobody", Body("x")))
    assert isinstance(result, Failed)
    assert (result.reason, result.permanent) == ("bad_address", True)
    assert kept_mail(tmp_path, 5) is None


async def test_a_folder_that_cannot_be_written_is_a_provider_that_is_down(
    tmp_path: Path, clock: VirtualClock
) -> None:
    (tmp_path / "file").write_text("in the way")
    telephone = FolderSms(SmsTerms(sender="K"), tmp_path / "file", clock=clock)
    result = await telephone.send(outgoing(1, PHONE, Body("x")))
    assert isinstance(result, Failed)
    assert (result.reason, result.permanent, result.provider_down) == (
        "folder_unwritable", False, True,
    )  # fmt: skip


async def test_whoever_looks_meanwhile_sees_whole_files_only(
    telephone: FolderSms, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "sms"
    folder.mkdir(parents=True)
    (folder / ".00000000000000000001.txt.part").write_text("To: ")
    (folder / "notes.txt").write_text("somebody else's")
    (folder / "7").mkdir()
    seen: list[str] = []

    async def look() -> None:
        for _ in range(50):
            seen.extend(sms.text for sms in kept_sms(folder))
            await asyncio.sleep(0)

    text = "слово " * 10
    sends = [telephone.send(outgoing(n, PHONE, Body("", text=text))) for n in range(30)]
    await asyncio.gather(look(), *sends)
    assert set(seen) <= {text}
    assert len(kept_sms(folder)) == 30
    assert len(kept_sms(folder, limit=4)) == 4


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in setting_rows():
        monkeypatch.delenv(row.name, raising=False)


def settings(db_url: str, **branches: Any) -> Settings:
    return Settings(_env_file=None, database_url=db_url, **branches)  # type: ignore[call-arg]


async def test_from_the_settings_to_the_files(db_url: str, tmp_path: Path) -> None:
    chosen = settings(
        db_url,
        sms={"gateway": "folder", "folder": str(tmp_path / "sms")},
        email={"folder": str(tmp_path / "mail"), "sender": "news@shop.example"},
    )
    async with open_house(chosen, secret=SECRET, clock=SystemClock()) as house:
        await CodeSender(house.clock, lambda: house.programme.rules.name, house.wakeups)(
            PHONE, "482913", "ru"
        )
        gift = built_in()["gift"].template
        mail = Draft(
            dedupe_key="m", topic="service", template="gift", context=usual(gift, "ru"),
            address_kind="email", address="anna@shop.example", language="ru",
        )  # fmt: skip
        await enqueue([mail], at=house.clock.now())
        await house.dispatcher.drain()
        rows = await query("SELECT address_kind, state, body, cost FROM attempt ORDER BY cost")
        found = [(row["address_kind"], row["state"], row["body"], row["cost"]) for row in rows]
        assert found == [("phone", "sent", "", 0), ("email", "sent", "", 10_000)]
    [sms] = kept_sms(tmp_path / "sms")
    assert sms.text == "Капсула: ваш код 482913. Никому его не говорите."
    [kept] = kept_mails(tmp_path / "mail")
    assert kept.subject == "Анна, для вас 200 бонусов в подарок"
    assert "Анна, бонусы уже на вашей карте" in kept.html


@pytest.mark.parametrize(
    ("branches", "says"),
    [
        ({"sms": {"gateway": "folder"}}, "KAPSULA_SMS__FOLDER: the gateway folder needs it"),
        ({"email": {"folder": "x"}}, "KAPSULA_EMAIL__SENDER: is needed"),
        (
            {"email": {"folder": "x", "host": "h", "sender": "a@b.example"}},
            "KAPSULA_EMAIL__FOLDER: takes the place of a mail server",
        ),
    ],
)
def test_what_is_missing_is_named(branches: Any, says: str) -> None:
    chosen = settings("sqlite://x", **branches)

    def build() -> None:
        sms_channel(chosen, SystemClock())
        mail_room(chosen, SystemClock(), secret=SECRET)

    with pytest.raises(SettingsError, match=says):
        build()
