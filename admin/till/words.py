"""The words that the till's scripts say, taken from the scripts themselves.

A script says `t("Sentence with {value}")`; the sentence is the message id. The page carries their
translations as JSON, so that the scripts need no second catalogue.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from messaging.i18n import catalogue, supported

_SCRIPTS = Path(__file__).parent.parent / "static"
_CALL = re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)*)"')
_COUNTED = {
    "points": ("{count} point", "{count} points"),
    "more rules": ("and {count} more rule", "and {count} more rules"),
}
_COUNTS_BY_FORM = {"one": 1, "few": 2, "many": 5, "other": 1000}


@lru_cache(maxsize=1)
def sentences() -> tuple[str, ...]:
    """Every message id in the scripts, in order, once."""
    found = (
        sentence.replace('\\"', '"')
        for script in sorted(_SCRIPTS.glob("*.js"))
        for sentence in _CALL.findall(script.read_text(encoding="utf-8"))
    )
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=8)
def words(language: str) -> dict[str, Any]:
    """`sentences` by message id, and the forms of what is counted by CLDR plural category."""
    texts = catalogue(supported(language))
    counted = {
        what: {form: texts.ngettext(*ids, count) for form, count in _COUNTS_BY_FORM.items()}
        for what, ids in _COUNTED.items()
    }
    return {
        "sentences": {sentence: texts.gettext(sentence) for sentence in sentences()},
        "counted": counted,
    }
