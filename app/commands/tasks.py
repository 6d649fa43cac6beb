"""`kapsula tasks`: whom an operator has to call, why, and how it ended."""

from datetime import datetime
from typing import Annotated, Any

import typer

from app.commands.session import AsJson, no, on_database, out, show
from loyalty.clock import SystemClock
from loyalty.refusals import Refusal
from messaging import tasks as desk
from messaging.tasks import OUTCOMES, TaskLine

tasks = typer.Typer(no_args_is_help=True, help="What operators have to do for customers.")
TaskId = Annotated[int, typer.Argument(help="As `kapsula tasks list` shows it.")]
By = Annotated[str, typer.Option(help="Login of who does it.")]


@tasks.command("list")
@on_database
async def list_tasks(
    kind: Annotated[str, typer.Option(help="Only these: detractor, win_back …")] = "",
    ended: Annotated[bool, typer.Option("--done", help="Those done, the latest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Open tasks, the soonest due first."""
    now = SystemClock().now()
    lines = await (desk.ended if ended else desk.waiting)(kind, limit=limit)
    show(as_json, [_row(line, now) for line in lines], empty="No tasks.")


def _row(line: TaskLine, now: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": str(line.id),
        "kind": line.kind,
        "customer": line.customer_name or str(line.customer_id),
        "phone": line.phone or None,
        "why": line.why,
        "due": line.due_at.strftime("%Y-%m-%d %H:%M"),
        "late": line.is_late(now),
        "taken_by": line.taken_by or None,
    }
    if line.done_at is not None:
        row |= {
            "done": line.done_at.strftime("%Y-%m-%d %H:%M"),
            "done_by": line.done_by,
            "outcome": line.outcome,
            "note": line.note or None,
        }
    return row


@tasks.command("take")
@on_database
async def take(task_id: TaskId, by: By) -> None:
    """Tell the colleagues that you are on it."""
    _unless(await desk.take(task_id, by=by, at=SystemClock().now()))
    out.print(f"Task {task_id} is {by}'s.", markup=False)


@tasks.command("done")
@on_database
async def done(
    task_id: TaskId,
    by: By,
    outcome: Annotated[str, typer.Option(help=f"{', '.join(OUTCOMES)}.")] = "reached",
    note: Annotated[str, typer.Option(help="For colleagues.")] = "",
    answer: Annotated[str, typer.Option(help="For the customer, in the message she gets.")] = "",
) -> None:
    """It is done. Of an unhappy answer the customer is told that it was dealt with."""
    now = SystemClock().now()
    _unless(await desk.done(task_id, by=by, outcome=outcome, note=note, answer=answer, at=now))
    out.print(f"Task {task_id} is done.")


def _unless(refusal: Refusal | None) -> None:
    if refusal is not None:
        told = ", ".join(f"{name}: {value}" for name, value in refusal.data.items())
        no(refusal.code + (f" ({told})" if told else ""))
