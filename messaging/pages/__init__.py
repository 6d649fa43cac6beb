"""The pages behind the links in messages: Jinja with autoescape, one style, no script.

Texts and templates only: who may see what is decided in `messaging.web`.
"""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from messaging.i18n import gettext

_HERE = Path(__file__).parent


class Pages:
    """Renders the templates of this folder in the name of one programme."""

    def __init__(self, programme_name: str) -> None:
        style = (_HERE / "pages.css").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        self._environment = Environment(
            loader=FileSystemLoader(_HERE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "style": Markup(style),  # noqa: S704 - our own file
            "programme": programme_name,
        }

    def text(self, template: str, *, language: str, **context: Any) -> str:
        return self._environment.get_template(template).render(
            language=language, _=_translator(language), **context
        )


def _translator(language: str) -> Callable[..., str]:
    def translate(message: str, **params: object) -> str:
        return gettext(language, message, **params)

    return translate
