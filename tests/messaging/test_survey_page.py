"""The page of a survey: a GET answers nothing, one tap is a score, then why and her words."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from loyalty.clock import VirtualClock
from loyalty.database import query, transaction
from loyalty.programme import Programme
from loyalty.rules.surveys import INTERESTS, NPS, Survey
from messaging.page_desk import PageDesk, PageOptions
from messaging.survey_page import SurveyPages
from tests.loyalty.people import joined
from tests.messaging.letters import LINKS

Pages = TestClient[web.Request, web.Application]


@pytest.fixture
async def pages(programme: Programme) -> AsyncIterator[Pages]:
    app = web.Application()
    SurveyPages(programme, LINKS, PageDesk(programme, PageOptions())).add_to(app)
    async with TestClient(TestServer(app)) as client:
        yield client


async def asked(programme: Programme, survey: Survey = NPS) -> tuple[int, str]:
    """The sheet and the path of its page."""
    customer = await joined(programme)
    async with transaction():
        sheet = await programme.surveys.hand_out(survey, customer.id, key="k")
    return sheet, "/s/" + LINKS.survey(sheet).rpartition("/")[2]


async def text_of(pages: Pages, path: str, status: int = 200) -> str:
    answer = await pages.get(path)
    assert answer.status == status
    return await answer.text()


async def answers(programme: Programme, sheet: int) -> object:
    found = await programme.surveys.sheet(sheet)
    return found and found.answers


async def test_opening_the_page_answers_nothing(pages: Pages, programme: Programme) -> None:
    sheet, path = await asked(programme)
    for address in (path, f"{path}?score=9", f"{path}?score=9&saved", f"{path}?score=<script>"):
        page = await text_of(pages, address)
        assert "<script" not in page
        assert len(re.findall(r'name="score"', page)) == 11 + ("?score=9" in address)
    assert (await pages.head(f"{path}?score=9")).status == 200
    assert await answers(programme, sheet) == {}
    assert "Отправить оценку: 9" in await text_of(pages, f"{path}?score=9")


async def test_a_score_in_one_tap_then_the_rest(pages: Pages, programme: Programme) -> None:
    sheet, path = await asked(programme)
    page = await (await pages.post(path, data={"score": "4"})).text()
    assert "Ваша оценка: 4 из 10" in page
    assert "Что пошло не так?" in page
    form = {"why": ["price", "queue"], "words": "Дорого <b>и</b>\r\nдолго ", "action": "save"}
    page = await (await pages.post(path, data=form)).text()
    assert "Мы во всём разберёмся" in page
    assert "Дорого &lt;b&gt;и&lt;/b&gt;\nдолго" in page
    assert await answers(programme, sheet) == {
        "score": ["4"], "why": ["price", "queue"], "words": ["Дорого <b>и</b>\nдолго"],
    }  # fmt: skip
    await pages.post(path, data={"action": "save"})
    assert await answers(programme, sheet) == {"score": ["4"]}, "unticked and emptied again"


async def test_who_is_glad_sees_her_code_for_a_friend(pages: Pages, programme: Programme) -> None:
    _, path = await asked(programme)
    await pages.post(path, data={"score": "10"})
    page = await (await pages.post(path, data={"action": "save"})).text()
    assert "подарок вам обоим" in page


async def test_a_score_is_changed_and_the_day_after_it_is_too_late(
    pages: Pages, programme: Programme, clock: VirtualClock
) -> None:
    sheet, path = await asked(programme)
    for score in ("3", "3", "8"):
        assert (await pages.post(path, data={"score": score})).status == 200
    assert await answers(programme, sheet) == {"score": ["8"]}
    clock.advance(timedelta(days=1))
    assert "Опрос закончен" in await text_of(pages, path, 410)
    assert (await pages.post(path, data={"score": "1"})).status == 410
    assert await answers(programme, sheet) == {"score": ["8"]}
    [[events]] = await query("SELECT COUNT(*) FROM event WHERE kind = 'survey.answered'")
    assert events == 2


async def test_the_interests_are_one_form(pages: Pages, programme: Programme) -> None:
    sheet, path = await asked(programme, INTERESTS)
    assert "Что вам интересно?" in await text_of(pages, path)
    form = {"topics": ["baby"], "family": ["children", "myself"], "action": "save"}
    page = await (await pages.post(path, data=form)).text()
    assert "Будем писать о том" in page
    assert await answers(programme, sheet) == {
        "topics": ["baby"], "family": ["children", "myself"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "form",
    [
        {"score": "11"}, {"score": "-1"}, {"score": "9' OR 1=1"}, {"why": "weather"},
        {"words": "я" * 1001}, {"words": "a\x00b"}, {"why": ["price", "price"]},
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_refused_kindly(
    pages: Pages, programme: Programme, form: dict[str, str]
) -> None:
    sheet, path = await asked(programme)
    answer = await pages.post(path, data=form)
    assert answer.status == 422
    assert "не подходит" in await answer.text()
    assert await answers(programme, sheet) == {}


async def test_a_forged_link_leads_nowhere(pages: Pages, programme: Programme) -> None:
    sheet, path = await asked(programme)
    for token in ("x", "a" * 29, path[3:-1] + "2", LINKS.opt_in(sheet).rpartition("/")[2]):
        if f"/s/{token}" != path:
            await text_of(pages, f"/s/{token}", 404)
            assert (await pages.post(f"/s/{token}", data={"score": "9"})).status == 404
    assert await answers(programme, sheet) == {}
