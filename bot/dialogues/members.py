"""The filter for what only a customer who has joined can ask."""

from aiogram.filters import BaseFilter
from aiogram.types import TelegramObject

from loyalty.customers import CustomerView


class Member(BaseFilter):
    """Passes when the speaker is a known customer; a stranger falls through to joining."""

    async def __call__(self, event: TelegramObject, customer: CustomerView | None = None) -> bool:
        return customer is not None
