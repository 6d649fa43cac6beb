"""The pages of a survey in the chat: one message that goes from question to question."""

from aiogram.types import InlineKeyboardButton
from aiogram.utils.text_decorations import html_decoration

from bot.callbacks import Menu, SheetAnswer, SheetPage
from bot.keyboards import Rows, button, inline, marked
from bot.pages import Page
from bot.words import _
from loyalty.rules.surveys import SCORE_MAX, Question, group_of
from loyalty.surveys import Sheet
from messaging.survey_words import option_words, question_words, thanks_words

END = "end"
_IN_ROW = 6
"""Of the scores: 0 to 5 and 6 to 10 are two rows that a phone shows whole."""


def question_page(sheet: Sheet, code: str, language: str) -> Page:
    """The question with its buttons, what she has chosen marked."""
    question = sheet.survey.question(code)
    assert question is not None, "whoever calls has found it"
    words = question_words(language, sheet.survey, code, sheet.score)
    rows = {"score": _scores, "one": _options, "many": _options, "text": _no_rows}[question.kind](
        sheet, question, language
    )
    rows.append(_ways(sheet, question))
    return f"{_head(sheet, question)}{words}", inline(*rows)


def end_page(sheet: Sheet, language: str, *, is_open: bool) -> Page:
    """The thanks, with what comes next: inviting a friend, or a change of mind."""
    rows: Rows = []
    if sheet.score is not None and group_of(sheet.score) == "promoter":
        rows.append([button(_("🎁 Invite a friend"), Menu(topic="friends"))])
    if is_open:
        rows.append([_to(sheet, sheet.survey.questions[0].code, _("Change my answer"))])
    lines = [thanks_words(language, sheet.survey, sheet.score)]
    if sheet.score is not None:
        lines.insert(0, _score_line(sheet.score))
    return "\n\n".join(lines), inline(*rows)


def _head(sheet: Sheet, question: Question) -> str:
    if sheet.score is None or question.kind == "score":
        return ""
    quoted = f"\n<i>{html_decoration.quote(sheet.words)}</i>" if sheet.words else ""
    return f"{_score_line(sheet.score)}{quoted}\n\n"


def _score_line(score: int) -> str:
    return _("Your score: {score} of 10").format(score=f"<b>{score}</b>")


def _scores(sheet: Sheet, question: Question, language: str) -> Rows:
    buttons = [
        _answer(sheet, question, str(n), f"· {n} ·" if n == sheet.score else str(n))
        for n in range(SCORE_MAX + 1)
    ]
    return [buttons[:_IN_ROW], buttons[_IN_ROW:]]


def _options(sheet: Sheet, question: Question, language: str) -> Rows:
    """Of several each button says what is wanted, so that a double tap is one."""
    chosen = sheet.answers.get(question.code, ())
    many = question.kind == "many"
    buttons = [
        _answer(
            sheet,
            question,
            option,
            marked(option in chosen, option_words(language, option)),
            wanted=not (many and option in chosen),
        )
        for option in question.options
    ]
    return [buttons[n : n + 2] for n in range(0, len(buttons), 2)]


def _no_rows(sheet: Sheet, question: Question, language: str) -> Rows:
    return []


def _ways(sheet: Sheet, question: Question) -> list[InlineKeyboardButton]:
    """Back and on. A score and a single choice go on by themselves, once they are made."""
    codes = [each.code for each in sheet.survey.questions]
    place = codes.index(question.code)
    ways = [_to(sheet, codes[place - 1], _("« Back"))] if place else []
    following = sheet.survey.after(question.code)
    if question.kind in ("many", "text") or question.code in sheet.answers:
        label = _("Next »") if following else _("Done")
        ways.append(_to(sheet, following.code if following else END, label))
    return ways


def _answer(
    sheet: Sheet, question: Question, value: str, text: str, *, wanted: bool = True
) -> InlineKeyboardButton:
    data = SheetAnswer(sheet=sheet.id, question=question.code, value=value, wanted=wanted)
    return button(text, data)


def _to(sheet: Sheet, page: str, text: str) -> InlineKeyboardButton:
    return button(text, SheetPage(sheet=sheet.id, page=page))
