"""Who goes first when several messages wait for one customer, and what becomes of the others."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.policy.arbitration import Ruling, Waiting, arbitrate, rank
from messaging.policy.caps import (
    DEFAULT_RULES,
    Candidate,
    Contact,
    Free,
    Full,
    Rule,
    Which,
    check,
    own_rule,
)
from messaging.policy.verdicts import Send, Skip, Wait, Why
from tests.messaging.policy.instants import DAY, span

NOW = 1000 * DAY

# Each line: the messages as `name topic[/kind] expires-in [value] [age]`, then what was sent to her
# before, then the verdicts in the order in which they were given.
STORIES = {
    "class goes before all": (
        "m marketing 1h 99, s survey 9d, r service 30d",
        "",
        "r send, s send, m send",
    ),
    "a transactional one goes with surveys": (
        "m marketing 1h, s survey 9d, t transactional 8d",
        "",
        "t send, s send, m send",
    ),
    "an unknown topic goes with marketing": (
        "x news 2d, m marketing 1d",
        "",
        "m send, x send",
    ),
    "the soonest expiry goes, the rest waits a day": (
        "a marketing 9d 9, b marketing 5d 1",
        "",
        "b send, a wait capped:marketing_day 1d",
    ),
    "of equal expiry the more worth": (
        "a marketing 9d 1, b marketing 9d 2",
        "",
        "b send, a wait capped:marketing_day 1d",
    ),
    "of equal worth the older": (
        "a marketing 9d 1 1h, b marketing 9d 1 2h",
        "",
        "b send, a wait capped:marketing_day 1d",
    ),
    "of equal age the first written": (
        "a marketing 9d, b marketing 9d",
        "",
        "a send, b wait capped:marketing_day 1d",
    ),
    "who would expire first is skipped": (
        "a marketing 23h, b marketing 24h, c marketing 25h",
        "",
        "a send, b skip capped_until_expiry:marketing_day, c wait capped:marketing_day 1d",
    ),
    "what was sent before counts": (
        "a marketing 9d",
        "marketing 2d, marketing 3d",
        "a wait capped:marketing_week 4d",
    ),
    "a capped one lets others pass": (
        "n survey/nps 9d, i survey/interests 10d, m marketing 9d",
        "survey/nps 80d",
        "n skip capped_until_expiry:nps_quarter, i send, m send",
    ),
    "service presses on nobody": (
        "r service 1d, m marketing 9d",
        "service 1h, service 2h",
        "r send, m send",
    ),
    "what is too late is skipped and presses on nobody": (
        "old marketing 0s, m marketing 9d",
        "",
        "old skip expired, m send",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "past", "verdicts"), STORIES.values(), ids=STORIES.keys())
def test_who_goes(messages: str, past: str, verdicts: str) -> None:
    names, waiting = read(messages)
    rulings = arbitrate(waiting, DEFAULT_RULES, contacts(past), NOW)
    assert ", ".join(f"{names[r.message.id]} {in_words(r)}" for r in rulings) == in_micros(verdicts)


def read(text: str) -> tuple[dict[int, str], list[Waiting]]:
    names, waiting = {}, []
    for number, line in enumerate(text.split(", ")):
        name, what, life, *more = line.split()
        value, age = [*more, *["0", "0s"][len(more) :]]
        topic, _, kind = what.partition("/")
        names[number] = name
        waiting.append(
            Waiting(
                id=number, topic=topic, kind=kind, value=int(value),
                expires_at=NOW + span(life), created_at=NOW - span(age),
            )
        )  # fmt: skip
    return names, waiting


def contacts(text: str) -> list[Contact]:
    found = []
    for line in filter(None, text.split(", ")):
        what, age = line.split()
        topic, _, kind = what.partition("/")
        found.append(Contact(topic, "sms", kind, NOW - span(age)))
    return found


def in_words(ruling: Ruling) -> str:
    match ruling.verdict:
        case Wait(reason, until):
            return f"wait {reason} {until - NOW}"
        case Skip(reason):
            return f"skip {reason}"
        case _:
            return "send"


def in_micros(verdicts: str) -> str:
    words = (line.split() for line in verdicts.split(", "))
    return ", ".join(
        " ".join([*line[:-1], str(span(line[-1]))] if line[1] == "wait" else line) for line in words
    )


def test_her_own_cap_of_none_skips_what_it_binds() -> None:
    _, waiting = read("m marketing 99d, r service 1d")
    found = [ruling.verdict for ruling in arbitrate(waiting, [own_rule(0)], [], NOW)]
    assert found == [Send(), Skip("capped_until_expiry:her_own")]


RULES = [
    *DEFAULT_RULES,
    Rule(
        name="sms_week",
        limit=1,
        window_us=7 * DAY,
        counts=Which(channels=frozenset({"sms"})),
        binds=Which(channels=frozenset({"sms"})),
    ),
]
topics = st.sampled_from(["service", "survey", "transactional", "marketing", "news"])
small = st.integers(0, 3)
queues = st.lists(
    st.builds(
        Waiting,
        id=st.integers(0, 1 << 62),
        topic=topics,
        kind=st.sampled_from(["", "nps"]),
        channel=st.sampled_from(["", "sms", "email"]),
        expires_at=st.integers(-1, 100).map(lambda days: NOW + days * DAY),
        created_at=small.map(lambda days: NOW - days * DAY),
        value=small,
    ),
    max_size=8,
    unique_by=lambda message: message.id,
)
pasts = st.lists(
    st.builds(
        Contact,
        topics,
        st.sampled_from(["sms", "email"]),
        st.sampled_from(["", "nps"]),
        st.integers(0, 40).map(lambda days: NOW - days * DAY),
    ),
    max_size=4,
)


@given(queues, pasts, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(
    waiting: list[Waiting], past: list[Contact], chance: object
) -> None:
    shuffled = list(waiting)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert arbitrate(shuffled, RULES, past, NOW) == arbitrate(waiting, RULES, past, NOW)


@given(queues, pasts)
def test_every_message_has_one_verdict_in_the_order_of_rank(
    waiting: list[Waiting], past: list[Contact]
) -> None:
    rulings = arbitrate(waiting, RULES, past, NOW)
    assert {ruling.message for ruling in rulings} == set(waiting)
    assert all(rank(a.message) < rank(b.message) for a, b in pairwise(rulings))


@given(queues, pasts)
def test_each_in_turn_goes_if_the_caps_let_it_and_the_rest_is_judged_after_them(
    waiting: list[Waiting], past: list[Contact]
) -> None:
    rulings = arbitrate(waiting, RULES, past, NOW)
    known = list(past)
    for message, verdict in ((ruling.message, ruling.verdict) for ruling in rulings):
        free = check(RULES, candidate(message), known, NOW) == Free()
        assert (verdict == Send()) == (free and message.expires_at > NOW)
        if verdict == Send():
            known.append(contact(message))
    for message, verdict in ((ruling.message, ruling.verdict) for ruling in rulings):
        found = check(RULES, candidate(message), known, NOW)
        match verdict:
            case Wait(reason, until):
                assert found == Full(reason.removeprefix("capped:"), until)
                assert until < message.expires_at
            case Skip(Why.EXPIRED):
                assert message.expires_at <= NOW
            case Skip():
                assert isinstance(found, Full)
                assert found.until is None or found.until >= message.expires_at


@given(queues, pasts)
def test_when_the_caps_open_who_waited_can_go(waiting: list[Waiting], past: list[Contact]) -> None:
    """Asked again at `until`, alone and with what has been sent meanwhile, it goes."""
    rulings = arbitrate(waiting, RULES, past, NOW)
    sent = [contact(ruling.message) for ruling in rulings if ruling.verdict == Send()]
    for ruling in rulings:
        if isinstance(ruling.verdict, Wait):
            (again,) = arbitrate([ruling.message], RULES, [*past, *sent], ruling.verdict.until)
            assert again.verdict == Send()


def candidate(message: Waiting) -> Candidate:
    return Candidate(message.topic, message.channel, message.kind)


def contact(message: Waiting) -> Contact:
    return Contact(message.topic, message.channel, message.kind, NOW)
