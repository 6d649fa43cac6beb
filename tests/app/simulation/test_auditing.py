"""The daily checks find what they are there to find: each is shown something wrong."""

import random
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.demo.people import people
from app.simulation.afterwards import birthday
from app.simulation.auditing import Auditor, incomplete
from app.simulation.people import Life, lives
from app.simulation.receivers import Arrival
from app.simulation.world import Told, World
from messaging.story import Moment, Story

NOON = datetime(2027, 6, 7, 9, tzinfo=UTC)  # twelve in Moscow
DAY = timedelta(days=1)


class Checked:
    """An auditor who knows two customers; one of them has agreed to advertising."""

    def __init__(self) -> None:
        rules = SimpleNamespace(timezone="Europe/Moscow")
        world = SimpleNamespace(
            now=NOON, house=SimpleNamespace(programme=SimpleNamespace(rules=rules))
        )
        self.auditor = Auditor(cast(World, world))
        crowd = people(60, chance=random.Random(4), now=NOON, days=30)
        in_chat = [each for each in lives(crowd, seed=4) if each.front == "telegram"]
        self.life = next(each for each in in_chat if each.agreed)
        self.stranger = next(each for each in in_chat if not each.agreed)
        for life in (self.life, self.stranger):
            self.auditor.meet(life)

    def gets(
        self, at: datetime, message_id: int, *, life: Life | None = None, where: str = "telegram",
        **changes: Any,
    ) -> None:  # fmt: skip
        told: dict[str, Any] = {
            "attempt_id": message_id, "message_id": message_id, "topic": "marketing",
            "kind": "offer", "source": "mailing:1", "template": "offer",
            "dedupe_key": f"mailing:1:{message_id}", "urgent": False,
        }  # fmt: skip
        arrival = Arrival(
            at=at, address_kind=where, address="7", reference=str(message_id), text=""
        )
        self.auditor.arrived(life or self.life, arrival, Told(**(told | changes)))

    @property
    def wrong(self) -> dict[str, int]:
        return dict(self.auditor.findings.wrong)


@pytest.fixture
def checked() -> Checked:
    return Checked()


def test_what_is_as_promised_is_not_complained_about(checked: Checked) -> None:
    for number, day in enumerate((0, 1, 8, 9, 16, 30)):
        checked.gets(NOON + day * DAY, number)
    checked.gets(NOON + 31 * DAY, 9, topic="service", urgent=True)
    checked.gets(NOON.replace(hour=22) + 31 * DAY, 10, topic="service", urgent=True)
    assert checked.wrong == {}
    assert checked.auditor.findings.checked["caps"] == 6 * 3


@pytest.mark.parametrize(
    ("hours", "broken"),
    [
        ((0, 23), "marketing, a day"),
        ((0, 25, 6 * 24), "marketing, a week"),
        ((0, 25, 8 * 24, 10 * 24, 16 * 24, 29 * 24), "marketing, 30 days"),
    ],
)
def test_a_cap_that_is_not_kept_is_found(
    checked: Checked, hours: tuple[int, ...], broken: str
) -> None:
    for number, hour in enumerate(hours):
        at = NOON + timedelta(hours=hour)
        checked.life.quiet = (0, 0)
        checked.gets(at, number)
    assert checked.wrong == {f"cap violated ({broken})": 1}


def test_what_she_has_chosen_herself_is_checked_too(checked: Checked) -> None:
    checked.life.weekly_max, checked.life.quiet = 1, (12 * 60, 13 * 60)
    checked.gets(NOON, 1)
    checked.gets(NOON.replace(hour=20) + 2 * DAY, 2)
    assert checked.wrong == {"woke somebody": 1, "cap violated (her own)": 1}


def test_a_second_question_within_90_days_is_found(checked: Checked) -> None:
    checked.gets(NOON, 1, topic="survey", kind="nps")
    checked.gets(NOON + 89 * DAY, 2, topic="survey", kind="nps")
    assert checked.wrong == {"cap violated (NPS, 90 days)": 1}


def test_the_same_message_by_a_second_channel_presses_once(checked: Checked) -> None:
    checked.gets(NOON, 1)
    arrival = Arrival(at=NOON, address_kind="phone", address="+7", reference="1", text="")
    told = Told(
        attempt_id=2, message_id=1, topic="marketing", kind="offer", source="", template="offer",
        dedupe_key="x", urgent=False,
    )  # fmt: skip
    checked.auditor.arrived(checked.life, arrival, told)
    assert checked.wrong == {}


def test_what_comes_twice_is_found(checked: Checked) -> None:
    checked.gets(NOON, 1, topic="service")
    checked.gets(NOON, 1, topic="service")
    assert checked.wrong == {"came twice": 1}


def test_a_step_in_two_messages_is_found(checked: Checked) -> None:
    for number in (1, 2):
        checked.gets(NOON + number * DAY, number, topic="service", dedupe_key="journey:5:thanks")
    assert checked.wrong == {"journey step twice": 1}


@pytest.mark.parametrize("hour_utc", [18, 23, 3, 5])
def test_who_is_woken_is_found(checked: Checked, hour_utc: int) -> None:
    checked.gets(NOON.replace(hour=hour_utc), 1, topic="service")
    assert checked.wrong == {"woke somebody": 1}


def test_advertising_that_is_not_wanted_is_found(checked: Checked) -> None:
    checked.gets(NOON, 1, life=checked.stranger)
    assert checked.wrong == {"advertised without consent": 1}
    checked.life.stopped["email"] = int(NOON.timestamp() * 1e6)
    checked.gets(NOON + DAY, 2)
    assert "advertised after she had left" not in checked.wrong
    checked.gets(NOON + 3 * DAY, 3, where="email")
    assert checked.wrong["advertised after she had left"] == 1
    checked.life.blocked = True
    checked.gets(NOON + 10 * DAY, 4)
    assert checked.wrong["came through a blocked bot"] == 1


def test_what_nobody_has_sent_is_found(checked: Checked) -> None:
    arrival = Arrival(at=NOON, address_kind="phone", address="+7", reference="1", text="")
    checked.auditor.arrived(checked.life, arrival, None)
    assert checked.wrong == {"came from nowhere": 1}


def _story(state: str, reason: str, *moments: tuple[str, str]) -> Story:
    told = [Moment(NOON, what, why, {}) for what, why in moments]
    return Story(
        message_id=1, dedupe_key="a:1", source="", customer_id=1, topic="service", template="t",
        state=state, reason=reason, created_at=NOON, not_before=NOON, expires_at=None, cost=0,
        moments=told,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("story", "missing"),
    [
        (_story("sent", "", ("decided: send", ""), ("tried", ""), ("answered: sent", "")), []),
        (_story("skipped", "expired", ("decided: skip", "expired")), []),
        (_story("sent", "", ("decided: send", "")), ["the try by which it went"]),
        (_story("skipped", "", ("decided: skip", "late")), ["why it was skipped"]),
        (_story("failed", "blocked"), ["any decision"]),
        (_story("skipped", "late", ("decided: wait", ""), ("decided: skip", "late")),
         ["why it waited"]),
    ],
)  # fmt: skip
def test_a_message_that_hides_something_is_found(story: Story, missing: list[str]) -> None:
    assert incomplete(story) == missing


@pytest.mark.parametrize(
    ("year", "celebrated"), [(2027, date(2027, 2, 28)), (2028, date(2028, 2, 29))]
)
def test_who_was_born_on_29_february_has_a_birthday_each_year(year: int, celebrated: date) -> None:
    assert birthday(date(1988, 2, 29), year) == celebrated
