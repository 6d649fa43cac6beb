"""`kapsula nps`: how likely customers are to recommend the shops, and how sure that is."""

from datetime import datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from app.commands.session import AsJson, no, on_database, out, overrides, show, show_json
from app.settings import load_settings
from loyalty.clock import SystemClock
from loyalty.nps import nps_report
from loyalty.rules.surveys import Nps

nps = typer.Typer(no_args_is_help=True, help="How likely customers are to recommend the shops.")


@nps.command("report")
@on_database
async def report(
    days: Annotated[int, typer.Option(min=1, max=3660, help="How far back.")] = 90,
    every: Annotated[int, typer.Option(min=1, max=366, help="Days of a step of the trend.")] = 30,
    as_json: AsJson = False,
) -> None:
    """The score with its 95 % interval: of all, by period, by shop; and what detractors named."""
    if days // every > 400:
        no("more than 400 steps: take longer ones")
    zone = ZoneInfo(load_settings(**overrides).programme.rules().timezone)
    today = SystemClock().now().astimezone(zone).date()
    until = datetime.combine(today + timedelta(days=1), time(), zone)
    found = await nps_report(
        since=until - timedelta(days=days), until=until, period=timedelta(days=every)
    )
    trend = [
        {"from": each.since.astimezone(zone).strftime("%Y-%m-%d")} | _row(each.nps)
        for each in found.trend
    ]
    shops = [{"shop": shop} | _row(each) for shop, each in found.shops.items()]
    named = [{"named": name, "detractors": count} for name, count in found.complaints.items()]
    whole = {"asked": found.asked} | _row(found.whole)
    if as_json:
        show_json({"whole": whole, "trend": trend, "shops": shops, "complaints": named})
        return
    if not found.whole.answers:
        out.print("Nobody has answered in this time.")
        return
    show(False, [whole], title=f"NPS of {days} days")
    show(False, trend, title="Trend")
    show(False, shops, title="Shops")
    show(False, named, title="What detractors named", empty="Detractors named nothing.")


def _row(each: Nps) -> dict[str, Any]:
    interval = each.interval()
    return {
        "answers": each.answers,
        "promoters": each.promoters,
        "passives": each.passives,
        "detractors": each.detractors,
        "score": None if each.score is None else round(each.score),
        "from_to": None if interval is None else f"{interval[0]:+.0f} … {interval[1]:+.0f}",
    }
