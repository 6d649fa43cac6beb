"""A plan is made once (docs/decisions/0011), as a rule while the tables are small: it must not walk
through a table, or through a whole queue, that is large by the time it is used."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.database import database
from loyalty.database import query, transaction
from messaging import attempts, facts, mailings, optin, outbox, suppressions
from tests.backends import Backend

STATEMENTS = {
    "claim": outbox._CLAIM_DUE[0],
    "rivals": outbox._CLAIM_RIVALS[0],
    "renew": outbox._RENEW[0],
    "begin": attempts._BEGIN.postgres,
    "reserve": attempts._RESERVE[0],
    "record sent": attempts._RECORD_SENT[0],
    "record messages": attempts._RECORD_MESSAGES.postgres,
    "record attempts": attempts._RECORD_ATTEMPTS.postgres,
    "relieved": attempts._RELIEVED[0],
    "turn has come": attempts._TURN_HAS_COME[0],
    "let go": mailings._LET_GO[0],
    "people": facts._LOCKED[0],
    "addresses": facts._ADDRESSES[0],
    "suppressions": suppressions._STANDING.postgres,
    "opt-ins": optin._STATES.postgres,
    "taken": mailings._TAKEN.postgres,
    "consents": facts._CONSENTS[0],
    "contacts": facts._CONTACTS[0],
    "habits": facts._HABITS[0],
    "earlier tries": facts._BEFORE[0],
}
IN_ORDER = {"message_due", "message_lease"}
"""Walked in their order up to a limit, or as far as a worker holds messages: both are short."""


@pytest.mark.parametrize("db_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_plan_walks_through_a_table(db: str, name: str) -> None:
    async with transaction():
        await query("ANALYZE")  # as small as they will ever be
        await query(f"PREPARE hot AS {STATEMENTS[name]}")
        [[types]] = await query(
            "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'hot'"
        )
        [[plan]] = await query(
            f"EXPLAIN (FORMAT JSON) EXECUTE hot({', '.join('NULL' for _ in types)})"
        )
        await query("DEALLOCATE hot")
    found = json.loads(plan) if isinstance(plan, str) else plan
    walks = [
        node
        for node in _nodes(found[0]["Plan"])
        if "Relation Name" in node
        and node["Node Type"] != "ModifyTable"
        and "Index Cond" not in node
        and node.get("Index Name") not in IN_ORDER
    ]
    assert walks == []


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for each in node.get("Plans", ()):
        yield from _nodes(each)


@pytest.mark.parametrize("db_url", ["sqlite"], indirect=True)
async def test_sqlite_finds_a_customers_waiting_messages_by_its_index(db: str) -> None:
    text = f"EXPLAIN QUERY PLAN {outbox._CLAIM_RIVALS[1]}"
    rows = await query(text, None, [1, 2], 1, "me", 2)
    told = " ".join(row["detail"] for row in rows)
    assert "message_rivals (customer_id=?)" in told


def test_a_statement_is_planned_anew_after_a_while(
    postgres: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.database.PLANS_LIVE_S", 0.2)
    url = postgres.create()

    async def prepared_twice() -> list[Any]:
        async with database(url, migrate=False, pool_max=1):
            times = []
            for _ in range(2):
                times += await query(
                    "SELECT prepare_time FROM pg_prepared_statements "
                    "WHERE statement LIKE '%ask for its own time%' -- ask for its own time"
                )
                await asyncio.sleep(0.5)
            return times

    try:
        [first], [second] = asyncio.run(prepared_twice())
    finally:
        postgres.drop(url)
    assert first < second
