"""Bodies of the events API, in and out. Kinds of numbers and texts are those of `models`."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from admin.api.models import PLAIN, Body, Code, Instant, Money
from loyalty.rules.receipts import QUANTITY_MAX_MILLI
from loyalty.rules.site_events import BATCH_MAX, LINES_MAX, TOKEN_LENGTH_MAX, Kind, SiteEvent

Key = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{8,64}$",
        description="The site's own id of the event: the same for each repeat of it",
    ),
]
Visitor = Annotated[
    str,
    Field(
        pattern=r"^([A-Za-z0-9_-]{16,64})?$",
        description="The browser's own id, made by chance and kept in it",
    ),
]
Sku = Annotated[str, Field(min_length=1, max_length=64, pattern=PLAIN)]


class LineIn(Body):
    sku: Sku
    quantity_milli: int = Field(
        1000, ge=1, le=QUANTITY_MAX_MILLI, description="Thousandths of a unit"
    )
    price_minor: Money = 0


Lines = list[LineIn]


class _EventIn(Body):
    id: Key
    at: Instant | None = Field(None, description="By the clock of `sent_at`; none: just now")


class ViewIn(_EventIn):
    """A product's page was looked at."""

    kind: Literal["view"]
    sku: Sku


class SearchIn(_EventIn):
    kind: Literal["search"]
    query: Annotated[str, Field(min_length=1, max_length=200, pattern=PLAIN)]
    found: int | None = Field(None, ge=0, le=1_000_000, description="How many products")


class FavouriteIn(_EventIn):
    """A product was put among the favourites, or taken out."""

    kind: Literal["favourite"]
    sku: Sku
    on: bool = True


class CartIn(_EventIn):
    """The whole cart as it is now; without lines it was emptied."""

    kind: Literal["cart"]
    lines: Lines = Field([], max_length=LINES_MAX)
    total_minor: Money = 0


class OrderIn(_EventIn):
    """An order was placed on the site."""

    kind: Literal["order"]
    number: Annotated[Code, Field(min_length=1)]
    lines: Lines = Field([], max_length=LINES_MAX)
    total_minor: Money = 0


EventIn = Annotated[ViewIn | SearchIn | FavouriteIn | CartIn | OrderIn, Field(discriminator="kind")]


class SiteEventsIn(Body):
    """Whose: the `visitor` (with a `token` of the site's server, once she is signed in), or the
    `customer` by telephone or e-mail, whom only the secret key may name."""

    visitor: Visitor = ""
    customer: Annotated[str, Field(max_length=254, pattern=PLAIN)] = ""
    token: Annotated[str, Field(max_length=TOKEN_LENGTH_MAX, pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    sent_at: Instant | None = Field(
        None, description="The sender's clock as it sends: how wrong its `at`s are"
    )
    events: Annotated[list[EventIn], Field(max_length=BATCH_MAX)]


class SiteEventsOut(BaseModel):
    taken: int = Field(description="New ones")
    known: int = Field(description="Sent before")
    stale: int = Field(description="Older than a week: not kept")
    identified: bool = Field(description="Whether it is known which customer this is")


def event_of(event: ViewIn | SearchIn | FavouriteIn | CartIn | OrderIn) -> SiteEvent:
    kind: Kind = event.kind
    fact = event.model_dump(exclude={"id", "at", "kind"})
    return SiteEvent(event.id, kind, event.at, fact)
