"""The rules of the programme, revision by revision, and the one that is in force here and now.

A revision is never changed. Quotes and receipts say by which one they were made, and are finished,
returned and cancelled by it. What is in force is asked of the database every few seconds.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from loyalty.clock import Clock
from loyalty.conflicts import DeclinedError, until_settled
from loyalty.database import query, transaction
from loyalty.instants import from_micros, to_micros
from loyalty.programme_document import ProgrammeDocument
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.earning import Pricing
from loyalty.rules.earning_rules import Selection
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.texts import is_plain

ENVIRONMENT = "environment"
"""Who saved a revision that came from the settings: it gives way to what they say later."""
LOOK_EVERY_S = 2.0
NAME_LENGTH_MAX, COMMENT_LENGTH_MAX = 64, 500

_COLUMNS = "SELECT number, at, saved_by, comment, document FROM rule_revision"
_LATEST = f"{_COLUMNS} ORDER BY number DESC LIMIT 1"
_LATEST_NUMBER = "SELECT MAX(number) AS number FROM rule_revision"
_NUMBERED = f"{_COLUMNS} WHERE number = $1"
_HISTORY = f"{_COLUMNS} WHERE number < $1 ORDER BY number DESC LIMIT $2"
_INSERT = """
INSERT INTO rule_revision (number, at, saved_by, comment, document) VALUES ($1, $2, $3, $4, $5)
"""
_HAS_RECEIPTS = "SELECT EXISTS (SELECT 1 FROM receipt) AS yes"
_ASSESS_ALL = "UPDATE customer_turnover SET due_at = 0"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Revision:
    """Rules and since when. Number 0 is what the settings say, as long as nothing is saved."""

    number: int
    at: datetime | None
    saved_by: str
    comment: str
    rules: ProgrammeRules

    @property
    def pricing(self) -> Pricing:
        return self.rules.pricing


class RuleBook:
    """The one that every part of the programme asks for its rules, each time anew."""

    def __init__(self, clock: Clock, settings: ProgrammeRules) -> None:
        self._clock = clock
        self._settings = Revision(0, None, ENVIRONMENT, "", settings)
        self._current = self._settings
        self._known = {0: self._settings}

    @property
    def current(self) -> Revision:
        """The revision that is in force. Hold on to it while one thing is being done."""
        return self._current

    @property
    def rules(self) -> ProgrammeRules:
        return self._current.rules

    async def open(self) -> None:
        """Take what is saved; what the settings say becomes a revision as long as nobody has saved
        one. For a process that begins to work."""
        await until_settled(self._adopt_settings)
        await self.refresh()

    async def _adopt_settings(self) -> None:
        async with transaction():
            rows = await query(_LATEST)
            document = ProgrammeDocument.of(self._settings.rules).text()
            if not rows:
                await self._insert(1, ENVIRONMENT, "", document)
            elif rows[0]["saved_by"] == ENVIRONMENT and rows[0]["document"] != document:
                await self._insert(rows[0]["number"] + 1, ENVIRONMENT, "", document)

    async def refresh(self) -> bool:
        """Look whether there is a newer revision; whether there was."""
        [row] = await query(_LATEST_NUMBER)
        number = row["number"]
        if number is None or number == self._current.number:
            return False
        self._current = await self.of(number)
        return True

    async def watch(self, stop: asyncio.Event) -> None:
        """Keep looking until `stop`. A database out of reach is waited out."""
        while not stop.is_set():
            try:
                if await self.refresh():
                    log.info("rules_in_force", revision=self._current.number)
            except Exception as error:
                log.warning("rules_not_asked", error=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await stop.wait()

    async def of(self, number: int) -> Revision:
        """A revision by its number, which something in the database has named."""
        if number not in self._known:
            [row] = await query(_NUMBERED, None, number)
            self._known[number] = self._revision(row)
        return self._known[number]

    async def find(self, number: int) -> Revision | None:
        """A revision that somebody asks for."""
        if number in self._known and number > 0:
            return self._known[number]
        rows = await query(_NUMBERED, None, number)
        return self._revision(rows[0]) if rows else None

    async def history(self, *, limit: int = 20, before: int | None = None) -> list[Revision]:
        """The latest first; `before` is a number to page on."""
        rows = await query(_HISTORY, None, before or 1 << 62, limit)
        return [self._revision(row) for row in rows]

    async def save(
        self, document: ProgrammeDocument, *, by: str, comment: str, base: int | None = None
    ) -> Revision | Refusal:
        """Make the document the rules from now on, everywhere within seconds.

        `base` is the revision that it was made from: when another has been saved since, it is
        rules_outdated. Refused: also rules_unchanged; currency_in_use (receipts are in another
        currency); invalid_name with `field` (who and why have to be told).
        """
        told = (("by", by, NAME_LENGTH_MAX), ("comment", comment, COMMENT_LENGTH_MAX))
        for field, text, length in told:
            if not text.strip() or not is_plain(text, length) or text == ENVIRONMENT:
                return refuse(No.INVALID_NAME, field=field)
        saved = await until_settled(lambda: self._save(document, by, comment, base))
        if not isinstance(saved, Refusal):
            await self.refresh()
        return saved

    async def _save(
        self, document: ProgrammeDocument, by: str, comment: str, base: int | None
    ) -> Revision:
        async with transaction():
            rows = await query(_LATEST)
            latest = self._revision(rows[0]) if rows else self._settings
            if base is not None and base != latest.number:
                raise DeclinedError(refuse(No.RULES_OUTDATED, revision=latest.number))
            rules = document.rules(self._settings.rules.referral)
            if rules == latest.rules:
                raise DeclinedError(refuse(No.RULES_UNCHANGED, revision=latest.number))
            if rules.currency != latest.rules.currency and (await query(_HAS_RECEIPTS))[0]["yes"]:
                raise DeclinedError(refuse(No.CURRENCY_IN_USE, currency=latest.rules.currency))
            number = latest.number + 1
            await self._insert(number, by, comment, document.text())
            if (rules.tiers, rules.timezone) != (latest.rules.tiers, latest.rules.timezone):
                await query(_ASSESS_ALL)
            [row] = await query(_NUMBERED, None, number)
            return self._revision(row)

    async def _insert(self, number: int, by: str, comment: str, document: str) -> None:
        at = to_micros(self._clock.now())
        await query(_INSERT, None, number, at, by, comment, document)

    def _revision(self, row: Any) -> Revision:
        document = ProgrammeDocument.model_validate_json(row["document"])
        rules = document.rules(self._settings.rules.referral)
        at = from_micros(row["at"])
        return Revision(row["number"], at, row["saved_by"], row["comment"], rules)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name in the rules that nothing here bears: misspelt, or of something still to come."""

    kind: str  # shop | category | product
    name: str


async def unknown_names(rules: ProgrammeRules) -> list[Unknown]:
    """What the rules name and the database does not know. A warning, no refusal."""
    earning = rules.earning
    chosen: list[Selection] = [each.goods for each in earning.multipliers]
    chosen += [earning.not_earning, earning.not_payable]
    named = {
        "shop": (("shop", "code"), (each.when.shops for each in earning.multipliers)),
        "category": (("product", "category"), (goods.categories for goods in chosen)),
        "product": (("product", "sku"), (goods.skus for goods in chosen)),
    }
    unknown = []
    for kind, ((table, column), groups) in named.items():
        for name in sorted(_all(groups)):
            found = f"SELECT 1 FROM {table} WHERE {column} = $1 LIMIT 1"  # noqa: S608 - our own
            if not await query(found, None, name):
                unknown.append(Unknown(kind, name))
    return unknown


def _all(groups: Iterable[frozenset[str]]) -> set[str]:
    return {name for group in groups for name in group}
