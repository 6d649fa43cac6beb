"""Journeys as JSON documents and back: what a revision keeps."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from messaging.journeys.declaration import (
    Branch,
    ByHand,
    Check,
    Do,
    Journey,
    OnClock,
    OnEvent,
    Reward,
    Send,
    Split,
    Step,
    Trigger,
    Wait,
    faults,
)

KINDS: Mapping[str, type] = {
    "send": Send, "wait": Wait, "branch": Branch, "split": Split, "reward": Reward, "do": Do,
    "on_event": OnEvent, "on_clock": OnClock, "by_hand": ByHand,
}  # fmt: skip
_NAMES = {kind: name for name, kind in KINDS.items()}
_KEPT = {"on", "arms"}
_NOTHING: tuple[Any, ...] = (None, "", [], {})


class DocumentError(ValueError):
    """It is no journey. The text says where and why."""


def encode(journey: Journey) -> str:
    """The same journey gives the same text. Times are in seconds."""
    return json.dumps(_plain(journey), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, Check):
        words = (value.name, value.about) if value.about else (value.name,)
        return [*words, "not"] if value.no else list(words)
    if dataclasses.is_dataclass(value):
        fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        filled = {n: each for n, each in fields.items() if n in _KEPT or each not in _NOTHING}
        return ({"is": _NAMES[type(value)]} if type(value) in _NAMES else {}) | filled
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value


def decode(text: str) -> Journey:
    """Raises DocumentError for what is no journey, or one with `faults`."""
    try:
        document = json.loads(text)
        journey = Journey(
            name=_name(document["name"]),
            title=dict(document["title"]),
            about=dict(document.get("about", {})),
            trigger=_trigger(document["trigger"]),
            steps=tuple(_step(each) for each in document["steps"]),
            goal=_check(document["goal"]) if document.get("goal") else None,
            leave=tuple(_check(each) for each in document.get("leave", ())),
        )
    except DocumentError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DocumentError(f"{type(error).__name__}: {error}") from None
    if wrong := faults(journey):
        raise DocumentError("; ".join(wrong))
    return journey


def _name(text: str) -> str:
    if not text.isidentifier() or not text.isascii() or len(text) > 32:
        raise DocumentError(f"{text[:40]!r} is no name of a journey or step")
    return text


def _check(words: Sequence[str]) -> Check:
    no = len(words) > 1 and words[-1] == "not"
    name, about = [*words[: len(words) - no], ""][:2]
    return Check(str(name), str(about), no)


def _trigger(fields: Mapping[str, Any]) -> Trigger:
    made = _made(fields)
    if not isinstance(made, Trigger):
        raise DocumentError(f"{fields['is']} is no trigger")
    return made


def _step(fields: Mapping[str, Any]) -> Step:
    made = _made(fields)
    if not isinstance(made, Step):
        raise DocumentError(f"{fields['is']} is no step")
    _name(made.name)
    return made


_SPANS = {"after", "fresh_for", "late_max", "every", "lives", "lasts", "before"}
_LISTS = {"kinds", "days", "channels", "ends"}
_CHECKS = {"needs", "asks", "unless"}


def _made(fields: Mapping[str, Any]) -> Any:
    kind = KINDS.get(fields["is"])
    if kind is None:
        raise DocumentError(f"there is no kind {fields['is']!r}")
    known = {f.name for f in dataclasses.fields(kind)}
    if strange := sorted(set(fields) - known - {"is"}):
        raise DocumentError(f"{fields['is']} has no field {strange[0]}")
    values = {name: _value(name, each) for name, each in fields.items() if name != "is"}
    return kind(**values)


def _value(name: str, value: Any) -> Any:
    if name in _SPANS:
        return timedelta(seconds=int(value))
    if name in _LISTS:
        return tuple(value)
    return _check(value) if name in _CHECKS else value
