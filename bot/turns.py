"""One update's circumstances, found by the middleware and handed to every handler."""

from dataclasses import dataclass

from aiogram.fsm.context import FSMContext

from bot.desk import Desk
from bot.fronts import Front
from bot.words import Words


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the conversation is held, how she reads, and how far it has come.

    `step` is the state's name as it stood when the update came, None outside of joining. `speaker`
    is her id on that front.
    """

    front: Front
    words: Words
    desk: Desk
    state: FSMContext
    step: str | None
    speaker: str = ""
