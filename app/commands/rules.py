"""`kapsula rules`: look at the programme's rules, check and save others, try them on the past."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.commands.session import (
    AsJson,
    no,
    on_database,
    out,
    overrides,
    progress_bar,
    show,
    show_json,
)
from loyalty.clock import SystemClock
from loyalty.instants import to_micros
from loyalty.pharmacy import PHARMACY
from loyalty.programme_changes import differences
from loyalty.programme_document import ProgrammeDocument, read_document
from loyalty.refusals import Refusal
from loyalty.replay import Replayed, count_receipts, replay
from loyalty.rule_book import Revision, RuleBook, unknown_names
from loyalty.rules.months import day_of, zone
from loyalty.turnover import Tiers
from messaging.earning_words import headline, sentences
from messaging.i18n import DEFAULT_LANGUAGE

rules = typer.Typer(no_args_is_help=True, help="The rules of the programme, revision by revision.")

FILE = typer.Argument(help="JSON, as `kapsula rules show --json` prints it; -: standard input.")
Language = Annotated[str, typer.Option(help="ru or en")]


async def open_book(*, adopt: bool = False) -> RuleBook:
    """The rules as they are in force. `adopt`: what the settings say may become a revision."""
    from app.settings import load_settings  # noqa: PLC0415 - after the first line

    book = RuleBook(SystemClock(), load_settings(**overrides).rules())
    await (book.open() if adopt else book.refresh())
    return book


@rules.command("show")
@on_database
async def show_rules(
    number: Annotated[
        int | None, typer.Argument(help="Of a revision; default: the one in force.")
    ] = None,
    language: Language = DEFAULT_LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """The rules in plain language, or the whole document with --json."""
    book = await open_book()
    revision = book.current if number is None else await _found(book, number)
    if as_json:
        out.file.write(ProgrammeDocument.of(revision.rules).text())
        return
    _tell(ProgrammeDocument.of(revision.rules), language, _title(revision))


@rules.command()
def pharmacy() -> None:
    """A document to begin with: tiers and exclusions that are usual in pharmacies."""
    sys.stdout.write(PHARMACY.text())


@rules.command()
@on_database
async def check(
    file: Annotated[Path, FILE],
    language: Language = DEFAULT_LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Whether a file has rules that could be saved, and what they say. Exit code 1 if not."""
    document = _read(file, as_json=as_json)
    unknown = [
        {"kind": each.kind, "name": each.name} for each in await unknown_names(document.rules())
    ]
    if as_json:
        show_json({"wrong": [], "unknown": unknown, "says": sentences(language, document.rules())})
        return
    _tell(document, language, "These rules can be saved.")
    show(False, unknown, title="Named, and not known here", empty="")


@rules.command()
@on_database
async def save(
    file: Annotated[Path, FILE],
    by: Annotated[str, typer.Option(help="Who saves them.")],
    comment: Annotated[str, typer.Option(help="Why.")],
    base: Annotated[
        int | None, typer.Option(help="Only if this is still the revision in force.")
    ] = None,
) -> None:
    """Make the rules of a file the ones in force. Every process takes them up within seconds."""
    document = _read(file, as_json=False)
    book = await open_book(adopt=True)
    saved = await book.save(document, by=by, comment=comment, base=base)
    if isinstance(saved, Refusal):
        told = ", ".join(f"{name}: {datum}" for name, datum in saved.data.items())
        no(f"not saved: {saved.code} ({told})")
    out.print(f"Saved as revision {saved.number}.")
    for each in await unknown_names(saved.rules):
        out.print(f"[yellow]There is no {each.kind} {each.name!r} here.[/]")


@rules.command()
@on_database
async def history(
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 20, as_json: AsJson = False
) -> None:
    """Who has saved rules, when and why; the latest first."""
    rows = [
        {
            "revision": revision.number,
            "at": revision.at and revision.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
            "by": revision.saved_by,
            "comment": revision.comment,
        }
        for revision in await (await open_book()).history(limit=limit)
    ]
    show(as_json, rows, empty="Nothing has been saved: the settings are the rules.")


