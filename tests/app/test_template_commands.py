"""`kapsula templates` as somebody types it."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from app.commands.session import overrides
from app.database import database
from messaging.outbox import Draft, enqueue
from tests.app.test_commands import kapsula, refused, said, two_customers
from tests.messaging.templates.samples import FINE, changed, in_chat


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    yield f"sqlite://{tmp_path / 'k.sqlite3'}"
    overrides.clear()


@pytest.fixture
def spring(tmp_path: Path) -> Path:
    path = tmp_path / "spring.toml"
    path.write_text(FINE, encoding="utf-8")
    return path


def test_a_template_is_shown_edited_and_saved(url: str, spring: Path) -> None:
    listed = {row["name"]: row for row in json.loads(said(url, "templates", "list", "--json"))}
    assert listed["receipt_committed"]["revision"] == "built in"
    assert "spring" not in listed
    assert "spring was never saved" in said(url, "templates", "history", "spring")
    assert "fine" in said(url, "templates", "check", str(spring))
    assert "Saved: spring, revision 1." in said(url, "templates", "save", str(spring))
    assert "It is the same as: spring, revision 1." in said(url, "templates", "save", str(spring))
    assert said(url, "templates", "show", "spring") == FINE
    spring.write_text(changed(("тут", "[там]")), encoding="utf-8")
    late = kapsula(url, "templates", "save", str(spring), "--based-on", "0")
    assert late.exit_code == 1
    assert "edited_meanwhile" in late.stderr
    assert "revision 2" in said(url, "templates", "save", str(spring), "--based-on", "1")
    assert "[там]" in said(url, "templates", "show", "spring")
    assert said(url, "templates", "show", "spring", "--revision", "1") == FINE
    history = json.loads(said(url, "templates", "history", "spring", "--json"))
    assert [row["revision"] for row in history] == [2, 1]
    assert history[0]["saved_by"].startswith("cli:")
    [row] = [
        r for r in json.loads(said(url, "templates", "list", "--json")) if r["revision"] == "2"
    ]
    assert row["name"] == "spring"


def test_a_template_of_the_house_is_the_start_of_ones_own(url: str, tmp_path: Path) -> None:
    source = said(url, "templates", "show", "welcome")
    path = tmp_path / "welcome.toml"
    path.write_text(source.replace("Добро пожаловать в", "Рады вам в"), encoding="utf-8")
    assert "revision 1" in said(url, "templates", "save", str(path))
    assert "Рады вам в программу" in said(url, "templates", "preview", "welcome")


def test_all_that_is_wrong_is_told_with_its_place(url: str, tmp_path: Path, spring: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(in_chat("{{ title }}\n{{ a }}<br>[x]"), encoding="utf-8")
    result = kapsula(url, "templates", "check", str(spring), str(wrong))
    assert result.exit_code == 1
    assert f"{spring}: fine." in result.stdout
    lines = result.stderr.splitlines()
    assert f"{wrong}:en.messenger.text:2: undeclared_variable: “a” is not declared" in lines[0]
    assert f"{wrong}:en.messenger.text:2: tag_refused: The tag <br> is not allowed here" in lines[1]
    saved = kapsula(url, "templates", "save", str(wrong))
    assert saved.exit_code == 1
    assert "wrong.toml is not saved" in saved.stderr
    assert "spring" not in said(url, "templates", "list")


def test_a_preview_shows_each_channel_and_its_price(
    url: str, spring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAPSULA_SMS__PRICE", "4.35")
    text = said(url, "templates", "preview", str(spring))
    assert "1 segments, ucs2, 4.35" in text
    assert "До 1 марта 2026" in text.replace("\xa0", " ")
    english = said(url, "templates", "preview", str(spring), "--language", "en")
    assert "webpush  the messenger's words" in english
    rows = json.loads(said(url, "templates", "preview", "gift", "--channel", "sms", "--json"))
    assert list(rows) == ["sms"]
    assert rows["sms"]["segments"] == 1


def test_a_preview_can_be_kept_as_files(url: str, tmp_path: Path) -> None:
    assert "Written to" in said(url, "templates", "preview", "offer", "--out", "shown")
    folder = tmp_path / "shown"
    assert {path.name for path in folder.iterdir()} == {
        "messenger.html", "email.eml", "sms.txt", "webpush.txt",
    }  # fmt: skip
    mail = message_from_bytes((folder / "email.eml").read_bytes(), policy=policy.default)
    assert mail["Subject"] == "Неделя витаминов"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (folder / "messenger.html").read_text("utf-8").startswith("🌿 <b>Неделя витаминов</b>")


def test_a_preview_for_a_customer_has_her_values(url: str) -> None:
    two_customers(url)

    async def greet() -> None:
        async with database(url):
            draft = Draft(
                dedupe_key="1", topic="service", template="welcome", customer_id=7001,
                context={"programme": "К", "points": 77},
            )  # fmt: skip
            await enqueue([draft], at=datetime.now(UTC))

    asyncio.run(greet())
    text = said(url, "templates", "preview", "welcome", "--customer", "8 900 123-45-61")
    assert "With the values of message" in text
    assert "77 бонусов" in text.replace("\xa0", " ")
    assert "К2" in said(url, "templates", "preview", "gift", "--customer", "7002")


def test_what_is_asked_wrongly_is_one_line(url: str, tmp_path: Path) -> None:
    assert "there is no template 'x'" in refused(url, "templates", "show", "x")
    assert "there is no template 'x'" in refused(url, "templates", "preview", "x")
    assert "no revision 5 of welcome" in refused(
        url, "templates", "show", "welcome", "--revision", "5"
    )
    assert "languages are ru, en" in refused(
        url, "templates", "preview", "welcome", "--language", "de"
    )
    assert "nobody is known by" in refused(
        url, "templates", "preview", "welcome", "--customer", "+79990000000"
    )
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    assert "cannot be read" in refused(url, "templates", "save", str(binary))
