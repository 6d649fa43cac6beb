"""`kapsula refills`: what customers take, doses of the catalogue, and courses of older receipts."""

import csv
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.people import customer_id_of
from app.commands.session import AsJson, no, on_database, out, overrides, progress_bar, show
from app.settings import load_settings
from loyalty.clock import SystemClock
from loyalty.courses import take_in_history
from loyalty.models import Customer, Product
from loyalty.refills import Refills
from loyalty.rules.refill import DAILY_MAX_MILLI, DAILY_MIN_MILLI, MILLI, NAME_LENGTH_MAX
from loyalty.rules.texts import is_plain

refills = typer.Typer(no_args_is_help=True, help="Medicines that customers take over time.")


@refills.command("list")
@on_database
async def list_(
    who: Annotated[str, typer.Argument(help="Customer: id, telephone, card or e-mail.")],
    as_json: AsJson = False,
) -> None:
    """A customer's medicines, with what is left of each."""
    customer_id = await customer_id_of(who, load_settings(**overrides).programme.region)
    found = await Refills(SystemClock()).courses_of(customer_id)
    rows: list[dict[str, Any]] = [
        {
            "id": course.id,
            "medicine": course.name,
            "a_day": str(Decimal(course.daily_milli) / MILLI),
            "left": course.stock_milli // MILLI,
            "runs_out": course.ends_at and course.ends_at.date(),
            "reminds": course.is_active and not course.is_asleep,
            "own_rhythm": course.is_learned,
        }
        for course in found
    ]
    show(as_json, rows, empty="No medicines.")


@refills.command()
@on_database
async def doses(
    file: Annotated[Path, typer.Argument(help="CSV with sku, units_a_day and, if any, medicine.")],
) -> None:
    """Set how much one usually takes a day of products, and which packs are one medicine.

    All lines or none: what is wrong is said with its line.
    """
    try:
        with file.open(encoding="utf-8", newline="") as text:
            rows = [_dose(number, row) for number, row in enumerate(csv.DictReader(text), 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        no(f"{file}: {error}")
    known = {product.sku for product in await Product.all().only("sku")}
    missing = [sku for sku, _, _ in rows if sku not in known]
    if missing:
        no(f"no such products: {', '.join(missing[:5])}")
    for sku, daily_milli, medicine in rows:
        await Product.filter(sku=sku).update(daily_milli=daily_milli, medicine=medicine)
    out.print(f"Set: {len(rows)}. Next, for receipts of the past: kapsula refills take-in")


def _dose(line: int, row: dict[str, str]) -> tuple[str, int, str]:
    try:
        daily_milli = int(Decimal((row.get("units_a_day") or "0").replace(",", ".")) * MILLI)
    except (InvalidOperation, ValueError, OverflowError):
        no(f"line {line}: units_a_day is no number")
    if daily_milli and not DAILY_MIN_MILLI <= daily_milli <= DAILY_MAX_MILLI:
        no(f"line {line}: units_a_day is 0, or from 0.01 to 100")
    medicine = (row.get("medicine") or "").strip()
    if not row.get("sku") or not is_plain(medicine, NAME_LENGTH_MAX):
        no(f"line {line}: sku and a medicine of at most {NAME_LENGTH_MAX} letters are needed")
    return row["sku"], daily_milli, medicine


@refills.command("take-in")
@on_database
async def take_in() -> None:
    """Make courses of receipts from before there were any; may be repeated and broken off."""
    total = await Customer.all().count()
    with progress_bar(False) as bar:
        task = bar.add_task("customers", total=total)
        await take_in_history(lambda done: bar.update(task, completed=min(done, total)))
    await Refills(SystemClock()).tidy()
    out.print("Taken in.")
