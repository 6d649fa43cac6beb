"""Many keys at once, given as one argument or found by a SELECT, and the rows that they look up."""

_POSTGRES = "= ANY ({place}::{kind}[])"
_SQLITE = "IN (SELECT value FROM json_each({place}))"


def listed(
    text: str | tuple[str, str], kind: str = "bigint", *, place: str = "$1", name: str = "list"
) -> tuple[str, str]:
    """`text` for Postgres and for SQLite; its `IN {list}` means the list in `place`.

    `kind` is the elements' type in Postgres, where the list is an array: the planner then asks an
    index for each element. A subquery it may put behind a walk through the whole table, and by
    what it knew of that when the plan was made (docs/decisions/0011). Of two lists the second is
    called by another `name`.
    """
    postgres, sqlite = (text, text) if isinstance(text, str) else text
    asked = f"IN {{{name}}}"
    return (
        postgres.replace(asked, _POSTGRES.format(kind=kind, place=place)),
        sqlite.replace(asked, _SQLITE.format(place=place)),
    )


def found(
    select: str, sqlite: str | None = None, *, lock: str = "FOR UPDATE SKIP LOCKED"
) -> tuple[str, str]:
    """What a key shall be, `id {…}`: one of those that the SELECT finds, and that Postgres locks.

    An array for the same reason; SQLite has one writer and nothing to lock.
    """
    return f"= ANY (ARRAY({select} {lock}))", f"IN ({sqlite or select})"


def looked_up(text: str, **tables: tuple[str, str]) -> tuple[str, str]:
    """`text` for Postgres and for SQLite; its `JOIN {s}` means the rows `s` of a table, those that
    fulfil a condition: `s=("suppression", "s.address = r.address")`.

    In Postgres they are a subquery of each row before them: whatever the table was like when the
    plan was made, it asks an index for each.
    """
    postgres = sqlite = text
    for name, (table, condition) in tables.items():
        rows = f"LATERAL (SELECT {name}.* FROM {table} {name} WHERE {condition} OFFSET 0) {name}"
        postgres = postgres.replace(f"JOIN {{{name}}}", f"JOIN {rows} ON true")
        sqlite = sqlite.replace(f"JOIN {{{name}}}", f"JOIN {table} {name} ON {condition}")
    return postgres, sqlite
