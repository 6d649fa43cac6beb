"""What has changed between two documents of the programme, for whoever saves or reads one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from loyalty.programme_document import ProgrammeDocument


@dataclass(frozen=True, slots=True)
class Difference:
    """One value before and after; None where there was none, or is none any more."""

    place: str
    before: Any
    after: Any


def differences(before: ProgrammeDocument, after: ProgrammeDocument) -> list[Difference]:
    """What has changed between two documents, place by place; rules with codes go by them."""
    old, new = (dict(_leaves(each.model_dump(mode="json"))) for each in (before, after))
    return [
        Difference(place, old.get(place), new.get(place))
        for place in sorted({*old, *new})
        if old.get(place) != new.get(place)
    ]


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for each in value:
            yield from _leaves(
                {name: datum for name, datum in each.items() if name != "code"},
                f"{place}[{each['code']}]",
            )
    elif value not in _NOTHING:
        yield place, value


_NOTHING: tuple[Any, ...] = (None, [], "")
"""What says nothing where it stands."""
