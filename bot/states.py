"""Where a conversation can stand. Only joining has steps; all else is question and answer."""

from aiogram.fsm.state import State, StatesGroup


class Join(StatesGroup):
    """language (no state) → consent → marketing → contact → code (web chat only)"""

    consent = State()
    marketing = State()
    contact = State()
    code = State()
