"""Tasks for operators: opened once, taken by one, done once, with the customer's telephone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.database import query
from loyalty.models import Identity
from loyalty.refusals import No, Refusal
from messaging import tasks
from messaging.notices import EventRow, Notices
from messaging.tasks import NewTask, open_tasks
from messaging.templates import Reader, render
from tests.messaging.conftest import customer_with

NOW = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)


def task(customer_id: int, key: str = "t:1", **changes: Any) -> NewTask:
    values: dict[str, Any] = {
        "key": key,
        "kind": "win_back",
        "customer_id": customer_id,
        "why": "Не была у нас год",
        "due_at": NOW + timedelta(hours=1),
    }
    return NewTask(**values | changes)


async def opened(customer_id: int, key: str = "t:1", **changes: Any) -> int:
    assert await open_tasks([task(customer_id, key, **changes)], at=NOW) == 1
    [row] = await query("SELECT id FROM task WHERE key = $1", None, key)
    return int(row["id"])


def code(answer: Refusal | None) -> No | None:
    return None if answer is None else answer.code


async def test_a_task_is_opened_once_by_its_key(db: str) -> None:
    anna = await customer_with(("phone", "+79001234567"))
    assert await open_tasks([task(anna), task(anna), task(anna, "t:2")], at=NOW) == 2
    assert await open_tasks([task(anna), task(anna, "t:3")], at=NOW) == 1
    assert await open_tasks([], at=NOW) == 0


async def test_the_soonest_due_comes_first_with_the_telephone_of_now(db: str) -> None:
    anna = await customer_with(("phone", "+79001234567"), ("telegram", "7"))
    await opened(anna)
    await opened(anna, "t:2", kind="detractor", due_at=NOW + timedelta(minutes=30))
    await Identity.filter(kind="phone").update(ended_at=NOW)
    await Identity.create(
        customer_id=anna, kind="phone", value="+79007654321", proof="staff", created_at=NOW
    )
    first, second = await tasks.waiting()
    assert (first.kind, first.phone, first.customer_name) == ("detractor", "+79007654321", "Анна")
    assert second.why == "Не была у нас год"
    assert not second.is_late(NOW + timedelta(hours=1))
    assert second.is_late(NOW + timedelta(hours=1, seconds=1))
    assert [line.kind for line in await tasks.waiting("win_back")] == ["win_back"]
    assert len(await tasks.waiting(limit=1)) == 1


async def test_one_takes_it_and_nobody_else(db: str) -> None:
    anna = await customer_with(("telegram", "7"))
    number = await opened(anna)
    assert await tasks.take(number, by="olga", at=NOW) is None
    assert await tasks.take(number, by="olga", at=NOW + timedelta(hours=1)) is None
    assert code(await tasks.take(number, by="ivan", at=NOW)) is No.TASK_TAKEN
    assert code(await tasks.take(5, by="ivan", at=NOW)) is No.TASK_NOT_FOUND
    [line] = await tasks.waiting()
    assert (line.taken_by, line.phone) == ("olga", "")
    [row] = await query("SELECT taken_at - opened_at AS waited FROM task")
    assert row["waited"] == 0, "taking it again does not move the moment"


async def test_it_is_done_once_and_an_event_says_so(db: str) -> None:
    anna = await customer_with(("telegram", "7"))
    number = await opened(anna, kind="detractor")
    later = NOW + timedelta(minutes=40)
    told: dict[str, Any] = {"by": "olga", "outcome": "reached", "note": "Извинились"}
    assert await tasks.done(number, at=later, **told) is None
    assert await tasks.done(number, at=later, **told) is None
    other = told | {"outcome": "no_answer"}
    assert code(await tasks.done(number, at=later, **other)) is No.TASK_DONE
    assert code(await tasks.take(number, by="olga", at=later)) is No.TASK_DONE
    assert await tasks.waiting() == []
    [line] = await tasks.ended("detractor")
    assert (line.done_by, line.outcome, line.note) == ("olga", "reached", "Извинились")
    assert not line.is_late(NOW + timedelta(days=9)), "done in time stays in time"
    rows = await query("SELECT kind, customer_id FROM event")
    assert [tuple(row) for row in rows] == [("task.done", anna)]


async def test_how_a_task_cannot_end(db: str) -> None:
    anna = await customer_with(("telegram", "7"))
    number = await opened(anna)
    right = {"by": "olga", "outcome": "reached", "note": "", "answer": ""}
    for field, wrong in (
        ("by", ""), ("by", "x" * 65), ("outcome", "fled"), ("outcome", ""),
        ("note", "x" * 1001), ("note", "a\x00b"), ("answer", "a\nb\x07"),
    ):  # fmt: skip
        answer = await tasks.done(number, at=NOW, **right | {field: wrong})
        assert isinstance(answer, Refusal)
        assert (answer.code, answer.data["field"]) == (No.INVALID_TASK, field)
    assert code(await tasks.take(number, by="", at=NOW)) is No.INVALID_TASK
    assert code(await tasks.done(5, at=NOW, **right)) is No.TASK_NOT_FOUND
    assert len(await tasks.waiting()) == 1


async def test_a_long_reason_is_cut_and_a_nul_is_dropped(db: str) -> None:
    anna = await customer_with(("telegram", "7"))
    await opened(anna, why="я" * 600)
    await opened(anna, "t:2", why="a\x00b")
    first, second = await tasks.waiting()
    assert (len(first.why), second.why) == (500, "ab")


@pytest.mark.parametrize(
    ("kind", "outcome", "answer", "said"),
    [
        ("detractor", "reached", "Кассу починили.", "Мы во всём разобрались.\n\nКассу починили."),
        ("detractor", "no_answer", "", "Мы во всём разобрались."),
        ("detractor", "needless", "Кассу починили.", None),
        ("win_back", "reached", "Кассу починили.", None),
    ],
)
def test_who_was_unhappy_is_told_when_it_is_done(
    kind: str, outcome: str, answer: str, said: str | None
) -> None:
    fact = {"task": 1, "kind": kind, "outcome": outcome, "answer": answer}
    drafts = Notices("RUB").drafts(EventRow(5, "task.done", 7001, NOW, fact))
    texts = [render(draft.template, draft.context, Reader("ru")).plain for draft in drafts]
    assert [text.endswith(said or "") for text in texts] == ([] if said is None else [True])
