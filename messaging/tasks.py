"""Tasks for operators: whom to call, why, until when, and how it ended.

A journey opens them, `kapsula tasks` shows and closes them. What a customer is told when one is
done is written by `notices`, out of the event `task.done`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from loyalty import events
from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import from_micros, to_micros
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.texts import is_plain
from messaging.records import rowset

Outcome = Literal["reached", "no_answer", "needless"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
WHY_MAX, NOTE_MAX, ANSWER_MAX, LOGIN_MAX = 500, 1000, 500, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A second one with the same `key` is no task. What is over 500 letters of `why` is cut off."""

    key: str
    kind: str
    customer_id: int
    why: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """A task as an operator sees it: with the customer's name and telephone of this moment."""

    id: int
    kind: str
    customer_id: int
    customer_name: str
    phone: str
    why: str
    opened_at: datetime
    due_at: datetime
    taken_by: str
    done_at: datetime | None
    done_by: str
    outcome: str
    note: str
    answer: str

    def is_late(self, at: datetime) -> bool:
        """Whether its time was over before it was done, or is over at `at`."""
        return (self.done_at or at) > self.due_at


_COLUMNS = {
    "id": "bigint", "key": "text", "kind": "text", "customer_id": "bigint", "why": "text",
    "due_at": "bigint",
}  # fmt: skip
_NAMES = ", ".join(_COLUMNS)
_OPEN = rowset(
    f"""
    INSERT INTO task ({_NAMES}, opened_at, taken_by, done_by, outcome, note, answer)
    SELECT {_NAMES}, CAST($2 AS BIGINT), '', '', '', '', '' FROM {{rows}} WHERE true
    ON CONFLICT (key) DO NOTHING RETURNING id
    """,  # noqa: S608 - glued from constants
    **_COLUMNS,
)


async def open_tasks(tasks: Sequence[NewTask], *, at: datetime) -> int:
    """Open them, each once by its key; how many were new. Part of the caller's transaction."""
    if not tasks:
        return 0
    rows = [
        {
            "id": next_id(),
            "key": task.key,
            "kind": task.kind,
            "customer_id": task.customer_id,
            "why": task.why[:WHY_MAX],
            "due_at": to_micros(task.due_at),
        }
        for task in tasks
    ]
    return len(await _OPEN.query(rows, to_micros(at)))


_LINES = """
    SELECT t.id, t.kind, t.customer_id, c.name, t.why, t.opened_at, t.due_at, t.taken_by,
        t.done_at, t.done_by, t.outcome, t.note, t.answer,
        (SELECT MAX(i.value) FROM identity i
         WHERE i.customer_id = t.customer_id AND i.kind = 'phone' AND i.ended_at IS NULL) AS phone
    FROM task t JOIN customer c ON c.id = t.customer_id
"""
# EXPLAIN: the partial index task_open, in its order.
_WAITING = f"""{_LINES} WHERE t.done_at IS NULL AND (t.kind = $1 OR CAST($1 AS VARCHAR) = '')
    ORDER BY t.due_at, t.id LIMIT $2"""
_ENDED = f"""{_LINES} WHERE t.done_at IS NOT NULL AND (t.kind = $1 OR CAST($1 AS VARCHAR) = '')
    ORDER BY t.done_at DESC, t.id DESC LIMIT $2"""


async def waiting(kind: str = "", *, limit: int = 100) -> list[TaskLine]:
    """Those not done, of one kind or of all, the soonest due first."""
    return [_line(row) for row in await query(_WAITING, None, kind, limit)]


async def ended(kind: str = "", *, limit: int = 100) -> list[TaskLine]:
    """Those done, of one kind or of all, the latest first."""
    return [_line(row) for row in await query(_ENDED, None, kind, limit)]


def _line(row: Any) -> TaskLine:
    return TaskLine(
        id=row["id"],
        kind=row["kind"],
        customer_id=row["customer_id"],
        customer_name=row["name"],
        phone=row["phone"] or "",
        why=row["why"],
        opened_at=from_micros(row["opened_at"]),
        due_at=from_micros(row["due_at"]),
        taken_by=row["taken_by"],
        done_at=None if row["done_at"] is None else from_micros(row["done_at"]),
        done_by=row["done_by"],
        outcome=row["outcome"],
        note=row["note"],
        answer=row["answer"],
    )


_STATE = """
    SELECT kind, customer_id, taken_by, done_at, done_by, outcome, note, answer FROM task
    WHERE id = $1
"""
_TAKE = "UPDATE task SET taken_at = $2, taken_by = $3 WHERE id = $1"
_DONE = """
    UPDATE task SET done_at = $2, done_by = $3, outcome = $4, note = $5, answer = $6 WHERE id = $1
"""


async def take(task_id: int, *, by: str, at: datetime) -> Refusal | None:
    """It is `by`'s now; taking it again changes nothing.

    Refused: task_not_found, task_done, task_taken (by a colleague), invalid_task (the login).
    """
    if not is_plain(by, LOGIN_MAX) or not by:
        return refuse(No.INVALID_TASK, field="by")
    async with transaction():
        row = await _locked(task_id)
        if row is None:
            return refuse(No.TASK_NOT_FOUND)
        if row["done_at"] is not None:
            return refuse(No.TASK_DONE, by=row["done_by"])
        if row["taken_by"] not in ("", by):
            return refuse(No.TASK_TAKEN, by=row["taken_by"])
        if not row["taken_by"]:
            await query(_TAKE, None, task_id, to_micros(at), by)
    return None


async def done(
    task_id: int, *, by: str, outcome: str, at: datetime, note: str = "", answer: str = ""
) -> Refusal | None:
    """It is done, whoever had taken it; saying the same again changes nothing.

    `answer` is for the customer, who is told with it where the kind of task calls for that.
    Refused: task_not_found, task_done (otherwise), invalid_task with the field that is wrong.
    """
    wrong = _wrong_field(by, outcome, note, answer)
    if wrong is not None:
        return refuse(No.INVALID_TASK, field=wrong)
    async with transaction():
        row = await _locked(task_id)
        if row is None:
            return refuse(No.TASK_NOT_FOUND)
        if row["done_at"] is not None:
            told = (row["done_by"], row["outcome"], row["note"], row["answer"])
            same = told == (by, outcome, note, answer)
            return None if same else refuse(No.TASK_DONE, by=row["done_by"])
        await query(_DONE, None, task_id, to_micros(at), by, outcome, note, answer)
        fact = {"task": task_id, "kind": row["kind"], "outcome": outcome, "answer": answer}
        await events.record("task.done", row["customer_id"], at, fact)
    return None


async def _locked(task_id: int) -> Any:
    rows = await query(_STATE + " FOR NO KEY UPDATE", _STATE, task_id)
    return rows[0] if rows else None


def _wrong_field(by: str, outcome: str, note: str, answer: str) -> str | None:
    if not by or not is_plain(by, LOGIN_MAX):
        return "by"
    if outcome not in OUTCOMES:
        return "outcome"
    if not is_plain(note, NOTE_MAX):
        return "note"
    return None if is_plain(answer, ANSWER_MAX) else "answer"
