"""To save a template: checked as a whole, then a revision that stays."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from loyalty.database import query, transaction
from loyalty.refusals import No, Refusal, refuse
from messaging.policy.advertising import Drugs, drugs, named
from messaging.templates.book import built_in
from messaging.templates.checking import Checked, check
from messaging.templates.files import read
from messaging.templates.problems import Flaw, Problem
from messaging.templates.revisions import Revision, add_revision, revision_by_key, revisions_of

_RACES_MAX = 20


@dataclass(frozen=True, slots=True)
class Saved:
    """`new` is false when this is what held already."""

    name: str
    revision: int
    new: bool
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class NotSaved:
    """All the reasons at once. Falsy, like a refusal."""

    problems: tuple[Problem, ...]

    def __bool__(self) -> bool:
        return False


async def checked(source: str) -> Checked:
    """All that is wrong with the template, by the catalogue and the built-in one of its name."""
    house = built_in().get(read(source)[0].name)
    return await asyncio.to_thread(  # some hundred texts are written: others go on meanwhile
        check,
        source,
        known_drugs=await catalogue_drugs(),
        house=house.template if house else None,
    )


async def save(
    source: str, *, author: str, key: str, at: datetime, based_on: int | None = None
) -> Saved | NotSaved | Refusal:
    """Keep a new revision, unless it is word for word the one that holds.

    `based_on`: the number of the revision that was edited (0: none yet, or the built-in one); when
    another has been saved meanwhile nothing is. Refusals: key_reused.
    """
    result = await checked(source)
    if result.refusals:
        return NotSaved(result.problems)
    name, warnings = result.template.name, tuple(result.warnings)
    for _ in range(_RACES_MAX):
        async with transaction():
            if earlier := await revision_by_key(key):
                if earlier.source != source:
                    return refuse(No.KEY_REUSED)
                return Saved(name, earlier.revision, False, warnings)
            latest = next(iter(await revisions_of(name, limit=1)), None)
            number = latest.revision if latest else 0
            if based_on is not None and based_on != number:
                who = f"{latest.author}, {latest.at:%Y-%m-%d %H:%M}" if latest else "–"
                return NotSaved((Problem(Flaw.EDITED_MEANWHILE, "", who),))
            if latest and latest.source == source:
                return Saved(name, number, False, warnings)
            new = Revision(name, number + 1, source, author, at)
            if await add_revision(new, key=key):
                return Saved(name, new.revision, True, warnings)
    raise RuntimeError(f"template {name}: {_RACES_MAX} others were faster")


_NAMES = "SELECT name, prescription_only FROM product"


async def catalogue_drugs() -> Drugs:
    """What the shop's catalogue sells by prescription only."""
    rows = await query(_NAMES)
    return drugs(
        [row["name"] for row in rows if row["prescription_only"]],
        [row["name"] for row in rows if not row["prescription_only"]],
    )


async def prescription_named(text: str) -> list[str]:
    """The prescription drugs that a text names: for words that come from outside a template."""
    return named(text, await catalogue_drugs())