@rules.command()
@on_database
async def diff(before: int, after: int, as_json: AsJson = False) -> None:
    """What has changed from one revision to another."""
    book = await open_book()
    old, new = [
        ProgrammeDocument.of((await _found(book, number)).rules) for number in (before, after)
    ]
    rows = [
        {"place": each.place, "before": each.before, "after": each.after}
        for each in differences(old, new)
    ]
    show(as_json, rows, empty="Nothing has changed.")


@rules.command("replay")
@on_database
async def replay_rules(
    file: Annotated[Path, FILE],
    since: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")],
    until: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")],
    language: Language = DEFAULT_LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """The receipts of some days under the rules of a file: points, cost, who gains, who loses."""
    document = _read(file, as_json=as_json)
    new = document.rules()
    start, end = _days(since.date(), until.date(), new.timezone)
    if start >= end:
        no("--to: lies before --from")
    with progress_bar(as_json) as bar:
        task = bar.add_task("Replaying receipts", total=await count_receipts(start, end))
        told = await replay(new, start, end, progress=lambda n: bar.update(task, advance=n))
    if as_json:
        show_json(told.as_dict())
    else:
        _show_replayed(told, language, document)


@rules.command()
@on_database
async def assess(as_json: AsJson = False) -> None:
    """Sum up customers of the time before turnover was kept, and look at the tiers that are due.

    The rest a worker does by itself. May be broken off and repeated.
    """
    tiers = Tiers(SystemClock(), await open_book())
    summed, assessed = await tiers.sum_up_all(), await tiers.assess_due()
    if as_json:
        show_json({"summed_up": summed, "assessed": assessed})
    else:
        out.print(f"{summed:,} customers summed up, {assessed:,} tiers looked at.")


def _days(first: date, last: date, timezone: str) -> tuple[int, int]:
    """From the first instant of a day to the end of another."""
    start, final = (_midnight(on, timezone) for on in (first, last))
    return start, day_of(final, timezone)[1]


def _midnight(on: date, timezone: str) -> int:
    return to_micros(datetime(on.year, on.month, on.day, tzinfo=zone(timezone)))


def _show_replayed(told: Replayed, language: str, document: ProgrammeDocument) -> None:
    tiers = document.tiers.rules()
    rows = [
        {
            "tier": (held.name(language) if (held := tiers.get(group.tier)) else "–"),
            "customers": group.customers,
            "receipts": group.receipts,
            "points before": group.points_before,
            "points after": group.points_after,
            "better off": group.better,
            "worse off": group.worse,
        }
        for group in told.groups
    ]
    show(False, rows, title="By tier", empty="No receipts on these days.")
    total = told.total
    more = total.points_after - total.points_before
    cost = told.cost_minor / 100
    out.print(f"Points: {total.points_before:,} → {total.points_after:,} ({more:+,}).")
    out.print(f"Cost: {cost:+,.2f} {document.currency}, if every point is spent.")


def _read(file: Path, *, as_json: bool) -> ProgrammeDocument:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        no(f"{file}: cannot be read ({error})")
    read = read_document(text)
    if isinstance(read, ProgrammeDocument):
        return read
    wrong = [{"place": each.place, "what": each.what} for each in read]
    if as_json:
        show_json({"wrong": wrong})
    else:
        show(False, wrong, title="What is wrong")
    raise typer.Exit(1)


async def _found(book: RuleBook, number: int) -> Revision:
    revision = await book.find(number)
    if revision is None:
        no(f"there is no revision {number}; `kapsula rules history` lists them")
    return revision


def _title(revision: Revision) -> str:
    if not revision.number:
        return "Nothing has been saved: these are the settings."
    return f"Revision {revision.number}, saved by {revision.saved_by}. {revision.comment}".strip()


def _tell(document: ProgrammeDocument, language: str, title: str) -> None:
    rules_ = document.rules()
    out.print(title, markup=False)
    out.print(f"[bold]{headline(language, rules_)}[/]")
    for sentence in sentences(language, rules_):
        out.print(f"  {sentence}", markup=False)
