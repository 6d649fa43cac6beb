"""The journeys of the house, lived through on a virtual clock, on both databases."""

from datetime import date, timedelta

import pytest

from loyalty.database import query
from tests.messaging.journeys.stage import Stage

DAY = timedelta(days=1)


async def test_welcome_goes_on_for_a_week_and_a_code_ends_it(stage: Stage) -> None:
    await stage.join()
    await stage.live(timedelta(hours=1), step=timedelta(minutes=1))
    assert await stage.sent("welcome") == ["welcome_thanks"]
    await stage.live(8 * DAY)
    assert await stage.sent("welcome") == [
        "welcome_thanks", "welcome_advice", "welcome_tour", "welcome_code"
    ]  # fmt: skip
    assert "скидка" in stage.channel.texts[-1].lower()
    await stage.live(20 * DAY, step=6 * timedelta(hours=1))
    assert (await stage.sent("welcome"))[-1] == "promo_expiring"
    assert await stage.outcomes("welcome") == ["finished"]
    assert "noticed=no" in await stage.steps("welcome")


async def test_who_has_bought_gets_no_code_for_a_first_purchase(stage: Stage) -> None:
    anna = await stage.join()
    await stage.live(3 * DAY)
    await stage.buys(anna)
    await stage.live(5 * DAY)
    assert "welcome_code" not in await stage.sent("welcome")
    assert await stage.outcomes("welcome") == ["finished"]


@pytest.mark.parametrize(
    ("born_on", "on"),
    [
        (date(1990, 3, 12), date(2026, 3, 12)),
        (date(1992, 2, 29), date(2026, 2, 28)),
        (date(1992, 2, 29), date(2028, 2, 29)),
        (date(1980, 1, 3), date(2027, 1, 3)),
    ],
)
async def test_a_birthday_is_greeted_once_a_week_before(
    stage: Stage, born_on: date, on: date
) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415

    stage.clock.set(datetime.combine(on, datetime.min.time(), UTC) - timedelta(days=10))
    anna = await stage.customer(born_on=born_on)
    await stage.live(2 * DAY)
    assert await stage.sent("birthday") == []
    await stage.live(10 * DAY)
    assert await stage.sent("birthday") == ["birthday"]
    at = (await query("SELECT started_at FROM attempt"))[0]["started_at"]
    local = datetime.fromtimestamp(at / 1_000_000, UTC) + timedelta(hours=3)
    assert local.date() == on - timedelta(days=7)
    balance = await stage.programme.ledger.balance(anna)
    assert balance.available == 200  # type: ignore[union-attr]
    await stage.live(20 * DAY, step=DAY)
    assert await stage.sent("birthday") == ["birthday"]
