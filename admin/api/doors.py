"""The door of the till API: an API key in `Authorization: Bearer`, counted per key and address."""

from aiohttp import web

from admin.api.operation import Caller
from admin.api_keys import ApiKeyDoor
from admin.limits import Meter, Rate
from admin.problems import Bad, Problem, of_refusal
from loyalty.clock import Clock
from loyalty.refusals import No, Refusal

KEY_RATE = Rate(burst=100, per_minute=1800)
"""Thirty a second: far more than a till's people can do, far less than a runaway loop."""
_STRANGER_RATE = Rate(burst=60, per_minute=60)


class ApiDoor:
    def __init__(self, clock: Clock, *, key_rate: Rate = KEY_RATE) -> None:
        self._clock = clock
        self._keys = ApiKeyDoor(clock)
        self._key_meter = Meter(key_rate)
        self._stranger_meter = Meter(_STRANGER_RATE)

    async def admit(self, request: web.Request) -> Caller | Problem:
        """The till that the key acts for.

        Refused: credentials_required, api_key_unknown, too_many_requests(wait_s).
        """
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return Problem(Bad.CREDENTIALS_REQUIRED, "Send Authorization: Bearer KEY.")
        found = await self._keys.recognise(key.strip())
        if isinstance(found, Refusal):
            return self._refuse_stranger(request, found)
        wait_s = self._key_meter.take(str(found.key_id), self._clock.now())
        if wait_s:
            return Problem(No.TOO_MANY_REQUESTS, data={"wait_s": wait_s})
        return Caller(
            till_id=found.till_id,
            staff_id=None,
            device=f"key {found.key_id}",
            address=request.remote or "",
        )

    def _refuse_stranger(self, request: web.Request, refusal: Refusal) -> Problem:
        wait_s = self._stranger_meter.take(request.remote or "", self._clock.now())
        if wait_s:
            return Problem(No.TOO_MANY_REQUESTS, data={"wait_s": wait_s})
        return of_refusal(refusal)

    def language(self, request: web.Request) -> str:
        """Programs are told in English unless they ask for Russian."""
        wanted = request.headers.get("Accept-Language", "")
        return "ru" if wanted.lower().startswith("ru") else "en"
