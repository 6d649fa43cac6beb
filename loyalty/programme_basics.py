"""The values of the programme that the environment may set: checked, and made into rules.

What only the document can say (how points are earned, the tiers) is `programme_document`'s.
"""

from typing import Any
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

from loyalty.rules.commands import Clawback
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.receipts import MONEY_MAX_MINOR
from loyalty.rules.referral import ReferralRules


def known_timezone(name: str) -> bool:
    """Whether `name` is one of this machine's IANA time zones."""
    return name in available_timezones()


class ProgrammeBasics(BaseModel):
    """What every programme has. The names are those of the settings."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        "Капсула",
        min_length=1,
        max_length=60,
        description="Name of the programme, as customers read it",
    )
    currency: str = Field("RUB", pattern="^[A-Z]{3}$", description="ISO 4217 code of the currency")
    region: str = Field(
        "RU", pattern="^[A-Z]{2}$", description="Country whose phone numbers need no +code"
    )
    timezone: str = Field("Europe/Moscow", description="Time zone of new customers (IANA name)")
    earn_permille: int = Field(50, ge=0, le=1000, description="Points per 1000 of money paid")
    points_minor: int = Field(
        100, ge=1, le=1_000_000, description="What one point pays, in minor units of the currency"
    )
    spend_percent_max: int = Field(
        30, ge=0, le=100, description="Share of a receipt payable with points"
    )
    cash_min_minor: int = Field(
        100, ge=0, description="Part of each receipt to be paid in money, in minor units"
    )
    points_live_days: int = Field(
        365, ge=0, le=36_500, description="Life of earned points; 0: for ever"
    )
    points_pending_days: int = Field(
        0, ge=0, le=3_650, description="Days before earned points can be spent"
    )
    welcome_points: int = Field(100, ge=0, le=1_000_000, description="Gift for joining")
    welcome_points_live_days: int = Field(
        30, ge=0, le=36_500, description="Life of the gift; 0: for ever"
    )
    cancel_clawback: Clawback = Field(
        Clawback.WITHIN_BALANCE,
        description="When the points of a cancelled or returned receipt are spent already: "
        "only_pending, within_balance or allow_deficit",
    )
    cancel_grace_days: int = Field(
        7,
        ge=0,
        le=3_650,
        description="Life of points that expired before a cancel or a return gave them back",
    )
    return_days_max: int = Field(
        365, ge=0, le=36_500, description="Days within which goods may be returned; 0: at any time"
    )
    hold_minutes: int = Field(
        15, ge=1, le=1_440, description="How long a till keeps points set aside"
    )
    card_picture_s: int = Field(
        180, ge=30, le=86_400, description="Life of the QR picture in the chat, seconds"
    )
    offline_days_max: int = Field(
        3, ge=0, le=365, description="How old a receipt from an offline till may be"
    )

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if not known_timezone(value):
            raise ValueError("not a time zone that is known here, such as Europe/Moscow")
        return value

    def rules(self) -> ProgrammeRules:
        """The same values as the programme takes them."""
        return ProgrammeRules(**self.basics())

    def basics(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ProgrammeBasics.model_fields}


class ReferralBasics(BaseModel):
    """What bringing a friend gives. The names are those of the settings."""

    model_config = ConfigDict(extra="forbid")

    friend_points: int = Field(
        100, ge=0, le=1_000_000, description="Gift for who came by an invitation"
    )
    referrer_points: int = Field(
        200, ge=0, le=1_000_000, description="Gift for who invited her; both 0: no referral"
    )
    min_paid_minor: int = Field(
        500_00,
        ge=0,
        le=MONEY_MAX_MINOR,
        description="Least sum of the first purchase, in minor units",
    )
    within_days: int = Field(
        60, ge=0, le=36_500, description="Days after joining for that purchase; 0: any time"
    )
    friends_max: int = Field(
        20, ge=0, le=1_000_000, description="Friends of one customer that bring a gift; 0: all"
    )
    points_live_days: int = Field(
        90, ge=0, le=36_500, description="Life of these gifts; 0: for ever"
    )
    pending_days: int = Field(0, ge=0, le=3_650, description="Days before these gifts can be spent")

    def rules(self) -> ReferralRules:
        """The same values as the programme takes them."""
        return ReferralRules(**self.model_dump())
