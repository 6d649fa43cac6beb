"""From a row to the cheapest channel that she really uses, and on to the next one; with reasons."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty import consents
from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.models import Customer, Identity, Receipt, Shop, Till
from messaging.channels.base import Failed, Report, SendResult, Status, Unknown, Words
from messaging.dispatcher import Dispatcher, DispatcherRules
from messaging.notices import Notices
from messaging.outbox import Draft, enqueue
from messaging.statuses import take_reports
from messaging.suppressions import Suppressed, suppress
from tests.messaging.conftest import ToldChannel, states

pytestmark = pytest.mark.usefixtures("db")
Make = Callable[..., Draft]

MESSENGER_HOURS, MAIL_HOURS = timedelta(hours=4), timedelta(hours=24)
BOTH = (Status.DELIVERED, Status.READ)
RUBLE = 1_000_000


class Priced(ToldChannel):
    def __init__(self, name: str, *kinds: str, price: int, reports: Sequence[Status] = ()) -> None:
        super().__init__(*kinds)
        self.name, self._price, self.reports = name, price, reports

    def price(self, words: Words, address: str) -> int:
        return self._price


class House:
    """Three channels, their prices as in life, and a worker over them."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.messenger = Priced("messenger", "telegram", "webchat", price=0, reports=BOTH)
        self.email = Priced("email", "email", price=RUBLE // 100, reports=BOTH)
        self.sms = Priced("sms", "phone", price=4 * RUBLE, reports=(Status.DELIVERED,))
        self.dispatcher = Dispatcher(
            clock, self.channels, Notices("RUB"), rules=DispatcherRules(concurrency=16)
        )

    @property
    def channels(self) -> list[Priced]:
        return [self.messenger, self.email, self.sms]

    async def works(self, **later: float) -> list[str]:
        """By which channels messages have gone so far, `later` than now."""
        self.clock.advance(timedelta(**later))
        await self.dispatcher.drain()
        tries = await query("SELECT channel FROM attempt ORDER BY id")
        return [row["channel"] for row in tries]

    def answers(self, **by_channel: SendResult) -> None:
        for name, answer in by_channel.items():
            getattr(self, name).answers.append(answer)

    async def hears(self, status: Status) -> None:
        """The provider of the latest try tells this of it."""
        [row] = await query("SELECT MAX(id) AS id FROM attempt")
        report = Report(
            channel="", status=status, at=to_micros(self.clock.now()), attempt_id=row["id"]
        )
        await take_reports([report])


@pytest.fixture
def house(clock: VirtualClock) -> House:
    return House(clock)


@pytest.fixture
def draft(code: Make) -> Make:
    def make(customer_id: int, key: str = "m", **fields: Any) -> Draft:
        hers = {"customer_id": customer_id, "address_kind": "", "address": ""}
        welcome = {"template": "welcome", "context": {"programme": "Капсула", "points": 0}}
        return code(key, **hers | welcome | fields)

    return make


async def anna(*kinds: str, marketing: bool = True) -> int:
    """A customer with these addresses, all of them proven; she likes advertising."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    customer = await Customer.create(name="Анна", joined_at=now)
    values = {"email": "anna@example.org", "phone": "+79001234567"}
    for kind in kinds:
        await Identity.create(
            customer=customer, kind=kind, value=values.get(kind, f"{customer.id}"),
            proof="one_time_code", created_at=now,
        )  # fmt: skip
    await consents.record(
        customer.id, now, purpose="marketing", channel="", granted=marketing, source="webchat",
        wording="1",
    )  # fmt: skip
    return customer.id


async def reason() -> tuple[str, str]:
    [found] = (await states()).values()
    return found


async def told() -> dict[str, Any]:
    """What the latest decision stood on."""
    rows = await query("SELECT details FROM decision ORDER BY id DESC LIMIT 1")
    return dict(json.loads(rows[0]["details"]))


ALL = ("telegram", "email", "phone")


@pytest.mark.parametrize(
    ("kinds", "channel"),
    [
        (ALL, "messenger"),
        (("email", "phone"), "email"),
        (("phone",), "sms"),
    ],
)
async def test_the_cheapest_that_she_has(
    house: House, draft: Make, kinds: tuple[str, ...], channel: str
) -> None:
    await enqueue([draft(await anna(*kinds))], at=house.clock.now())
    assert await house.works() == [channel]


async def test_a_channel_that_she_does_not_look_at_is_not_used(house: House, draft: Make) -> None:
    her = await anna(*ALL)
    await query("INSERT INTO habit (customer_id, channel, sent, seen) VALUES ($1, $2, $3, $4)",
                None, her, "messenger", 100, 0)  # fmt: skip
    await enqueue([draft(her)], at=house.clock.now())
    assert await house.works() == ["email"]
    standings = {each["route"]: each["standing"] for each in (await told())["routes"]}
    assert standings == {
        "email": "chosen", "sms": "dearer", "messenger": "hardly_used",
    }  # fmt: skip


async def test_the_message_names_the_channels_it_may_take(house: House, draft: Make) -> None:
    await enqueue([draft(await anna(*ALL), channels=("sms", "webpush"))], at=house.clock.now())
    assert await house.works() == ["sms"]


async def test_what_it_may_cost_is_not_exceeded(house: House, draft: Make) -> None:
    await enqueue([draft(await anna("phone"), cost_max=3 * RUBLE)], at=house.clock.now())
    assert await house.works() == []
    assert await reason() == ("skipped", "too_dear")
    assert (await told())["routes"][0]["standing"] == "too_dear"


async def test_the_next_channel_takes_over_when_nobody_has_read_it(
    house: House, draft: Make
) -> None:
    await enqueue([draft(await anna(*ALL), wants="read")], at=house.clock.now())
    assert await house.works() == ["messenger"]
    assert await house.works(hours=3.9) == ["messenger"]
    assert await house.works(hours=0.2) == ["messenger", "email"]
    assert await house.works(hours=23) == ["messenger", "email"]
    assert await house.works(hours=2) == ["messenger", "email", "sms"]
    assert await house.works(days=9) == ["messenger", "email", "sms"]
    assert await reason() == ("sent", "")


async def test_what_has_been_read_is_not_sent_again(house: House, draft: Make) -> None:
    await enqueue([draft(await anna(*ALL), wants="read")], at=house.clock.now())
    await house.works()
    await house.hears(Status.DELIVERED)
    await house.works(hours=5)
    assert await house.works() == ["messenger", "email"], "delivered is not read"
    await house.hears(Status.READ)
    assert await house.works(days=3) == ["messenger", "email"]


async def test_an_unknown_outcome_is_given_its_deadline_and_never_repeated(
    house: House, draft: Make
) -> None:
    house.answers(messenger=Unknown("no_answer"))
    await enqueue([draft(await anna("telegram", "email"), wants="read")], at=house.clock.now())
    assert await house.works(hours=1) == ["messenger"]
    assert await reason() == ("unknown", "no_answer")
    assert await house.works(hours=4) == ["messenger", "email"]


async def test_no_more_reach_is_bought_than_was_asked_for(house: House, draft: Make) -> None:
    """The messenger alone is seen with a probability of 0.7."""
    her = await anna(*ALL)
    await enqueue([draft(her, wants="read", reach_permille=650)], at=house.clock.now())
    await house.works()
    assert await house.works(days=3) == ["messenger"]


async def test_a_hard_failure_goes_on_at_once(house: House, draft: Make) -> None:
    house.answers(messenger=Failed("blocked", permanent=True), email=Failed("bounced", True))
    await enqueue([draft(await anna(*ALL))], at=house.clock.now())
    assert await house.works() == ["messenger", "email", "sms"]
    assert await reason() == ("sent", "")


async def test_a_bounce_that_comes_later_goes_on_too(house: House, draft: Make) -> None:
    await enqueue([draft(await anna("email", "phone"))], at=house.clock.now())
    assert await house.works() == ["email"]
    await house.hears(Status.BOUNCED)
    assert await house.works(minutes=1) == ["email", "sms"]


async def test_what_came_back_from_everywhere_has_failed(house: House, draft: Make) -> None:
    await enqueue([draft(await anna("email"))], at=house.clock.now())
    await house.works()
    await house.hears(Status.BOUNCED)
    assert await house.works(minutes=1) == ["email"]
    assert await reason() == ("failed", "bounced")


async def test_temporary_troubles_without_end_are_hard_at_last(house: House, draft: Make) -> None:
    house.answers(**{})
    house.email.answers = [Failed("greylisted", permanent=False)] * 8
    await enqueue([draft(await anna("email", "phone"))], at=house.clock.now())
    for _ in range(10):
        await house.works(minutes=13)
    assert await house.works() == ["email"] * 8 + ["sms"]


async def test_before_a_fallback_everything_is_asked_again(house: House, draft: Make) -> None:
    her = await anna(*ALL)
    await enqueue([draft(her, wants="read", topic="marketing")], at=house.clock.now())
    assert await house.works() == ["messenger"]
    await consents.record(
        her, house.clock.now(), purpose="marketing", channel="", granted=False, source="webchat",
        wording="1",
    )  # fmt: skip
    assert await house.works(hours=5) == ["messenger"]
    assert await reason() == ("sent", "no_fallback:consent_withdrawn")
    assert (await told())["closed"] == {"email": "consent_withdrawn", "sms": "consent_withdrawn"}


async def test_a_fallback_presses_once(house: House, draft: Make) -> None:
    her = await anna(*ALL)
    await enqueue([draft(her, wants="read", topic="marketing")], at=house.clock.now())
    await house.works()
    assert await house.works(hours=5) == ["messenger", "email"], "its own contact does not bind it"
    assert len(await query("SELECT 1 FROM contact")) == 1
    await enqueue([draft(her, "other", topic="marketing")], at=house.clock.now())
    assert await house.works() == ["messenger", "email"]
    assert (await states())["other"] == ("queued", "capped:marketing_day")


async def test_who_has_bought_needs_no_reminder(house: House, draft: Make) -> None:
    her = await anna(*ALL)
    await enqueue([draft(her, wants="read", goal="purchase")], at=house.clock.now())
    await house.works()
    await bought(her, house.clock.now() + timedelta(hours=1))
    assert await house.works(hours=5) == ["messenger"]
    assert await reason() == ("sent", "no_fallback:goal_reached")


async def bought(customer_id: int, at: datetime) -> None:
    shop = await Shop.create(code="s", name="s")
    await Receipt.create(
        customer_id=customer_id, till=await Till.create(shop=shop, code="t", name="t"),
        number="1", state="committed", at=at, recorded_at=at, total_minor=1, paid_minor=1,
        spent_points=0, earned_points=0, key="1", fingerprint=b"", answer="{}",
    )  # fmt: skip


async def test_each_channel_has_its_own_yes(house: House, draft: Make) -> None:
    her = await anna(*ALL, marketing=False)
    for channel in ("sms", "email"):
        await consents.record(
            her, house.clock.now(), purpose="marketing", channel=channel, granted=True,
            source="webchat", wording="1",
        )  # fmt: skip
    await Identity.filter(customer_id=her, kind="email").update(proof="imported")
    await enqueue([draft(her, topic="marketing")], at=house.clock.now())
    assert await house.works() == ["sms"]
    assert (await told())["closed"] == {
        "messenger": "consent_withdrawn", "email": "opt_in_missing",
    }  # fmt: skip


async def test_suppressed_advertising_is_no_suppressed_service(house: House, draft: Make) -> None:
    her = await anna("email")
    gone = Suppressed(
        address_kind="email", address="anna@example.org", reason="unsubscribed", topic="marketing"
    )
    await suppress([gone], at=house.clock.now())
    await enqueue([draft(her, "ad", topic="marketing"), draft(her, "code")], at=house.clock.now())
    assert await house.works() == ["email"]
    assert await states() == {"ad": ("skipped", "suppressed:unsubscribed"), "code": ("sent", "")}


async def test_at_night_it_waits_for_the_morning_unless_it_is_urgent(
    house: House, draft: Make
) -> None:
    """The clock stands at 12:00 in Moscow; the night begins at 21:00 and ends at 9:00."""
    her = await anna(*ALL)
    house.clock.advance(timedelta(hours=10))
    await enqueue([draft(her), draft(her, "urgent", urgent=True)], at=house.clock.now())
    assert await house.works() == ["messenger"]
    assert await states() == {"m": ("queued", "quiet_hours"), "urgent": ("sent", "")}
    assert await house.works(hours=10.9) == ["messenger"]
    assert await house.works(hours=0.7) == ["messenger", "messenger"]


async def test_her_own_night_is_longer(house: House, draft: Make) -> None:
    her = await anna(*ALL)
    await query(
        "INSERT INTO preference (customer_id, quiet_from, quiet_until, updated_at) "
        "VALUES ($1, $2, $3, 0)", None, her, 60 * 10, 60 * 14,
    )  # fmt: skip
    await enqueue([draft(her)], at=house.clock.now())
    assert await house.works() == []
    assert await house.works(hours=2.6) == ["messenger"]


async def test_the_most_worth_goes_first_and_the_rest_wait_for_their_turn(
    house: House, draft: Make
) -> None:
    """Claimed one by one, and still decided together."""
    worker = Dispatcher(
        house.clock, house.channels, Notices("RUB"), rules=DispatcherRules(concurrency=1)
    )
    her = await anna("telegram")
    drafts = [
        draft(her, f"{value}", topic="marketing", value=value, context=_gift(value))
        for value in (1, 3, 2)
    ]
    await enqueue(drafts, at=house.clock.now())
    await worker.drain()
    assert [text.splitlines()[1] for text in house.messenger.texts] == ["Дарим вам: 3 бонуса"]
    assert await states() == {
        "1": ("queued", "capped:marketing_day"),
        "2": ("queued", "capped:marketing_day"),
        "3": ("sent", ""),
    }
    house.clock.advance(timedelta(days=1, seconds=3))
    await worker.drain()
    assert (await states())["2"] == ("sent", "")


def _gift(value: int) -> dict[str, Any]:
    return {"programme": "Капсула", "points": value}


async def test_a_survey_goes_before_advertising(house: House, draft: Make) -> None:
    her = await anna("telegram")
    await query("INSERT INTO preference (customer_id, weekly_max, updated_at) VALUES ($1, 1, 0)",
                None, her)  # fmt: skip
    await enqueue(
        [draft(her, "ad", topic="marketing", value=9), draft(her, "nps", topic="survey")],
        at=house.clock.now(),
    )
    await house.works()
    assert await states() == {"ad": ("queued", "capped:her_own"), "nps": ("sent", "")}


async def test_who_cannot_be_reached_stands_in_nobodys_way(house: House, draft: Make) -> None:
    """The more valuable one has no way to go: the other one goes now, not tomorrow."""
    her = await anna("telegram")
    await enqueue(
        [
            draft(her, "sms", topic="marketing", value=9, channels=("sms",)),
            draft(her, "chat", topic="marketing"),
        ],
        at=house.clock.now(),
    )
    await house.works()
    assert await states() == {"sms": ("skipped", "no_address"), "chat": ("sent", "")}


async def test_while_a_provider_is_down_only_the_urgent_takes_another_way(
    house: House, draft: Make
) -> None:
    house.messenger.answers = [Failed("provider_down", False, provider_down=True)] * 5
    for n in range(5):
        await enqueue([draft(await anna("telegram"), f"{n}")], at=house.clock.now())
    await house.works()
    her = await anna(*ALL)
    await enqueue([draft(her, "calm"), draft(her, "urgent", urgent=True)], at=house.clock.now())
    assert (await house.works())[5:] == ["email"]
    found = await states()
    assert (found["calm"], found["urgent"]) == (("queued", "provider_down"), ("sent", ""))


async def test_the_provider_gives_up_before_the_next_channel_begins(
    house: House, draft: Make
) -> None:
    await enqueue([draft(await anna(*ALL), wants="read")], at=house.clock.now())
    await house.works()
    assert house.messenger.got[0].ttl_s == MESSENGER_HOURS.total_seconds()


async def test_the_story_tells_what_was_considered(house: House, draft: Make) -> None:
    await enqueue([draft(await anna("telegram", "phone"), wants="read")], at=house.clock.now())
    await house.works()
    details = await told()
    assert details["channel"] == "messenger"
    assert details["because"] == "surest"
    assert {each["route"]: each["worst"] for each in details["routes"]} == {
        "messenger": 0, "sms": 4 * RUBLE, "messenger > sms": 4 * RUBLE,
    }  # fmt: skip
