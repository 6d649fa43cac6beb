"""`kapsula promo`: campaigns and their codes, by one or by the million."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from app.commands.people import customer_id_of
from app.commands.session import (
    AsJson,
    CommandError,
    no,
    on_database,
    out,
    overrides,
    progress_bar,
    show,
    show_json,
)
from app.settings import load_settings
from loyalty.clock import SystemClock
from loyalty.instants import NEVER, to_micros
from loyalty.promo import Promo
from loyalty.promo_campaigns import (
    Campaign,
    Generated,
    Imported,
    PromoCampaigns,
    ToImport,
    lines_of_csv,
)
from loyalty.refusals import Refusal
from loyalty.rules.promo import Kind, Terms
from loyalty.rules.promo_codes import grouped

promo = typer.Typer(no_args_is_help=True, help="Promo campaigns and their codes.")

Name = Annotated[str, typer.Argument(help="Name of the campaign, as staff call it.")]
Key = Annotated[
    str, typer.Option(help="Name of this run: repeated with the same name it goes on, once.")
]
_IMPORT_PART = 1_000


def _refused(refusal: Refusal) -> NoReturn:
    field = refusal.data.get("field")
    no(f"refused: {refusal.code}" + (f" ({field})" if field else ""))


@promo.command()
@on_database
async def create(
    name: Name,
    kind: Annotated[Kind, typer.Argument(help="What it gives.")],
    value: Annotated[
        str,
        typer.Argument(
            help="10 (percent), 300 or 299.50 (sum), 200 (points), 2 (multiplier), or the gift."
        ),
    ],
    *,
    title: Annotated[str, typer.Option(help="What customers read; by default the name.")] = "",
    code: Annotated[
        str | None, typer.Option(help="One code for everybody; without it, personal codes.")
    ] = None,
    starts: Annotated[datetime | None, typer.Option(help="First moment, UTC.")] = None,
    ends: Annotated[datetime | None, typer.Option(help="End, UTC.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Uses in all.")] = None,
    per_customer: Annotated[int | None, typer.Option(min=1, help="Uses by one customer.")] = None,
    min_sum: Annotated[str, typer.Option(help="Least sum of the receipt.")] = "0",
    max_discount: Annotated[str | None, typer.Option(help="Most that comes off.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Goods; repeatable.")] = None,
    shop: Annotated[list[str] | None, typer.Option(help="Code of a shop; repeatable.")] = None,
    gift_sku: Annotated[str, typer.Option(help="Free of charge when on the receipt.")] = "",
    first_purchase: Annotated[bool, typer.Option("--first-purchase")] = False,
    segment_only: Annotated[
        bool, typer.Option("--segment-only", help="For customers of `kapsula promo aim`.")
    ] = False,
    holder_only: Annotated[
        bool, typer.Option("--holder-only", help="Only who was given the code.")
    ] = False,
    stackable: Annotated[bool, typer.Option("--stackable", help="Beside other codes.")] = False,
    burn_on_cancel: Annotated[
        bool, typer.Option("--burn-on-cancel", help="A cancelled receipt frees no code.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a campaign. The same again is the same campaign; other terms need another name."""
    terms = Terms(
        kind=kind,
        **_value(kind, value, gift_sku),
        starts_at=_micros(starts, 0),
        ends_at=_micros(ends, NEVER),
        total_max=limit,
        per_customer_max=per_customer,
        min_total_minor=_minor(min_sum),
        discount_max_minor=None if max_discount is None else _minor(max_discount),
        categories=tuple(category or ()),
        shops=tuple(shop or ()),
        first_purchase=first_purchase,
        segment_only=segment_only,
        holder_only=holder_only,
        stackable=stackable,
        frees_on_cancel=not burn_on_cancel,
    )
    made = await PromoCampaigns(SystemClock()).create(name, title or name, terms, shared_code=code)
    if isinstance(made, Refusal):
        _refused(made)
    if as_json:
        show_json(_row(made))
    else:
        out.print(f"Campaign {made.name}: {kind} {value}.")


