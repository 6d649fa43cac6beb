"""Both are told of the gift for an invitation, each in her own words."""

from datetime import UTC, datetime

import pytest

from messaging.notices import EventRow, Notices
from messaging.templates import Reader, render

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("role", "language", "said"),
    [
        ("friend", "ru", "Подарок за приход по приглашению: 100 бонусов"),
        ("referrer", "ru", "Ваш друг сделал первую покупку. Ваш подарок: 100 бонусов"),
        ("friend", "en", "A gift for coming by invitation: 100 points"),
        ("referrer", "en", "Your friend has made the first purchase. Your gift: 100 points"),
    ],
)
def test_what_she_reads(role: str, language: str, said: str) -> None:
    event = EventRow(5, "referral.rewarded", 7001, AT, {"role": role, "points": 100})
    [draft] = Notices("RUB").drafts(event)
    assert (draft.dedupe_key, draft.customer_id, draft.topic) == (
        "event:5:referral",
        7001,
        "service",
    )
    assert said in render(draft.template, draft.context, Reader(language)).plain
