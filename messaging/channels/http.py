"""What all providers that are spoken to by HTTP have in common: times, broken lines, answers."""

from dataclasses import dataclass

import aiohttp

RETRY_AFTER_S = 5.0
RETRY_AFTER_S_MAX = 600.0
# No connection, so no request. Any other break may have come after the request was written.
NOT_WRITTEN = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTimes:
    """Seconds. The whole is less than the dispatcher gives a send."""

    connect_s: float = 5.0
    whole_s: float = 15.0
    keep_line_s: float = 5.0


def open_session(times: HttpTimes, headers: dict[str, str]) -> aiohttp.ClientSession:
    """Lines that are kept for a while, no cookies, these headers with every request."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(keepalive_timeout=times.keep_line_s),
        timeout=aiohttp.ClientTimeout(total=times.whole_s, connect=times.connect_s),
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def retry_after_s(header: str) -> float:
    """Seconds that a `Retry-After` asks for; a date instead of a number is taken for "soon"."""
    given = header.isascii() and header.isdigit() and len(header) < 20
    return min(float(header), RETRY_AFTER_S_MAX) if given else RETRY_AFTER_S


async def read_at_most(response: aiohttp.ClientResponse, bytes_max: int) -> bytes | None:
    """The answer's content, or None when it is longer."""
    read = bytearray()
    async for chunk in response.content.iter_chunked(8192):
        read += chunk
        if len(read) > bytes_max:
            return None
    return bytes(read)


def said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
