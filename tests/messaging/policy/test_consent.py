"""Who may be written to where: every "no" by name, and what stops even a receipt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.rules.consents import is_granted, standing
from messaging.policy.consent import Allowed, Ask, OptIn, Stopped, Suppression, check
from messaging.policy.verdicts import Why

NOW = 1_000_000
AGREED = {("marketing", ""): True}
KINDS = {"email": "email", "sms": "phone", "messenger": "telegram"}


def ask(topic: str, channel: str = "sms", purpose: str = "marketing") -> Ask:
    address = "a@b.example" if channel == "email" else "79001234567"
    return Ask(
        topic=topic, channel=channel, address_kind=KINDS[channel], address=address, purpose=purpose
    )


def answer(asked: Ask, **facts: object) -> str:
    """`allowed`, or the reason and what is closed."""
    found = check(asked, **({"consents": AGREED, "now": NOW} | facts))  # type: ignore[arg-type]
    return "allowed" if isinstance(found, Allowed) else f"{found.reason} ({found.scope})"


NO_CONSENT, WITHDRAWN = "no_consent (channel)", "consent_withdrawn (channel)"
ALL, MAIL, SMS = ("marketing", ""), ("marketing", "email"), ("marketing", "sms")


@pytest.mark.parametrize(
    ("topic", "consents", "expected"),
    [
        ("marketing", {}, NO_CONSENT),
        ("survey", {}, NO_CONSENT),
        ("service", {}, "allowed"),
        ("marketing", {ALL: True}, "allowed"),
        ("survey", {ALL: True}, "allowed"),
        ("marketing", {ALL: False}, WITHDRAWN),
        ("service", {ALL: False}, "allowed"),
        ("marketing", {SMS: True}, "allowed"),
        ("marketing", {MAIL: True}, NO_CONSENT),
        ("marketing", {ALL: True, SMS: False}, WITHDRAWN),
        ("marketing", {ALL: False, SMS: True}, "allowed"),
        ("marketing", {("processing", ""): True}, NO_CONSENT),
    ],
    ids=[
        "silence is a no",
        "a survey needs a yes too",
        "service needs none",
        "a yes for every channel",
        "a survey goes with marketing",
        "a no for every channel",
        "service goes on",
        "a yes for SMS",
        "a yes for mail is none for SMS",
        "all but SMS",
        "SMS only",
        "processing is another purpose",
    ],
)
def test_consent(topic: str, consents: dict[tuple[str, str], bool], expected: str) -> None:
    assert answer(ask(topic), consents=consents) == expected


def test_a_purpose_of_its_own_is_asked_for() -> None:
    asked = ask("survey", purpose="research")
    assert answer(asked) == NO_CONSENT
    assert answer(asked, consents={("research", ""): True}) == "allowed"


HERS = {"address_kind": "phone", "address": "79001234567"}


@pytest.mark.parametrize(
    ("suppression", "marketing", "survey", "service"),
    [
        (Suppression(reason="bounced", **HERS), "address", "address", "address"),
        (Suppression(reason="blocked", **HERS), "address", "address", "address"),
        (Suppression(reason="complained", **HERS), "address", "address", "address"),
        (Suppression(reason="unsubscribed", **HERS), "address", "address", None),
        (Suppression(reason="unsubscribed", topic="survey", **HERS), None, "address", None),
        (Suppression(reason="unsubscribed", topic="service", **HERS), None, None, "address"),
        (Suppression(reason="by_hand", topic="marketing", **HERS), "address", None, None),
        (Suppression(reason="by_hand", channel="sms"), "channel", "channel", "channel"),
        (Suppression(reason="by_hand", channel="email"), None, None, None),
        (Suppression(reason="by_hand", topic="marketing"), "topic", None, None),
        (Suppression(reason="asleep", topic="marketing", until=NOW + 1), "topic", None, None),
        (Suppression(reason="asleep", topic="marketing", until=NOW), None, None, None),
        (Suppression(reason="by_hand"), "all", "all", "all"),
        (Suppression(reason="unsubscribed"), "all", "all", None),
        (Suppression(reason="a new one", **HERS), "address", "address", "address"),
        (Suppression(reason="bounced", address_kind="phone", address="7"), None, None, None),
        (Suppression(reason="bounced", address_kind="card", address="79001234567"), *[None] * 3),
    ],
    ids=[
        "a bounced address gets nothing",
        "a blocked one neither",
        "nor one that complained",
        "who unsubscribed still gets receipts",
        "unsubscribed from surveys",
        "she wants no receipts either",
        "staff stopped marketing there",
        "a channel is closed",
        "another channel is closed",
        "a topic is closed",
        "for a while",
        "the while is over",
        "everything is closed",
        "unsubscribed from everything",
        "a reason nobody knows is hard",
        "another address",
        "the same digits of another kind",
    ],
)
def test_suppressions(
    suppression: Suppression, marketing: str | None, survey: str | None, service: str | None
) -> None:
    for topic, closed in (("marketing", marketing), ("survey", survey), ("service", service)):
        expected = f"suppressed:{suppression.reason} ({closed})" if closed else "allowed"
        assert answer(ask(topic), suppressions=[suppression]) == expected, topic


def test_of_several_suppressions_the_one_that_lasts_is_told() -> None:
    brief = Suppression(reason="asleep", topic="marketing", until=NOW + 5)
    longer = Suppression(reason="by_hand", until=NOW + 9, **HERS)
    lasting = Suppression(reason="unsubscribed", **HERS)
    for known, told in (
        ([brief, longer], Stopped("suppressed:by_hand", "address", NOW + 9)),
        ([lasting, brief, longer], Stopped("suppressed:unsubscribed", "address", None)),
    ):
        assert check(ask("marketing"), consents=AGREED, suppressions=known, now=NOW) == told


@pytest.mark.parametrize(
    ("topic", "channel", "opt_in", "expected"),
    [
        ("marketing", "email", OptIn.MISSING, "opt_in_missing (address)"),
        ("marketing", "email", OptIn.PENDING, "opt_in_pending (address)"),
        ("marketing", "email", OptIn.CONFIRMED, "allowed"),
        ("survey", "email", OptIn.PENDING, "opt_in_pending (address)"),
        ("service", "email", OptIn.MISSING, "allowed"),
        ("marketing", "sms", OptIn.MISSING, "allowed"),
        ("marketing", "messenger", OptIn.PENDING, "allowed"),
    ],
)
def test_double_opt_in_is_for_advertising_by_mail(
    topic: str, channel: str, opt_in: OptIn, expected: str
) -> None:
    assert answer(ask(topic, channel), opt_in=opt_in) == expected


def test_one_address_one_send_whoever_shares_it() -> None:
    taken = {("phone", "79001234567")}
    assert answer(ask("marketing"), taken=taken) == "address_taken (address)"
    assert answer(ask("marketing", "messenger"), taken=taken) == "allowed"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"suppressions": [Suppression(reason="bounced")]}, Why.SUPPRESSED.of("bounced")),
        ({"suppressions": []}, Why.NO_CONSENT),
        ({"consents": AGREED}, Why.OPT_IN_PENDING),
        ({"consents": AGREED, "opt_in": OptIn.CONFIRMED}, Why.ADDRESS_TAKEN),
    ],
    ids=["suppression first", "then consent", "then opt-in", "then the shared address"],
)
def test_the_order_in_which_reasons_are_told(facts: dict[str, object], reason: str) -> None:
    everything = {"consents": {}, "opt_in": OptIn.PENDING, "taken": {("email", "a@b.example")}}
    found = check(ask("marketing", "email"), **(everything | facts), now=NOW)  # type: ignore[arg-type]
    assert isinstance(found, Stopped)
    assert found.reason == reason


facts = st.lists(
    st.tuples(
        st.sampled_from(["marketing", "processing"]),
        st.sampled_from(["", "sms", "email"]),
        st.booleans(),
    )
)


@given(facts, st.sampled_from(["sms", "messenger"]))
def test_consent_means_what_it_means_to_the_programme(
    said: list[tuple[str, str, bool]], channel: str
) -> None:
    consents = standing(said)
    found = check(ask("marketing", channel), consents=consents, now=NOW)
    assert isinstance(found, Allowed) == is_granted(consents, "marketing", channel)
