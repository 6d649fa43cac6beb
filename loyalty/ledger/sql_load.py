"""The SELECTs that load accounts, lots, holds, keys and originals, glued into one statement.

Every part yields the same columns: tag, ten integers, a blob, two texts and one more integer. The
parts that a batch does not need are left out; each combination is prepared once by the driver.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from string import Formatter

from loyalty.database import Dialect


class Tag(IntEnum):
    """What a loaded row is. The order is the order of loading."""

    ACCOUNT = 0
    SOME_LOT = 1
    LOT = 2
    HOLD = 3
    SHARE = 4
    KEY = 5
    HOLD_KEY = 6
    BUSINESS_KEY = 7
    ORIGINAL = 8
    ORIGINAL_LOT = 9
    ORIGINAL_TAKE = 10
    REVERSAL = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One SELECT. In `source`, `{name}` is an array argument and `= ANY {name}` is among it."""

    integers: str
    source: str
    blob: str = "{empty}"
    texts: str = "'', ''"
    last: str = "CAST(NULL AS BIGINT)"

    def text(self, tag: Tag) -> str:
        missing = ", CAST(NULL AS BIGINT)" * (10 - _columns(self.integers))
        return (
            f"SELECT {int(tag)}, {self.integers}{missing}, {self.blob}, {self.texts}, {self.last} "
            f"FROM {self.source}"
        )


def _columns(integers: str) -> int:
    """How many columns a list has: commas within brackets do not count."""
    depth, count = 0, 1
    for sign in integers:
        depth += (sign == "(") - (sign == ")")
        count += sign == "," and depth == 0
    return count


_LOT = """l.id, l.account_id, l.transaction_id, l.points, l.remaining, l.held, l.available_at,
    l.expires_at, l.sliding_days"""

PARTS = {
    Tag.ACCOUNT: Part(
        integers="id, balance, deficit, version, seq, CAST(CAST(slides AS INTEGER) AS BIGINT)",
        blob="head",
        source="ledger_account WHERE id = ANY {accounts}",
    ),
    Tag.SOME_LOT: Part(
        integers=f"{_LOT}, l.origin_id",
        source="""unnest({some}, {limits}) AS wanted(id, most) CROSS JOIN LATERAL (
            SELECT * FROM ledger_lot WHERE account_id = wanted.id AND open
            ORDER BY expires_at, id LIMIT wanted.most) AS l""",
    ),
    Tag.LOT: Part(
        integers=f"{_LOT}, l.origin_id",
        source="ledger_lot AS l WHERE l.account_id = ANY {all} AND l.open",
    ),
    Tag.HOLD: Part(
        integers="id, account_id, points, captured, at, expires_at, closed_at",
        blob="fingerprint",
        texts="key, state",
        source="""ledger_hold WHERE (account_id = ANY {with_lots} AND state = 'held')
            OR id = ANY {holds}""",
    ),
    Tag.SHARE: Part(
        integers="s.hold_id, s.lot_id, s.points",
        source="""ledger_hold AS h JOIN ledger_hold_share AS s ON s.hold_id = h.id
            WHERE h.account_id = ANY {with_lots} AND h.state = 'held'""",
    ),
    Tag.KEY: Part(
        integers="t.id, t.points, p.balance_after, t.at",
        blob="t.fingerprint",
        texts="t.key, ''",
        source="""ledger_transaction AS t JOIN ledger_posting AS p
            ON p.account_id = t.account_id AND p.seq = t.seq WHERE t.key = ANY {keys}""",
    ),
    Tag.HOLD_KEY: Part(
        integers="id, points, expires_at",
        blob="fingerprint",
        texts="key, ''",
        source="ledger_hold WHERE key = ANY {keys}",
    ),
    Tag.BUSINESS_KEY: Part(
        integers="id",
        texts="business_key, ''",
        source="ledger_transaction WHERE business_key = ANY {business}",
    ),
    Tag.ORIGINAL: Part(
        integers="""t.id, t.account_id, t.points,
            CAST(COALESCE((SELECT SUM(r.points) FROM ledger_transaction AS r
                WHERE r.reverses_id = t.id), 0) AS BIGINT),
            CAST(COALESCE((SELECT SUM(k.points) FROM ledger_lot AS l
                JOIN ledger_take AS k ON k.lot_id = l.id
                JOIN ledger_transaction AS e ON e.id = k.transaction_id AND e.kind = 'expiry'
                WHERE l.account_id = t.account_id AND l.transaction_id = t.id), 0) AS BIGINT)""",
        texts="t.kind, ''",
        source="ledger_transaction AS t WHERE t.id = ANY {originals}",
    ),
    Tag.ORIGINAL_LOT: Part(
        integers=f"t.id, {_LOT}",
        last="l.origin_id",
        source="""ledger_transaction AS t JOIN ledger_lot AS l ON l.account_id = t.account_id
            AND (l.transaction_id = t.id OR l.id IN
                (SELECT k.lot_id FROM ledger_take AS k WHERE k.transaction_id = t.id))
            WHERE t.id = ANY {originals}""",
    ),
    Tag.ORIGINAL_TAKE: Part(
        integers="COALESCE(t.reverses_id, t.id), k.lot_id, k.points",
        source="""ledger_transaction AS t JOIN ledger_take AS k ON k.transaction_id = t.id
            WHERE t.id = ANY {originals} OR t.reverses_id = ANY {originals}""",
    ),
    # Points that came back as a lot with grace are no longer taken from the lot of origin.
    Tag.REVERSAL: Part(
        integers="t.reverses_id, l.origin_id, -l.points",
        source="""ledger_transaction AS t JOIN ledger_lot AS l
            ON l.account_id = t.account_id AND l.transaction_id = t.id
            WHERE t.reverses_id = ANY {originals} AND l.origin_id IS NOT NULL""",
    ),
}
# SQLite knows no LATERAL; with the database in the same process there is little to save.
SQLITE_PARTS = PARTS | {
    Tag.SOME_LOT: Part(
        integers=f"{_LOT}, l.origin_id",
        source="ledger_lot AS l WHERE l.account_id = ANY {some} AND l.open",
    )
}
_TEXT_ARRAYS = ("keys", "business")


@cache
def statement(tags: tuple[Tag, ...], which: Dialect) -> tuple[str, tuple[str, ...]]:
    """The parts as one statement, and the names of its array arguments in order."""
    parts = PARTS if which == "postgres" else SQLITE_PARTS
    text = "\nUNION ALL\n".join(parts[tag].text(tag) for tag in sorted(tags))
    names = tuple(dict.fromkeys(name for _, name, _, _ in Formatter().parse(text) if name))
    names = tuple(name for name in names if name != "empty")
    if which == "postgres":
        marks = {
            name: f"(${place}::{'text' if name in _TEXT_ARRAYS else 'bigint'}[])"
            for place, name in enumerate(names, 1)
        }
        return text.format(empty="''::bytea", **marks), names
    marks = {
        name: f"(SELECT value FROM json_each(?{place}))" for place, name in enumerate(names, 1)
    }
    return text.replace("= ANY", "IN").format(empty="x''", **marks), names
