"""The way to a Bot API server: as aiogram's, for many messages a second."""

from typing import Any, cast

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import TelegramMethod
from aiogram.methods.base import Response, TelegramType
from aiohttp import ClientError
from pydantic_core import to_json

from bot.calls import call_of

_JSON = {"Content-Type": "application/json"}


class TelegramSession(AiohttpSession):
    """A call without files goes as JSON, which is made and read faster than a form.

    The models of the answers are kept: aiogram asks pydantic for `Response[Message]` at each call,
    pydantic remembers it only while an answer is about, and to build it anew takes a second.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._answers: dict[Any, type[Response[Any]]] = {}

    async def make_request(
        self, bot: Bot, method: TelegramMethod[TelegramType], timeout: int | None = None
    ) -> TelegramType:
        call, files = call_of(bot, method)
        if files:
            return await super().make_request(bot, method, timeout)
        session = await self.create_session()
        url = self.api.api_url(token=bot.token, method=method.__api_method__)
        limit_s: Any = self.timeout if timeout is None else timeout
        try:
            async with session.post(
                url, data=to_json(call), headers=_JSON, timeout=limit_s
            ) as answer:
                text = await answer.text()
        except TimeoutError as error:
            raise TelegramNetworkError(method=method, message="Request timeout error") from error
        except ClientError as error:
            told = f"{type(error).__name__}: {error}"
            raise TelegramNetworkError(method=method, message=told) from error
        response = self.check_response(bot, method, answer.status, text)
        return cast(TelegramType, response.result)

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        returning: Any = method.__returning__
        if returning not in self._answers:
            self._answers[returning] = Response[returning]
        return super().check_response(bot, method, status_code, content)
