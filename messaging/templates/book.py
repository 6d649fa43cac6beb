"""The book of all templates, in memory: those of the house, and over them the latest revisions.

Writing is synchronous and asks nobody. Each process looks for new revisions once a second.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.resources import files

import structlog

from messaging.templates.bodies import Body, Context, Reader, TemplateError
from messaging.templates.definition import Template
from messaging.templates.files import read
from messaging.templates.revisions import count_of_revisions, latest_revisions
from messaging.templates.values import lacking, values_of
from messaging.templates.writing import Writer

LOOK_EVERY_S = 1.0

log = structlog.get_logger(__name__)


@lru_cache(maxsize=1)
def built_in() -> Mapping[str, Writer]:
    """The templates of the house, by name."""
    found = {}
    for path in files(__package__).joinpath("builtin").iterdir():
        if not path.name.endswith(".toml"):
            continue
        source = path.read_text(encoding="utf-8")
        template, problems = read(source)
        if problems:
            raise ValueError(f"{path.name}: {problems[0]}")
        found[template.name] = Writer(template, source=source)
    return dict(sorted(found.items()))


class Book:
    """What a process knows. One that is never refreshed has the templates of the house."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._looked_at_s: float | None = None
        self._version: tuple[int, int] = (0, 0)
        self._edited: dict[str, Writer | TemplateError] = {}

    def writer(self, name: str) -> Writer:
        """Raises TemplateError for a template that is unknown, or saved and cannot be read."""
        found = self._edited.get(name) or built_in().get(name)
        if found is None:
            raise TemplateError(f"unknown template {name}")
        if isinstance(found, TemplateError):
            raise TemplateError(str(found))
        return found

    @property
    def names(self) -> list[str]:
        return sorted({*built_in(), *self._edited})

    def template(self, name: str) -> Template:
        return self.writer(name).template

    def render(
        self, name: str, context: Context, reader: Reader, *, channel: str = "messenger"
    ) -> Body:
        """Write the message for one channel. Raises TemplateError."""
        return self.writer(name).write(context, reader, channel)

    def lacking(self, name: str, context: Context) -> list[str]:
        """The variables without which the template cannot be written, for whoever makes drafts."""
        return lacking(self.template(name), context)

    def unfit(self, name: str, context: Context) -> str | None:
        """Why no message can be made of this context, or None: also a value of a wrong kind."""
        try:
            values_of(self.template(name), context)
        except TemplateError as error:
            return str(error)
        return None

    async def refresh(self, *, at_once: bool = False) -> bool:
        """Learn of new revisions; whether there were any. Asks the database once a second."""
        now_s = self._now_s()
        looked_at_s = self._looked_at_s
        if not at_once and looked_at_s is not None and now_s - looked_at_s < LOOK_EVERY_S:
            return False
        self._looked_at_s = now_s
        version = await count_of_revisions()
        if version == self._version:
            return False
        edited: dict[str, Writer | TemplateError] = {}
        for row in await latest_revisions():
            known = self._edited.get(row.name)
            if isinstance(known, Writer) and known.source == row.source:
                known.revision = row.revision  # its compiled texts are kept
                edited[row.name] = known
            else:
                edited[row.name] = _writer(row.name, row.revision, row.source)
        self._edited, self._version = edited, version
        return True

    async def follow(self, stop: asyncio.Event) -> None:
        """Refresh until `stop`. A database out of reach is waited out: what is known holds."""
        while not stop.is_set():
            try:
                await self.refresh()
            except Exception:
                log.exception("templates_not_refreshed")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await stop.wait()


def _writer(name: str, revision: int, source: str) -> Writer | TemplateError:
    """A revision that was checked when it was saved, and may yet be unreadable to this version."""
    template, problems = read(source)
    wrong = next((problem for problem in problems if problem.refuses), None)
    if wrong is not None or template.name != name:
        log.error("template_unreadable", template=name, revision=revision, problem=str(wrong))
        why = f"{wrong.flaw} {wrong.where}" if wrong else f"it calls itself {template.name}"
        return TemplateError(f"{name}, revision {revision}: {why}")
    return Writer(template, revision=revision, source=source)


BOOK = Book()
"""The book of this process."""


def render(name: str, context: Context, reader: Reader, *, channel: str = "messenger") -> Body:
    """Write the message for one channel. Raises TemplateError."""
    return BOOK.render(name, context, reader, channel=channel)
