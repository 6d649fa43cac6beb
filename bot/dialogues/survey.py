"""Surveys: NPS and the interests questionnaire, in the message that asked.

The buttons of the message come from its template; each tap is an answer, and the message goes on
to the next question in place. What she writes is taken for her words while that is the question.
"""

from typing import Any

from aiogram import Router
from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.filters import StateFilter
from aiogram.methods import SendMessage, TelegramMethod
from aiogram.types import CallbackQuery, Message

from bot import survey_pages
from bot.callbacks import SheetAnswer, SheetPage
from bot.dialogues.members import Member
from bot.menu import is_button
from bot.pages import Page, turned
from bot.refusal_texts import refusal_text
from bot.states import SurveyWords
from bot.survey_pages import END
from bot.turns import Turn
from loyalty.customers import CustomerView
from loyalty.refusals import No, Refusal
from loyalty.surveys import Sheet

WORDS = "words"
Answer = TelegramMethod[Any] | None


def router() -> Router:
    survey = Router(name="survey")
    survey.callback_query.register(answer, Member(), SheetAnswer.filter())
    survey.callback_query.register(turn_to, Member(), SheetPage.filter())
    return survey


def typing() -> Router:
    """What she writes while her words are asked for: they may look like any question."""
    words = Router(name="survey_typing")
    words.message.register(written, StateFilter(SurveyWords.words), Member())
    return words


async def answer(
    query: CallbackQuery,
    callback_data: SheetAnswer,
    customer: CustomerView,
    turn: Turn,
    toast: list[str],
) -> Answer:
    said = callback_data
    given = await turn.desk.programme.surveys.choose(
        said.sheet, customer.id, said.question, said.value, wanted=said.wanted
    )
    if isinstance(given, Refusal):
        toast.append(refusal_text(given, turn.words))
        return None
    question = given.survey.question(said.question)
    if question is not None and question.kind == "many":
        return await _show(query, given, said.question, turn)
    following = given.survey.after(said.question)
    return await _show(query, given, following.code if following else END, turn)


async def turn_to(
    query: CallbackQuery,
    callback_data: SheetPage,
    customer: CustomerView,
    turn: Turn,
    toast: list[str],
) -> Answer:
    surveys = turn.desk.programme.surveys
    sheet = await surveys.sheet(callback_data.sheet)
    if sheet is None or sheet.customer_id != customer.id:
        toast.append(refusal_text(Refusal(No.SURVEY_NOT_FOUND), turn.words))
        return None
    is_question = sheet.survey.question(callback_data.page) is not None
    if is_question and not sheet.is_open(turn.desk.programme.clock.now()):
        toast.append(refusal_text(Refusal(No.SURVEY_CLOSED), turn.words))
        return None
    return await _show(query, sheet, callback_data.page if is_question else END, turn)


async def _show(query: CallbackQuery, sheet: Sheet, page: str, turn: Turn) -> Answer:
    """The page in place of the one that stands; her words are waited for where they are asked."""
    question = sheet.survey.question(page)
    if question is not None and question.kind == "text":
        await turn.state.set_state(SurveyWords.words)
        await turn.state.set_data({"sheet": sheet.id})
    elif turn.step == SurveyWords.words.state:
        await turn.state.clear()
    if not isinstance(query.message, Message):
        return None
    if question is None:
        return turned(query, await _ended(sheet, turn))
    return turned(query, survey_pages.question_page(sheet, page, turn.words.language))


async def _ended(sheet: Sheet, turn: Turn) -> Page:
    await turn.desk.programme.surveys.end(sheet.id, sheet.customer_id)
    is_open = sheet.is_open(turn.desk.programme.clock.now())
    return survey_pages.end_page(sheet, turn.words.language, is_open=is_open)


async def written(message: Message, customer: CustomerView, turn: Turn) -> SendMessage:
    """Her words, or something else: a button of the menu, a command. Then that is answered."""
    text = (message.text or "").strip()
    sheet_id = (await turn.state.get_data()).get("sheet")
    if not text or is_button(text) or sheet_id is None:
        await turn.state.clear()
        raise SkipHandler
    given = await turn.desk.programme.surveys.answer(sheet_id, customer.id, WORDS, [text])
    if isinstance(given, Refusal):
        if given.code != No.INVALID_ANSWER:
            await turn.state.clear()
        return message.answer(refusal_text(given, turn.words))
    await turn.state.clear()
    page, markup = await _ended(given, turn)
    return message.answer(page, reply_markup=markup)
