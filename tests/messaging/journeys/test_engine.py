"""What the engine promises, on both databases: once, on time, and never what is no longer true."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.models import Identity
from messaging.channels.base import Failed
from messaging.journeys import documents
from messaging.journeys.builtin import HOUSE_JOURNEYS
from messaging.journeys.declaration import (
    DAY,
    END,
    HOUR,
    Branch,
    Check,
    Do,
    OnEvent,
    Reward,
    Send,
    Split,
    Wait,
)
from messaging.journeys.engine import Journeys
from messaging.journeys.registry import ENTRIES, WORDS, Around, Entry, entry, unknown, words
from messaging.journeys.stepping import Enrolled
from messaging.notices import EventRow
from messaging.optin import OptIns
from messaging.templates import BOOK
from messaging.wakeups import Wakeups
from tests.messaging.conftest import states
from tests.messaging.journeys.stage import Stage, advice, hello, journey
from tests.messaging.letters import LINKS

MINUTE = timedelta(minutes=1)


async def test_what_the_house_declares_is_known_and_in_both_languages() -> None:
    for each in HOUSE_JOURNEYS:
        assert unknown(each) == []
        assert documents.decode(documents.encode(each)) == each
        assert set(each.title) == set(each.about) == {"ru", "en"}
        for step in each.steps:
            if isinstance(step, Send):
                assert BOOK.template(step.template).languages == ("ru", "en")


async def test_an_event_that_comes_twice_enrols_once(bare: Stage) -> None:
    await bare.publish(journey(hello()))
    anna = await bare.join()
    await bare.settle()
    [event] = await query("SELECT id FROM event WHERE kind = 'customer.joined'")
    await query("UPDATE event SET handled_at = NULL WHERE id = $1", None, event["id"])
    await bare.settle()
    assert await bare.sent("j") == ["welcome_tour"]
    assert await bare.outcomes("j") == ["finished"]
    assert await bare.journeys.enrol("j", [anna, anna], key="x") == 1
    assert await bare.journeys.enrol("j", [anna], key="x") == 0


async def test_an_old_event_starts_nothing(bare: Stage) -> None:
    await bare.publish(journey(hello()))
    anna = await bare.customer()
    await bare.event("customer.joined", anna, bare.clock.now() - DAY - MINUTE)
    await bare.event("customer.joined", anna, bare.clock.now() - DAY + MINUTE)
    await bare.settle()
    assert len(await bare.outcomes("j")) == 1


async def test_the_goal_ends_it_at_once_and_stops_the_message_that_waits(bare: Stage) -> None:
    await bare.publish(
        journey(hello(), Wait(name="w", lasts=DAY), advice(lives=9 * DAY), goal=Check("bought"))
    )
    anna = await bare.join()
    await _fill_the_cap(bare, anna)
    await bare.live(DAY + 2 * HOUR)
    assert (await states())[await _key("advice")] == ("queued", "capped:marketing_week")
    await bare.buys(anna)
    await bare.settle()
    assert await bare.outcomes("j") == ["goal"], "not only when its turn would have come"
    await bare.live(8 * DAY)
    assert (await states())[await _key("advice")] == ("skipped", "goal_reached")
    assert await bare.sent("j") == ["welcome_tour"]


async def test_what_is_no_longer_true_is_not_sent_however_long_it_has_waited(bare: Stage) -> None:
    await bare.publish(
        journey(
            Reward(name="gift", permille=100, title="Скидка", live_days=20),
            Send(name="code", template="welcome_code", needs=Check("code_unused"), lives=15 * DAY),
        )
    )
    anna = await bare.join()
    await _fill_the_cap(bare, anna)
    await bare.settle()
    assert (await states())[await _key("code")] == ("queued", "capped:marketing_week")
    await query("UPDATE promo_code SET taken = 1")
    await bare.live(8 * DAY, step=4 * HOUR)
    assert (await states())[await _key("code")] == ("skipped", "goal_reached")
    assert sorted(await bare.steps("j")) == ["code=skipped", "gift=given"]


async def _fill_the_cap(bare: Stage, customer_id: int) -> None:
    """Two advertisements just now: enough for a week."""
    at = to_micros(bare.clock.now())
    for message_id in (1, 2):
        await query(
            "INSERT INTO contact (message_id, customer_id, topic, kind, channel, at) "
            f"VALUES ({message_id}, {customer_id}, 'marketing', '', 'sms', {at})"
        )


async def _key(step: str) -> str:
    [row] = await query("SELECT id FROM enrolment WHERE journey = 'j'")
    return f"journey:{row['id']}:{step}"


async def test_a_purchase_that_was_cancelled_is_no_goal(bare: Stage) -> None:
    await bare.publish(journey(Wait(name="w", lasts=DAY), hello(), goal=Check("bought")))
    anna = await bare.join()
    await bare.settle()
    bare.clock.advance(MINUTE)
    receipt = await bare.buys(anna, told=False)
    await query("UPDATE receipt SET state = 'cancelled' WHERE id = $1", None, receipt)
    await bare.live(DAY + HOUR)
    assert await bare.sent("j") == ["welcome_tour"]


@pytest.mark.parametrize(
    ("trouble", "edge"),
    [("none", "sent"), ("no consent", "skipped"), ("blocked", "failed"), ("capped", "capped")],
)
async def test_a_message_tells_its_journey_how_it_ended(
    bare: Stage, trouble: str, edge: str
) -> None:
    ends = {"sent": "was_sent", "skipped": "was_skipped", "failed": "was_failed",
            "capped": "was_capped"}  # fmt: skip
    await bare.publish(
        journey(
            advice(lives=2 * DAY, on=ends),
            *(Wait(name=name, lasts=HOUR, on={"over": END}) for name in ends.values()),
        )
    )
    anna = await bare.join(marketing=trouble != "no consent")
    if trouble == "blocked":
        for channel in (bare.channel, bare.sms):
            channel.answers.append(Failed("blocked", permanent=True))
    if trouble == "capped":
        await _fill_the_cap(bare, anna)
    await bare.live(3 * DAY)
    assert await bare.steps("j") == [f"advice={edge}", f"was_{edge}=over"]


async def test_a_reaction_chooses_the_way(bare: Stage) -> None:
    await bare.publish(
        journey(
            hello(),
            Wait(name="w", lasts=DAY),
            Branch(name="seen", asks=Check("read", "hello"), on={"yes": "more"}),
            hello("again"),
            hello("more", "welcome_thanks", says="spending"),
        )
    )
    first = await bare.join("+79001234567")
    await bare.settle()
    await bare.read_all()
    await bare.join("+79001234568")
    await bare.live(DAY + HOUR)
    rows = await query(
        "SELECT e.customer_id, s.step, s.edge FROM enrolment_step s "
        "JOIN enrolment e ON e.id = s.enrolment_id WHERE s.step = 'seen'"
    )
    assert {row["customer_id"] == first: row["edge"] for row in rows} == {True: "yes", False: "no"}


async def test_a_wait_ends_when_what_it_waits_for_happens(bare: Stage) -> None:
    heard = Check("heard", "survey.answered:nps")
    await bare.publish(
        journey(Wait(name="w", lasts=9 * DAY, unless=heard, on={"over": END}), hello())
    )
    anna = await bare.join()
    await bare.live(HOUR)
    await bare.event("survey.answered", anna, bare.clock.now(), survey="interests")
    await bare.settle()
    assert await bare.steps("j") == []
    await bare.event("survey.answered", anna, bare.clock.now(), survey="nps")
    await bare.settle()
    assert sorted(await bare.steps("j")) == ["hello=sent", "w=so"]


async def test_what_was_before_is_not_heard(bare: Stage) -> None:
    await bare.publish(
        journey(Wait(name="w", lasts=DAY), hello(), leave=(Check("heard", "site.order"),))
    )
    anna = await bare.customer()
    await bare.event("site.order", anna, bare.clock.now() - MINUTE)
    await bare.event("customer.joined", anna, bare.clock.now())
    await bare.live(DAY + HOUR)
    assert await bare.outcomes("j") == ["finished"]


async def test_a_gift_is_given_once_and_the_words_know_it(bare: Stage) -> None:
    await bare.publish(
        journey(Reward(name="r", points=70, live_days=10), Send(name="s", template="gift"))
    )
    anna = await bare.join()
    await bare.settle()
    [row] = await query("SELECT id FROM enrolment")
    assert "70 бонусов" in bare.channel.texts[-1].replace("\xa0", " ")
    await query(
        "UPDATE enrolment SET step = 'r', begun = FALSE, ended_at = NULL, outcome = '' "
        "WHERE id = $1",
        None,
        row["id"],
    )
    await query("DELETE FROM enrolment_step")
    await bare.settle()
    balance = await bare.programme.ledger.balance(anna)
    assert balance.available == 170, "100 of the welcome, and the gift once"  # type: ignore[union-attr]
    assert await bare.sent("j") == ["gift"]


async def test_after_a_day_of_downtime_late_ones_are_spread_and_stale_ones_left_out(
    bare: Stage,
) -> None:
    await bare.publish(
        journey(
            Wait(name="w", lasts=HOUR), hello("soon", late_max=2 * HOUR), hello(late_max=3 * DAY)
        )
    )
    people = [await bare.customer() for _ in range(40)]
    assert await bare.journeys.enrol("j", people, key="x") == 40
    await bare.settle()
    bare.clock.advance(DAY)
    await bare.journeys.drain()
    rows = await query("SELECT not_before FROM message")
    now = to_micros(bare.clock.now())
    minutes = [(row["not_before"] - now) // 60_000_000 for row in rows]
    assert len(minutes) == 40
    assert max(minutes) < 120
    assert len({minute // 30 for minute in minutes}) == 4, "over two hours, not at once"
    steps = await bare.steps("j")
    assert steps.count("soon=late") == 40


async def test_a_split_tells_the_words_its_arm(bare: Stage) -> None:
    await bare.publish(
        journey(
            Split(name="s", arms={"warm": 1, "curious": 1}),
            Send(name="m", template="reactivation_hello"),
        )
    )
    people = [await bare.customer() for _ in range(30)]
    await bare.journeys.enrol("j", people, key="x")
    await bare.journeys.drain()
    arms = [json.loads(row["context"])["arm"] for row in await query("SELECT context FROM message")]
    assert 5 < arms.count("warm") < 25


async def test_who_is_gone_leaves(bare: Stage) -> None:
    await bare.publish(journey(Wait(name="w", lasts=DAY), hello()))
    anna = await bare.join()
    await bare.settle()
    await query("UPDATE customer SET erased_at = 1 WHERE id = $1", None, anna)
    await bare.live(DAY + HOUR)
    assert await bare.outcomes("j") == ["gone"]


@pytest.fixture
def breaking_words() -> Any:
    """Words that break for one customer, registered for a test."""
    broken: set[int] = set()

    @words("breaking")
    async def breaking(enrolled: Sequence[Enrolled], _around: Around) -> Mapping[int, Any]:
        if any(each.customer_id in broken for each in enrolled):
            raise ZeroDivisionError
        return {each.id: {} for each in enrolled}

    yield broken
    del WORDS["breaking"]


async def test_one_who_breaks_her_batch_is_put_off_and_the_others_go_on(
    bare: Stage, breaking_words: set[int]
) -> None:
    await bare.publish(journey(hello(says="breaking")))
    people = [await bare.customer() for _ in range(5)]
    breaking_words.add(people[2])
    await bare.journeys.enrol("j", people, key="x")
    await bare.settle()
    assert len(await bare.sent("j")) == 4
    breaking_words.clear()
    await bare.live(3 * HOUR)
    assert len(await bare.sent("j")) == 5


async def test_many_workers_take_each_step_once(db: str, bare: Stage) -> None:
    await bare.publish(
        journey(Reward(name="r", points=10), hello(), Wait(name="w", lasts=HOUR), hello("last"))
    )
    people = [await bare.customer() for _ in range(60)]
    await bare.journeys.enrol("j", people, key="x")
    workers = [Journeys(bare.clock, bare.programme) for _ in range(4)]

    async def work(each: Journeys) -> None:
        while await each.wake_some(limit=7):
            pass

    await asyncio.gather(*map(work, workers))
    await bare.live(2 * HOUR)
    assert await bare.outcomes("j") == ["finished"] * 60
    assert len(await bare.sent("j")) == 120
    balances = [await bare.programme.ledger.balance(i) for i in people]
    assert {balance.available for balance in balances} == {10}  # type: ignore[union-attr]


@pytest.fixture
def breaking_entry() -> Any:
    """An entry that breaks upon the events of some customers, registered for a test."""
    broken: set[int] = set()

    @entry("breaking")
    async def breaking(happened: Sequence[EventRow], around: Around) -> Sequence[Entry]:
        if any(event.customer_id in broken for event in happened):
            raise ZeroDivisionError
        return await ENTRIES["each"](happened, around)

    yield broken
    del ENTRIES["breaking"]


async def test_an_event_that_nobody_can_hear_stops_none_behind_it(
    bare: Stage, breaking_entry: set[int]
) -> None:
    trigger = OnEvent(kinds=("customer.joined",), entry="breaking")
    await bare.publish(journey(hello(), trigger=trigger))
    people = [await bare.join(f"+7900123456{n}") for n in range(5)]
    breaking_entry.add(people[2])
    await bare.settle()
    assert len(await bare.sent("j")) == 4
    assert await query("SELECT 1 FROM event WHERE handled_at IS NULL") == []


async def test_who_gave_an_address_before_is_asked_to_confirm_it(bare: Stage) -> None:
    ask = Do(name="confirm", action="confirm_email", ends=("done", "needless"))
    await bare.publish(journey(ask))
    anna, bob = await bare.customer(), await bare.customer()
    await Identity.create(customer_id=anna, kind="email", value="anna@shop.example", proof="staff",
                          created_at=bare.clock.now())  # fmt: skip
    opt_ins = OptIns(
        bare.clock, bare.programme.customers, LINKS, Wakeups(), programme_name="Капсула"
    )
    journeys = Journeys(bare.clock, bare.programme, opt_ins=opt_ins)
    await journeys.enrol("j", [anna, bob], key="x")
    await journeys.drain()
    assert sorted(await bare.steps("j")) == ["confirm=done", "confirm=needless"]
    letters = await query("SELECT address FROM message WHERE template = 'email_opt_in'")
    assert [row["address"] for row in letters] == ["anna@shop.example"]
