"""The pages behind the links: what a GET never does, hostile tokens, one click, no script."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer

from loyalty import consents
from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.models import Customer
from loyalty.programme import Programme
from loyalty.rules.consents import is_granted
from loyalty.rules.programme import ProgrammeRules
from messaging import suppressions
from messaging.attention import Attention
from messaging.links import TRAP_NTH
from messaging.optin import OptIns
from messaging.preferences import preferences_of
from messaging.templates import Body
from messaging.wakeups import Wakeups
from messaging.web import add_messaging_pages
from tests.messaging.conftest import customer_with
from tests.messaging.letters import ADDRESSES, LINKS, send

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept-Language": "en-GB,en;q=0.8",
}
EMAIL = ("email", ADDRESSES["email"])
NAME = "Аптека <b>&amp;</b> «Ромашка»"
HOSTILE = [
    "x",
    "0" * 19,
    "z" * 19,
    "a" * 29,
    "%00" * 5,
    "ы" * 19,
    "..%2f..%2fetc",
    "'--",
    "a" * 4000,
]


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(name=NAME)


@pytest.fixture
def attention(clock: VirtualClock) -> Attention:
    return Attention(clock)


@pytest.fixture
async def opt_ins(programme: Programme) -> OptIns:
    return OptIns(programme.clock, programme.customers, LINKS, Wakeups(), programme_name=NAME)


@pytest.fixture
async def pages(
    programme: Programme, opt_ins: OptIns, attention: Attention
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    add_messaging_pages(app, programme, LINKS, opt_ins=opt_ins, attention=attention)
    client = TestClient(TestServer(app), headers=BROWSER)
    await client.start_server()
    yield client
    await client.close()


Pages = TestClient[web.Request, web.Application]


async def anna_with_mail(clock: VirtualClock, body: str = "x", **more: object) -> tuple[int, int]:
    """A customer who agreed, and the attempt of a mail to her."""
    anna = await customer_with(("telegram", "5001"), EMAIL, ("phone", ADDRESSES["sms"]))
    await consents.record(
        anna, clock.now(), purpose="marketing", channel="", granted=True, source="telegram",
        wording="join",
    )  # fmt: skip
    attempt_id, _ = await send(clock, Body(body), customer_id=anna, **more)  # type: ignore[arg-type]
    clock.advance(timedelta(minutes=1))
    return anna, attempt_id


async def get(pages: Pages, url: str, **more: object) -> ClientResponse:
    path = url.removeprefix(LINKS.public_url)
    return await pages.get(path, allow_redirects=False, **more)  # type: ignore[arg-type]


async def post(pages: Pages, url: str, data: object = None, **more: object) -> ClientResponse:
    path = url.removeprefix(LINKS.public_url)
    return await pages.post(path, data=data, allow_redirects=False, **more)  # type: ignore[arg-type]


async def gets(customer_id: int) -> str:
    holds = await consents.consents_of(customer_id)
    names = ("messenger", "email", "sms")
    return " ".join(c for c in names if is_granted(holds, "marketing", c))


async def closed(clock: VirtualClock) -> list[str]:
    standing = await suppressions.standing([EMAIL], at=to_micros(clock.now()))
    return [entry.reason for entry in standing]


async def hits() -> list[tuple[str, str]]:
    rows = await query("SELECT verdict, reason FROM hit ORDER BY id")
    return [(row["verdict"], row["reason"]) for row in rows]


def is_kept_nowhere(answer: ClientResponse) -> None:
    assert answer.headers["Cache-Control"] == "no-store"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def is_a_page(answer: ClientResponse, status: int = 200) -> str:
    text = await answer.text()
    assert answer.status == status, text
    is_kept_nowhere(answer)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    assert "<script" not in text
    assert "<b>&amp;</b>" not in text, "the programme's name is text"
    return text


# clicks and openings


async def test_a_click_leads_to_its_target_and_nowhere_else(
    pages: Pages, clock: VirtualClock, attention: Attention
) -> None:
    _, attempt_id = await anna_with_mail(clock, "https://shop.example/скидки?a=1")
    answer = await get(pages, LINKS.click(attempt_id, 0) + "?url=https://evil.example/")
    assert answer.status == 302
    is_kept_nowhere(answer)
    assert answer.headers["Location"] == (
        "https://shop.example/%D1%81%D0%BA%D0%B8%D0%B4%D0%BA%D0%B8?a=1"
    )
    assert await hits() == [("person", "")]
    clock.advance(timedelta(seconds=3))
    assert await attention.flush() == 1


async def test_machines_are_sent_on_too(pages: Pages, clock: VirtualClock) -> None:
    _, attempt_id = await anna_with_mail(clock, "https://shop.example/a")
    url = LINKS.click(attempt_id, 0)
    for headers in ({"User-Agent": "curl/8"}, {"Sec-Purpose": "prefetch"}):
        assert (await get(pages, url, headers=headers)).status == 302
    head = await pages.head(url.removeprefix(LINKS.public_url), allow_redirects=False)
    assert head.status == 302
    assert [reason for _, reason in await hits()] == ["script", "prefetch", "head"]


async def test_the_trap_leads_on_as_if_it_were_none(pages: Pages, clock: VirtualClock) -> None:
    page = '<html><body><a href="https://shop.example/a">x</a></body></html>'
    _, attempt_id = await anna_with_mail(clock, page)
    answer = await get(pages, LINKS.click(attempt_id, TRAP_NTH))
    assert (answer.status, answer.headers["Location"]) == (302, "https://shop.example/a")
    assert await hits() == [("machine", "trapped")]


async def test_the_point_is_a_picture_whatever_is_asked(pages: Pages, clock: VirtualClock) -> None:
    _, attempt_id = await anna_with_mail(clock)
    for url in (LINKS.opened(attempt_id), "/o/forged.gif"):
        answer = await get(pages, url)
        assert (answer.status, answer.content_type) == (200, "image/gif")
        assert (await answer.read()).startswith(b"GIF89a")
        is_kept_nowhere(answer)
    assert await hits() == [("person", "")]


async def test_a_link_that_is_asked_for_endlessly_still_leads_on(
    pages: Pages, clock: VirtualClock
) -> None:
    _, attempt_id = await anna_with_mail(clock, "https://shop.example/a")
    for _ in range(40):
        assert (await get(pages, LINKS.click(attempt_id, 0))).status == 302
    assert len(await hits()) == 30


async def test_a_link_of_a_forgotten_message_is_a_friendly_page(pages: Pages) -> None:
    text = await is_a_page(await get(pages, LINKS.click(77, 0)), 404)
    assert "This link leads nowhere" in text
    russian = await get(pages, LINKS.click(77, 0), headers={"Accept-Language": "ru"})
    assert "Эта ссылка никуда не ведёт" in await is_a_page(russian, 404)


@pytest.mark.parametrize("token", HOSTILE, ids=lambda token: token[:10])
@pytest.mark.parametrize("page", ["c", "u", "p", "doi"])
async def test_a_forged_token_opens_nothing(pages: Pages, page: str, token: str) -> None:
    assert (await pages.get(f"/{page}/{token}", allow_redirects=False)).status == 404
    if page != "c":
        answer = await pages.post(f"/{page}/{token}", data={"action": "stop"})
        assert answer.status == 404
    assert await hits() == []


async def test_a_token_of_ten_kilobytes_is_refused(pages: Pages) -> None:
    for page in ("c", "u", "p", "doi"):
        assert (await pages.get(f"/{page}/{'a' * 10_240}")).status in (400, 404, 414)


async def test_who_guesses_is_slowed_down_and_nobody_else(
    pages: Pages, clock: VirtualClock
) -> None:
    _, attempt_id = await anna_with_mail(clock, "https://shop.example/a")
    statuses = [(await pages.get(f"/u/{'a' * 28}{n % 10}")).status for n in range(40)]
    assert statuses == [404] * 30 + [429] * 10
    answer = await pages.get("/p/guess")
    assert int(answer.headers["Retry-After"]) >= 1
    await is_a_page(answer, 429)
    assert (await get(pages, LINKS.click(attempt_id, 0))).status == 302
    assert (await get(pages, LINKS.unsubscribe(attempt_id))).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_do_nothing(pages: Pages, clock: VirtualClock, method: str) -> None:
    anna, attempt_id = await anna_with_mail(clock, "https://shop.example/a")
    for url in (LINKS.unsubscribe(attempt_id), LINKS.preferences(anna), LINKS.click(attempt_id, 0)):
        assert (await pages.request(method, url.removeprefix(LINKS.public_url))).status == 405
    assert await gets(anna) == "messenger email sms"


# leaving


async def test_only_a_post_unsubscribes(pages: Pages, clock: VirtualClock) -> None:
    anna, attempt_id = await anna_with_mail(clock)
    url = LINKS.unsubscribe(attempt_id)
    for _ in range(2):
        text = await is_a_page(await get(pages, url))
        assert "Отписаться?" in text
        assert "an•••@shop.example" in text
        assert ADDRESSES["email"] not in text
        assert re.search(r'<a href="/p/\w{29}">', text)
    await pages.head(url.removeprefix(LINKS.public_url))
    assert await gets(anna) == "messenger email sms"
    for _ in range(2):
        text = await is_a_page(await post(pages, url, {"action": "leave"}))
        assert "Вы отписаны" in text
    assert await gets(anna) == "messenger sms"
    assert await closed(clock) == ["unsubscribed"]
    assert "Вы отписаны" in await is_a_page(await get(pages, url))


def _multipart() -> FormData:
    form = FormData(default_to_multipart=True)
    form.add_field("List-Unsubscribe", "One-Click")
    return form


@pytest.mark.parametrize(
    "body",
    [
        {"List-Unsubscribe": "One-Click"},
        _multipart,
        b"",
        b"no form at all \xff",
        {"action": "nonsense"},
    ],
    ids=["one click", "multipart", "empty", "bytes", "other"],
)
async def test_one_click_of_a_mail_program(pages: Pages, clock: VirtualClock, body: object) -> None:
    """RFC 8058: no cookies, no page before, no redirect after."""
    anna, attempt_id = await anna_with_mail(clock)
    data = body() if callable(body) else body
    answer = await post(pages, LINKS.unsubscribe(attempt_id), data)
    await is_a_page(answer)
    assert await gets(anna) == "messenger sms"
    assert await closed(clock) == ["unsubscribed"]


async def test_a_broken_multipart_still_unsubscribes(pages: Pages, clock: VirtualClock) -> None:
    anna, attempt_id = await anna_with_mail(clock)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await post(pages, LINKS.unsubscribe(attempt_id), b"--y\r\nbroken", headers=headers)
    await is_a_page(answer)
    assert await gets(anna) == "messenger sms"


async def test_a_body_that_is_no_form_of_ours_is_refused(pages: Pages, clock: VirtualClock) -> None:
    anna, attempt_id = await anna_with_mail(clock)
    answer = await post(pages, LINKS.unsubscribe(attempt_id), {"x": "y" * 20_000})
    assert answer.status == 413
    assert await gets(anna) == "messenger email sms"


async def test_undo_brings_it_back(pages: Pages, clock: VirtualClock) -> None:
    anna, attempt_id = await anna_with_mail(clock)
    url = LINKS.unsubscribe(attempt_id)
    left = await is_a_page(await post(pages, url))
    assert 'name="action" value="undo"' in left
    back = await is_a_page(await post(pages, url, {"action": "undo"}))
    assert "рассылка снова включена" in back
    assert await gets(anna) == "messenger email sms"
    assert await closed(clock) == []


async def test_a_stranger_leaves_without_preferences(pages: Pages, clock: VirtualClock) -> None:
    attempt_id, _ = await send(clock, Body("x"), channel="sms", topic="survey", language="en")
    text = await is_a_page(await get(pages, LINKS.unsubscribe(attempt_id)))
    assert "will send no more questions here" in text
    assert "/p/" not in text


# preferences

FORM = {
    "action": "save", "topic": ["marketing", "survey"], "channel": ["messenger", "sms"],
    "often": "2", "quiet": "own", "from": "22:15", "until": "07:45", "language": "en",
}  # fmt: skip


def form(**changed: object) -> FormData:
    """As a browser posts it."""
    fields = FORM | changed
    data = FormData()
    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            data.add_field(name, str(each))
    return data


async def test_preferences_are_shown_and_saved(pages: Pages, clock: VirtualClock) -> None:
    anna, _ = await anna_with_mail(clock)
    url = LINKS.preferences(anna)
    text = await is_a_page(await get(pages, url))
    for shown in ("Что вам присылать", "Москва", "21:00", "an•••@shop.example", "•••-45-67"):
        assert shown in text
    answer = await post(pages, url, form())
    assert answer.status == 303
    assert answer.headers["Location"].endswith("?saved")
    is_kept_nowhere(answer)
    assert await gets(anna) == "messenger sms"
    found = await preferences_of(anna)
    assert found is not None
    assert (found.weekly_max, found.quiet, found.language) == (2, (22 * 60 + 15, 7 * 60 + 45), "en")
    text = await is_a_page(await get(pages, answer.headers["Location"]))
    assert 'role="status">Saved.' in text
    assert re.search(r'value="2" checked', text)
    assert 'name="from" value="22:15"' in text


async def test_all_advertising_stops_and_comes_back(pages: Pages, clock: VirtualClock) -> None:
    anna, _ = await anna_with_mail(clock)
    url = LINKS.preferences(anna)
    await post(pages, url, form(action="stop"))
    assert await gets(anna) == ""
    text = await is_a_page(await get(pages, url))
    assert "Stop all advertising" not in text
    await post(pages, url, form(topic=["survey"]))
    assert await gets(anna) == "", "without the topic the channels say nothing"
    await post(pages, url, form(channel=["email"]))
    assert await gets(anna) == "email"


async def test_surveys_are_a_topic_of_their_own(pages: Pages, clock: VirtualClock) -> None:
    anna, _ = await anna_with_mail(clock)
    await post(pages, LINKS.preferences(anna), form(topic=["marketing"], often="", quiet="never"))
    found = await preferences_of(anna)
    assert found is not None
    assert (found.surveys, found.weekly_max, found.quiet) == (False, None, (0, 0))
    assert await gets(anna) == "messenger sms"


async def test_names_of_medicines_are_shown_elsewhere_only_if_she_says_so(
    pages: Pages, clock: VirtualClock
) -> None:
    anna, _ = await anna_with_mail(clock)
    url = LINKS.preferences(anna)
    ticked = re.compile(r'name="medicines" value="named"( checked)?>')
    for fields, shown in (({}, False), ({"medicines": "named"}, True), ({}, False)):
        await post(pages, url, form(**fields))
        found = await preferences_of(anna)
        assert found is not None
        assert found.medicine_names is shown
        on_page = ticked.search(await is_a_page(await get(pages, url)))
        assert on_page is not None
        assert bool(on_page[1]) is shown


@pytest.mark.parametrize(
    "changed",
    [
        {"from": ""}, {"from": "25:00"}, {"from": "07:45"}, {"from": "x" * 1000},
        {"quiet": "always"}, {"often": "99"}, {"often": "-1"}, {"language": "xx"}, {"action": ""},
        {"action": "<script>"},
    ],
    ids=lambda changed: str(changed)[:24],
)  # fmt: skip
async def test_what_cannot_be_is_told_and_nothing_is_saved(
    pages: Pages, clock: VirtualClock, changed: dict[str, str]
) -> None:
    anna, _ = await anna_with_mail(clock)
    text = await is_a_page(await post(pages, LINKS.preferences(anna), form(**changed)), 422)
    assert 'role="alert"' in text
    assert await gets(anna) == "messenger email sms"
    found = await preferences_of(anna)
    assert found is not None
    assert found.weekly_max is None


async def test_a_channel_that_she_does_not_have_cannot_be_chosen(
    pages: Pages, clock: VirtualClock
) -> None:
    anna, _ = await anna_with_mail(clock)
    await post(pages, LINKS.preferences(anna), form(channel=["webpush", "pigeon", "sms"]))
    assert await gets(anna) == "sms"


async def test_an_erased_customer_has_no_preferences(pages: Pages, clock: VirtualClock) -> None:
    anna, _ = await anna_with_mail(clock)
    await Customer.filter(id=anna).update(erased_at=clock.now())
    await is_a_page(await get(pages, LINKS.preferences(anna)), 404)
    await is_a_page(await post(pages, LINKS.preferences(anna), form()), 404)


async def test_the_page_of_one_is_not_the_page_of_another(
    pages: Pages, clock: VirtualClock
) -> None:
    anna, attempt_id = await anna_with_mail(clock)
    token = LINKS.unsubscribe(attempt_id).rsplit("/", 1)[1]
    assert (await pages.get(f"/p/{token}")).status == 404
    token = LINKS.preferences(anna).rsplit("/", 1)[1]
    assert (await pages.post(f"/u/{token}")).status == 404
    assert await gets(anna) == "messenger email sms"


# double opt-in


async def opt_in_url(opt_ins: OptIns, customer_id: int, address: str) -> str:
    await opt_ins.ask(customer_id, address, "ru")
    rows = await query("SELECT id FROM opt_in ORDER BY id DESC LIMIT 1")
    return LINKS.opt_in(rows[0]["id"])


async def test_only_a_post_confirms_an_address(pages: Pages, opt_ins: OptIns) -> None:
    anna = await customer_with(("telegram", "5001"))
    url = await opt_in_url(opt_ins, anna, ADDRESSES["email"])
    for _ in range(2):
        text = await is_a_page(await get(pages, url))
        assert "Это ваш адрес?" in text
        assert ADDRESSES["email"] in text
    found = await preferences_of(anna)
    assert found is not None
    assert found.email == ""
    for _ in range(2):
        assert "Адрес подтверждён" in await is_a_page(await post(pages, url))
    found = await preferences_of(anna)
    assert found is not None
    assert found.email == ADDRESSES["email"]
    assert "Адрес подтверждён" in await is_a_page(await get(pages, url))


async def test_an_old_letter_and_a_taken_address(
    pages: Pages, opt_ins: OptIns, clock: VirtualClock
) -> None:
    anna = await customer_with(("telegram", "5001"))
    url = await opt_in_url(opt_ins, anna, ADDRESSES["email"])
    await customer_with(EMAIL)
    assert "привязан к другой карте" in await is_a_page(await post(pages, url))
    clock.advance(timedelta(days=8))
    for answer in (await get(pages, url), await post(pages, url)):
        assert "Письмо устарело" in await is_a_page(answer, 410)
