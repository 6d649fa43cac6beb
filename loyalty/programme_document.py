"""The rules of the programme as one document: JSON that people write, checked, and made into rules.

To the values that the environment may set too (`programme_basics`) the document adds how points are
earned and the tiers. Checks that need a database (is there such a shop?) are the rule book's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from loyalty.programme_basics import ProgrammeBasics, ReferralBasics
from loyalty.rules.commands import POINTS_MAX
from loyalty.rules.earning_rules import (
    Combine,
    EarningCaps,
    EarningRules,
    Multiplier,
    Selection,
    When,
)
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.receipts import MONEY_MAX_MINOR
from loyalty.rules.referral import ReferralRules
from loyalty.rules.tiers import Tier, TierRules, WhenLess

MULTIPLIERS_MAX = 500
TIERS_MAX = 20
DEFAULT_REFERRAL = ReferralRules()
NAMES_MAX = 2_000
"""Categories, products or shops of one rule."""


class _Part(BaseModel):
    """A part of the document. An unknown name in it is a misspelt one."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _minutes(value: Any) -> Any:
    """`10:00-14:30` as minutes of the day; 24:00 is the end of it."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d\d?):([0-5]\d)\s*[-–]\s*(\d\d?):([0-5]\d)", value.strip())
    if found is None:
        raise ValueError("hours are written like 10:00-14:30")
    first, second, third, fourth = (int(part) for part in found.groups())
    return first * 60 + second, third * 60 + fourth


def clock_hours(hours: tuple[int, int]) -> str:
    """`10:00-14:30` of minutes of the day."""
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in hours)


Hours = Annotated[
    tuple[Annotated[int, Field(ge=0, le=1439)], Annotated[int, Field(ge=0, le=1440)]],
    BeforeValidator(_minutes),
    PlainSerializer(clock_hours, return_type=str),
]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Names = Annotated[frozenset[Name], Field(max_length=NAMES_MAX), PlainSerializer(sorted)]
Weekdays = Annotated[frozenset[Annotated[int, Field(ge=1, le=7)]], PlainSerializer(sorted)]
Title = Annotated[str, Field(max_length=60)]
Points = Annotated[int, Field(ge=0, le=POINTS_MAX)]
Money = Annotated[int, Field(ge=0, le=MONEY_MAX_MINOR)]


class SelectionPart(_Part):
    categories: Names = frozenset()
    skus: Names = frozenset()
    prescription: bool = False


class BirthdayPart(_Part):
    days_before: int = Field(0, ge=0, le=60)
    days_after: int = Field(0, ge=0, le=60)


class WhenPart(_Part):
    shops: Names = frozenset()
    weekdays: Weekdays = frozenset()
    hours: Hours | None = None
    since: date | None = None
    until: date | None = None
    birthday: BirthdayPart | None = None
    first_purchase: bool = False
    tiers: Names = frozenset()

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.hours is not None and self.hours[0] == self.hours[1]:
            raise ValueError("hours that begin and end at once never hold")
        if self.since and self.until and self.since > self.until:
            raise ValueError("until lies before since")
        return self

    def when(self) -> When:
        values = {name: getattr(self, name) for name in WhenPart.model_fields}
        near = self.birthday
        values["birthday"] = near and (near.days_before, near.days_after)
        return When(**values)


class MultiplierPart(_Part):
    code: str = Field(pattern=r"^[a-z][a-z0-9-]{0,23}$")
    name_ru: Title = ""
    name_en: Title = ""
    times_percent: int = Field(ge=0, le=10_000)
    goods: SelectionPart = SelectionPart()
    when: WhenPart = WhenPart()


class CapsPart(_Part):
    receipt: Points | None = None
    day: Points | None = None
    month: Points | None = None


class EarningPart(_Part):
    receipt_min_minor: Money = 0
    combine: Combine = Combine.BEST
    multipliers: tuple[MultiplierPart, ...] = Field((), max_length=MULTIPLIERS_MAX)
    caps: CapsPart = CapsPart()
    not_earning: SelectionPart = SelectionPart()
    not_payable: SelectionPart = SelectionPart()

    @field_validator("multipliers")
    @classmethod
    def _once(cls, value: tuple[MultiplierPart, ...]) -> tuple[MultiplierPart, ...]:
        _refuse_twice(part.code for part in value)
        return value

    def rules(self) -> EarningRules:
        return EarningRules(
            receipt_min_minor=self.receipt_min_minor,
            combine=self.combine,
            multipliers=tuple(
                Multiplier(
                    code=part.code,
                    times_percent=part.times_percent,
                    goods=_selection(part.goods),
                    when=part.when.when(),
                    name_ru=part.name_ru,
                    name_en=part.name_en,
                )
                for part in self.multipliers
            ),
            caps=EarningCaps(**dict(self.caps)),
            not_earning=_selection(self.not_earning),
            not_payable=_selection(self.not_payable),
        )


class TierPart(_Part):
    code: str = Field(pattern=r"^[a-z][a-z0-9-]{0,15}$")
    name_ru: Title = ""
    name_en: Title = ""
    from_minor: Money
    earn_permille: int | None = Field(None, ge=0, le=1000)


class TiersPart(_Part):
    levels: tuple[TierPart, ...] = Field((), max_length=TIERS_MAX)
    when_less: WhenLess = WhenLess.STEP_DOWN
    grace_days: int = Field(30, ge=0, le=730)
    near_percent: int = Field(10, ge=0, le=100)

    @field_validator("levels")
    @classmethod
    def _rising(cls, value: tuple[TierPart, ...]) -> tuple[TierPart, ...]:
        _refuse_twice(part.code for part in value)
        sums = [part.from_minor for part in value]
        if any(low >= high for low, high in pairwise(sums)):
            raise ValueError("tiers are listed from the lowest, each with a higher from_minor")
        return value

    def rules(self) -> TierRules:
        return TierRules(
            levels=tuple(Tier(**dict(part)) for part in self.levels),
            when_less=self.when_less,
            grace_days=self.grace_days,
            near_percent=self.near_percent,
        )


class ProgrammeDocument(ProgrammeBasics):
    """All the rules of the programme. `rules` makes the value that everybody else works with."""

    earning: EarningPart = EarningPart()
    tiers: TiersPart = TiersPart()
    referral: ReferralBasics | None = None
    """None: as the settings say."""

    @model_validator(mode="after")
    def _known_tiers(self) -> Self:
        known = {part.code for part in self.tiers.levels}
        for part in self.earning.multipliers:
            if unknown := sorted(part.when.tiers - known):
                raise ValueError(f"multiplier {part.code}: there is no tier {unknown[0]!r}")
        return self

    def rules(self, referral: ReferralRules = DEFAULT_REFERRAL) -> ProgrammeRules:
        """`referral` is the settings', for a document that does not speak of it."""
        return ProgrammeRules(
            **self.basics(),
            earning=self.earning.rules(),
            tiers=self.tiers.rules(),
            referral=referral if self.referral is None else self.referral.rules(),
        )

    @classmethod
    def of(cls, rules: ProgrammeRules) -> Self:
        """The document of rules that were made some other way."""
        return cls.model_validate(_plain(rules))

    def text(self) -> str:
        """As it is kept and shown: JSON, indented, letters as they are."""
        return self.model_dump_json(indent=2, ensure_ascii=False) + "\n"


def _selection(part: SelectionPart) -> Selection:
    return Selection(categories=part.categories, skus=part.skus, prescription=part.prescription)


def _refuse_twice(codes: Iterator[str]) -> None:
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            raise ValueError(f"the code {code!r} stands twice")
        seen.add(code)


def _plain(value: Any) -> Any:
    """A frozen rule as what the document is made of."""
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return [_plain(each) for each in value]
    if not is_dataclass(value):
        return value
    plain = {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, When) and value.birthday is not None:
        before, after = value.birthday
        plain["birthday"] = {"days_before": before, "days_after": after}
    return plain


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a document, and where: `earning.multipliers[2].times_percent`."""

    place: str
    what: str


def read_document(text: str | bytes) -> ProgrammeDocument | list[Wrong]:
    """The document, or everything that is wrong with it."""
    try:
        return ProgrammeDocument.model_validate_json(text)
    except ValidationError as error:
        return [
            Wrong(_place(each["loc"]), each["msg"].removeprefix("Value error, ").replace("\n", " "))
            for each in error.errors(include_url=False, include_context=False)
        ]


def _place(loc: tuple[int | str, ...]) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return steps.removeprefix(".")
