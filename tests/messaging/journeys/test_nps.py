"""NPS lived through: asked once in 90 days, a task for the unhappy, friends for the glad."""

from datetime import timedelta

from loyalty.database import query
from loyalty.nps import nps_report
from messaging import tasks
from tests.messaging.journeys.stage import HOUR, Stage

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


async def sheets() -> list[int]:
    return [row["id"] for row in await query("SELECT id FROM survey_sheet ORDER BY id")]


async def asked(stage: Stage) -> tuple[int, int]:
    """Anna has bought and been asked; the sheet."""
    anna = await stage.customer()
    await stage.buys(anna)
    await stage.live(23 * HOUR)
    assert await stage.sent("nps") == []
    await stage.live(2 * HOUR)
    assert await stage.sent("nps") == ["nps_ask"]
    [sheet] = await sheets()
    return anna, sheet


async def test_she_is_asked_a_day_after_by_buttons_that_carry_her_sheet(stage: Stage) -> None:
    _, sheet = await asked(stage)
    body = stage.channel.got[-1].body
    assert "покупку! · Аптека" in body.plain
    assert [len(row) for row in body.buttons] == [6, 5]
    assert [b.leads for b in body.buttons[1]] == [f"ask:{sheet}:score:{n}:1" for n in range(6, 11)]


async def test_it_is_once_in_ninety_days_whatever_she_buys(stage: Stage) -> None:
    anna, _ = await asked(stage)
    for _week in range(12):
        await stage.buys(anna)
        await stage.live(7 * DAY, step=6 * HOUR)
    assert await stage.sent("nps") == ["nps_ask"]
    await stage.live(8 * DAY, step=6 * HOUR)
    await stage.buys(anna)
    await stage.live(2 * DAY)
    assert await stage.sent("nps") == ["nps_ask", "nps_ask"]


async def test_two_receipts_of_a_day_are_one_question(stage: Stage) -> None:
    anna = await stage.customer()
    for _ in range(3):
        await stage.buys(anna)
    await stage.live(10 * DAY, step=6 * HOUR)
    assert await stage.sent("nps") == ["nps_ask"]


async def test_a_cancelled_receipt_asks_nothing(stage: Stage) -> None:
    anna = await stage.customer()
    receipt = await stage.buys(anna)
    await stage.settle()
    await query("UPDATE receipt SET state = 'cancelled' WHERE id = $1", None, receipt)
    await stage.live(2 * DAY)
    assert await stage.sent("nps") == []
    assert await sheets() == []


async def test_an_unhappy_customer_is_a_task_within_the_hour_and_the_loop_is_closed(
    stage: Stage,
) -> None:
    anna, sheet = await asked(stage)
    surveys, answered_at = stage.programme.surveys, stage.clock.now()
    await surveys.answer(sheet, anna, "score", ["3"])
    await surveys.choose(sheet, anna, "why", "queue", wanted=True)
    await stage.live(5 * MINUTE, step=MINUTE)
    assert await stage.outcomes("nps") == ["goal"]
    assert await tasks.waiting() == [], "she may still be writing"
    await surveys.answer(sheet, anna, "words", ["Ждала полчаса"])
    await stage.live(10 * MINUTE, step=MINUTE)
    [task] = await tasks.waiting("detractor")
    assert task.due_at == answered_at + HOUR
    assert task.why == "NPS 3 · Скорость обслуживания · «Ждала полчаса»"
    told = {"outcome": "reached", "answer": "Открыли вторую кассу."}
    await tasks.done(task.id, by="olga", at=stage.clock.now(), **told)
    await stage.settle()
    assert "Мы во всём разобрались.\n\nОткрыли вторую кассу." in stage.channel.texts[-1]
    await stage.live(3 * DAY)
    assert "nps_refer" not in await stage.sent()


async def test_a_slip_of_the_thumb_makes_no_task(stage: Stage) -> None:
    anna, sheet = await asked(stage)
    await stage.programme.surveys.answer(sheet, anna, "score", ["1"])
    await stage.live(2 * MINUTE, step=MINUTE)
    await stage.programme.surveys.answer(sheet, anna, "score", ["10"])
    await stage.live(2 * DAY)
    assert await tasks.waiting() == []
    assert await stage.sent("nps_answer") == ["nps_refer"]


async def test_who_changes_her_mind_to_the_worse_is_called(stage: Stage) -> None:
    anna, sheet = await asked(stage)
    await stage.programme.surveys.answer(sheet, anna, "score", ["10"])
    await stage.live(HOUR)
    await stage.programme.surveys.answer(sheet, anna, "score", ["2"])
    await stage.live(3 * DAY)
    assert [task.why for task in await tasks.waiting()] == ["NPS 2"]
    assert await stage.sent("nps_answer") == []


async def test_a_glad_customer_is_asked_to_bring_a_friend(stage: Stage) -> None:
    anna, sheet = await asked(stage)
    await stage.programme.surveys.answer(sheet, anna, "score", ["9"])
    await stage.programme.surveys.end(sheet, anna)
    await stage.live(3 * DAY)
    assert await stage.sent("nps_answer") == ["nps_refer"]
    code = await stage.programme.referrals.code(anna)
    assert code[:4] in stage.channel.texts[-1]


async def test_a_passive_one_is_left_alone(stage: Stage) -> None:
    anna, sheet = await asked(stage)
    await stage.programme.surveys.answer(sheet, anna, "score", ["8"])
    await stage.live(3 * DAY)
    assert await tasks.waiting() == []
    assert await stage.sent("nps_answer") == []
    assert await stage.outcomes("nps_answer") == ["finished"]


async def test_who_was_not_reached_is_not_counted_as_asked(stage: Stage) -> None:
    start = stage.clock.now()
    reached = await stage.customer()
    deaf = await stage.join("+79001234568", marketing=False)
    for customer in (reached, deaf):
        await stage.buys(customer)
    await stage.live(3 * DAY, step=6 * HOUR)
    assert await stage.sent("nps") == ["nps_ask"]
    assert len(await sheets()) == 2

    async def asked_and_answers() -> tuple[int, int]:
        report = await nps_report(since=start, until=stage.clock.now(), period=DAY)
        return report.asked, report.whole.answers

    assert await asked_and_answers() == (1, 0)
    [unheard] = await query("SELECT id FROM survey_sheet WHERE customer_id = $1", None, deaf)
    await stage.programme.surveys.answer(unheard["id"], deaf, "score", ["7"])
    await stage.live(HOUR)
    assert await asked_and_answers() == (2, 1), "she has got it by whatever way"
