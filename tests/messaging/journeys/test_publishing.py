"""What is published and switched, and what that means to those inside, on both databases."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from loyalty.database import query
from messaging.journeys import documents
from messaging.journeys.builtin import HOUSE_JOURNEYS
from messaging.journeys.declaration import DAY, HOUR, ByHand, Check, Journey, Reward, Wait
from messaging.journeys.revisions import HOUSE, publish, publish_house
from messaging.journeys.switches import changes_of, set_switches
from tests.messaging.journeys.stage import Stage, hello, journey


async def test_a_switch_holds_at_once_and_for_those_inside(bare: Stage) -> None:
    declared = journey(Wait(name="w", lasts=9 * DAY), Reward(name="r", points=50), hello())
    await bare.publish(declared)
    anna = await bare.join()
    await bare.settle()
    at = bare.clock.now()
    off = await set_switches(declared, {"is_on": False}, by="olga", at=at)
    assert not off.is_on  # type: ignore[union-attr]
    bob = await bare.join("+79001234568")
    await bare.live(10 * DAY, step=6 * HOUR)
    assert await bare.sent("j") == []
    assert await bare.outcomes("j") == [""], "nobody entered, and who is inside sleeps on"
    on = {"is_on": True, "rewards": {"r": {"points": 70}}}
    await set_switches(declared, on, by="olga", at=at)
    await bare.live(4 * HOUR)
    assert await bare.sent("j") == ["welcome_tour"]
    assert (await bare.programme.ledger.balance(anna)).available == 170  # type: ignore[union-attr]
    assert (await bare.programme.ledger.balance(bob)).available == 100  # type: ignore[union-attr]
    changes = await changes_of("j")
    assert [row["author"] for row in changes] == ["olga", "olga"]
    assert json.loads(changes[-1]["before"])["is_on"] is True


@pytest.mark.parametrize(
    "changes",
    [
        {"delays": {"nowhere": 5}}, {"delays": {"hello": 5}}, {"delays": {"w": -1}},
        {"templates": {"hello": "no_such"}}, {"templates": {"hello": "offer"}},
        {"rewards": {"r": {"permille": 5}}}, {"rewards": {"r": {"points": 0}}},
        {"rewards": {"w": {"points": 5}}}, {"channels": ["pigeon"]},
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_refused(bare: Stage, changes: Mapping[str, Any]) -> None:
    declared = journey(Wait(name="w", lasts=DAY), Reward(name="r", points=50), hello())
    refusal = await set_switches(declared, changes, by="olga", at=bare.clock.now())
    assert refusal.code == "invalid_journey"  # type: ignore[union-attr]
    assert await changes_of("j") == []


async def test_a_revision_lets_those_inside_finish_or_moves_them(bare: Stage) -> None:
    await bare.publish(journey(Wait(name="w", lasts=DAY), hello()))
    await bare.join()
    await bare.settle()
    await bare.publish(journey(Wait(name="w", lasts=DAY), hello("other", "welcome_thanks",
                                                                says="spending")))  # fmt: skip
    await bare.join("+79001234568")
    await bare.live(DAY + HOUR)
    assert await bare.sent("j") == ["welcome_tour", "welcome_thanks"]

    await bare.join("+79001234569")
    await bare.settle()
    moved = journey(Wait(name="w", lasts=DAY), hello("third"), hello("fourth"))
    assert await bare.publish(moved, moves_inside=True) == 3
    await bare.live(DAY + HOUR)
    assert (await bare.sent("j"))[2:] == ["welcome_tour", "welcome_tour"]


async def test_a_step_that_a_moving_revision_lacks_is_finished_by_the_old_one(bare: Stage) -> None:
    await bare.publish(journey(Wait(name="w", lasts=DAY), hello()))
    await bare.join()
    await bare.settle()
    await bare.publish(journey(Wait(name="v", lasts=DAY), hello("other")), moves_inside=True)
    await bare.live(DAY + HOUR)
    assert sorted(await bare.steps("j")) == ["hello=sent", "w=over"]


async def test_a_revision_is_published_once_for_its_key(bare: Stage) -> None:
    one, other = journey(hello()), journey(hello("x"))
    at = bare.clock.now()

    async def put(what: Journey, key: str) -> Any:
        return await publish(what, author="olga", key=key, moves_inside=False, at=at)

    assert [await put(one, "k"), await put(one, "k"), await put(other, "l")] == [1, 1, 2]
    assert (await put(other, "k")).code == "key_reused"
    strange = journey(hello(needs=Check("nobody_knows")))
    assert (await put(strange, "m")).code == "invalid_journey"
    assert await asyncio.gather(*(put(one, "n") for _ in range(5))) == [3] * 5


async def test_the_house_leaves_alone_what_staff_have_published(bare: Stage) -> None:
    at = bare.clock.now()
    count = len(HOUSE_JOURNEYS)
    assert await publish_house(HOUSE_JOURNEYS, at=at) == count
    assert await publish_house(HOUSE_JOURNEYS, at=at) == 0
    changed = HOUSE_JOURNEYS[0]
    await publish(changed, author="olga", key="hers", moves_inside=False, at=at)
    other = Journey(name=changed.name, title=changed.title, trigger=ByHand(), steps=(hello(),))
    assert await publish_house([other], at=at) == 0
    rows = await query("SELECT DISTINCT author FROM journey_revision ORDER BY author")
    assert [row["author"] for row in rows] == [HOUSE, "olga"]


async def test_a_revision_of_a_later_version_is_left_to_those_who_know_it(bare: Stage) -> None:
    await bare.publish(journey(Wait(name="w", lasts=DAY), hello()))
    await bare.join()
    await bare.settle()
    text = documents.encode(journey(Wait(name="w", lasts=DAY), hello(needs=Check("of_tomorrow"))))
    await query(
        "INSERT INTO journey_revision (id, journey, number, document, moves_inside, author, key, "
        "at) VALUES (1, 'j', 2, $1, TRUE, 'kapsula', 'tomorrow', 1)",
        None,
        text,
    )
    await bare.live(DAY + HOUR)
    assert await bare.outcomes("j") == ["finished"], "this version goes on by what it can read"
    await query("UPDATE enrolment SET revision = 2, step = 'hello', ended_at = NULL, outcome = ''")
    await query("DELETE FROM enrolment_step")
    await bare.live(2 * HOUR)
    assert await bare.outcomes("j") == [""], "it sleeps on"
