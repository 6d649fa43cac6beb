"""The browser's half of the web chat as it is served: hand-written modules, styles and two pages.

Everything is read once. Modules and styles stand under a version made of their content and may be
kept for ever; the widget's address is what sites have in their pages, so it is asked for again.
"""

import hashlib
import json
from functools import lru_cache
from html import escape
from importlib.resources import files
from string import Template

from aiohttp import web

from bot.webchat.page_words import card_words, chat_words, launcher_words
from messaging.i18n import LANGUAGES

_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_FIVE_MINUTES = "public, max-age=300"


@lru_cache(maxsize=1)
def _files() -> dict[str, bytes]:
    folder = files("bot.webchat").joinpath("static")
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


@lru_cache(maxsize=1)
def version() -> str:
    """A name for exactly these files."""
    digest = hashlib.sha256()
    for name, content in sorted(_files().items()):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:12]


async def static(request: web.Request) -> web.Response:
    """A module or a style; an old version's address gets the files of now, unkept."""
    name = request.match_info["name"]
    if name not in _files() or "." + name.rpartition(".")[2] not in _TYPES:
        raise web.HTTPNotFound
    current = request.match_info["version"] == version()
    return _response(name, _FOR_EVER if current else "no-cache")


@lru_cache(maxsize=1)
def _widget() -> str:
    words = {language: launcher_words(language) for language in LANGUAGES}
    return _files()["widget.js"].decode().replace('"@words@"', json.dumps(words))


def widget_script() -> web.Response:
    """The script of the one tag, with its few words in every language."""
    return web.Response(
        text=_widget(),
        content_type="text/javascript",
        headers={
            "Cache-Control": _FIVE_MINUTES,
            "Cross-Origin-Resource-Policy": "cross-origin",
            "X-Content-Type-Options": "nosniff",
        },
    )


@lru_cache(maxsize=1)
def _worker() -> str:
    return _files()["sw.js"].decode().replace('"@version@"', json.dumps(version()))


def service_worker() -> web.Response:
    """The service worker of the chat, at an address whose scope is the chat alone."""
    return web.Response(
        text=_worker(),
        content_type="text/javascript",
        headers={
            "Cache-Control": "no-cache",
            "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _response(name: str, caching: str) -> web.Response:
    return web.Response(
        body=_files()[name],
        content_type=_TYPES["." + name.rpartition(".")[2]],
        charset=None if name.endswith(".png") else "utf-8",
        headers={"Cache-Control": caching, "X-Content-Type-Options": "nosniff"},
    )


def frame_page(*, language: str, title: str, socket_origin: str, ancestors: str) -> web.Response:
    words = chat_words(language) | {"title": title}
    return _page(
        "frame.html",
        {"language": language, "title": title},
        words,
        connect=f"'self' {socket_origin}",
        ancestors=ancestors,
    )


def card_page(*, language: str, title: str, card_number: str) -> web.Response:
    values = {"language": language, "title": title, "card_number": card_number}
    return _page("card.html", values, card_words(language), connect="'self'", ancestors="'none'")


def _page(
    name: str, values: dict[str, str], words: dict[str, str], *, connect: str, ancestors: str
) -> web.Response:
    """A page with its words as JSON; nothing inline runs, so the policy can be strict."""
    texts = {key: escape(value) for key, value in values.items()}
    texts |= {f"word_{key}": escape(word) for key, word in words.items()}
    html = Template(_files()[name].decode()).substitute(
        texts,
        version=version(),
        words=json.dumps(words, ensure_ascii=False).replace("<", "\\u003c"),
    )
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
    )
    return web.Response(
        text=html,
        content_type="text/html",
        headers={
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        },
    )
