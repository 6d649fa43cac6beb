"""`kapsula promo` as a marketer types it."""

import json
from pathlib import Path

import pytest

from tests.app.test_commands import kapsula, refused, said, two_customers, url

__all__ = ["url"]


def test_a_campaign_and_its_codes(url: str, tmp_path: Path) -> None:
    make = ("promo", "create", "spring", "percent", "12.5", "--title", "Весна", "--limit", "3")
    assert "Campaign spring" in said(url, *make, "--code", "ВЕСНА")
    assert "Campaign spring" in said(url, *make, "--code", "ВЕСНА")
    assert "key_reused" in refused(url, "promo", "create", "spring", "percent", "10")
    letters = ("promo", "create", "letters", "sum", "299,50", "--min-sum", "1000", "--holder-only")
    said(url, *letters)
    file = tmp_path / "codes.txt"
    run = ("promo", "generate", "letters", "25", "--key", "june", "--to", str(file))
    assert "25 codes made." in said(url, *run)
    assert "0 codes made; 25 had been made before." in said(url, *run)
    codes = file.read_text().split()
    assert len(set(codes)) == 25
    shown = json.loads(said(url, "promo", "show", "letters", "--json"))
    assert (shown["gives"], shown["personal_codes"], shown["redeemed"]) == ("299.50", 25, 0)
    assert "Revoked" in said(url, "promo", "revoke", "letters", "--code", codes[0])
    assert "nothing to end" in refused(url, "promo", "revoke", "letters", "--code", codes[0])
    said(url, "promo", "revoke", "spring")
    rows = json.loads(said(url, "promo", "list", "--json"))
    assert [(row["name"], row["works"]) for row in rows] == [("letters", True), ("spring", False)]


def test_codes_of_customers(url: str, tmp_path: Path) -> None:
    two_customers(url)
    said(url, "promo", "create", "gift", "gift", "Крем", "--segment-only")
    said(url, "promo", "aim", "gift", "7001", "+79001234562")
    given = ("promo", "give", "gift", "+79001234561", "--key", "welcome", "--json")
    first = json.loads(said(url, *given))
    assert json.loads(said(url, *given)) == first
    file = tmp_path / "codes.csv"
    file.write_text("code,customer\nAAA111,+79001234561\nBBB222\n!!,\nCCC333,+79998887766\n")
    run = ("promo", "import", "gift", str(file), "--key", "file", "--json")
    for added, known in ((2, 0), (0, 2)):
        result = kapsula(url, *run)
        assert result.exit_code == 1, "some lines are refused"
        told = json.loads(result.stdout)
        assert (told["added"], told["known"]) == (added, known)
        assert [(row["line"], row["why"]) for row in told["refused"]] == [
            (4, "invalid_promo"),
            (5, "customer_not_found"),
        ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "x", "percent", "200"), "permille"),
        (("create", "x", "percent", "ten"), "not a number"),
        (("create", "x", "points", "1.5"), "not a number"),
        (("generate", "x", "5", "--key", "k"), "no campaign"),
        (("import", "x", "nowhere.csv", "--key", "k"), "no campaign"),
        (("show", "x"), "no campaign"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    url: str, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refused(url, "promo", *arguments)
