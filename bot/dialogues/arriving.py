"""What becomes of the promo code or the friend's code in the link by which she came."""

from bot.arrivals import PROMO, REFERRAL
from bot.dialogues import codes, friends
from bot.turns import Turn
from loyalty.customers import CustomerView


async def arrive(payload: str, customer: CustomerView, turn: Turn, address: str = "") -> str:
    """In words; "" when the link brought nothing that we know."""
    if payload.startswith(PROMO):
        return await codes.take(payload.removeprefix(PROMO), customer, turn, address)
    if payload.startswith(REFERRAL):
        return await friends.accept(payload.removeprefix(REFERRAL), customer, turn)
    return ""
