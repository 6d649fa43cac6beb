"""The pages that only the demo has: the way in, and a shop with the chat (see also `post`)."""

import mimetypes
from collections import Counter
from functools import lru_cache
from importlib.resources import files
from typing import Any
from zlib import crc32

from aiohttp import web

from app.assembly import House
from app.demo.chain import PASSWORD, STAFF
from app.demo.frame import Frame, language_of
from app.demo.post import Post
from loyalty.database import query
from loyalty.models import Product
from loyalty.rules.rounding import points_down
from messaging.i18n import gettext, money, number

_STATIC = ("demo.css", "feed.js", "phone.js", "mailbox.js", "mark.svg", "goods.svg")
_SHAPES = {
    "tablet": ("табл", "подъязычный"),
    "capsule": ("капс", "Витаминный комплекс", "Глюкозамин"),
    "spray": ("спрей", "аэрозоль", "Термальная"),
    "tube": ("крем", "гель", "мазь", "Паста", "паста", "Бальзам", "Молочко", "Крем"),
    "bottle": ("сироп", "капли", "мл", "0,5 л", "1,5 л", "раствор"),
}
_SHAPES_OF_CATEGORIES = {
    "Мама и малыш": "baby",
    "Приборы и изделия": "device",
    "Чаи и травы": "leaf",
}
"""The picture that fits a product: by its category, else by a word of its name."""
_POPULAR = 24
_HUES = 8
_BEST_SELLERS = """
    SELECT sku FROM receipt_line GROUP BY sku ORDER BY COUNT(*) DESC, sku LIMIT $1
"""
_FIGURES = """
    SELECT (SELECT COUNT(*) FROM customer WHERE erased_at IS NULL) AS customers,
        (SELECT COUNT(*) FROM receipt) AS receipts,
        (SELECT COUNT(*) FROM shop) AS shops,
        (SELECT COUNT(*) FROM product) AS products,
        (SELECT SUM(balance) FROM ledger_account WHERE kind = 'customer') AS points
"""


def add_demo_pages(house: House, app: web.Application) -> None:
    """Add the pages to the web application."""
    frame = Frame(house.programme.rules.name)
    pages = _Pages(house, frame)
    app.router.add_get("/", pages.start)
    app.router.add_get("/shop", pages.shop)
    app.router.add_get("/demo/static/{name}", pages.static)
    Post(house, frame).add_to(app)


class _Pages:
    def __init__(self, house: House, frame: Frame) -> None:
        self._rules = house.programme.rules
        self._frame = frame

    async def start(self, request: web.Request) -> web.Response:
        language = language_of(request)
        logins = [member.login for member in STAFF if member.role != "cashier"]
        return self._frame.page(
            request,
            "start",
            password=PASSWORD,
            logins=logins,
            figures=await self._figures(language),
        )

    async def _figures(self, language: str) -> list[dict[str, str]]:
        [row] = await query(_FIGURES)
        words = {
            "customers": gettext(language, "customers"),
            "receipts": gettext(language, "receipts of a year"),
            "points": gettext(language, "points in their hands"),
            "products": gettext(language, "products"),
            "shops": gettext(language, "shops"),
        }
        return [
            {"value": number(language, int(row[name] or 0)), "words": text}
            for name, text in words.items()
        ]

    async def shop(self, request: web.Request) -> web.Response:
        wanted, q = request.query.get("category", ""), request.query.get("q", "").strip()[:100]
        products = await Product.all().order_by("name")
        sizes = Counter(product.category for product in products)
        if q:
            products = [p for p in products if q.casefold() in f"{p.name} {p.category}".casefold()]
        elif wanted:
            products = [p for p in products if p.category == wanted]
        else:
            best = {
                row["sku"]: i for i, row in enumerate(await query(_BEST_SELLERS, None, _POPULAR))
            }
            products = sorted((p for p in products if p.sku in best), key=lambda p: best[p.sku])
        language = language_of(request)
        return self._frame.page(
            request,
            "shop",
            q=q,
            category=wanted,
            categories=sorted(sizes),
            goods=[self._good(language, product) for product in products],
        )

    def _good(self, language: str, product: Product) -> dict[str, Any]:
        earned = points_down(
            product.price_minor * self._rules.earn_permille, self._rules.points_minor * 1000
        )
        return {
            "name": product.name,
            "category": product.category,
            "shape": _shape(product),
            "hue": crc32(product.category.encode()) % _HUES,
            "prescription_only": product.prescription_only,
            "price": money(language, product.price_minor, self._rules.currency),
            "points": earned if product.earns else 0,
        }

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _STATIC:
            raise web.HTTPNotFound
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=_file(name), content_type=kind, charset="utf-8", headers=headers)


def _shape(product: Product) -> str:
    if product.category in _SHAPES_OF_CATEGORIES:
        return _SHAPES_OF_CATEGORIES[product.category]
    return next(
        (shape for shape, words in _SHAPES.items() if any(word in product.name for word in words)),
        "box",
    )


@lru_cache(maxsize=len(_STATIC))
def _file(name: str) -> bytes:
    return files("app.demo").joinpath("site", name).read_bytes()
