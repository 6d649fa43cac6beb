"""What a journey gives: points with an end, or a promo code of her own, once for a step.

Codes of a week belong to one campaign, whose end is that of a week: `live_days` at least from any
day of it. The campaigns are made ahead, outside of the transactions that give codes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from loyalty.instants import to_micros
from loyalty.promo_campaigns import Campaign
from loyalty.refusals import Refusal
from loyalty.rules.commands import Accrue, Posted
from loyalty.rules.promo import Kind, Terms
from messaging.journeys.declaration import Journey, Reward
from messaging.journeys.facts import message_key
from messaging.journeys.registry import Around
from messaging.journeys.stepping import Enrolled

log = structlog.get_logger(__name__)

Given = Mapping[str, Any]


def ends_at(step: Reward, now: datetime, zone: ZoneInfo) -> datetime:
    """When a code given now ends: on the Monday after it has lived for `live_days`, at midnight."""
    least = (now + timedelta(days=step.live_days)).astimezone(zone).date()
    monday = least + timedelta(days=7 - least.weekday())
    return datetime(monday.year, monday.month, monday.day, tzinfo=zone).astimezone(UTC)


class Rewards:
    """Gives them. One per process: it remembers this week's campaigns."""

    def __init__(self) -> None:
        self._campaigns: dict[tuple[str, str, datetime], Campaign] = {}
        self._failed: set[tuple[str, str, datetime]] = set()

    async def prepare(self, journeys: Sequence[Journey], around: Around) -> None:
        """Make the campaigns that codes may be given of now. Not inside a transaction."""
        zone = ZoneInfo(around.programme.rules.timezone)
        for journey in journeys:
            for step in journey.steps:
                if isinstance(step, Reward) and not step.points:
                    await self._campaign(journey.name, step, ends_at(step, around.at, zone), around)

    async def _campaign(
        self, journey: str, step: Reward, ends: datetime, around: Around
    ) -> Campaign | None:
        key = (journey, f"{step}", ends)
        if key not in self._campaigns and key not in self._failed:
            terms = _terms(step, ends)
            size = f"{step.permille or step.amount_minor}"
            mark = blake2b(f"{step.title}/{terms}".encode(), digest_size=3).hexdigest()
            name = f"{journey[:20]}-{step.name[:14]}-{size}-{ends:%Y%m%d}-{mark}"
            made = await around.programme.campaigns.create(name, step.title or journey, terms)
            if isinstance(made, Refusal):
                self._failed.add(key)
                log.error("reward_campaign_refused", campaign=name, refusal=made.code, **made.data)
            else:
                self._campaigns[key] = made
        return self._campaigns.get(key)

    def points(self, who: Enrolled, step: Reward, around: Around) -> tuple[Accrue, Given]:
        """The command for the ledger, and what later words know of it."""
        until = around.at + timedelta(days=step.live_days)
        key = message_key(who.id, step.name)
        command = Accrue(
            key=key,
            business_key=key,
            account_id=who.customer_id,
            points=step.points,
            at=around.now,
            expires_at=to_micros(until),
            reason="gift",
            reference=f"journey:{who.journey}",
        )
        return command, {
            "points": step.points,
            "until": until.isoformat(),
            "ends_at": command.expires_at,
        }

    async def code(self, who: Enrolled, step: Reward, around: Around) -> Given | None:
        """A code of hers within the running transaction; None if none can be given."""
        zone = ZoneInfo(around.programme.rules.timezone)
        campaign = self._campaigns.get((who.journey, f"{step}", ends_at(step, around.at, zone)))
        if campaign is None or campaign.ends_at is None:
            return None
        code = await around.programme.promo.give(
            campaign.id, who.customer_id, message_key(who.id, step.name)
        )
        if isinstance(code, Refusal):
            log.warning("reward_code_refused", campaign=campaign.name, refusal=code.code)
            return None
        last_moment = campaign.ends_at - timedelta(seconds=1)
        return {
            "code": code,
            "title": campaign.title,
            "percent": step.permille // 10,
            "until": last_moment.isoformat(),
            "ends_at": to_micros(campaign.ends_at),
        }


def _terms(step: Reward, ends: datetime) -> Terms:
    common: dict[str, Any] = {
        "ends_at": to_micros(ends),
        "holder_only": True,
        "first_purchase": step.first_purchase,
    }
    if step.permille:
        return Terms(kind=Kind.PERCENT, permille=step.permille, **common)
    return Terms(kind=Kind.SUM, amount_minor=step.amount_minor, **common)


def check_posted(verdicts: Sequence[Any]) -> None:
    """Raises RuntimeError when the ledger has refused a gift: nothing of the batch is kept then."""
    for verdict in verdicts:
        if not isinstance(verdict, Posted):
            raise RuntimeError(f"the ledger refused a gift: {verdict}")
