"""A stage with the bot on it, and `chat`: the same person on Telegram and on the web chat."""

from collections.abc import AsyncIterator

import pytest

from bot.storage import dialogue_memory
from loyalty.programme import Programme
from tests.conversations.stage import Chat, Stage, TelegramChat, WebChat


@pytest.fixture
async def stage(programme: Programme) -> AsyncIterator[Stage]:
    stage = await Stage(programme, dialogue_memory(programme.clock)).start()
    try:
        yield stage
    finally:
        await stage.close()
        assert stage.api.refused == [], "the Bot API refused what the bot asked for"


@pytest.fixture
async def web(stage: Stage) -> AsyncIterator[WebChat]:
    chat = await WebChat(stage).open()
    yield chat
    await chat.close()


@pytest.fixture
async def telegram(stage: Stage) -> TelegramChat:
    return TelegramChat(stage)


@pytest.fixture(params=["telegram", "webchat"])
async def chat(request: pytest.FixtureRequest, stage: Stage) -> AsyncIterator[Chat]:
    made: Chat = TelegramChat(stage) if request.param == "telegram" else await WebChat(stage).open()
    yield made
    await made.close()
