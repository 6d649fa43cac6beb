"""aiogram's models are built when they are first used, not all of them at the import.

To be imported before aiogram, as `bot/__init__.py` does; later it changes nothing. What that saves
is in docs/decisions/0015-models-built-on-demand.md.
"""

import re
import sys
from typing import Any

from pydantic import BaseModel

_WORD = re.compile(r"\w+")


def _import_unbuilt() -> None:
    """Import aiogram, passing over the loop at the end of its types: it builds each of them."""
    patched: Any = BaseModel
    build = patched.__dict__["model_rebuild"]
    patched.model_rebuild = classmethod(lambda _cls, **_: None)
    try:
        import aiogram.types  # noqa: F401, PLC0415 - in this very moment
    finally:
        patched.model_rebuild = build


def _resolve_names() -> None:
    """Give each module the names in its annotations, which only that loop would have resolved."""
    from aiogram import types  # noqa: PLC0415 - after its first import
    from aiogram.client.default import Default  # noqa: PLC0415

    names: dict[str, Any] = {name: getattr(types, name) for name in types.__all__}
    names["Default"] = Default
    for model in list(names.values()):
        if isinstance(model, type) and issubclass(model, BaseModel):
            module = vars(sys.modules[model.__module__])
            for name in _names_in_annotations(model) & names.keys():
                module.setdefault(name, names[name])


def _names_in_annotations(model: type[BaseModel]) -> set[str]:
    """Those of its fields, its own and the inherited."""
    annotations = (vars(each).get("__annotations__", {}).values() for each in model.__mro__)
    return {name for each in annotations for text in each for name in _WORD.findall(str(text))}


if "aiogram.types" not in sys.modules:
    _import_unbuilt()
    _resolve_names()
