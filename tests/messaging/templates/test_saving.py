"""Saved templates: revisions that stay, which every process sees within a second."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.models import Product
from loyalty.refusals import No, Refusal
from messaging.dispatcher import Dispatcher
from messaging.outbox import enqueue
from messaging.templates import Book, Reader, TemplateError
from messaging.templates.book import LOOK_EVERY_S, built_in
from messaging.templates.revisions import Revision, add_revision, latest_revisions, revisions_of
from messaging.templates.saving import (
    NotSaved,
    Saved,
    checked,
    prescription_named,
    save,
)
from tests.messaging.conftest import ToldChannel, states
from tests.messaging.templates.samples import FINE, changed, in_chat

AT = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)
CODE = built_in()["sms_code"].source
CONTEXT = {"programme": "К", "code": "1"}
RU = Reader("ru")


def code_that_says(words: str) -> str:
    """The code's template with other Russian words in an SMS."""
    head, sms, tail = CODE.partition("[ru.sms]")
    return head + sms + tail.replace(
        'text = "{{ programme }}: ваш код {{ code }}. Никому его не говорите."',
        f'text = "{words} {{{{ code }}}} {{{{ programme }}}}"',
        1,
    )  # fmt: skip


async def saved(source: str, key: str = "k", **options: Any) -> Saved | NotSaved | Refusal:
    return await save(source, author="marketer", key=key, at=AT, **options)


async def test_a_revision_stays_with_who_and_when(db: str) -> None:
    assert await saved(FINE, "1") == Saved("spring", 1, True)
    assert await saved(changed(("тут", "там")), "2") == Saved("spring", 2, True)
    rows = await revisions_of("spring")
    assert [(row.revision, row.author, row.at) for row in rows] == [
        (2, "marketer", AT),
        (1, "marketer", AT),
    ]
    assert rows[1].source == FINE
    for statement in ("UPDATE template_revision SET source = ''", "DELETE FROM template_revision"):
        with pytest.raises(Exception, match="append-only"):
            await query(statement)


async def test_the_same_words_are_saved_once(db: str) -> None:
    assert await saved(FINE, "1") == Saved("spring", 1, True)
    assert await saved(FINE, "2") == Saved("spring", 1, False)
    assert await saved(FINE, "1") == Saved("spring", 1, False)
    refused = await saved(changed(("тут", "там")), "1")
    assert isinstance(refused, Refusal)
    assert refused.code == No.KEY_REUSED
    assert len(await revisions_of("spring")) == 1


async def test_two_editors_do_not_overwrite_each_other(db: str) -> None:
    assert await saved(FINE, "1", based_on=0)
    other = changed(("тут", "там"))
    result = await saved(other, "2", based_on=0)
    assert isinstance(result, NotSaved)
    assert not result
    [problem] = result.problems
    assert (problem.flaw, problem.detail) == ("edited_meanwhile", "marketer, 2026-01-01 09:00")
    assert await saved(other, "2", based_on=1) == Saved("spring", 2, True)


async def test_many_at_once_get_a_number_each(db: str) -> None:
    sources = [changed(("тут", f"тут {n}")) for n in range(8)]
    results = await asyncio.gather(*(saved(s, f"k{n}") for n, s in enumerate(sources)))
    assert sorted(r.revision for r in results if isinstance(r, Saved)) == list(range(1, 9))
    assert len(await latest_revisions()) == 1


async def test_what_is_wrong_is_told_and_nothing_is_saved(db: str) -> None:
    result = await saved(in_chat("{{ a }} {{ b }}<br>"))
    assert isinstance(result, NotSaved)
    assert [problem.detail for problem in result.problems if problem.refuses] == ["a", "b", "br"]
    assert await revisions_of("spring") == []


async def test_prescription_drugs_of_the_catalogue_are_not_advertised(db: str) -> None:
    def product(sku: str, name: str, *, prescription_only: bool) -> Product:
        return Product(
            sku=sku, name=name, category="c", price_minor=1, prescription_only=prescription_only
        )

    await Product.bulk_create(
        [
            product("1", "Амлодипин 5 мг табл. №30", prescription_only=True),
            product("2", "Витамин D3 капли 10 мл", prescription_only=False),
        ]
    )
    assert await saved(in_chat("{{ title }} {{ n }} витамин D3")) == Saved("spring", 1, True)
    result = await saved(in_chat("{{ title }} {{ n }} с амлодипином"), "2")
    assert isinstance(result, NotSaved)
    assert [(str(p.flaw), p.detail) for p in result.problems] == [
        ("prescription_advertised", "амлодипин")
    ]
    assert await prescription_named("Скидка на АМЛОДИПИН!") == ["амлодипин"]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('topic = "service"', 'topic = "marketing"', "topic"),
        ("[variables]", '[variables]\nname = "text"', "variables.name"),
        ('code = { type = "text"', 'code = { type = "int"', "variables.code"),
    ],
)
async def test_a_template_of_the_house_keeps_what_the_programme_gives(
    db: str, old: str, new: str, where: str
) -> None:
    result = await checked(code_that_says("Код").replace(old, new))
    assert ("not_as_built_in", where) in {(str(p.flaw), p.where) for p in result.refusals}


