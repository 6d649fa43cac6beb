"""`kapsula journeys` as a marketer types it."""

import json
from pathlib import Path

from tests.app.test_commands import refused, said, two_customers, url

__all__ = ["url"]


def test_journeys_are_listed_shown_switched_published_and_entered(url: str, tmp_path: Path) -> None:
    two_customers(url)
    rows = {row["journey"]: row for row in json.loads(said(url, "journeys", "list", "--json"))}
    assert {"welcome", "birthday", "refill", "nps", "reactivation", "win_back"} <= set(rows)
    assert all(row["on"] and row["revision"] == 1 for row in rows.values())

    assert "birthday is off." in said(
        url, "journeys", "switch", "birthday", "--off", "--by", "olga"
    )
    said(url, "journeys", "switch", "birthday", "--on", "--reward", "gift.points=300")
    assert "olga" in said(url, "journeys", "show", "birthday")
    for wrong in (("--reward", "gift.points=0"), ("--delay", "gift=5"), ("--channels", "pigeon"),
                  ("--template", "greeting=nothing"), ("--delay", "x"), ()):  # fmt: skip
        refused(url, "journeys", "switch", "birthday", *wrong)
    refused(url, "journeys", "switch", "nobody", "--off")

    document = json.loads(said(url, "journeys", "show", "win_back", "--document"))
    document["steps"][0]["settings"]["hours"] = 4
    file = tmp_path / "win_back.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert "revision 2; those inside go on by it" in said(
        url, "journeys", "publish", str(file), "--move-inside"
    )
    document["steps"][0]["action"] = "nobody_knows"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert "nobody_knows" in refused(url, "journeys", "publish", str(file))
    file.write_text("{", encoding="utf-8")
    refused(url, "journeys", "publish", str(file))

    people = tmp_path / "people.csv"
    people.write_text("7001\n+79001234562\n", encoding="utf-8")
    enrol = ("journeys", "enrol", "win_back", str(people), "--key", "may")
    assert "2 of 2 entered" in said(url, *enrol)
    assert "0 of 2 entered" in said(url, *enrol)
    shown = json.loads(said(url, "journeys", "show", "win_back", "--json"))
    assert (shown["revision"], shown["steps"][0]["asleep"]) == (2, 2)
    said(url, "journeys", "switch", "win_back", "--off")
    assert "is off" in refused(url, "journeys", "enrol", "win_back", "7001", "--key", "june")
