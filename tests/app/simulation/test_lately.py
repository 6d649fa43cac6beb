"""The demo's last weeks: lived by newcomers on its own database, there to be looked at."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.database import database
from app.demo import lately
from app.demo.run import demo_settings
from app.demo.seed import seed
from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.ledger import verify
from loyalty.rules.programme import ProgrammeRules
from messaging.channels.folder import kept_mails, kept_sms

NOW = datetime(2026, 3, 10, 15, 20, tzinfo=UTC)
SECRET = b"a secret of the demo, long enough"


async def _count(table: str, where: str = "1 = 1") -> int:
    [[number]] = await query(f"SELECT COUNT(*) FROM {table} WHERE {where}")
    return int(number)


async def test_the_last_weeks_are_there_to_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lately, "NEWCOMERS", 16)
    monkeypatch.setattr(lately, "DAYS", 16)
    settings = demo_settings(tmp_path / "k.sqlite3", 8080)
    async with database(settings.database_url):
        await seed(VirtualClock(NOW), ProgrammeRules(), lambda *_: None, customers=40)
    days: list[int] = []
    await lately.live_lately(settings, SECRET, NOW, lambda _, done, __: days.append(done))
    assert days[0] == 0
    assert days[-1] == 16
    async with database(settings.database_url):
        newcomers = await _count("identity", "kind = 'webchat'")
        assert newcomers >= 8
        assert await _count("identity", "kind = 'telegram'") == 0  # ids of Telegram are somebody's
        assert await _count("chat_message") > newcomers * 5
        assert await _count("enrolment", "journey = 'welcome'") == newcomers
        assert await _count("message", "state = 'sent'") > newcomers
        assert await _count("event", "handled_at IS NULL") == 0
        for table in ("message", "receipt", "enrolment"):
            name = "entered_at" if table == "enrolment" else "created_at"
            name = "recorded_at" if table == "receipt" else name
            assert await _count(table, f"{name} > {to_micros(NOW)}") == 0
        assert (await verify()).findings == []
    sms = kept_sms(Path(settings.sms.folder))
    mails = kept_mails(Path(settings.email.folder))
    assert len(sms) >= newcomers  # a code each, at least
    assert mails
    assert all(each.at <= NOW for each in sms)
