"""Double opt-in: asked by a letter, confirmed by its owner, each customer for herself."""

import json
from datetime import timedelta

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.models import Identity
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal
from messaging.optin import LIFE, Asked, OnAnotherCard, OptInLetter, OptIns, opt_ins_of
from messaging.policy.consent import OptIn
from messaging.preferences import preferences_of
from messaging.tasks import waiting
from messaging.wakeups import Wakeups
from tests.messaging.conftest import customer_with
from tests.messaging.letters import LINKS

ADDRESS = "anna@shop.example"


@pytest.fixture
def opt_ins(programme: Programme) -> OptIns:
    return OptIns(programme.clock, programme.customers, LINKS, Wakeups(), programme_name="Капсула")


async def letters() -> list[tuple[str, str]]:
    """Address and token of each letter that was put on its way."""
    rows = await query(
        "SELECT address, context FROM message WHERE template = 'email_opt_in' ORDER BY id"
    )
    return [(r["address"], json.loads(r["context"])["url"].rsplit("/", 1)[1]) for r in rows]


async def latest(opt_ins: OptIns) -> OptInLetter:
    found = await opt_ins.read((await letters())[-1][1])
    assert found is not None
    return found


async def email_of(customer_id: int) -> str | None:
    rows = await query(
        "SELECT value, proof FROM identity WHERE customer_id = $1 AND kind = 'email' "
        "AND ended_at IS NULL",
        None,
        customer_id,
    )
    assert len(rows) <= 1
    return rows[0]["value"] if rows else None


async def test_asked_and_confirmed(db: str, opt_ins: OptIns) -> None:
    anna = await customer_with(("telegram", "5001"))
    assert await opt_ins.ask(anna, " Anna@Shop.example ", "ru") == Asked(ADDRESS)
    assert await opt_ins_of([(anna, ADDRESS), (anna, "x@y.example")]) == {
        (anna, ADDRESS): OptIn.PENDING
    }
    assert await email_of(anna) is None, "not before she has confirmed it"
    hers = await preferences_of(anna)
    assert hers is not None
    assert (hers.email, hers.pending_email) == ("", ADDRESS)
    letter = await latest(opt_ins)
    assert (letter.address, letter.language, letter.confirmed) == (ADDRESS, "ru", False)
    for _ in range(2):
        assert await opt_ins.confirm(await latest(opt_ins)) == Asked(ADDRESS, confirmed=True)
    assert await email_of(anna) == ADDRESS
    assert await opt_ins_of([(anna, ADDRESS)]) == {(anna, ADDRESS): OptIn.CONFIRMED}
    hers = await preferences_of(anna)
    assert hers is not None
    assert (hers.email, hers.pending_email, hers.email_opt_in) == (ADDRESS, "", OptIn.CONFIRMED)
    assert await opt_ins.ask(anna, ADDRESS, "ru") == Asked(ADDRESS, confirmed=True)
    assert len(await letters()) == 1, "who has confirmed is not asked again"


async def test_another_address_takes_the_place_of_the_first(
    db: str, opt_ins: OptIns, clock: VirtualClock
) -> None:
    anna = await customer_with(("email", "old@shop.example"))
    assert isinstance(await opt_ins.ask(anna, ADDRESS, "ru"), Asked)
    await opt_ins.confirm(await latest(opt_ins))
    assert await email_of(anna) == ADDRESS


async def test_an_imported_address_is_confirmed_where_it_is(db: str, opt_ins: OptIns) -> None:
    anna = await customer_with(("email", ADDRESS))
    assert await opt_ins_of([(anna, ADDRESS)]) == {}
    await opt_ins.ask(anna, ADDRESS, "ru")
    hers = await preferences_of(anna)
    assert hers is not None
    assert (hers.pending_email, hers.email_opt_in) == ("", OptIn.PENDING)
    await opt_ins.confirm(await latest(opt_ins))
    assert await opt_ins_of([(anna, ADDRESS)]) == {(anna, ADDRESS): OptIn.CONFIRMED}


async def test_somebody_elses_address_is_told_to_its_owner_alone(db: str, opt_ins: OptIns) -> None:
    boris = await customer_with(("email", ADDRESS))
    anna = await customer_with(("telegram", "5001"))
    assert await opt_ins.ask(anna, ADDRESS, "ru") == Asked(ADDRESS), "as if it were nobody's"
    for _ in range(2):
        assert await opt_ins.confirm(await latest(opt_ins)) == OnAnotherCard(ADDRESS)
    [task] = await waiting("same_email")
    assert (task.customer_id, ADDRESS in task.why) == (anna, True)
    told = await query("SELECT customer_id FROM message WHERE template = 'email_on_another_card'")
    assert [row["customer_id"] for row in told] == [anna]
    assert (await email_of(boris), await email_of(anna)) == (ADDRESS, None)
    assert await opt_ins_of([(boris, ADDRESS)]) == {}, "he has confirmed nothing"


async def test_a_letter_is_good_for_a_week(db: str, opt_ins: OptIns, clock: VirtualClock) -> None:
    anna = await customer_with()
    await opt_ins.ask(anna, ADDRESS, "ru")
    clock.advance(LIFE + timedelta(seconds=1))
    answer = await opt_ins.confirm(await latest(opt_ins))
    assert isinstance(answer, Refusal)
    assert answer.code == No.CODE_EXPIRED
    assert await email_of(anna) is None


async def test_nobodys_mailbox_is_filled(db: str, opt_ins: OptIns, clock: VirtualClock) -> None:
    people = [await customer_with() for _ in range(5)]
    waits = []
    for person in people:
        answer = await opt_ins.ask(person, ADDRESS, "ru")
        waits.append(answer.data["wait_s"] if isinstance(answer, Refusal) else 0)
        clock.advance(timedelta(seconds=60))
    assert waits == [0, 0, 0, 86_400 - 180, 86_400 - 240]
    assert len(await letters()) == 3


async def test_one_customer_does_not_write_to_the_whole_town(
    db: str, opt_ins: OptIns, clock: VirtualClock
) -> None:
    anna = await customer_with()
    refused = 0
    for n in range(7):
        refused += isinstance(await opt_ins.ask(anna, f"p{n}@town.example", "ru"), Refusal)
        clock.advance(timedelta(minutes=2))
    assert refused == 2
    await query("SELECT 1")
    too_soon = await opt_ins.ask(await customer_with(), "p0@town.example", "ru")
    assert isinstance(too_soon, Asked)


@pytest.mark.parametrize("text", ["", "anna", "anna@", "a b@c.example", "x" * 400 + "@c.example"])
async def test_what_is_no_address_is_refused(db: str, opt_ins: OptIns, text: str) -> None:
    answer = await opt_ins.ask(await customer_with(), text, "ru")
    assert isinstance(answer, Refusal)
    assert answer.code == No.INVALID_EMAIL


@pytest.mark.parametrize("token", ["", "x", "a" * 29, "ы" * 29, "a" * 10_000])
async def test_forged_tokens_are_no_letters(db: str, opt_ins: OptIns, token: str) -> None:
    assert await opt_ins.read(token) is None


async def test_who_is_erased_confirms_nothing(
    db: str, opt_ins: OptIns, clock: VirtualClock
) -> None:
    anna = await customer_with()
    await opt_ins.ask(anna, ADDRESS, "ru")
    [(_, token)] = await letters()
    await query("UPDATE customer SET erased_at = $2 WHERE id = $1", None, anna, 1)
    assert await opt_ins.read(token) is None
    assert await Identity.filter(kind="email").count() == 0
