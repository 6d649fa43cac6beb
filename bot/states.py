"""Where a conversation can stand. Only joining has steps; all else is question and answer, or waits
for one line."""

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
