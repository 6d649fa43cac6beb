"""The door of the till page's own addresses: a session, a CSRF token, and limits per cashier and
device. These limits are the first fence against a cashier who plays with other people's cards."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from admin import problems
from admin.api.operation import Caller
from admin.auth import TILL_ROLES, Seat, StaffDoor
from admin.cookies import Cookies, same
from admin.limits import Meter, Rate
from admin.problems import Bad, Problem, of_refusal
from loyalty.clock import Clock
from loyalty.refusals import No, Refusal
from messaging.i18n import supported

CSRF_HEADER = "X-CSRF-Token"

COMMANDS = Rate(burst=120, per_minute=240)
"""Everything together: a queue of an hour offline goes through, a loop does not."""
LOOKUPS = Rate(burst=40, per_minute=20)
"""Who is it? A customer every three seconds is more than a queue of people brings."""
FRAMES = Rate(burst=60, per_minute=300)

Seated = Callable[[web.Request, Seat], Awaitable[web.StreamResponse | Problem]]


class SessionDoor:
    """Admits a signed-in cashier who has chosen her till."""

    def __init__(self, clock: Clock, staff: StaffDoor, cookies: Cookies) -> None:
        self._clock = clock
        self._staff = staff
        self._cookies = cookies
        self._meters = {rate: Meter(rate) for rate in (COMMANDS, LOOKUPS, FRAMES)}

    async def admit(self, request: web.Request) -> Caller | Problem:
        """Refused: as `seat`, till_required."""
        rate = LOOKUPS if request.path.endswith("/lookup") else COMMANDS
        seat = await self.seat(request, rate)
        if isinstance(seat, Problem):
            return seat
        if seat.till_id is None:
            return Problem(No.TILL_REQUIRED)
        device = self._cookies.device(request) or f"staff {seat.staff_id}"
        return Caller(
            till_id=seat.till_id,
            staff_id=seat.staff_id,
            device=device[:64],
            address=request.remote or "",
        )

    async def seat(self, request: web.Request, rate: Rate = COMMANDS) -> Seat | Problem:
        """Who asks. Refused: credentials_required, session_ended, csrf_refused, role_not_allowed,
        too_many_requests(wait_s)."""
        token = self._cookies.session(request)
        if not token:
            return Problem(Bad.CREDENTIALS_REQUIRED)
        seat = await self._staff.seat(token)
        if isinstance(seat, Refusal):
            return of_refusal(seat)
        request["language"] = seat.language
        given = request.headers.get(CSRF_HEADER, "")
        if request.method not in ("GET", "HEAD") and not same(seat.csrf_token, given):
            return Problem(Bad.CSRF_REFUSED)
        if seat.role not in TILL_ROLES:
            return Problem(No.ROLE_NOT_ALLOWED)
        return self._count(request, seat, rate) or seat

    def _count(self, request: web.Request, seat: Seat, rate: Rate) -> Problem | None:
        meter, now = self._meters[rate], self._clock.now()
        device = self._cookies.device(request) or seat.token_hash
        wait_s = meter.take(f"staff {seat.staff_id}", now) or meter.take(f"device {device}", now)
        return Problem(No.TOO_MANY_REQUESTS, data={"wait_s": wait_s}) if wait_s else None

    def language(self, request: web.Request) -> str:
        """Hers once she is known, else the browser's."""
        known = request.get("language")
        return supported(str(known or request.headers.get("Accept-Language")))

    def seated(
        self, handle: Seated, rate: Rate = COMMANDS
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """An aiohttp handler that is called with the seat of who asks."""

        async def answer(request: web.Request) -> web.StreamResponse:
            seat = await self.seat(request, rate)
            reply = seat if isinstance(seat, Problem) else await handle(request, seat)
            if isinstance(reply, Problem):
                return problems.response(
                    reply, language=self.language(request), instance=request.path
                )
            return reply

        return answer
