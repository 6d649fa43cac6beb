"""The document of the rules: what is refused and where, and what a comparison says."""

import json
from typing import Any

import pytest

from app.settings import ProgrammeSettings
from loyalty.pharmacy import PHARMACY
from loyalty.programme_basics import ProgrammeBasics
from loyalty.programme_changes import differences
from loyalty.programme_document import ProgrammeDocument, Wrong, read_document
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.referral import ReferralRules


def document(**parts: Any) -> ProgrammeDocument:
    read = read_document(json.dumps(parts))
    assert isinstance(read, ProgrammeDocument), read
    return read


def multiplier(**more: Any) -> dict[str, Any]:
    return {"earning": {"multipliers": [{"code": "m", "times_percent": 200, **more}]}}


def test_nothing_said_means_the_defaults() -> None:
    assert document().rules() == ProgrammeRules()
    assert ProgrammeBasics().rules() == ProgrammeSettings().rules() == ProgrammeRules()


def test_a_document_survives_being_written_and_read() -> None:
    assert read_document(PHARMACY.text()) == PHARMACY
    assert ProgrammeDocument.of(PHARMACY.rules()) == PHARMACY


def test_who_does_not_speak_of_referral_leaves_it_to_the_settings() -> None:
    settings = ReferralRules(friend_points=7)
    assert document().rules(settings).referral == settings
    said = document(referral={"friend_points": 0, "referrer_points": 0})
    assert not said.rules(settings).referral.is_on


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"earn_permil": 5}, "earn_permil", "Extra inputs"),
    ({"referral": {"friend": 5}}, "referral.friend", "Extra inputs"),
    ({"referral": {"within_days": -1}}, "referral.within_days", "greater than or equal"),
    ({"earn_permille": 1001}, "earn_permille", "less than or equal to 1000"),
    ({"timezone": "Moscow"}, "timezone", "not a time zone"),
    (multiplier(code="Vitamins"), "earning.multipliers[0].code", "match pattern"),
    (multiplier(code="m" * 25), "earning.multipliers[0].code", "match pattern"),
    (multiplier(times_percent=-1), "earning.multipliers[0].times_percent", "greater than or"),
    (multiplier(when={"weekdays": [0]}), "earning.multipliers[0].when.weekdays[0]", "greater"),
    (multiplier(when={"hours": "10-14"}), "earning.multipliers[0].when.hours", "10:00-14:30"),
    (multiplier(when={"hours": "24:30-10:00"}), "earning.multipliers[0].when.hours[0]", "1439"),
    (multiplier(when={"hours": "10:00-10:00"}), "earning.multipliers[0].when", "never hold"),
    (
        multiplier(when={"since": "2026-02-01", "until": "2026-01-01"}),
        "earning.multipliers[0].when",
        "before since",
    ),
    (multiplier(when={"tiers": ["gold"]}), "", "there is no tier 'gold'"),
    (
        {"earning": {"multipliers": [{"code": "m", "times_percent": 2}] * 2}},
        "earning.multipliers",
        "stands twice",
    ),
    (
        {"tiers": {"levels": [{"code": "a", "from_minor": 5}, {"code": "b", "from_minor": 5}]}},
        "tiers.levels",
        "from the lowest",
    ),
    ({"tiers": {"when_less": "forget"}}, "tiers.when_less", "'keep', 'step_down' or 'reassess'"),
    ({"earning": {"combine": "sum"}}, "earning.combine", "'best', 'add' or 'multiply'"),
]


@pytest.mark.parametrize(("said", "place", "what"), WRONG, ids=lambda each: str(each)[:40])
def test_what_is_wrong_is_said_with_its_place(said: dict[str, Any], place: str, what: str) -> None:
    wrong = read_document(json.dumps(said))
    assert isinstance(wrong, list)
    [found] = wrong
    assert isinstance(found, Wrong)
    assert found.place == place
    assert what in found.what


def test_what_is_no_json_is_said_too() -> None:
    [wrong] = read_document("{")  # type: ignore[misc]
    assert wrong.place == ""


def test_a_comparison_goes_by_codes_and_leaves_out_what_says_nothing() -> None:
    before = document(**multiplier())
    after = document(
        earn_permille=70,
        earning={
            "multipliers": [
                {"code": "new", "times_percent": 300, "when": {"hours": "8:00-10:00"}},
                {"code": "m", "times_percent": 250},
            ]
        },
    )
    told = {each.place: (each.before, each.after) for each in differences(before, after)}
    assert told["earn_permille"] == (50, 70)
    assert told["earning.multipliers[m].times_percent"] == (200, 250)
    assert told["earning.multipliers[new].when.hours"] == (None, "08:00-10:00")
    assert not any("skus" in place for place in told)
    assert differences(after, after) == []
