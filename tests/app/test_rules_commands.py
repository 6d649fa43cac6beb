"""`kapsula rules` as an operator types it, on SQLite."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.commands.root import app
from app.commands.session import overrides
from app.database import database
from loyalty.clock import VirtualClock
from loyalty.programme import build_programme
from loyalty.rules.programme import ProgrammeRules
from tests.loyalty.people import joined
from tests.loyalty.tills import TillHand, open_shop


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    yield f"sqlite://{tmp_path / 'k.sqlite3'}"
    overrides.clear()


def rules(url: str, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["--database", url, "rules", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def write(name: str, **document: object) -> str:
    Path(name).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return name


VITAMINS = {
    "multipliers": [
        {
            "code": "vitamins",
            "name_ru": "Витаминные выходные",
            "times_percent": 200,
            "goods": {"categories": ["Витамины"]},
            "when": {"weekdays": [6, 7]},
        }
    ],
    "not_earning": {"categories": ["Табак"]},
}


def test_rules_are_shown_checked_saved_and_compared(url: str) -> None:
    assert "these are the settings" in rules(url, "show")
    file = write("new.json", earn_permille=50, earning=VITAMINS)
    checked = rules(url, "check", file)
    assert "5 % возвращается бонусами, вдвойне на «Витамины» по выходным, но не на «Табак»" in (
        checked.replace("\n", " ")
    )
    assert "category" in checked
    assert "5% back, double on “Витамины” at weekends, not on “Табак”" in rules(
        url, "check", file, "--language", "en"
    )
    saved = rules(url, "save", file, "--by", "Марина", "--comment", "Витамины")
    assert "Saved as revision 2." in saved
    assert "There is no category 'Табак' here." in saved
    assert "rules_unchanged" in rules(
        url, "save", file, "--by", "М", "--comment", "ещё раз", code=1
    )
    assert "rules_outdated" in rules(
        url, "save", file, "--by", "М", "--comment", "х", "--base", "1", code=1
    )
    history = json.loads(rules(url, "history", "--json"))
    assert [(row["revision"], row["by"]) for row in history] == [(2, "Марина"), (1, "environment")]
    changed = json.loads(rules(url, "diff", "1", "2", "--json"))
    assert {
        "place": "earning.not_earning.categories",
        "before": None,
        "after": ["Табак"],
    } in changed
    assert rules(url, "diff", "2", "2").strip() == "Nothing has changed."
    assert "there is no revision 9" in rules(url, "show", "9", code=1)
    shown = rules(url, "show", "--json")
    Path("again.json").write_text(shown, encoding="utf-8")
    assert "rules_unchanged" in rules(
        url, "save", "again.json", "--by", "М", "--comment", "то же", code=1
    )


def test_what_is_wrong_is_listed(url: str) -> None:
    file = write("bad.json", earn_permille=5000, earning={"combine": "sum"})
    assert "earning.combine" in rules(url, "check", file, code=1)
    wrong = json.loads(rules(url, "check", file, "--json", code=1))["wrong"]
    assert [each["place"] for each in wrong] == ["earn_permille", "earning.combine"]
    assert "cannot be read" in rules(url, "check", "nowhere.json", code=1)


def test_the_pharmacys_rules_can_be_saved(url: str) -> None:
    Path("p.json").write_text(rules(url, "pharmacy"), encoding="utf-8")
    assert "Saved as revision 2." in rules(
        url, "save", "p.json", "--by", "М", "--comment", "начало"
    )
    assert "Уровень «Золотой»: от 40 000 ₽" in rules(url, "show").replace("\xa0", " ")


def test_the_past_under_other_rules(url: str) -> None:
    async def sell() -> None:
        async with database(url):
            clock = VirtualClock(datetime(2026, 3, 5, 9, tzinfo=UTC))
            programme = build_programme(clock=clock, secret=b"x" * 32, rules=ProgrammeRules())
            await open_shop()
            anna = await joined(programme)
            await TillHand(programme).sell(anna.card_number, "R1", "1000.00")
            await programme.stop()

    asyncio.run(sell())
    file = write("new.json", earn_permille=70)
    days = ("--from", "2026-03-01", "--to", "2026-03-31")
    told = json.loads(rules(url, "replay", *days, file, "--json"))
    assert (told["points_before"], told["points_after"], told["cost_minor"]) == (50, 70, 20_00)
    assert (told["better"], told["worse"]) == (1, 0)
    said = rules(url, "replay", *days, file)
    assert "Points: 50 → 70 (+20)." in said
    assert "Cost: +20.00 RUB" in said
    assert "0 customers summed up, 0 tiers" in rules(url, "assess")
    assert "lies before" in rules(
        url, "replay", "--from", "2026-04-01", "--to", "2026-03-01", file, code=1
    )
