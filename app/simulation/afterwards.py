"""What only the whole year shows: birthdays, the unhappy, refills, journeys without a word."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from app.simulation.findings import Findings
from app.simulation.people import LEAP_BORN, Life
from loyalty.database import query
from loyalty.instants import span_micros, to_micros

MANY = 10
"""Of so many that have come out of a journey somebody must have heard something."""
TASK_WITHIN = timedelta(hours=1)
_DAY = timedelta(days=1)


async def look_back(
    findings: Findings, lives: Sequence[Life], joined: Mapping[int, datetime], now: datetime
) -> None:
    """`joined` is when each became a customer, by the number of her life."""
    await _birthdays(findings, lives, joined, now)
    await _detractors(findings, now)
    await _refills(findings)
    await _journeys(findings)


# birthdays


async def _birthdays(
    findings: Findings, lives: Sequence[Life], joined: Mapping[int, datetime], now: datetime
) -> None:
    """Each got a message about it, sent or not, and no second one."""
    greeted = await _greeted()
    for life in lives:
        for day in _birthdays_of(life, joined[life.number], now):
            findings.checked["birthdays"] += 1
            near = [on for on in greeted[life.id] if abs((on - day).days) <= 8]
            if not near:
                findings.add("birthday missed", f"customer {life.number} on {day}")
            elif len(near) > 1:
                findings.add("birthday twice", f"customer {life.number} on {day}")


def _birthdays_of(life: Life, joined: datetime, now: datetime) -> list[date]:
    """Those for which there was time to greet: she was known eight days before."""
    born = LEAP_BORN if life.number % 50 == 0 else life.person.born_on
    first, last = joined.date() + timedelta(days=9), now.date() - timedelta(days=2)
    days = (birthday(born, year) for year in range(first.year, last.year + 1))
    return [day for day in days if first <= day <= last]


def birthday(born: date, year: int) -> date:
    """When it is celebrated: who was born on 29 February, on the 28th of common years."""
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


async def _greeted() -> defaultdict[int, list[date]]:
    """When each customer's birthday messages were written."""
    found: defaultdict[int, list[date]] = defaultdict(list)
    for row in await query(_BIRTHDAYS):
        at = datetime.fromtimestamp(row["created_at"] / 1e6, UTC)
        found[row["customer_id"]].append(at.date())
    return found


_BIRTHDAYS = """
    SELECT customer_id, created_at FROM message WHERE kind = 'birthday' ORDER BY id
"""


# the unhappy


async def _detractors(findings: Findings, now: datetime) -> None:
    """Who has left it at six or less is to be called: a task, due an hour after it was opened."""
    before = to_micros(now - _DAY)
    for row in await query(_DETRACTORS, None, before, span_micros(TASK_WITHIN)):
        findings.checked["detractors"] += 1
        if not row["tasks"]:
            findings.add("detractor not called", f"sheet {row['id']}")


_DETRACTORS = """
    SELECT s.id, (SELECT COUNT(*) FROM task t WHERE t.customer_id = s.customer_id
        AND t.kind = 'detractor' AND t.opened_at >= s.answered_at
        AND t.due_at <= t.opened_at + $2) AS tasks
    FROM survey_sheet s WHERE s.score <= 6 AND s.changed_at < $1
"""


# refills


async def _refills(findings: Findings) -> None:
    """Nobody was reminded of a medicine of which all that she bought had come back by then."""
    for row in await query(_REMINDED):
        findings.checked["refills"] += 1
        if row["bought_milli"] <= row["back_milli"]:
            findings.add("reminded of returned goods", f"{row['dedupe_key']}: {row['sku']}")


# Of courses that are made of receipts alone: what she has told herself is none of their business.
_REMINDED = """
    WITH reminded AS (
        SELECT m.dedupe_key, a.started_at AS at, c.customer_id, c.sku, p.medicine
        FROM message m JOIN attempt a ON a.message_id = m.id AND a.state = 'sent'
        JOIN enrolment e ON e.id = m.enrolment_id
        JOIN refill_course c ON c.id = CAST(json_extract(e.data, char(36) || '.course') AS INTEGER)
        JOIN product p ON p.sku = c.sku
        WHERE m.kind = 'refill' AND e.journey = 'refill' AND c.base_told = 0 AND NOT EXISTS (
                SELECT 1 FROM refill_supply s WHERE s.course_id = c.id AND s.receipt_id IS NULL)),
    lines AS (
        SELECT d.dedupe_key, d.at AS reminded_at, l.id, l.quantity_milli FROM reminded d
        JOIN receipt r ON r.customer_id = d.customer_id AND r.recorded_at <= d.at
            AND (r.state <> 'cancelled' OR r.cancelled_at > d.at)
        JOIN receipt_line l ON l.receipt_id = r.id
        JOIN product p ON p.sku = l.sku
        WHERE p.sku = d.sku OR (d.medicine <> '' AND p.medicine = d.medicine))
    SELECT d.dedupe_key, d.sku,
        (SELECT COALESCE(SUM(x.quantity_milli), 0) FROM lines x
            WHERE x.dedupe_key = d.dedupe_key) AS bought_milli,
        (SELECT COALESCE(SUM(b.quantity_milli), 0) FROM lines x
            JOIN receipt_return_line b ON b.line_id = x.id
            JOIN receipt_return t ON t.id = b.receipt_return_id AND t.recorded_at <= d.at
            WHERE x.dedupe_key = d.dedupe_key) AS back_milli
    FROM reminded d
"""


# journeys


async def _journeys(findings: Findings) -> None:
    """One out of which many have come and nobody was told anything is not connected."""
    for row in await query(_JOURNEYS):
        findings.checked["journeys"] += 1
        if row["ended"] >= MANY and not row["messages"]:
            findings.add("journey says nothing", f"{row['journey']}: {row['ended']}")


_JOURNEYS = """
    SELECT e.journey, COUNT(e.ended_at) AS ended, (SELECT COUNT(*) FROM message m
        WHERE m.source LIKE 'journey:' || e.journey || ':%') AS messages
    FROM enrolment e GROUP BY e.journey
"""
