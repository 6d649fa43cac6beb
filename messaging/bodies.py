"""The bodies of requests, of whatever kind, from whoever may send anything."""

import asyncio

from aiohttp import web

BODY_SECONDS_MAX = 10


async def body_of(request: web.Request, bytes_max: int) -> bytes | None:
    """The body, never more of it in memory than `bytes_max`; None when there is more.

    Raises TimeoutError when it takes too long.
    """
    if request.content_length is not None and request.content_length > bytes_max:
        return None
    if not request.can_read_body:
        return b""
    body = bytearray()
    async with asyncio.timeout(BODY_SECONDS_MAX):
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > bytes_max:
                return None
    return bytes(body)
