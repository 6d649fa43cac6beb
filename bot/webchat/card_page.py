"""The live card: a page whose QR code renews itself every 30 seconds.

The token in the address says whose card it is; whoever has the link has the card, as with a card of
plastic, so the page is kept out of caches, referrers and search engines.
"""

from aiohttp import web

from bot.card_picture import grouped, qr_path
from bot.webchat import assets
from loyalty.customers import CustomerView
from loyalty.programme import Programme
from loyalty.refusals import Refusal


def add_card_page(app: web.Application, programme: Programme) -> None:
    """`GET /card/{token}` is the page, `GET /card/{token}/code` what it asks for by itself."""
    page = _CardPage(programme)
    app.router.add_get("/card/{token}", page.show)
    app.router.add_get("/card/{token}/code", page.code)


class _CardPage:
    def __init__(self, programme: Programme) -> None:
        self._programme = programme

    async def show(self, request: web.Request) -> web.Response:
        customer = await self._customer(request)
        return assets.card_page(
            language=customer.language,
            title=self._programme.rules.name,
            card_number=grouped(customer.card_number, 4),
        )

    async def code(self, request: web.Request) -> web.Response:
        """The code of now as an SVG path in modules, and the seconds that it has left."""
        customer = await self._customer(request)
        live = await self._programme.cards.live(customer.id)
        if isinstance(live, Refusal):
            raise web.HTTPNotFound(text=f"{live.code}\n")
        path, side = qr_path(live.payload)
        return web.json_response(
            {"path": path, "side": side, "seconds_left": live.seconds_left},
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )

    async def _customer(self, request: web.Request) -> CustomerView:
        customer_id = self._programme.cards.customer_of_live_token(request.match_info["token"])
        customer = None if customer_id is None else await self._programme.customers.get(customer_id)
        if customer is None:
            raise web.HTTPNotFound(text="card_unknown\n")
        return customer
