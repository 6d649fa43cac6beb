"""Where a conversation can stand. Joining has steps, settings one; all else is ask and answer."""

from aiogram.fsm.state import State, StatesGroup


class Join(StatesGroup):
    """language (no state) → consent → marketing → contact → code (web chat only)"""

    consent = State()
    marketing = State()
    contact = State()
    code = State()


class Settings(StatesGroup):
    """Only an e-mail address is typed there; all else is buttons."""

    email = State()
