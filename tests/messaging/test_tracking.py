"""Hits are kept as they come; what they tell comes once their company is known."""

from datetime import timedelta

import asyncpg
import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from messaging import tracking
from messaging.links import TRAP_NTH
from messaging.policy.hits import Judged, Kind, Request, Sign, Who
from messaging.templates import Body
from messaging.wrapping import LinkRow
from tests.messaging.conftest import customer_with
from tests.messaging.letters import send

TWO_LINKS = Body("https://s.example/a https://s.example/b")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


async def hit(
    clock: VirtualClock,
    attempt_id: int,
    kind: Kind = Kind.CLICK,
    nth: int = 0,
    agent: str = BROWSER,
) -> Judged | None:
    request = Request(kind=kind, at=to_micros(clock.now()), user_agent=agent, nth=nth)
    return await tracking.take_hit(attempt_id, request)


async def settle(clock: VirtualClock) -> int:
    """As `Attention` does it, when all hits are old enough."""
    clock.advance(timedelta(seconds=5))
    return await tracking.settle(since=clock.now() - timedelta(hours=1), at=clock.now())


async def attempt(attempt_id: int) -> tuple[str, int | None]:
    [row] = await query("SELECT status, clicked_at FROM attempt WHERE id = $1", None, attempt_id)
    return row["status"], row["clicked_at"]


async def test_a_click_counts_as_read_and_calls_the_fallback_off(
    db: str, clock: VirtualClock
) -> None:
    anna = await customer_with()
    attempt_id, _ = await send(clock, TWO_LINKS, customer_id=anna, wants="read")
    clock.advance(timedelta(minutes=1))
    assert await hit(clock, attempt_id) == Judged(Who.PERSON)
    clicked_at = to_micros(clock.now())
    assert await attempt(attempt_id) == ("", None), "not before its company is known"
    assert await settle(clock) == 1
    assert await attempt(attempt_id) == ("read", clicked_at)
    [message] = await query("SELECT fallback_at FROM message")
    assert message["fallback_at"] is None
    [habit] = await query(
        "SELECT channel, sent, seen FROM habit WHERE customer_id = $1", None, anna
    )
    assert tuple(habit) == ("email", 1, 1)
    assert await settle(clock) == 0, "once"
    await hit(clock, attempt_id)
    await settle(clock)
    assert await attempt(attempt_id) == ("read", clicked_at), "the first click stays"


async def test_an_opening_is_a_reading_but_no_click(db: str, clock: VirtualClock) -> None:
    attempt_id, _ = await send(clock, TWO_LINKS)
    clock.advance(timedelta(minutes=1))
    await hit(clock, attempt_id, Kind.OPEN)
    assert await settle(clock) == 1
    assert await attempt(attempt_id) == ("read", None)


@pytest.mark.parametrize(
    ("kind", "agent", "sign"),
    [
        (Kind.CLICK, "curl/8", Sign.SCRIPT),
        (Kind.OPEN, "Mozilla/5.0", Sign.MAIL_PRIVACY),
        (Kind.TRAP, BROWSER, Sign.TRAPPED),
    ],
)
async def test_a_machine_tells_nothing_and_is_kept(
    db: str, clock: VirtualClock, kind: Kind, agent: str, sign: Sign
) -> None:
    attempt_id, _ = await send(clock, TWO_LINKS)
    clock.advance(timedelta(minutes=1))
    await hit(clock, attempt_id, kind, TRAP_NTH if kind is Kind.TRAP else 0, agent)
    assert await settle(clock) == 0
    assert await attempt(attempt_id) == ("", None)
    [row] = await query("SELECT verdict, reason, kind FROM hit")
    assert tuple(row) == ("machine", sign, kind)


async def test_a_scanner_without_a_name_is_found_out_by_its_haste(
    db: str, clock: VirtualClock
) -> None:
    attempt_id, _ = await send(clock, TWO_LINKS)
    clock.advance(timedelta(minutes=1))
    assert await hit(clock, attempt_id, nth=0) == Judged(Who.PERSON)
    clock.advance(timedelta(milliseconds=300))
    assert await hit(clock, attempt_id, nth=1) == Judged(Who.MACHINE, Sign.BURST)
    assert await settle(clock) == 0
    assert await attempt(attempt_id) == ("", None)
    clock.advance(timedelta(hours=2))
    await hit(clock, attempt_id, nth=1)
    assert await settle(clock) == 1, "and then she comes herself"


async def test_before_it_is_accepted_only_machines_have_it(db: str, clock: VirtualClock) -> None:
    attempt_id, _ = await send(clock, TWO_LINKS, finished=False)
    clock.advance(timedelta(seconds=10))
    assert await hit(clock, attempt_id) == Judged(Who.MACHINE, Sign.TOO_SOON)


async def test_hits_are_only_added(db: str, clock: VirtualClock) -> None:
    attempt_id, _ = await send(clock, TWO_LINKS)
    await hit(clock, attempt_id)
    for statement in ("UPDATE hit SET verdict = 'person'", "DELETE FROM hit"):
        with pytest.raises((asyncpg.PostgresError, Exception), match="append-only"):
            await query(statement)


async def test_what_a_browser_calls_itself_is_kept_without_its_tricks(
    db: str, clock: VirtualClock
) -> None:
    attempt_id, _ = await send(clock, TWO_LINKS)
    await hit(clock, attempt_id, agent="\x00\x1b[31mred\u202e" + "x" * 500)
    [row] = await query("SELECT user_agent FROM hit")
    assert row["user_agent"].startswith("[31mredx")
    assert len(row["user_agent"]) <= 160


async def test_links_are_kept_once(db: str, clock: VirtualClock) -> None:
    attempt_id, tracked = await send(clock, TWO_LINKS)
    await tracking.keep_links(tracked.rows)
    await tracking.keep_links([LinkRow(attempt_id, 0, "https://evil.example/")])
    assert await tracking.target_of(attempt_id, 0) == "https://s.example/a"
    assert await tracking.target_of(attempt_id, 9) is None
    assert await tracking.target_of(1, 0) is None


async def test_the_story_tells_every_hit(db: str, clock: VirtualClock) -> None:
    attempt_id, _ = await send(clock, TWO_LINKS)
    clock.advance(timedelta(minutes=1))
    await hit(clock, attempt_id, Kind.OPEN)
    await hit(clock, attempt_id, nth=1, agent="curl/8")
    [row] = await query("SELECT id FROM message")
    told = [(h.kind, h.url, h.verdict, h.reason) for h in await tracking.hits_of(row["id"])]
    assert told == [
        ("open", "", "person", ""),
        ("click", "https://s.example/b", "machine", "script"),
    ]
