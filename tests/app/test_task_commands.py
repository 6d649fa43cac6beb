"""`kapsula tasks` as an operator types it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from app.database import database
from messaging.tasks import NewTask, open_tasks
from tests.app.test_commands import refused, said, two_customers, url

__all__ = ["url"]


def test_a_task_from_the_list_to_its_end(url: str) -> None:
    two_customers(url)

    async def make() -> None:
        async with database(url):
            now = datetime.now(UTC)
            due = now - timedelta(minutes=1)
            new = NewTask(
                key="t", kind="win_back", customer_id=7001, why="[Год] без покупок", due_at=due
            )
            await open_tasks([new], at=now)

    asyncio.run(make())
    [row] = json.loads(said(url, "tasks", "list", "--json"))
    assert (row["customer"], row["phone"], row["late"]) == ("К1", "+79001234561", True)
    assert "[Год] без покупок" in said(url, "tasks", "list")
    assert "olga's" in said(url, "tasks", "take", row["id"], "--by", "olga")
    assert "task_taken (by: olga)" in refused(url, "tasks", "take", row["id"], "--by", "ivan")
    wrong = ("tasks", "done", row["id"], "--by", "olga", "--outcome", "fled")
    assert "invalid_task (field: outcome)" in refused(url, *wrong)
    assert "is done" in said(url, "tasks", "done", row["id"], "--by", "olga", "--note", "Придёт")
    assert "No tasks" in said(url, "tasks", "list")
    [ended] = json.loads(said(url, "tasks", "list", "--done", "--json"))
    assert (ended["outcome"], ended["note"]) == ("reached", "Придёт")
    assert "task_not_found" in refused(url, "tasks", "take", "5", "--by", "ivan")
