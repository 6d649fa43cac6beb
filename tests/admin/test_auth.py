"""Staff come in by password, sit down at a till of their shop, and go."""

import asyncio
from datetime import timedelta

import pytest

from admin import auth
from admin.api_keys import CACHE_LIFE, ApiKeyDoor, TillKey, create_api_key, revoke_api_key
from admin.auth import SESSION_LIFE, Seat, SignedIn, StaffDoor, create_staff
from loyalty.clock import VirtualClock
from loyalty.models import ApiKey, StaffMember, StaffSession, Till
from loyalty.refusals import No, Refusal
from tests.admin.people import PASSWORD, Chain

ADDRESS = "192.0.2.1"


def code(answer: object) -> No | None:
    return answer.code if isinstance(answer, Refusal) else None


@pytest.fixture
def door(clock: VirtualClock) -> StaffDoor:
    return StaffDoor(clock)


async def came_in(door: StaffDoor, login: str) -> SignedIn:
    answer = await door.sign_in(login, PASSWORD, address=ADDRESS)
    assert isinstance(answer, SignedIn), answer
    return answer


async def seat_of(door: StaffDoor, login: str) -> Seat:
    seat = await door.seat((await came_in(door, login)).token)
    assert isinstance(seat, Seat)
    return seat


async def test_a_cashier_signs_in_and_is_known_by_her_token(chain: Chain, door: StaffDoor) -> None:
    signed_in = await came_in(door, " Anna ")
    seat = await door.seat(signed_in.token)
    assert isinstance(seat, Seat)
    assert (seat.login, seat.role, seat.shop_id) == ("anna", "cashier", chain.garden.id)
    assert seat.csrf_token == signed_in.csrf_token
    assert seat.till_id is None  # two to choose from


async def test_of_the_token_and_the_password_only_hashes_are_kept(
    chain: Chain, door: StaffDoor
) -> None:
    signed_in = await came_in(door, "anna")
    session = await StaffSession.get()
    assert signed_in.token not in (session.token_hash, session.csrf_token)
    assert (await StaffMember.get(login="anna")).password_hash.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("anna", "wrong"),
        ("anna", ""),
        ("anna", PASSWORD + "\0"),
        ("anna", "\ud800"),
        ("anna", "x" * 100_000),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("anna' OR 1=1 --", PASSWORD),
        ("anna\0", PASSWORD),
        ("a" * 10_000, PASSWORD),
    ],
)
async def test_a_wrong_login_reads_like_a_wrong_password(
    chain: Chain, door: StaffDoor, login: str, password: str
) -> None:
    answer = await door.sign_in(login, password, address=ADDRESS)
    assert code(answer) is No.WRONG_PASSWORD
    assert await StaffSession.all().count() == 0


async def test_a_closed_account_is_told_so_only_with_its_password(
    chain: Chain, door: StaffDoor, clock: VirtualClock
) -> None:
    await StaffMember.filter(login="anna").update(disabled_at=clock.now())
    assert code(await door.sign_in("anna", "wrong", address=ADDRESS)) is No.WRONG_PASSWORD
    assert code(await door.sign_in("anna", PASSWORD, address=ADDRESS)) is No.STAFF_DISABLED


async def test_guessing_a_password_is_limited_per_login_and_address(
    chain: Chain, door: StaffDoor, clock: VirtualClock
) -> None:
    for _ in range(5):
        assert code(await door.sign_in("anna", "wrong", address=ADDRESS)) is No.WRONG_PASSWORD
    refused = await door.sign_in("anna", PASSWORD, address=ADDRESS)
    assert isinstance(refused, Refusal)
    assert refused.code is No.TOO_MANY_ATTEMPTS
    assert refused.data["wait_s"] == 60
    assert code(await door.sign_in("anna", PASSWORD, address="192.0.2.2")) is None
    assert code(await door.sign_in("boris", PASSWORD, address=ADDRESS)) is None
    clock.advance(timedelta(seconds=60))
    assert code(await door.sign_in("anna", PASSWORD, address=ADDRESS)) is None


