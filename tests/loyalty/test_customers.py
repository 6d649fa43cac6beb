"""Joining: one person over many fronts, her consents, her gift; also when two clicks race."""

import asyncio
from datetime import timedelta

import pytest

from loyalty.clock import VirtualClock
from loyalty.customers import Joined
from loyalty.database import query
from loyalty.ledger import Balance
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.card_codes import is_card_number
from loyalty.rules.consents import is_granted, standing
from loyalty.rules.programme import ProgrammeRules
from tests.loyalty.people import ANNA, BORIS, joined, joining


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
