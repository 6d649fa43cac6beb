"""The page of a survey, for who was asked by mail: a score in one tap, then why and her words.

GET  /s/{token}   the questions; `?score=9` marks what a link of the mail stood for
POST /s/{token}   an answer: a score by its button, or all the rest by the form

A GET answers nothing: mail scanners follow every link. The token is the authority for one sheet.
"""

from typing import Any

from aiohttp import web

from loyalty.programme import Programme
from loyalty.refusals import Refusal
from loyalty.rules.promo_codes import grouped
from loyalty.rules.surveys import COMMENT_MAX, SCORE_MAX, group_of
from loyalty.surveys import Sheet
from messaging.i18n import gettext, supported
from messaging.links import Links
from messaging.page_desk import PageDesk, form_of, sent_on, token_of
from messaging.preference_form import Form, last
from messaging.survey_words import option_words, question_words, thanks_words


class SurveyPages:
    def __init__(self, programme: Programme, links: Links, desk: PageDesk) -> None:
        self._programme = programme
        self._links = links
        self._desk = desk

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/s/{token}", self.show)
        app.router.add_post("/s/{token}", self.take)

    async def show(self, request: web.Request) -> web.Response:
        sheet = await self._sheet(request)
        if isinstance(sheet, web.Response):
            return sheet
        marked = request.query.get("score", "")
        return await self._survey_page(sheet, marked=marked, saved="saved" in request.query)

    async def take(self, request: web.Request) -> web.Response:
        sheet = await self._sheet(request)
        if isinstance(sheet, web.Response):
            return sheet
        form = await form_of(request)
        score = last(form, "score")
        if score:
            surveys = self._programme.surveys
            answer = await surveys.answer(sheet.id, sheet.customer_id, "score", [score])
        else:
            answer = await self._save(sheet, form)
        if isinstance(answer, Refusal):
            return await self._survey_page(sheet, refused=True, status=422)
        return sent_on(request.path if score else f"{request.path}?saved")

    async def _save(self, sheet: Sheet, form: Form) -> Sheet | Refusal:
        """Every question of the form; what is left empty of those with one answer stays open."""
        surveys = self._programme.surveys
        answer: Sheet | Refusal = sheet
        for question in sheet.survey.questions:
            values = form.get(question.code, [])
            if question.kind == "text":
                values = [text for value in values if (text := _typed(value))]
            if question.kind == "score" or (question.kind == "one" and not values):
                continue
            answer = await surveys.answer(sheet.id, sheet.customer_id, question.code, values)
            if isinstance(answer, Refusal):
                return answer
        return await surveys.end(sheet.id, sheet.customer_id)

    async def _sheet(self, request: web.Request) -> Sheet | web.Response:
        sheet_id = self._links.asking.read(token_of(request))
        if sheet_id is None:
            return self._desk.forgery(request)
        if refused := self._desk.too_often(request):
            return refused
        return await self._programme.surveys.sheet(sheet_id) or self._desk.not_found(request)

    async def _survey_page(
        self,
        sheet: Sheet,
        *,
        marked: str = "",
        saved: bool = False,
        refused: bool = False,
        status: int = 200,
    ) -> web.Response:
        customer = await self._programme.customers.get(sheet.customer_id)
        language = supported(customer.language if customer else "")
        if not sheet.is_open(self._programme.clock.now()):
            title = gettext(language, "The survey is over")
            lines = [gettext(language, "Thank you for your time!")]
            return self._desk.page(
                "notice.html", language=language, status=410, title=title, lines=lines
            )
        return self._desk.page(
            "survey.html",
            language=language,
            status=status,
            saved=saved,
            refused=refused,
            friends_code=await self._friends_code(sheet) if saved else "",
            **_shown(sheet, language, marked),
        )

    async def _friends_code(self, sheet: Sheet) -> str:
        """Who is glad is asked to bring a friend."""
        referrals = self._programme.referrals
        if sheet.score is None or group_of(sheet.score) != "promoter" or not referrals.rules.is_on:
            return ""
        return grouped(await referrals.code(sheet.customer_id))


def _shown(sheet: Sheet, language: str, marked: str) -> dict[str, Any]:
    """A score comes first and alone; what follows is asked by how it was."""
    scores = [str(n) for n in range(SCORE_MAX + 1)]
    asks_score = sheet.survey.question("score") is not None
    return {
        "title": _title(sheet, language),
        "asks_score": asks_score,
        "score": "" if sheet.score is None else str(sheet.score),
        "scores": scores,
        "marked": marked if marked in scores else "",
        "questions": [] if asks_score and sheet.score is None else _questions(sheet, language),
        "words_max": COMMENT_MAX,
        "thanks": thanks_words(language, sheet.survey, sheet.score),
    }


def _title(sheet: Sheet, language: str) -> str:
    if sheet.survey.question("score") is not None:
        return question_words(language, sheet.survey, "score")
    return gettext(language, "Three questions about your interests")


def _questions(sheet: Sheet, language: str) -> list[dict[str, Any]]:
    return [
        {
            "code": question.code,
            "kind": question.kind,
            "text": question_words(language, sheet.survey, question.code, sheet.score),
            "options": [(each, option_words(language, each)) for each in question.options],
            "chosen": sheet.answers.get(question.code, ()),
            "words": sheet.words,
        }
        for question in sheet.survey.questions
        if question.kind != "score"
    ]


def _typed(value: str) -> str:
    """A browser sends line ends as CR LF."""
    return value.replace("\r\n", "\n").strip()
