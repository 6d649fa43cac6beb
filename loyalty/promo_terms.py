"""The terms of a promo campaign as they are kept, and what a row says of a code."""

import json
from dataclasses import fields
from typing import Any

from loyalty.rules.promo import Kind, Known, Terms

_LISTS = ("categories", "shops")


def encode(terms: Terms) -> str:
    """As JSON, without what is as by default: the same terms always make the same text."""
    told = {
        field.name: getattr(terms, field.name)
        for field in fields(terms)
        if getattr(terms, field.name) != field.default
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def decode(text: str) -> Terms:
    told = json.loads(text)
    told["kind"] = Kind(told["kind"])
    return Terms(**told | {name: tuple(told[name]) for name in _LISTS if name in told})


def known(row: Any) -> Known:
    """Of a row of `sql.promo`'s FACTS or WALLET that has a code."""
    terms, held = decode(row["terms"]), int(row["held_here"])
    return Known(
        code=row["code"],
        campaign_id=row["campaign_id"],
        title=row["title"],
        terms=terms,
        is_revoked=row["revoked_at"] is not None,
        is_personal=row["uses_max"] == 1,
        holder_id=row["holder_id"],
        taken=row["taken"] - held,
        total_taken=(row["total_taken"] or 0) - (held if terms.total_max is not None else 0),
        customer_taken=(row["customer_taken"] or 0)
        - (held if terms.customer_max is not None else 0),
        is_in_segment=bool(row["in_segment"]),
        is_held_here=held > 0,
    )
