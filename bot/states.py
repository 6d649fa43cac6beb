"""Where a conversation can stand. Joining has steps; a few others wait for one line that is typed;
all else is ask and answer."""

from aiogram.fsm.state import State, StatesGroup


class Join(StatesGroup):
    """language (no state) → consent → marketing → contact → code (web chat only)"""

    consent = State()
    marketing = State()
    contact = State()
    code = State()


class Codes(StatesGroup):
    """The next line is a promo code."""

    entry = State()


class Friends(StatesGroup):
    """The next line is the code of who brought her."""

    entry = State()


class SurveyWords(StatesGroup):
    """The next line are her own words about a purchase."""

    words = State()


class Medicines(StatesGroup):
    """Adding one: name → pack (unless the catalogue knows) → dose → stock, typed or tapped. Alone:
    another dose, or what is left."""

    name = State()
    pack = State()
    dose = State()
    stock = State()
    new_dose = State()
    new_stock = State()


class Settings(StatesGroup):
    """Only an e-mail address is typed there; all else is buttons."""

    email = State()