@promo.command()
@on_database
async def generate(
    name: Name,
    count: Annotated[int, typer.Argument(min=1, help="How many personal codes.")],
    *,
    key: Key,
    to: Annotated[Path | None, typer.Option(help="File to write the codes to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make codes that nobody can guess. May be broken off and repeated."""
    campaigns = PromoCampaigns(SystemClock())
    campaign = await _campaign(campaigns, name)
    with progress_bar(as_json) as bar:
        task = bar.add_task("Making codes", total=count)
        made = await campaigns.generate(
            campaign.id, count, key, progress=lambda done: bar.update(task, advance=done)
        )
        if isinstance(made, Refusal):
            _refused(made)
        if to is not None:
            await _write(campaigns, key, to)
    _tell_made(made, as_json)


def _tell_made(made: Generated, as_json: bool) -> None:
    if as_json:
        show_json({"made": made.made, "made_before": made.made_before})
        return
    before = f"; {made.made_before:,} had been made before" if made.made_before else ""
    out.print(f"{made.made:,} codes made{before}.")


async def _write(campaigns: PromoCampaigns, key: str, to: Path) -> None:
    after = ""
    with to.open("w", encoding="utf-8") as file:
        while codes := await campaigns.codes(key, after=after):
            file.writelines(f"{grouped(code)}\n" for code in codes)
            after = codes[-1]


@promo.command("import")
@on_database
async def import_codes(
    name: Name,
    file: Annotated[Path, typer.Argument(help="CSV: code, or code,customer. - is stdin.")],
    *,
    key: Key,
    as_json: AsJson = False,
) -> None:
    """Take over personal codes made elsewhere. Twice the same changes nothing."""
    clock = SystemClock()
    campaigns = PromoCampaigns(clock)
    campaign = await _campaign(campaigns, name)
    region = load_settings(**overrides).programme.rules().region
    result = Imported()
    with ExitStack() as stack:
        text = sys.stdin if str(file) == "-" else stack.enter_context(_opened(file))
        bar = stack.enter_context(progress_bar(as_json))
        task = bar.add_task("Importing codes", total=None)
        lines = lines_of_csv(text)
        while part := await _part(lines, region):
            done = await campaigns.import_codes(campaign.id, part, key)
            if isinstance(done, Refusal):
                _refused(done)
            result.add(done)
            bar.update(task, advance=len(part))
    rows = [{"line": line, "text": text, "why": why.value} for line, text, why in result.refused]
    if as_json:
        show_json({"added": result.added, "known": result.known, "refused": rows})
    else:
        out.print(f"{result.added:,} codes added, {result.known:,} were known.")
        show(False, rows, title="Refused", empty="")
    if result.reasons:
        raise typer.Exit(1)


def _opened(file: Path) -> Any:
    try:
        return file.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        no(f"cannot read {file}: {error.strerror}")


async def _part(lines: Iterator[tuple[int, str, str]], region: str) -> list[ToImport]:
    """The next lines, each with its customer's id; one that nobody knows has an id of nobody."""
    part: list[ToImport] = []
    for number, code, customer in lines:
        part.append(ToImport(number, code, await _holder(customer, region)))
        if len(part) == _IMPORT_PART:
            break
    return part


async def _holder(customer: str, region: str) -> int:
    if not customer:
        return 0
    try:
        return await customer_id_of(customer, region)
    except CommandError:
        return -1


@promo.command()
@on_database
async def give(
    name: Name,
    customer: Annotated[list[str], typer.Argument(help="Id, telephone, card number or e-mail.")],
    *,
    key: Key,
    as_json: AsJson = False,
) -> None:
    """Give customers a personal code each, once for each run's name."""
    clock = SystemClock()
    campaign = await _campaign(PromoCampaigns(clock), name)
    region = load_settings(**overrides).programme.rules().region
    rows = []
    for text in customer:
        customer_id = await customer_id_of(text, region)
        code = await Promo(clock).give(campaign.id, customer_id, f"{key}:{customer_id}")
        if isinstance(code, Refusal):
            _refused(code)
        rows.append({"customer": text, "code": grouped(code)})
    show(as_json, rows)


@promo.command()
@on_database
async def aim(
    name: Name,
    customer: Annotated[list[str], typer.Argument(help="Id, telephone, card number or e-mail.")],
) -> None:
    """Name customers whom a campaign made with --segment-only is for."""
    campaigns = PromoCampaigns(SystemClock())
    campaign = await _campaign(campaigns, name)
    region = load_settings(**overrides).programme.rules().region
    ids = [await customer_id_of(text, region) for text in customer]
    await campaigns.name_customers(campaign.id, ids)
    out.print(f"{len(ids):,} customers named.")


@promo.command("list")
@on_database
async def list_campaigns(as_json: AsJson = False) -> None:
    """Every campaign, the newest first."""
    rows = [_row(campaign) for campaign in await PromoCampaigns(SystemClock()).all()]
    show(as_json, rows, empty="No campaigns yet: kapsula promo create")


@promo.command("show")
@on_database
async def show_campaign(name: Name, as_json: AsJson = False) -> None:
    """One campaign: its terms, its codes and how they are used."""
    campaigns = PromoCampaigns(SystemClock())
    campaign = await _campaign(campaigns, name)
    figures = await campaigns.figures(campaign.id)
    row = _row(campaign) | {
        "personal_codes": figures.codes,
        "reserved": figures.reserved,
        "redeemed": figures.redeemed,
        "freed": figures.freed,
        "discount_minor": figures.discount_minor,
        "points": figures.points,
    }
    if as_json:
        show_json(row)
    else:
        show(False, [{"what": key.replace("_", " "), "value": value} for key, value in row.items()])


@promo.command()
@on_database
async def revoke(
    name: Name,
    code: Annotated[
        str | None, typer.Option(help="Only this code; without it the whole campaign.")
    ] = None,
) -> None:
    """End a campaign or a code at once; what a till has reserved may still be redeemed."""
    campaigns = PromoCampaigns(SystemClock())
    campaign = await _campaign(campaigns, name)
    if not await campaigns.revoke(campaign.id, code):
        no("there was nothing to end: no such code, or it has been revoked before")
    out.print(f"Revoked: {code or name}.")


async def _campaign(campaigns: PromoCampaigns, name: str) -> Campaign:
    found = await campaigns.by_name(name)
    if found is None:
        no(f"there is no campaign {name!r}; `kapsula promo list` shows them")
    return found


def _row(campaign: Campaign) -> dict[str, Any]:
    terms = campaign.terms
    gift = terms.gift_name or terms.gift_sku
    gives = {
        Kind.PERCENT: f"{terms.permille / 10:g} %",
        Kind.SUM: f"{terms.amount_minor / 100:.2f}",
        Kind.POINTS: f"{terms.points} points",
        Kind.MULTIPLIER: f"points × {terms.permille / 1000:g}",
        Kind.GIFT: gift,
    }
    return {
        "name": campaign.name,
        "title": campaign.title,
        "gives": gives[terms.kind],
        "ends": None if campaign.ends_at is None else campaign.ends_at.strftime("%Y-%m-%d %H:%M"),
        "limit": terms.total_max,
        "per_customer": terms.customer_max,
        "stackable": terms.stackable,
        "works": not campaign.is_revoked,
    }


def _value(kind: Kind, value: str, gift_sku: str) -> dict[str, Any]:
    match kind:
        case Kind.PERCENT:
            return {"permille": _scaled(value, 10)}
        case Kind.SUM:
            return {"amount_minor": _minor(value)}
        case Kind.POINTS:
            return {"points": _scaled(value, 1)}
        case Kind.MULTIPLIER:
            return {"permille": _scaled(value, 1000)}
        case Kind.GIFT:
            return {"gift_name": value, "gift_sku": gift_sku}


def _minor(text: str) -> int:
    return _scaled(text, 100)


def _scaled(text: str, by: int) -> int:
    """Digits with a point as so many parts of one, without a rest."""
    whole, _, rest = text.replace(",", ".").partition(".")
    places = len(str(by)) - 1
    if not (whole.isascii() and whole.isdigit() and (rest or "0").isdigit()) or len(rest) > places:
        no(f"{text!r} is not a number that fits here")
    return int(whole) * by + (int(rest.ljust(places, "0")) if places else 0)


def _micros(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else to_micros(moment.replace(tzinfo=UTC))
