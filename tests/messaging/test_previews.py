"""What a template looks like to a reader before anything is sent."""

from datetime import UTC, datetime

from msgspec.structs import replace

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.ledger import Ledger
from messaging.channels.email.mime import Composer, Sender
from messaging.channels.email.tokens import Tokens
from messaging.outbox import Draft, enqueue
from messaging.previews import audience, outgoing_mail, preview, told
from messaging.templates import CHANNELS, Reader
from messaging.templates.book import built_in
from messaging.templates.files import read
from messaging.templates.samples import usual
from messaging.templates.writing import Writer
from tests.messaging.conftest import customer_with
from tests.messaging.templates.samples import FINE, with_words

AT = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)


def test_every_channel_is_shown_with_what_it_costs() -> None:
    gift = built_in()["gift"]
    shown = preview(gift, usual(gift.template, "ru"), Reader("ru"))
    assert [one.channel for one in shown] == list(CHANNELS)
    assert all(one.own and not one.error for one in shown)
    sms = shown[2]
    assert sms.segments is not None
    assert (sms.segments.parts, sms.segments.encoding) == (1, "ucs2")
    english = preview(gift, usual(gift.template, "en"), Reader("en"))[2]
    assert english.segments is not None
    assert english.segments.encoding == "gsm7"
    assert told(shown)["sms"]["segments"] == 1
    assert told(shown)["email"]["subject"] == "Анна, для вас 200 бонусов в подарок"


def test_one_letter_that_makes_an_sms_dear_is_named() -> None:
    gift = built_in()["gift"]
    dear = {**usual(gift.template, "en"), "programme": "Kapsulaж"}
    assert preview(gift, dear, Reader("en"))[2].costly == ("ж",)


def test_what_would_fail_says_so_and_the_others_are_shown() -> None:
    template, _ = read(with_words("{{ until|day }}"))
    writer = Writer(template)
    context = {**usual(template, "ru"), "until": None}
    messenger, email, sms, push = preview(writer, context, Reader("ru"))
    assert messenger.body
    assert email.body
    assert push.body
    assert sms.body is None
    assert "ru.sms.text" in sms.error
    assert not preview(Writer(read(FINE)[0]), usual(template, "en"), Reader("en"))[3].own


def test_the_mail_as_it_goes_out_lets_mailings_be_left() -> None:
    composer = Composer(
        Sender(address="news@shop.example", name="Shop", brand="Shop"),
        Tokens(b"a key of the tests"),
        clock=VirtualClock(AT),
    )
    for name, leaves in (("offer", True), ("sms_code", False)):
        writer = built_in()[name]
        body = writer.write(usual(writer.template, "ru"), Reader("ru"), "email")
        content = composer.compose(outgoing_mail(writer, body)).content
        assert (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in content) is leaves
        assert b"multipart/alternative" in content


async def test_a_customer_sees_her_own_last_values(db: str, clock: VirtualClock) -> None:
    her = await customer_with(("telegram", "5"), language="en")
    welcome = built_in()["welcome"]
    found = await audience(welcome, her)
    assert found is not None
    assert (found.message_id, found.reader.language) == (None, "en")
    assert found.context["points"] == 100
    context = {"programme": "К", "points": 7}
    of_welcome = Draft(
        dedupe_key="1", topic="service", template="welcome", customer_id=her, context=context
    )
    await enqueue([of_welcome, replace(of_welcome, dedupe_key="2", context={})], at=clock.now())
    found = await audience(welcome, her, language="ru")
    assert found is not None
    assert found.message_id is not None
    assert found.context == context
    assert found.reader.language == "ru"


async def test_without_a_message_her_name_and_balance_are_known(
    db: str, clock: VirtualClock
) -> None:
    her = await customer_with()
    await Ledger(clock).open_accounts([her])
    found = await audience(built_in()["gift"], her)
    assert found is not None
    assert found.context["name"] == "Анна"
    receipt = await audience(built_in()["receipt_committed"], her)
    assert receipt is not None
    assert receipt.context["balance"] == 0


async def test_nobody_is_shown_for_who_is_not_there(db: str) -> None:
    assert await audience(built_in()["gift"], 5) is None
    her = await customer_with()
    await query("UPDATE customer SET erased_at = $1 WHERE id = $2", None, to_micros(AT), her)
    assert await audience(built_in()["gift"], her) is None
