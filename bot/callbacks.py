"""What inline buttons carry. Each class is one question; a button's data fits 64 bytes.

A client of Telegram may send any data: a number that fits no column is no button.
"""

from typing import Annotated, Literal

from aiogram.filters.callback_data import CallbackData
from pydantic import Field

_COLUMN_MAX = (1 << 63) - 1

RowId = Annotated[int, Field(ge=1, le=_COLUMN_MAX)]
"""A row's number."""
Whole = Annotated[int, Field(ge=0, lt=_COLUMN_MAX)]
"""A place or an amount; the one after it fits a column too."""


class LanguageChoice(CallbackData, prefix="language"):
    language: Literal["ru", "en"]


class ConsentAnswer(CallbackData, prefix="consent"):
    """The answer to the wording of this version: an old button does not agree to a new text."""

    wording: str
    agreed: bool


class MarketingAnswer(CallbackData, prefix="marketing"):
    wording: str
    agreed: bool


class CodeStep(CallbackData, prefix="code"):
    action: Literal["resend", "other_number"]


class CardRefresh(CallbackData, prefix="card"):
    pass


class StatementPage(CallbackData, prefix="points"):
    """Operations before this place in the account's history; 0 is the newest page."""

    before: Whole


class Why(CallbackData, prefix="why"):
    """The explanation of the operation at this place, and the page to go back to."""

    seq: Whole
    page: Whole


class EnterCode(CallbackData, prefix="enter"):
    what: Literal["promo", "friend"]


class LeaveAnswer(CallbackData, prefix="leave"):
    sure: bool


class SettingsPage(CallbackData, prefix="settings"):
    page: Literal["main", "channels", "topics", "often", "quiet", "language", "email", "type_email"]


class AdvertisingChoice(CallbackData, prefix="advertising"):
    """All advertising, in one tap. Buttons say what is wanted, so that a double tap is one."""

    wanted: bool


class ChannelChoice(CallbackData, prefix="channel"):
    channel: Literal["messenger", "email", "sms", "webpush"]
    wanted: bool


class SurveyChoice(CallbackData, prefix="survey"):
    wanted: bool


class OftenChoice(CallbackData, prefix="often"):
    """At most so many a week; 0: by the programme's limits alone."""

    most: int


class QuietChoice(CallbackData, prefix="quiet"):
    """Minutes since midnight; -1 twice: the programme's, 0 twice: none."""

    begin: int
    end: int


class SheetAnswer(CallbackData, prefix="ask"):
    """An answer to a question of a survey. Of several options `wanted` says on or off."""

    sheet: RowId
    question: str
    value: str
    wanted: bool


class SheetPage(CallbackData, prefix="sheet"):
    """A question of a survey to go to; "end" after the last one."""

    sheet: RowId
    page: str


class Menu(CallbackData, prefix="menu"):
    """A menu entry offered as an inline button."""

    topic: Literal["friends"]


class Medicine(CallbackData, prefix="med"):
    """Something about one medicine of hers; `cycle` is the state of things that the button saw."""

    what: Literal["show", "bought", "later", "dose", "type_dose", "stock", "stop", "resume"]
    course: RowId
    cycle: Whole


class MedicineLater(CallbackData, prefix="medlater"):
    course: RowId
    cycle: Whole
    days: Whole


class MedicineDose(CallbackData, prefix="meddose"):
    """Thousandths of a unit a day; course 0: of the one that is being added."""

    course: Whole
    milli: Whole


class MedicineList(CallbackData, prefix="meds"):
    """The list from this place on, or adding one."""

    page: Literal["list", "add"]
    start: Whole = 0


class MedicineChoice(CallbackData, prefix="medadd"):
    """A step of adding one: a product that was found (its place, or -1: none of them), the size of
    a pack, what is left."""

    step: Literal["found", "pack", "stock"]
    value: int = Field(ge=-1, le=_COLUMN_MAX)


class MedicineNames(CallbackData, prefix="mednames"):
    """Names of medicines where others may read them: SMS, locked screens. `page` is where it is
    pressed."""

    shown: bool
    page: Literal["medicines", "topics"] = "medicines"
