"""Bodies of the till API about returns, in and out. Kinds of numbers are those of `models`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from admin.api.models import PLAIN, Body, ExpiringOut, Id, Instant, ReceiptNumber
from loyalty.rules.receipts import LINES_MAX, QUANTITY_MAX_MILLI
from loyalty.rules.returns import CODE_LENGTH_MAX

PlaceCode = Annotated[str, Field(max_length=CODE_LENGTH_MAX, pattern=PLAIN, examples=["garden"])]
_TILL = "Code of the till that sold, unless it was this one"
_SHOP = "Code of the shop that sold, when its till is not known"


class SoldAtQuery(BaseModel):
    """Where the receipt was made, behind the question mark."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    till: PlaceCode = Field("", description=_TILL)
    shop: PlaceCode = Field("", description=_SHOP)


class ReturnLineIn(Body):
    """Goods that come back. Without a quantity, all that is left of the line."""

    line: int = Field(ge=1, le=LINES_MAX, description="From 1, as the receipt lists them")
    quantity_milli: int | None = Field(
        None, ge=1, le=QUANTITY_MAX_MILLI, description="Thousandths of a unit"
    )


class ReturnQuoteIn(Body):
    """Without `lines`, all that is left of the receipt."""

    till: PlaceCode = Field("", description=_TILL)
    shop: PlaceCode = Field("", description=_SHOP)
    lines: Annotated[list[ReturnLineIn], Field(min_length=1, max_length=LINES_MAX)] | None = None


class ReturnIn(ReturnQuoteIn):
    """Without `lines`, all that is left of the receipt."""

    return_number: ReceiptNumber = Field(
        description="This till's own number of the return, unique for ever at this till"
    )


class ReturnedLineOut(BaseModel):
    """A line's part of a return; points are its share, whatever the policy lets be taken."""

    line: int
    sku: str
    name: str
    quantity_milli: int
    amount_minor: int
    refund_minor: int
    give_back: int
    take_back: int


class ReturnableLineOut(BaseModel):
    """A line of the receipt, and how much of it may still come back."""

    line: int
    sku: str
    name: str
    quantity_milli: int
    left_milli: int
    amount_minor: int
    spent: int
    earned: int


class MovementOut(BaseModel):
    amount_minor: int = Field(description="The goods at the price they were charged")
    refund_minor: int = Field(description="The money of it")
    given_back: int = Field(description="Spent points that go back to their lots")
    taken_back: int = Field(description="Earned points that are taken back")
    forgiven: int = Field(description="Earned points that are let go: spent or expired already")
    balance: int = Field(description="Points she can spend right after it")
    next_expiry: ExpiringOut | None
    is_whole: bool = Field(description="Whether nothing is left of the receipt then")
    lines: list[ReturnedLineOut]


class ReturnQuoteOut(MovementOut):
    """`till` and `shop` are the names of where the goods were sold."""

    receipt_id: Id
    receipt_number: str
    name: str
    till: str
    shop: str
    sold_at: Instant
    returns: int = Field(description="How many returns the receipt has had")
    sold: list[ReturnableLineOut]


class ReturnOut(MovementOut):
    """`till` and `shop` are the names of where the goods were sold."""

    return_id: Id
    return_number: str
    receipt_id: Id
    receipt_number: str
    customer_id: Id
    name: str
    till: str
    shop: str
    at: Instant


class ReturnsOut(BaseModel):
    returns: list[ReturnOut]
