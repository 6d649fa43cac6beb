"""Bodies of the till API, in and out: validation and the OpenAPI document come from these alone.

Money is in minor units (kopecks), points are whole, quantities in thousandths, ids are strings
(JavaScript loses the end of a 63-bit number), instants RFC 3339 with an offset.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    Strict,
    Tag,
    WithJsonSchema,
)

from loyalty.rules.promo import CODES_MAX
from loyalty.rules.receipts import (
    CARD_LENGTH_MAX,
    KEY_LENGTH_MAX,
    LINES_MAX,
    MONEY_MAX_MINOR,
    NUMBER_LENGTH_MAX,
    POINTS_MAX,
    QUANTITY_MAX_MILLI,
)

# `loyalty.rules.texts.is_plain` as a pattern, so that the OpenAPI document can say it.
PLAIN = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
_RFC3339 = re.compile(r"20\d\d-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("an RFC 3339 instant with an offset, 2000 to 2099")
    return datetime.fromisoformat(value.upper())


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-22T09:35:00Z"]}),
]
Money = Annotated[int, Strict(), Field(ge=0, le=MONEY_MAX_MINOR, description="Minor units")]
Points = Annotated[int, Strict(), Field(ge=0, le=POINTS_MAX)]
Card = Annotated[
    str,
    Field(
        min_length=1,
        max_length=CARD_LENGTH_MAX,
        pattern=PLAIN,
        description="What was scanned or typed: a QR payload, card number, short code or phone",
        examples=["2912345678905"],
    ),
]
ReceiptNumber = Annotated[
    str,
    Field(
        max_length=NUMBER_LENGTH_MAX,
        pattern=r"^[0-9A-Za-zА-Яа-яЁё][0-9A-Za-zА-Яа-яЁё._:-]*$",
        description="The till's own number of the receipt, unique for ever at this till",
        examples=["A-000123"],
    ),
]
IdempotencyKey = Annotated[str, Field(min_length=8, max_length=KEY_LENGTH_MAX, pattern="^[!-~]+$")]
PromoCode = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=PLAIN,
        description="A promo code as it was scanned, typed or offered by the lookup",
        examples=["7K3M-9QZR-1B2D"],
    ),
]
Id = Annotated[str, Field(pattern=r"^[0-9]{1,19}$", examples=["372036854775807"])]
Text = Annotated[str, Field(max_length=200, pattern=PLAIN)]
Code = Annotated[str, Field(max_length=64, pattern=PLAIN)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LineIn(Body):
    """One line of the receipt. A sum without goods is one line without a sku."""

    sku: Code = ""
    name: Text = ""
    category: Code = ""
    quantity_milli: int = Field(
        1000, ge=1, le=QUANTITY_MAX_MILLI, description="Thousandths of a unit"
    )
    price_minor: Money
    amount_minor: Money


Lines = Annotated[list[LineIn], Field(min_length=1, max_length=LINES_MAX)]


class LookupIn(Body):
    card: Card


class QuoteIn(Body):
    card: Card
    receipt_number: ReceiptNumber
    lines: Lines
    spend: Points | Literal["max"] = Field(0, description='Points to spend, or "max"')
    promo_codes: list[PromoCode] = Field(
        [], max_length=CODES_MAX, description="In the order in which they are to count"
    )


class CommitQuoteIn(Body):
    """Commit what a quote promised."""

    quote_id: Id
    receipt_number: ReceiptNumber


class CommitSaleIn(Body):
    """Commit without a quote: points are earned, none are spent."""

    card: Card
    receipt_number: ReceiptNumber
    lines: Lines
    at: Instant | None = Field(None, description="When the sale was, if the till was offline")


def _kind_of_commit(value: Any) -> str:
    named = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return "quote" if "quote_id" in named else "sale"


class CommitIn(
    RootModel[
        Annotated[
            Annotated[CommitQuoteIn, Tag("quote")] | Annotated[CommitSaleIn, Tag("sale")],
            Discriminator(_kind_of_commit),
        ]
    ]
):
    """Either by `quote_id`, or by `card` and `lines`."""


class CancelIn(Body):
    at: Instant | None = Field(None, description="When it was cancelled, if the till was offline")


class ReleaseIn(Body):
    pass


class ExpiringOut(BaseModel):
    points: int
    at: Instant


class BalanceOut(BaseModel):
    """`available` can be spent now, `held` is set aside by tills, `pending` is not ripe yet."""

    available: int
    posted: int
    held: int
    pending: int
    next_expiry: ExpiringOut | None


class OwnPromoOut(BaseModel):
    """A promo code that the customer has and this shop takes."""

    code: str
    title: str
    kind: str = Field(description="percent, sum, points, multiplier or gift")
    permille: int = Field(description="Share off (100 is 10 %), or what points are multiplied by")
    amount_minor: int
    points: int
    gift: str
    min_total_minor: int
    categories: list[str] = Field(description="Goods that it is for; none: all")
    stackable: bool
    ends_at: Instant | None


class PromoOut(BaseModel):
    """What one promo code did, or why not: `refusal` is a code of the list of problems."""

    asked: str = Field(description="As it was sent")
    code: str
    title: str
    kind: str
    applied: bool
    discount_minor: int
    points: int
    gift: str = Field(description="What the cashier hands out")
    refusal: str
    data: dict[str, str | int]


class TierOut(BaseModel):
    """The tier she holds by turnover, and how far it is to the next; names as they are read."""

    code: str = Field(description="Empty: none yet")
    name: str
    turnover_minor: int = Field(description="Paid in money this month and the eleven before it")
    next_name: str | None
    missing_minor: int = Field(description="Turnover that is missing for the next tier")


class LookupOut(BaseModel):
    customer_id: Id
    name: str
    card_number: str = Field(description="Masked")
    balance: BalanceOut
    may_spend: bool = Field(description="Whether this card may also spend")
    how: str = Field(description="static, picture, live, short or phone")
    promos: list[OwnPromoOut] = Field(description="Promo codes to offer, the soonest to end first")
    tier: TierOut | None = Field(description="null: the programme has no tiers")


class ReasonOut(BaseModel):
    """Why a line earned or spent what it did. `name` is that of the multiplier or the tier."""

    code: str
    data: dict[str, int | str]
    name: str | None = None


class LineOut(BaseModel):
    sku: str
    name: str
    category: str
    quantity_milli: int
    price_minor: int
    amount_minor: int
    spent: int
    earned: int
    reasons: list[ReasonOut]


class QuoteOut(BaseModel):
    quote_id: Id
    customer_id: Id
    name: str
    may_spend: bool
    available: int
    spendable_max: int
    spend: int
    earn: int
    total_minor: int
    to_pay_minor: int
    expires_at: Instant
    rules_revision: int = Field(description="Of the rules that it was priced by")
    tier: TierOut | None = Field(description="null: the programme has no tiers")
    lines: list[LineOut] = Field(description="With promo discounts taken off")
    discount_minor: int = Field(description="What promo codes took off; not in total_minor")
    promos: list[PromoOut]


class ReleaseOut(BaseModel):
    released: bool


ReceiptState = Literal["committed", "cancelled", "returned"]


class ReceiptOut(BaseModel):
    receipt_id: Id
    receipt_number: str
    customer_id: Id
    name: str
    state: ReceiptState
    at: Instant = Field(description="When the sale was")
    cancelled_at: Instant | None
    total_minor: int
    paid_minor: int
    spent: int
    earned: int
    returned: int = Field(description="Spent points that a cancel gave back")
    taken_back: int = Field(description="Earned points that a cancel took back")
    goods_back_minor: int = Field(description="Value of the goods that were returned of it since")
    balance: int = Field(description="Points she can spend right after it")
    next_expiry: ExpiringOut | None
    rules_revision: int = Field(description="Of the rules that it was made by")
    lines: list[LineOut]
    discount_minor: int = Field(description="What promo codes took off; not in total_minor")
    promos: list[PromoOut]


class FieldErrorOut(BaseModel):
    pointer: str
    code: str
    detail: str


class ProblemOut(BaseModel):
    """RFC 9457. Programs read `code`, people read `title`."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    instance: str | None = None
    data: dict[str, str | int] | None = None
    errors: list[FieldErrorOut] | None = None
