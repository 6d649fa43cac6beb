"""Joining: one person over many fronts, her consents, her gift; also when two clicks race."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.clock import VirtualClock
from loyalty.customers import Glance, Joined, Operation
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.ledger import Balance
from loyalty.programme import Programme, build_programme
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.card_codes import is_card_number
from loyalty.rules.commands import Held, Hold
from loyalty.rules.consents import is_granted, standing
from loyalty.rules.programme import ProgrammeRules
from tests.loyalty.people import ANNA, BORIS, joined, joining
from tests.loyalty.tills import give


async def balance(programme: Programme, customer_id: int) -> Balance:
    answer = await programme.ledger.balance(customer_id)
    assert isinstance(answer, Balance)
    return answer


async def count(table: str) -> int:
    return int((await query(f"SELECT count(*) AS n FROM {table}"))[0]["n"])


async def test_joining_gives_a_card_and_a_gift(programme: Programme, clock: VirtualClock) -> None:
    answer = await joining(programme, phone="8 (900) 123-45-67", name=" Анна  К. ")

    assert isinstance(answer, Joined)
    assert (answer.is_new, answer.welcome_points) == (True, 100)
    anna = answer.customer
    assert (anna.name, anna.phone, anna.language) == ("Анна К.", ANNA, "ru")
    assert is_card_number(anna.card_number)
    assert anna.joined_at == clock.now()
    assert await programme.customers.get(anna.id) == anna
    assert await programme.customers.by_identity("phone", ANNA) == anna
    assert await programme.customers.by_identity("telegram", "1001") == anna
    assert await programme.customers.by_identity("card", anna.card_number) == anna
    has = await balance(programme, anna.id)
    assert has.available == 100
    assert has.next_expiry is not None
    assert has.next_expiry.at == clock.now() + timedelta(days=30)
    [event] = await query("SELECT kind, customer_id FROM event")
    assert tuple(event) == ("customer.joined", anna.id)


async def test_a_stranger_is_nobody(programme: Programme) -> None:
    assert await programme.customers.get(1) is None
    assert await programme.customers.by_identity("phone", ANNA) is None
    assert await programme.customers.at_a_glance("phone", ANNA, operations=5) is None


async def test_a_glance_shows_what_the_ledger_says(
    programme: Programme, clock: VirtualClock
) -> None:
    anna = await joined(programme)
    await joined(programme, front_value="1002", phone=BORIS)
    for points in (1, 2, 3):
        clock.advance(timedelta(hours=1))
        await give(programme, anna.id, points)
    later = to_micros(clock.now() + timedelta(days=3))
    await give(programme, anna.id, 21, available_at=later)
    until = to_micros(clock.now() + timedelta(minutes=5))
    hold = Hold(key="h", account_id=anna.id, points=40, at=until - 1, expires_at=until)
    assert isinstance(await programme.ledger.post(hold), Held)

    async def glance(operations: int, before_seq: int | None = None) -> Glance:
        seen = await programme.customers.at_a_glance(
            "telegram", "1001", operations=operations, before_seq=before_seq
        )
        assert seen is not None
        return seen

    seen = await glance(9)
    entries = await programme.ledger.statement(anna.id)
    assert seen.customer == anna
    assert seen.balance == await balance(programme, anna.id)
    assert seen.operations == [Operation(e.seq, e.kind, e.reason, e.points, e.at) for e in entries]
    newest = seen.operations[0].seq
    assert (await glance(2)).operations == seen.operations[:2]
    assert (await glance(2, newest)).operations == seen.operations[1:3]
    assert (await glance(2, 1)) == Glance(anna, seen.balance, [])


async def test_a_glance_shows_what_another_process_has_changed(programme: Programme) -> None:
    anna = await joined(programme)
    before = await programme.customers.at_a_glance("telegram", "1001", operations=1)
    assert before is not None
    other = build_programme(clock=programme.clock, secret=b"x" * 32, rules=programme.rules)
    await other.customers.set_language(anna.id, "en")
    await give(other, anna.id, 7)
    after = await programme.customers.at_a_glance("telegram", "1001", operations=1)
    assert after is not None
    assert after.customer == replace(anna, language="en")
    assert after.balance.available == before.balance.available + 7
    assert after.operations[0].points == 7
    await other.customers.leave_front("telegram", "1001")
    assert await programme.customers.at_a_glance("telegram", "1001", operations=1) is None
    await other.stop()


async def test_the_same_phone_from_another_front_is_the_same_customer(
    programme: Programme,
) -> None:
    anna = await joined(programme)
    answer = await joining(
        programme,
        front_kind="webchat",
        front_value="w1",
        proof="one_time_code",
        phone="+7 900 123 45 67",
        name="Аня",
    )

    assert answer == Joined(anna, is_new=False, welcome_points=0)
    assert await programme.customers.fronts(anna.id) == [("telegram", "1001"), ("webchat", "w1")]
    assert (await balance(programme, anna.id)).posted == 100


async def test_joining_again_from_the_same_front_changes_nothing(programme: Programme) -> None:
    anna = await joined(programme)
    assert await joining(programme) == Joined(anna, is_new=False, welcome_points=0)
    assert await count("identity") == 3


async def test_a_front_speaks_for_one_customer(programme: Programme) -> None:
    anna = await joined(programme)
    assert await joining(programme, phone=BORIS) == refuse(No.IDENTITY_TAKEN, kind="telegram")

    await programme.customers.leave_front("telegram", "1001")
    assert await programme.customers.fronts(anna.id) == []
    boris = await joined(programme, phone=BORIS)
    assert boris.id != anna.id


async def test_a_customer_without_a_name_gets_one_when_she_says_it(programme: Programme) -> None:
    await joined(programme, name="")
    again = await joined(programme, name="Анна")
    assert again.name == "Анна"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"phone": "123"}, No.INVALID_PHONE),
        ({"proof": "said_so"}, No.CONTACT_NOT_OWN),
        ({"consent_wording": ""}, No.CONSENT_REQUIRED),
        ({"name": "a\x00b"}, No.INVALID_NAME),
    ],
)
async def test_who_cannot_join_leaves_no_row(
    programme: Programme, changes: dict[str, str], code: No
) -> None:
    answer = await joining(programme, **changes)
    assert isinstance(answer, Refusal)
    assert answer.code is code
    assert await count("customer") == await count("identity") == await count("event") == 0


@pytest.mark.parametrize(
    ("tag", "language"), [("en-GB", "en"), ("RU", "ru"), ("de", "ru"), ("", "ru"), ("\x00", "ru")]
)
async def test_the_language_is_one_of_ours(programme: Programme, tag: str, language: str) -> None:
    anna = await joined(programme, language=tag)
    assert anna.language == language


async def test_two_clicks_at_once_make_one_customer(programme: Programme) -> None:
    answers = await asyncio.gather(*(joining(programme, front_value=str(i % 3)) for i in range(12)))

    assert all(isinstance(answer, Joined) for answer in answers)
    assert len({answer.customer.id for answer in answers}) == 1
    assert sum(answer.is_new for answer in answers) == 1
    anna = answers[0].customer
    assert (await balance(programme, anna.id)).posted == 100
    assert len(await programme.customers.fronts(anna.id)) == 3


async def test_name_and_language_can_be_changed(programme: Programme) -> None:
    anna = await joined(programme)
    await programme.customers.set_language(anna.id, "en")
    renamed = await programme.customers.rename(anna.id, "  Anna  ")
    assert not isinstance(renamed, Refusal)
    assert (renamed.name, renamed.language) == ("Anna", "en")
    assert await programme.customers.rename(1, "Anna") == refuse(No.CUSTOMER_NOT_FOUND)
    bad = await programme.customers.rename(anna.id, "x" * 201)
    assert isinstance(bad, Refusal)
    assert bad.code is No.INVALID_NAME


# -- consents --

STANDING = [
    # facts in their order                                             asked     granted
    ([], "email", False),
    ([("marketing", "", True)], "email", True),
    ([("marketing", "", False), ("marketing", "email", True)], "email", True),
    ([("marketing", "", False), ("marketing", "email", True)], "sms", False),
    ([("marketing", "email", True), ("marketing", "", False)], "email", False),
    ([("marketing", "", True), ("marketing", "sms", False)], "sms", False),
    ([("processing", "", True)], "email", False),
]


@pytest.mark.parametrize(("facts", "channel", "granted"), STANDING)
def test_the_latest_word_holds(
    facts: list[tuple[str, str, bool]], channel: str, granted: bool
) -> None:
    assert is_granted(standing(facts), "marketing", channel) is granted


async def test_consents_are_kept_as_facts(programme: Programme, clock: VirtualClock) -> None:
    anna = await joined(programme, marketing=True)
    said = {"channel": "", "source": "telegram", "wording": "2026-01"}
    clock.advance(timedelta(days=1))
    await programme.customers.record_consent(anna.id, purpose="marketing", granted=False, **said)

    now = await programme.customers.consents(anna.id)
    assert is_granted(now, "processing", "telegram")
    assert not is_granted(now, "marketing", "telegram")
    assert await count("consent_fact") == 3


async def test_a_consent_for_an_unknown_purpose_is_a_bug(programme: Programme) -> None:
    anna = await joined(programme)
    with pytest.raises(ValueError, match="purpose"):
        await programme.customers.record_consent(
            anna.id, purpose="spam", channel="", granted=True, source="panel", wording="1"
        )


class TestWithoutAGift:
    @pytest.fixture
    def rules(self) -> ProgrammeRules:
        return ProgrammeRules(welcome_points=0)

    async def test_joining_gives_nothing(self, programme: Programme) -> None:
        answer = await joining(programme)
        assert isinstance(answer, Joined)
        assert answer.welcome_points == 0
        assert (await balance(programme, answer.customer.id)).posted == 0


async def test_an_email_address_speaks_for_one_customer(programme: Programme) -> None:
    anna = await joined(programme)
    boris = await joined(programme, phone=BORIS, front_value="1002")
    customers = programme.customers
    given = await customers.give_email(anna.id, " Anna@Shop.example ")
    assert given == replace(anna, email="anna@shop.example")
    assert await customers.give_email(anna.id, "anna@shop.example") == given, "safe to repeat"
    assert await customers.by_identity("email", "anna@shop.example") == given
    taken = await customers.give_email(boris.id, "anna@shop.example")
    assert taken == refuse(No.IDENTITY_TAKEN, kind="email")
    for text, code in (("anna@", No.INVALID_EMAIL), ("a@b.example", No.CUSTOMER_NOT_FOUND)):
        answer = await customers.give_email(7 if text == "a@b.example" else anna.id, text)
        assert isinstance(answer, Refusal)
        assert answer.code == code


async def test_a_new_address_takes_the_place_of_the_old_one(programme: Programme) -> None:
    anna = await joined(programme)
    customers = programme.customers
    await customers.give_email(anna.id, "old@shop.example")
    answers = await asyncio.gather(
        *(customers.give_email(anna.id, f"new{n}@shop.example") for n in range(3)),
        return_exceptions=True,
    )
    assert not [answer for answer in answers if isinstance(answer, BaseException)]
    assert await customers.by_identity("email", "old@shop.example") is None
    rows = await query("SELECT value FROM identity WHERE kind = 'email' AND ended_at IS NULL")
    assert len(rows) == 1
