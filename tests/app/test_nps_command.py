"""`kapsula nps report` as a marketer types it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from app.database import database
from loyalty.models import Shop, SurveySheet
from tests.app.test_commands import refused, said, two_customers, url

__all__ = ["url"]


def test_the_report(url: str) -> None:
    two_customers(url)
    assert "Nobody has answered" in said(url, "nps", "report")

    async def answer() -> None:
        async with database(url):
            await Shop.create(id=1, code="garden", name="S")
            now = datetime.now(UTC)
            for number, (score, age) in enumerate([(10, 1), (9, 40), (2, 40), (10, 100)]):
                at = now - timedelta(days=age)
                await SurveySheet.create(
                    id=number + 1, key=str(number), survey="nps", customer_id=7001, shop_id=1,
                    asked_at=at, answered_at=at, score=score,
                )  # fmt: skip

    asyncio.run(answer())
    told = json.loads(said(url, "nps", "report", "--json"))
    assert (told["whole"]["asked"], told["whole"]["answers"], told["whole"]["score"]) == (3, 3, 33)
    assert [step["answers"] for step in told["trend"]] == [0, 2, 1]
    assert [(row["shop"], row["detractors"]) for row in told["shops"]] == [("garden", 1)]
    assert told["trend"][0]["score"] is None
    assert "garden" in said(url, "nps", "report", "--days", "120")
    assert "400 steps" in refused(url, "nps", "report", "--days", "3660", "--every", "1")
