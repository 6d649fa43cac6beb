"""The NPS report: the score with its interval, by period and by shop, and what was said of why."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.database import query
from loyalty.instants import span_micros, to_micros
from loyalty.rules.surveys import DETRACTOR_MAX, NPS, Nps, nps_of
from loyalty.sql import surveys as sql

UNKNOWN_SHOP = "–"


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` up to the next one's."""

    since: datetime
    nps: Nps


@dataclass(frozen=True, slots=True, kw_only=True)
class NpsReport:
    """`asked` counts the surveys of the time that went out, answered or not. Shops are by code."""

    asked: int
    whole: Nps
    trend: Sequence[Period]
    shops: Mapping[str, Nps]
    complaints: Mapping[str, int]
    """What detractors named, the most frequent first."""


async def nps_report(*, since: datetime, until: datetime, period: timedelta) -> NpsReport:
    """Answers first given from `since` on and before `until`, by periods of this length."""
    first, last, width = to_micros(since), to_micros(until), span_micros(period)
    rows = await query(sql.SCORES, None, NPS.name, first, last, width)
    [[asked]] = await query(sql.ASKED, None, NPS.name, first, last)
    named = await query(sql.REASONS, None, NPS.name, first, last, DETRACTOR_MAX)
    codes = {row["id"]: row["code"] for row in await query("SELECT id, code FROM shop")}
    whole: dict[int, int] = defaultdict(int)
    by_period: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    by_shop: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for shop_id, number, score, answers in map(tuple, rows):
        for scores in (whole, by_period[number], by_shop[codes.get(shop_id, UNKNOWN_SHOP)]):
            scores[score] += answers
    periods = -(-(last - first) // width)
    return NpsReport(
        asked=asked,
        whole=nps_of(whole),
        trend=[Period(since + n * period, nps_of(by_period[n])) for n in range(periods)],
        shops={code: nps_of(by_shop[code]) for code in sorted(by_shop)},
        complaints={row["value"]: row["answers"] for row in named},
    )
