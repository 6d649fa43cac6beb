"""One customer's first months, by the journeys of the house: sign-up, welcome, questionnaire, promo
code, purchase, score, and the medicine that runs out. The same on Telegram and on the web chat.
"""

from datetime import timedelta

import pytest

from loyalty.checkout import Line, QuoteAnswer, ReceiptAnswer
from loyalty.clock import VirtualClock
from loyalty.customers import CustomerView
from loyalty.models import Product
from loyalty.programme import Programme
from messaging.channels.messenger import MessengerChannel
from messaging.dispatcher import Dispatcher
from messaging.journeys.engine import Journeys
from messaging.notices import Notices
from tests.conversations.people import join
from tests.conversations.stage import Chat
from tests.loyalty.tills import HERE, open_shop
from tests.messaging.letters import LINKS

HOUR = timedelta(hours=1)
MEDICINE = "Амлодипин 5 мг"


class Life:
    """Her time: an hour after the other, in which everything that is due happens."""

    def __init__(self, chat: Chat, clock: VirtualClock) -> None:
        stage = chat.stage
        self.chat, self.clock = chat, clock
        self.journeys = Journeys(clock, stage.programme, links=LINKS)
        messenger = MessengerChannel({"telegram": stage.telegram, "webchat": stage.webchat})
        self.dispatcher = Dispatcher(clock, [messenger], Notices("RUB"), journeys=self.journeys)

    async def settles(self) -> None:
        await self.journeys.scan()
        while True:
            await self.dispatcher.drain()
            if not await self.journeys.drain():
                return

    async def lives(self, days: float) -> None:
        """What has come meanwhile is on her screen."""
        await self.chat.watch(self._lives(timedelta(days=days)))

    async def _lives(self, span: timedelta) -> None:
        end = self.clock.now() + span
        await self.settles()
        while self.clock.now() < end:
            self.clock.advance(min(HOUR, end - self.clock.now()))
            await self.settles()


@pytest.fixture
async def life(chat: Chat, clock: VirtualClock) -> Life:
    life = Life(chat, clock)
    await life.journeys.open()
    await open_shop()
    await Product.create(
        sku="amlo30", name=f"{MEDICINE} №30", category="heart", price_minor=400_00,
        units_per_pack=30, daily_milli=1000, medicine=MEDICINE, prescription_only=True,
    )  # fmt: skip
    return life


async def buys_with(programme: Programme, her: CustomerView, code: str) -> int:
    """A pack of her medicine and a cream; returns what she pays, in kopecks."""
    goods = [
        Line("amlo30", f"{MEDICINE} №30", 1000, 400_00, 400_00, "heart"),
        Line("cream", "Крем для рук", 1000, 100_00, 100_00, "care"),
    ]
    sale = {"till_id": HERE, "receipt_number": "1"}
    quote = await programme.checkout.quote(
        key="q", card=her.card_number, lines=goods, spend=0, promo_codes=[code], **sale
    )
    assert isinstance(quote, QuoteAnswer), quote
    receipt = await programme.checkout.commit(key="c", quote_id=quote.quote_id, **sale)
    assert isinstance(receipt, ReceiptAnswer), receipt
    return receipt.paid_minor


async def test_from_sign_up_to_the_medicine_that_runs_out(
    chat: Chat, programme: Programme, life: Life
) -> None:
    her = await join(chat)

    await life.lives(1)
    chat.sees("Анна, спасибо, что вы с нами!" if chat.front == "telegram" else "Спасибо, что")
    await life.lives(6.5)
    chat.sees("скидка 10 %" if chat.front == "telegram" else "Скидка 10 %", "на первую покупку")
    [code] = await programme.promo.codes_of(her.id)
    chat.sees(code.code)

    await life.lives(7.5)
    chat.sees("О чём вам писать?")
    await chat.click("Ответить")
    await chat.click("▫️ Витамины")
    await chat.click("Дальше »")
    await chat.click("▫️ Для детей")
    await chat.click("Дальше »")
    await chat.click("▫️ Скидки")
    chat.sees("Будем писать о том, что вам интересно")

    assert await buys_with(programme, her, code.code) == 450_00
    await life.lives(0.1)
    chat.sees("Скидка по промокоду", "Начислено: 22 бонуса")
    await life.lives(1.9)
    chat.sees("Спасибо за покупку", "порекомендуете")
    await chat.click("10")
    chat.sees("Ваша оценка: 10 из 10")
    await life.lives(2)
    chat.sees("Расскажите о нас")

    await life.lives(24)
    chat.sees(f"{MEDICINE}: осталось примерно на 5 дней", "Понадобится рецепт")
    await chat.click("✅ Куплено")
    await life.lives(10)
    chat.does_not_see(MEDICINE)