async def test_guesses_at_once_do_not_slip_past_the_limit(chain: Chain, door: StaffDoor) -> None:
    answers = await asyncio.gather(
        *(door.sign_in("anna", f"guess {n}", address=ADDRESS) for n in range(20))
    )
    assert sum(code(answer) is No.WRONG_PASSWORD for answer in answers) == 5


async def test_right_passwords_are_never_counted(chain: Chain, door: StaffDoor) -> None:
    for _ in range(8):
        await came_in(door, "anna")


async def test_an_address_that_tries_many_logins_is_stopped(chain: Chain, door: StaffDoor) -> None:
    codes = [code(await door.sign_in(f"login{n}", "wrong", address=ADDRESS)) for n in range(41)]
    assert codes == [No.WRONG_PASSWORD] * 40 + [No.TOO_MANY_ATTEMPTS]


async def test_a_session_ends_after_a_working_day(
    chain: Chain, door: StaffDoor, clock: VirtualClock
) -> None:
    signed_in = await came_in(door, "anna")
    clock.advance(SESSION_LIFE - timedelta(seconds=1))
    assert isinstance(await door.seat(signed_in.token), Seat)
    clock.advance(timedelta(seconds=1))
    assert code(await door.seat(signed_in.token)) is No.SESSION_ENDED


async def test_signing_out_ends_this_session_and_no_other(chain: Chain, door: StaffDoor) -> None:
    here, there = await came_in(door, "anna"), await came_in(door, "anna")
    seat = await door.seat(here.token)
    assert isinstance(seat, Seat)
    await door.sign_out(seat)
    assert code(await door.seat(here.token)) is No.SESSION_ENDED
    assert isinstance(await door.seat(there.token), Seat)
    assert await door.end_sessions(chain.anna.id) == 1
    assert code(await door.seat(there.token)) is No.SESSION_ENDED


async def test_closing_an_account_ends_its_sessions(
    chain: Chain, door: StaffDoor, clock: VirtualClock
) -> None:
    signed_in = await came_in(door, "anna")
    await StaffMember.filter(login="anna").update(disabled_at=clock.now())
    assert code(await door.seat(signed_in.token)) is No.SESSION_ENDED


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "я" * 43, "\ud800" * 43, "x" * 10_000])
async def test_a_made_up_token_is_nobody(chain: Chain, door: StaffDoor, token: str) -> None:
    assert code(await door.seat(token)) is No.SESSION_ENDED


# ---- tills ----


async def test_a_cashier_works_only_at_the_tills_of_her_shop(chain: Chain, door: StaffDoor) -> None:
    seat = await seat_of(door, "anna")
    assert [till.id for till in await door.tills(seat)] == [chain.garden_1.id, chain.garden_2.id]
    assert await door.choose_till(seat, chain.garden_2.id) is None
    assert code(await door.choose_till(seat, chain.lake_1.id)) is No.TILL_NOT_FOUND
    assert code(await door.choose_till(seat, 1)) is No.TILL_NOT_FOUND
    session = await StaffSession.get()
    assert session.till_id == chain.garden_2.id  # type: ignore[attr-defined]


async def test_the_only_till_needs_no_choice(chain: Chain, door: StaffDoor) -> None:
    seat = await seat_of(door, "boris")
    assert (seat.till_id, seat.shop_name) == (chain.lake_1.id, "Аптека у озера")


async def test_an_owner_may_sit_at_any_till_and_a_marketer_at_none(
    chain: Chain, door: StaffDoor
) -> None:
    assert len(await door.tills(await seat_of(door, "olga"))) == 3
    marketer = await seat_of(door, "maria")
    assert await door.tills(marketer) == []
    assert code(await door.choose_till(marketer, chain.garden_1.id)) is No.ROLE_NOT_ALLOWED


async def test_a_till_that_was_closed_has_to_be_left(
    chain: Chain, door: StaffDoor, clock: VirtualClock
) -> None:
    signed_in = await came_in(door, "boris")
    await Till.filter(id=chain.lake_1.id).update(closed_at=clock.now())
    seat = await door.seat(signed_in.token)
    assert isinstance(seat, Seat)
    assert seat.till_id is None


# ---- accounts ----


