"""Why a line earned or spent what it did: reasons, and the short line that keeps them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

EXPLANATION_MAX = 300
"""Characters of an explanation that are kept."""
MORE_MULTIPLIERS = "more_multipliers"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a line earned or spent what it did: a code and data, put into words at the edge.

    flat_rate(permille, paid_minor, tier?) · multiplier(code, percent) · more_multipliers(count) ·
    excluded_from_earning · nothing_paid · below_minimum(min_minor) · capped_receipt, capped_day,
    capped_month (points) · paid_with_points(points) · not_payable · promo_discount(minor) ·
    promo_points(points)
    """

    code: str
    data: Mapping[str, int | str] = field(default_factory=dict)


def explanation(reasons: Sequence[Reason]) -> str:
    """Reasons in one short line, as they are kept: `flat_rate permille=50 paid_minor=6200; …`.

    Should it grow too long, multipliers are counted instead of named, the last first.
    """
    text = "; ".join(
        " ".join([reason.code, *(f"{name}={datum}" for name, datum in reason.data.items())])
        for reason in reasons
    )
    return text if len(text) <= EXPLANATION_MAX else explanation(_one_name_less(reasons))


def _one_name_less(reasons: Sequence[Reason]) -> list[Reason]:
    last = max(n for n, reason in enumerate(reasons) if reason.code == "multiplier")
    counted = sum(
        int(reason.data["count"]) for reason in reasons if reason.code == MORE_MULTIPLIERS
    )
    rest = [reason for reason in reasons[last + 1 :] if reason.code != MORE_MULTIPLIERS]
    return [*reasons[:last], Reason(MORE_MULTIPLIERS, {"count": counted + 1}), *rest]


def reasons_of(text: str) -> tuple[Reason, ...]:
    """The reasons out of their `explanation`, for whoever puts them into words."""
    parts = (part.split() for part in text.split("; ") if part)
    return tuple(
        Reason(code, {name: _datum(datum) for name, datum in (each.split("=") for each in data)})
        for code, *data in parts
    )


def _datum(text: str) -> int | str:
    """Codes begin with a letter, so that they are told from numbers."""
    return int(text) if text.isdecimal() else text
