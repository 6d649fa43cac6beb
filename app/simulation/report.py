"""What happened in the year, by journey and channel: text for people, a record for machines."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from app.simulation.findings import Findings
from app.simulation.world import World
from loyalty.database import query

_CHANNELS = ("messenger", "webpush", "email", "sms")
_MESSAGES = """
    SELECT m.source, m.template, m.topic, m.state, m.reason, COUNT(*) AS messages
    FROM message m GROUP BY 1, 2, 3, 4, 5
"""
_ATTEMPTS = """
    SELECT m.source, m.template, a.channel, COUNT(*) AS sent,
        SUM(a.status = 'read') AS seen, SUM(a.clicked_at IS NOT NULL) AS clicked,
        SUM(a.cost) AS cost
    FROM attempt a JOIN message m ON m.id = a.message_id WHERE a.state = 'sent' GROUP BY 1, 2, 3
"""
_ALL = """
    SELECT m.dedupe_key, m.state, m.reason, m.created_at, m.closed_at,
        (SELECT GROUP_CONCAT(x) FROM (SELECT a.channel || a.state || a.started_at || a.status AS x
            FROM attempt a WHERE a.message_id = m.id ORDER BY a.id)) AS tries
    FROM message m ORDER BY m.id
"""
_ENROLMENTS = """
    SELECT journey, CASE WHEN ended_at IS NULL THEN 'inside' ELSE outcome END AS outcome,
        COUNT(*) AS customers FROM enrolment GROUP BY 1, 2 ORDER BY 1, 2
"""
_SURVEYS = """
    SELECT survey, COUNT(*) AS asked, COUNT(answered_at) AS answered
    FROM survey_sheet GROUP BY survey ORDER BY survey
"""
_POINTS = """
    SELECT kind, COUNT(*) AS transactions, SUM(points) AS points FROM ledger_transaction
    GROUP BY kind ORDER BY kind
"""


@dataclass(slots=True)
class Row:
    """One journey, mailing or notice: what was called for and what became of it."""

    messages: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    seen: int = 0
    clicked: int = 0
    skipped: int = 0
    failed: int = 0
    open: int = 0
    cost: int = 0

    def record(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class YearReport:
    """`fingerprint` is that of every message's whole story: two equal years have the same one."""

    customers: int
    days: int
    seed: int
    start: str
    done: Mapping[str, int]
    rows: Mapping[str, Row]
    reasons: Mapping[str, int]
    refusals: Mapping[str, int]
    points: Mapping[str, tuple[int, int]]
    journeys: Mapping[str, Mapping[str, int]]
    """By journey, how many enrolments ended how."""
    surveys: Mapping[str, tuple[int, int]]
    """How many were asked and how many have answered."""
    findings: Findings
    fingerprint: str

    @property
    def is_clean(self) -> bool:
        return not self.findings.wrong

    def record(self) -> dict[str, Any]:
        """For JSON."""
        kept = {each.name: getattr(self, each.name) for each in fields(self)}
        return kept | {
            "rows": {name: row.record() for name, row in self.rows.items()},
            "checked": dict(self.findings.checked),
            "findings": dict(self.findings.wrong),
            "examples": self.findings.examples,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        yield (f"{self.customers} customers, {self.days} days from {self.start}, seed {self.seed}")
        yield from _section("What people did", _figures(self.done))
        yield from _section("Points", _points(self.points))
        yield from _section("Journeys, and how their enrolments ended", _journeys(self.journeys))
        yield from _section("Surveys", _surveys(self.surveys))
        yield from _section("What was said, and how", _table(self.rows))
        yield from _section("Why messages were not sent", _figures(self.reasons))
        yield from _section("What the product said no to", _figures(self.refusals))
        yield from _section("Checked", _figures(self.findings.checked))
        yield from _section("Not as promised", self._wrong())
        yield f"Fingerprint: {self.fingerprint}"

    def _wrong(self) -> Iterator[str]:
        if self.is_clean:
            yield "nothing"
        yield from _figures(self.findings.wrong)
        yield from self.findings.examples


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield ""
    yield title
    yield from (f"  {line}" for line in lines)


def _figures(counted: Mapping[str, int]) -> Iterator[str]:
    for name, count in sorted(counted.items()):
        yield f"{count:>12,}  {name}"


def _points(points: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for kind, (count, total) in points.items():
        yield f"{total:>12,}  {kind} ({count:,} transactions)"


def _journeys(journeys: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for name, outcomes in journeys.items():
        ends = ", ".join(f"{outcome} {count:,}" for outcome, count in outcomes.items())
        yield f"{sum(outcomes.values()):>12,}  {name}: {ends}"


def _surveys(surveys: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for name, (asked, answered) in surveys.items():
        yield f"{asked:>12,}  {name}: {answered:,} answered"


def _table(rows: Mapping[str, Row]) -> Iterator[str]:
    heads = ("messages", *_CHANNELS, "seen", "clicked", "skipped", "failed", "open", "cost")
    yield f"{'':<28}" + "".join(f"{head:>11}" for head in heads)
    for name, row in sorted(rows.items()):
        cells: Sequence[int] = (
            row.messages, *(row.sent[channel] for channel in _CHANNELS), row.seen, row.clicked,
            row.skipped, row.failed, row.open,
        )  # fmt: skip
        cost = f"{row.cost / 1_000_000:>11,.2f}"
        yield f"{name:<28}" + "".join(f"{cell:>11,}" for cell in cells) + cost


async def report_of(world: World, findings: Findings, *, days: int, start: datetime) -> YearReport:
    """Gathered from the database after the last day."""
    rows: defaultdict[str, Row] = defaultdict(Row)
    reasons: Counter[str] = Counter()
    for each in await query(_MESSAGES):
        row, count = rows[name_of(each["source"], each["template"])], each["messages"]
        row.messages += count
        if each["state"] == "skipped":
            row.skipped += count
        elif each["state"] in ("failed", "unknown"):
            row.failed += count
        elif each["state"] != "sent":
            row.open += count
        if each["state"] not in ("sent", "queued"):
            name = name_of(each["source"], each["template"])
            reasons[f"{name}: {each['state']}, {each['reason']}"] += count
    for each in await query(_ATTEMPTS):
        row = rows[name_of(each["source"], each["template"])]
        row.sent[each["channel"]] += each["sent"]
        row.seen += each["seen"]
        row.clicked += each["clicked"]
        row.cost += each["cost"]
    return YearReport(
        customers=len(world.crowd),
        days=days,
        seed=world.seed,
        start=str(start.date()),
        done=dict(world.done),
        rows=dict(rows),
        reasons=dict(reasons),
        refusals={f"{asked}: {why}": n for (asked, why), n in world.refusals.items()},
        points={
            each["kind"]: (each["transactions"], each["points"]) for each in await query(_POINTS)
        },
        journeys=await _enrolments(),
        surveys={
            each["survey"]: (each["asked"], each["answered"]) for each in await query(_SURVEYS)
        },
        findings=findings,
        fingerprint=await _fingerprint(),
    )


def name_of(source: str, template: str) -> str:
    """The journey if a journey called for it, else the kind of message."""
    parts = source.split(":")
    return f"journey {parts[1]}" if parts[0] == "journey" else template


async def _enrolments() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in await query(_ENROLMENTS):
        found.setdefault(row["journey"], {})[row["outcome"]] = row["customers"]
    return found


async def _fingerprint() -> str:
    digest = hashlib.sha256()
    for row in await query(_ALL):
        digest.update("|".join(map(str, tuple(row))).encode())
    return digest.hexdigest()[:16]