@pytest.mark.parametrize(
    ("changes", "no"),
    [
        ({"login": ""}, No.INVALID_LOGIN),
        ({"login": "a"}, No.INVALID_LOGIN),
        ({"login": "анна"}, No.INVALID_LOGIN),
        ({"login": "two words"}, No.INVALID_LOGIN),
        ({"login": "x" * 65}, No.INVALID_LOGIN),
        ({"password": "short"}, No.WEAK_PASSWORD),
        ({"password": "x" * 129}, No.WEAK_PASSWORD),
        ({"role": "king"}, No.ROLE_NOT_ALLOWED),
        ({"login": "anna"}, No.LOGIN_TAKEN),
        ({"login": " ANNA "}, No.LOGIN_TAKEN),
    ],
)
async def test_accounts_that_are_refused(
    chain: Chain, clock: VirtualClock, changes: dict[str, str], no: No
) -> None:
    wanted = {"login": "vera", "password": PASSWORD, "role": "cashier"} | changes
    before = await StaffMember.all().count()
    assert code(await create_staff(clock=clock, name="Vera", **wanted)) is no  # type: ignore[arg-type]
    assert await StaffMember.all().count() == before


async def test_one_login_asked_for_twice_at_once_is_given_once(
    chain: Chain, clock: VirtualClock
) -> None:
    answers = await asyncio.gather(
        *(
            create_staff(clock=clock, login="vera", password=PASSWORD, name="V", role="cashier")
            for _ in range(4)
        )
    )
    assert sorted(code(answer) or "" for answer in answers) == ["", *[No.LOGIN_TAKEN] * 3]


# ---- keys of till programs ----


async def test_a_key_is_shown_once_and_acts_for_its_till(chain: Chain, clock: VirtualClock) -> None:
    made = await create_api_key(clock=clock, till_id=chain.garden_1.id)
    assert not isinstance(made, Refusal)
    assert made.key.startswith(made.hint)
    row = await ApiKey.get()
    assert made.key not in (row.key_hash, row.hint)
    found = await ApiKeyDoor(clock).recognise(made.key)
    assert found == TillKey(made.id, chain.garden_1.id)


async def test_a_revoked_key_stops_within_seconds(chain: Chain, clock: VirtualClock) -> None:
    made = await create_api_key(clock=clock, till_id=chain.garden_1.id)
    assert not isinstance(made, Refusal)
    door = ApiKeyDoor(clock)
    assert isinstance(await door.recognise(made.key), TillKey)
    assert await revoke_api_key(clock=clock, key_id=made.id) is None
    assert code(await revoke_api_key(clock=clock, key_id=made.id)) is No.API_KEY_UNKNOWN
    clock.advance(CACHE_LIFE)
    assert code(await door.recognise(made.key)) is No.API_KEY_UNKNOWN
    assert code(await ApiKeyDoor(clock).recognise(made.key)) is No.API_KEY_UNKNOWN


async def test_the_key_of_a_closed_till_is_no_key(chain: Chain, clock: VirtualClock) -> None:
    made = await create_api_key(clock=clock, till_id=chain.lake_1.id)
    assert not isinstance(made, Refusal)
    await Till.filter(id=chain.lake_1.id).update(closed_at=clock.now())
    assert code(await ApiKeyDoor(clock).recognise(made.key)) is No.API_KEY_UNKNOWN
    again = await create_api_key(clock=clock, till_id=chain.lake_1.id)
    assert code(again) is No.TILL_NOT_FOUND


async def test_what_a_door_remembers_is_bounded(
    chain: Chain, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.api_keys.CACHE_MAX", 8)
    door = ApiKeyDoor(clock)
    for n in range(50):
        assert code(await door.recognise(f"kap_{n:043d}")) is No.API_KEY_UNKNOWN
    assert len(door._known) == 8


@pytest.mark.parametrize("key", ["", "kap_", "x" * 47, "kap_" + "я" * 43, "kap_" + "a" * 44])
async def test_what_cannot_be_a_key_is_not_looked_up(clock: VirtualClock, key: str) -> None:
    assert code(await ApiKeyDoor(clock).recognise(key)) is No.API_KEY_UNKNOWN


def test_hashing_leaves_memory_for_the_rest() -> None:
    assert auth._hasher.memory_cost * 1024 * auth._hashing._max_workers < 64_000_000
