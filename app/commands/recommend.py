"""`kapsula recommend`: what else a customer may like, and why."""

from typing import Annotated

import typer

from app.commands.people import customer_id_of
from app.commands.rules import open_book
from app.commands.session import AsJson, err, on_database, show
from loyalty.clock import SystemClock
from loyalty.recommendations import Recommendations


@on_database
async def recommend(
    who: Annotated[str, typer.Argument(help="Customer id, telephone, card number or e-mail.")],
    count: Annotated[int, typer.Option(min=1, max=20, help="How many products.")] = 5,
    recount: Annotated[
        bool, typer.Option("--recount", help="First count anew what is bought together.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Products that go with what a customer has bought; a worker counts them each week at night."""
    book = await open_book()
    customer_id = await customer_id_of(who, book.rules.region)
    recommendations = Recommendations(SystemClock(), book)
    if recount:
        with err.status("Counting what is bought together…"):
            await recommendations.count_pairs()
    rows = [
        {
            "sku": each.sku,
            "name": each.name,
            "category": each.category,
            "price": f"{each.price_minor / 100:.2f}",
            "why": f"goes with {each.because}" if each.why == "together" else "widely bought",
            "score": each.score_permille,
        }
        for each in await recommendations.recommend(customer_id, count)
    ]
    show(as_json, rows, empty="Nothing yet: receipts have not been counted, or there are none.")
