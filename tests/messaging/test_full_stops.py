"""A Russian date ends in a full stop; a sentence that ends in a date has no second one."""

from datetime import date

import pytest

from messaging.i18n import day, gettext, one_full_stop
from messaging.templates import Reader, render


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("до 1 марта 2026 г..", "до 1 марта 2026 г."),
        ("до <b>1 марта 2026 г.</b>.", "до <b>1 марта 2026 г.</b>"),
        ("до 1 марта 2026 г.. Ждём", "до 1 марта 2026 г. Ждём"),
        ("до 1 марта 2026 г.", "до 1 марта 2026 г."),
        ("до 1 марта 2026 г...", "до 1 марта 2026 г..."),
        ("маг..", "маг.."),
        ("by March 1, 2026.", "by March 1, 2026."),
    ],
)
def test_there_is_one(written: str, read: str) -> None:
    assert one_full_stop(written) == read


def test_in_templates_and_in_the_chat() -> None:
    context = {"programme": "Капсула", "points": 200, "until": "2026-03-01"}
    body = render("birthday", context, Reader("ru"), channel="email")
    assert "г.</b>" in body.html
    assert "г.</b>." not in body.html
    said = gettext("ru", "These points are good until {day}.", day=day("ru", date(2026, 3, 1)))
    assert said.endswith("г.")
    assert not said.endswith("..")
