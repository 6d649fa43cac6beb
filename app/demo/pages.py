"""The pages that only the demo has: the way in, a shop with the chat, the telephone."""

import mimetypes
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any
from zlib import crc32

from aiohttp import web
from jinja2 import Environment, PackageLoader, select_autoescape

from app.assembly import House
from app.demo.chain import PASSWORD, STAFF
from loyalty.database import query
from loyalty.models import Product
from loyalty.rules.rounding import points_down
from messaging.channels.demo_phone import Sms, received
from messaging.i18n import DEFAULT_LANGUAGE, LANGUAGES, gettext, money, number, supported

_NAMES = {"ru": "Русский", "en": "English"}
_STATIC = ("demo.css", "phone.js", "mark.svg", "goods.svg")
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
_LOCAL_HOSTS = {"127.0.0.1", "localhost", "[::1]"}
_POPULAR = 24
_HUES = 8
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
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
    pages = _Pages(house)
    app.router.add_get("/", pages.start)
    app.router.add_get("/shop", pages.shop)
    app.router.add_get("/demo/phone", pages.phone)
    app.router.add_get("/demo/phone.json", pages.phone_messages)
    app.router.add_get("/demo/static/{name}", pages.static)


class _Pages:
    def __init__(self, house: House) -> None:
        self._rules = house.programme.rules
        self._templates = Environment(
            loader=PackageLoader("app.demo", "site"),
            autoescape=select_autoescape(),
            trim_blocks=True,
            lstrip_blocks=True,
        )

    async def start(self, request: web.Request) -> web.Response:
        language = _language(request)
        logins = [member.login for member in STAFF if member.role != "cashier"]
        return self._page(
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
        language = _language(request)
        return self._page(
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

    async def phone(self, request: web.Request) -> web.Response:
        return self._page(request, "phone", messages=_messages(await received()))

    async def phone_messages(self, request: web.Request) -> web.Response:
        _refuse_strangers(request)
        return web.json_response(_messages(await received()), headers=_HEADERS)

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _STATIC:
            raise web.HTTPNotFound
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=_file(name), content_type=kind, charset="utf-8", headers=headers)

    def _page(self, request: web.Request, page: str, **values: Any) -> web.Response:
        _refuse_strangers(request)
        language = _language(request)
        other = next(name for name in LANGUAGES if name != language)
        text = self._templates.get_template(f"{page}.html").render(
            _=lambda message, **params: gettext(language, message, **params),
            page=page,
            language=language,
            other_language=other,
            other_language_name=_NAMES[other],
            programme=self._rules.name,
            **values,
        )
        answer = web.Response(text=text, content_type="text/html", headers=_HEADERS)
        if "language" in request.query:
            answer.set_cookie("language", language, samesite="Lax", httponly=True)
        return answer


def _shape(product: Product) -> str:
    if product.category in _SHAPES_OF_CATEGORIES:
        return _SHAPES_OF_CATEGORIES[product.category]
    return next(
        (shape for shape, words in _SHAPES.items() if any(word in product.name for word in words)),
        "box",
    )


def _language(request: web.Request) -> str:
    chosen = request.query.get("language") or request.cookies.get("language")
    return supported(chosen) if chosen else DEFAULT_LANGUAGE


def _refuse_strangers(request: web.Request) -> None:
    """A page elsewhere that points its own name at this machine must not read the codes."""
    if request.host.rsplit(":", 1)[0] not in _LOCAL_HOSTS:
        raise web.HTTPForbidden(text="the demo answers to localhost only\n")


def _messages(messages: Sequence[Sms]) -> list[dict[str, str]]:
    return [
        {
            "id": f"{sms.phone} {sms.at.isoformat()}",
            "phone": sms.phone,
            "text": sms.text,
            "at": sms.at.isoformat(),
            "time": _local_time(sms.at),
        }
        for sms in messages
    ]


def _local_time(at: datetime) -> str:
    """By the clock of this computer, which is also the reader's."""
    return at.astimezone().strftime("%H:%M:%S")


@lru_cache(maxsize=len(_STATIC))
def _file(name: str) -> bytes:
    return files("app.demo").joinpath("site", name).read_bytes()
