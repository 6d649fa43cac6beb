"""A Bot API server that takes every message: `python -m benchmarks.dispatch_parts.bot_api PORT`.

It speaks just enough HTTP to be fast. `GET /times` tells when each message came, in seconds of its
own clock, and forgets them.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

import aiohttp

from benchmarks.dispatch_parts.mail import free_port, listening

_numbers = count(1)
_times: list[float] = []


class Conversation(asyncio.Protocol):
    """One kept-alive connection; requests come one after the other."""

    def __init__(self) -> None:
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            length = 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._data) < end + 4 + length:
                return
            self._data = self._data[end + 4 + length :]
            self._answer(head.startswith(b"get /times"))

    def _answer(self, asked: bool) -> None:
        if asked:
            body = json.dumps(_times)
            _times.clear()
        else:
            _times.append(time.monotonic())
            chat = '"date":1700000000,"chat":{"id":1,"type":"private"},"text":"x"'
            body = f'{{"ok":true,"result":{{"message_id":{next(_numbers)},{chat}}}}}'
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body.encode())
        )


class BotApi:
    """The server, as its parent sees it."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def times(self) -> list[float]:
        """When the messages since the last call have come."""
        url = f"http://127.0.0.1:{self.port}/times"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return sorted(await answer.json())


@asynccontextmanager
async def bot_api() -> AsyncIterator[BotApi]:
    """The server in a process of its own."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.dispatch_parts.bot_api", str(port)
    )
    try:
        await listening(port)
        yield BotApi(port)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _serve(port: int) -> None:
    with suppress(OSError):  # its log is to tell when messages came, not when it had time to look
        os.nice(-10)
    server = await asyncio.get_running_loop().create_server(Conversation, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