async def test_a_book_looks_once_a_second_and_keeps_what_it_has_compiled(db: str) -> None:
    now = [100.0]
    book = Book(lambda: now[0])
    assert not await book.refresh()
    with pytest.raises(TemplateError):
        book.writer("spring")
    await saved(FINE, "1")
    assert not await book.refresh()
    now[0] += LOOK_EVERY_S
    assert await book.refresh()
    writer = book.writer("spring")
    assert "spring" in book.names
    await saved(code_that_says("Код:"), "2")
    now[0] += LOOK_EVERY_S
    assert await book.refresh()
    assert book.writer("spring") is writer
    assert book.render("sms_code", CONTEXT, RU, channel="sms").plain == "Код: 1 К"
    assert book.render("sms_code", CONTEXT, RU).plain.startswith("К: ваш код 1.")
    await saved(CODE, "3")
    assert await book.refresh(at_once=True)
    assert book.render("sms_code", CONTEXT, RU, channel="sms").plain.startswith("К: ваш код")


async def test_a_revision_that_commits_late_is_seen(db: str) -> None:
    """Ids are made before the commit: a smaller one may come after a greater."""
    book = Book()
    await saved(FINE, "1")
    await book.refresh()
    other = changed(('"spring"', '"summer"'))
    await query(
        "INSERT INTO template_revision (id, name, revision, source, author, key, at) "
        "VALUES (5, 'summer', 1, $1, 'm', 'late', 0)",
        None,
        other,
    )
    assert await book.refresh(at_once=True)
    assert book.writer("summer").revision == 1


async def test_another_process_learns_of_it_by_itself(db: str) -> None:
    stop, book = asyncio.Event(), Book()
    following = asyncio.create_task(book.follow(stop))
    await saved(FINE)
    async with asyncio.timeout(60):
        while "spring" not in book.names:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.05)
    stop.set()
    await following


@pytest.fixture
def house_book(db: str, monkeypatch: pytest.MonkeyPatch) -> Book:
    """A book that the process uses instead of its own, which other tests use."""
    book = Book()
    monkeypatch.setattr("messaging.templates.book.BOOK", book)
    return book


async def test_the_dispatcher_says_what_was_saved(
    house_book: Book,
    make_dispatcher: Callable[..., Dispatcher],
    channel: ToldChannel,
    code: Any,
    clock: VirtualClock,
) -> None:
    channel.name = "sms"
    dispatcher = make_dispatcher(channel)
    await enqueue([code("1")], at=clock.now())
    await dispatcher.drain()
    await saved(code_that_says("Вот код:"))
    await house_book.refresh(at_once=True)
    await enqueue([code("2")], at=clock.now())
    await dispatcher.drain()
    assert channel.texts == [
        "Капсула: ваш код 1234. Никому его не говорите.",
        "Вот код: 1234 Капсула",
    ]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("no template at all", "template: sms_code, revision 1: unreadable "),
        (CODE.replace("{{ code }}", "{{ ''.__class__ }}"), "template: sms_code, ru."),
        (FINE, "template: sms_code, revision 1: it calls itself spring"),
        (
            CODE.replace("[variables]", '[variables]\nmore = "text"'),
            "template: sms_code lacks more",
        ),
        (CODE.replace("{{ code }}", "{{ code|points }}"), "template: sms_code, ru."),
    ],
)
async def test_a_broken_one_fails_its_own_messages_and_stops_nobody(
    house_book: Book,
    dispatcher: Dispatcher,
    channel: ToldChannel,
    code: Any,
    clock: VirtualClock,
    source: str,
    reason: str,
) -> None:
    """However it has come into the table: by an older version, or by hand."""
    await add_revision(Revision("sms_code", 1, source, "hand", AT), key="k")
    await house_book.refresh(at_once=True)
    welcome = {"template": "welcome", "context": {"programme": "К", "points": 1}}
    drafts = [code("1"), code("2", address="+79001234568", **welcome)]
    await enqueue(drafts, at=clock.now())
    await dispatcher.drain()
    told = await states()
    assert told["1"][0] == "failed"
    assert told["1"][1].startswith(reason)
    assert told["2"] == ("sent", "")
    assert len(channel.got) == 1
