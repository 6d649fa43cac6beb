"""`kapsula ledger`: prove the ledger, expire and grant points in bulk, explain an account."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from app.commands.people import customer_id_of
from app.commands.rules import open_book
from app.commands.session import (
    AsJson,
    no,
    on_database,
    out,
    progress_bar,
    show,
    show_json,
)
from loyalty.clock import SystemClock
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.ledger import BulkResult, Ledger, verify
from loyalty.rules.commands import POINTS_MAX, Accrue

ledger = typer.Typer(no_args_is_help=True, help="The points ledger: proof, bulk work, reports.")

_PAGE = 5_000
_CUSTOMERS = """
    SELECT id FROM customer WHERE id > $1 AND erased_at IS NULL ORDER BY id LIMIT $2
"""


@ledger.command("verify")
@on_database
async def verify_ledger(as_json: AsJson = False) -> None:
    """Recompute everything from the append-only rows and print what does not add up."""
    with progress_bar(as_json) as bar:
        accounts = await _count("ledger_account WHERE kind = 'customer'")
        task = bar.add_task("Verifying accounts", total=accounts)
        report = await verify(progress=lambda done: bar.update(task, advance=done))
    findings = [
        {"account": str(f.account_id or ""), "what": f.what, "detail": f.detail}
        for f in report.findings
    ]
    counts = {
        "accounts": report.accounts,
        "transactions": report.transactions,
        "lots": report.lots,
    }
    if as_json:
        show_json({**counts, "findings": findings})
    else:
        parts = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        out.print(f"Verified {parts}.")
        show(False, findings, title="What does not add up", empty="[green]Everything adds up.[/]")
    if findings:
        raise typer.Exit(1)


@ledger.command("expire")
@on_database
async def expire_points(as_json: AsJson = False) -> None:
    """Expire every lot whose time has passed. May be broken off and repeated."""
    clock = SystemClock()
    now = to_micros(clock.now())
    due = await _count(f"ledger_lot WHERE expires_at <= {now} AND open AND remaining > held")
    with progress_bar(as_json) as bar:
        task = bar.add_task("Expiring lots", total=due)
        result = await Ledger(clock).expire_due(progress=lambda n: bar.update(task, advance=n))
    _tell(result, "lots expired", as_json)


@ledger.command()
@on_database
async def grant(
    *,
    points: Annotated[int, typer.Argument(min=1, max=POINTS_MAX, help="Points for each customer.")],
    key: Annotated[
        str,
        typer.Option(help="Name of this gift: repeating it with the same name gives nothing more."),
    ],
    customer: Annotated[
        list[str] | None, typer.Option(help="Id, telephone, card number or e-mail; repeatable.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Every customer.")] = False,
    days: Annotated[
        int | None, typer.Option(min=0, help="Life of the points; 0: for ever; default: as earned.")
    ] = None,
    reason: Annotated[str, typer.Option(help="As the statement shows it.")] = "gift",
    as_json: AsJson = False,
) -> None:
    """Give points to some customers or to all, exactly once each."""
    if everybody == bool(customer):
        no("say either --all or one --customer or more")
    if not 1 <= len(key) <= 100:
        no("--key: between 1 and 100 characters")
    rules = (await open_book()).rules
    clock = SystemClock()
    now = clock.now()
    lives = rules.points_live_days if days is None else days
    expires_at = to_micros(now + timedelta(days=lives) if lives else None)
    ids = [await customer_id_of(text, rules.region) for text in customer or ()]
    book = Ledger(clock)

    async def gifts() -> AsyncIterator[Accrue]:
        async for account_id in _everybody() if everybody else _each(ids):
            yield Accrue(
                key=f"grant:{key}:{account_id}",
                business_key=f"grant:{key}:{account_id}",
                account_id=account_id,
                points=points,
                at=to_micros(now),
                expires_at=expires_at,
                reason=reason,
                reference=key,
            )

    total = await _count("customer WHERE erased_at IS NULL") if everybody else len(ids)
    with progress_bar(as_json) as bar:
        task = bar.add_task("Giving points", total=total)
        result = await book.post_many(gifts(), progress=lambda n: bar.update(task, advance=n))
    _tell(result, "customers given points", as_json)


@ledger.command()
@on_database
async def statement(
    customer: Annotated[str, typer.Argument(help="Id, telephone, card number or e-mail.")],
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    as_json: AsJson = False,
) -> None:
    """The account of a customer, the latest entries first, each with its reason."""
    rules = (await open_book()).rules
    account_id = await customer_id_of(customer, rules.region)
    entries = await Ledger(SystemClock()).statement(account_id, limit=limit)
    rows = [
        {
            "at": _when(entry.at),
            "kind": entry.kind,
            "points": entry.points,
            "balance": entry.balance,
            "reason": entry.reason,
            "reference": entry.reference,
            "expires": _when(entry.expires_at),
            "transaction_id": str(entry.transaction_id),
        }
        for entry in entries
    ]
    show(as_json, rows, title=f"Account {account_id}", empty="No entries.")


@ledger.command()
@on_database
async def liability(as_json: AsJson = False) -> None:
    """Points outstanding, by the month in which they expire."""
    report = await Ledger(SystemClock()).liability()
    if as_json:
        show_json(
            {
                "outstanding": report.outstanding,
                "deficits": report.deficits,
                "months": [{"month": m.month, "points": m.points} for m in report.months],
            }
        )
        return
    rows = [
        {
            "expire in": month.month or "never",
            "points": month.points,
            "share": f"{month.points / report.outstanding:.1%}" if report.outstanding else "–",
        }
        for month in report.months
    ]
    show(False, rows, title="Points outstanding", empty="No points are outstanding.")
    out.print(f"Together {report.outstanding:,}; customers owe {report.deficits:,}.")


async def _everybody() -> AsyncIterator[int]:
    last = 0
    while rows := await query(_CUSTOMERS, None, last, _PAGE):
        for row in rows:
            yield row["id"]
        last = rows[-1]["id"]


async def _each(ids: list[int]) -> AsyncIterator[int]:
    for account_id in ids:
        yield account_id


async def _count(what: str) -> int:
    return int((await query(f"SELECT COUNT(*) AS n FROM {what}"))[0]["n"])  # noqa: S608 - our own


def _when(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if at else None


def _tell(result: BulkResult, what: str, as_json: bool) -> None:
    refusals: dict[str, int] = {}
    for _, refusal in result.refused:
        refusals[refusal.code] = refusals.get(refusal.code, 0) + 1
    told: dict[str, Any] = {"done": result.posted, "done_before": result.replayed}
    if as_json:
        show_json({**told, "refused": refusals})
    else:
        before = f"; {result.replayed:,} had been done before" if result.replayed else ""
        out.print(f"{result.posted:,} {what}{before}.")
        show(False, [{"refused": k, "times": n} for k, n in refusals.items()], empty="")
    if refusals:
        raise typer.Exit(1)
