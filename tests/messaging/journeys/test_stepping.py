"""What a step does, as a table: pure, no database."""

import json
from dataclasses import replace
from typing import Any

import pytest

from loyalty.instants import span_micros
from messaging.journeys.declaration import (
    DAY,
    END,
    HOUR,
    Branch,
    Check,
    Do,
    Journey,
    OnEvent,
    Reward,
    Send,
    Split,
    Wait,
    faults,
)
from messaging.journeys.documents import DocumentError, decode, encode
from messaging.journeys.stepping import (
    Begin,
    Enrolled,
    Known,
    Leave,
    MessageState,
    Pass,
    Perform,
    Stay,
    arm_of,
    ends,
    judge,
    not_before,
)

HOUR_US, DAY_US = span_micros(HOUR), span_micros(DAY)
NOW = 1_000 * DAY_US
SO, NOT_SO = Check("so"), Check("not_so")
TRUTH = {SO: True, NOT_SO: False}
WHO = Enrolled(
    id=7, journey="j", revision=1, customer_id=5, key="k", step="s", begun=False, entered_at=NOW,
    due_at=NOW,
)  # fmt: skip
BEGUN = replace(WHO, begun=True)
UNTIL = Wait(name="s", until="ends_at", before=DAY)
SEND = Send(name="s", template="welcome", lives=3 * DAY, late_max=2 * DAY)


def told(state: str, reason: str = "") -> Known:
    return Known(TRUTH, MessageState(state, reason))


@pytest.mark.parametrize(
    ("step", "who", "known", "move"),
    [
        # a wait begins, lasts, and is over; what it waits for ends it at any time
        (Wait(name="s", lasts=DAY), WHO, Known(), Begin(NOW + DAY_US)),
        (Wait(name="s"), WHO, Known(), Pass("over")),
        (Wait(name="s", lasts=DAY), replace(BEGUN, due_at=NOW + 1), Known(), Stay(NOW + 1)),
        (Wait(name="s", lasts=DAY), BEGUN, Known(), Pass("over")),
        (Wait(name="s", lasts=DAY, unless=SO), WHO, Known(TRUTH), Pass("so")),
        (Wait(name="s", lasts=DAY, unless=SO), replace(BEGUN, due_at=NOW + 1), Known(TRUTH),
         Pass("so")),
        (Wait(name="s", lasts=DAY, unless=NOT_SO), WHO, Known(TRUTH), Begin(NOW + DAY_US)),
        # until before an instant that is known; passed, or unknown: on at once
        (UNTIL, replace(WHO, data={"ends_at": NOW + 3 * DAY_US}), Known(), Begin(NOW + 2 * DAY_US)),
        (UNTIL, replace(WHO, data={"ends_at": NOW + DAY_US}), Known(), Pass("over")),
        (Wait(name="s", until="ends_at"), WHO, Known(), Pass("over")),
        (Branch(name="s", asks=SO), WHO, Known(TRUTH), Pass("yes")),
        (Branch(name="s", asks=~SO), WHO, Known(TRUTH), Pass("no")),
        (Branch(name="s", asks=~NOT_SO), WHO, Known(TRUTH), Pass("yes")),
        (Reward(name="s", points=5), WHO, Known(), Perform()),
        (Do(name="s", action="a"), WHO, Known(), Perform()),
        # a message is written, and waited for until its life and an hour are over
        (SEND, WHO, Known(), Begin(NOW + 3 * DAY_US + HOUR_US)),
        (SEND, replace(WHO, due_at=NOW - 2 * DAY_US), Known(), Begin(NOW + 3 * DAY_US + HOUR_US)),
        (SEND, replace(WHO, due_at=NOW - 2 * DAY_US - 1), Known(), Pass("late")),
        (SEND, WHO, Known(lacks_words=True), Pass("untrue")),
        (replace(SEND, needs=NOT_SO), WHO, Known(TRUTH), Pass("untrue")),
        (replace(SEND, needs=SO), WHO, Known(TRUTH), Begin(NOW + 3 * DAY_US + HOUR_US)),
        # it lives no longer than what it speaks of
        (SEND, replace(WHO, data={"ends_at": NOW + DAY_US}), Known(),
         Begin(NOW + DAY_US + HOUR_US)),
        # what became of it
        (SEND, BEGUN, told("queued", "capped:marketing_day"), Stay(NOW + HOUR_US)),
        (SEND, BEGUN, told("sending"), Stay(NOW + HOUR_US)),
        (SEND, BEGUN, told("sent"), Pass("sent")),
        (SEND, BEGUN, told("unknown", "no_answer_in_time"), Pass("sent")),
        (SEND, BEGUN, told("skipped", "capped_until_expiry:marketing_week"), Pass("capped")),
        (SEND, BEGUN, told("skipped", "no_consent"), Pass("skipped")),
        (SEND, BEGUN, told("failed", "blocked"), Pass("failed")),
        (SEND, BEGUN, Known(), Pass("failed")),
    ],
)  # fmt: skip
def test_a_step(step: Any, who: Enrolled, known: Known, move: Any) -> None:
    assert judge(step, who, known, NOW) == move


@pytest.mark.parametrize(
    ("goal", "leave", "outcome"),
    [
        (None, (), None),
        (SO, (SO,), "goal"),
        (NOT_SO, (SO,), "left:so"),
        (NOT_SO, (~NOT_SO,), "left:not_not_so"),
        (~SO, (NOT_SO,), None),
    ],
)
def test_its_end(goal: Check | None, leave: tuple[Check, ...], outcome: str | None) -> None:
    journey = made(goal=goal, leave=leave)
    found = ends(journey, Known(TRUTH))
    assert found == (None if outcome is None else Leave(outcome))


def made(*steps: Any, **fields: Any) -> Journey:
    return Journey(
        name="j",
        title={"ru": "Ж", "en": "J"},
        trigger=OnEvent(kinds=("customer.joined",)),
        steps=steps or (SEND,),
        **fields,
    )


def test_an_arm_is_hers_for_ever_and_arms_are_as_many_as_their_weights_say() -> None:
    step = Split(name="s", arms={"a": 1, "b": 3})
    arms = [arm_of(step, "j", customer) for customer in range(4_000)]
    assert arms == [arm_of(step, "j", customer) for customer in range(4_000)]
    assert 850 < arms.count("a") < 1_150
    other = [arm_of(step, "k", customer) for customer in range(4_000)]
    assert sum(x != y for x, y in zip(arms, other, strict=True)) > 1_000, "each journey by itself"


def test_late_ones_are_spread_and_those_on_time_are_not() -> None:
    assert not_before(replace(WHO, due_at=NOW - 60_000_000), NOW) == NOW
    late = [not_before(replace(WHO, id=i, due_at=NOW - DAY_US), NOW) for i in range(1_000)]
    assert min(late) >= NOW
    assert max(late) < NOW + 2 * HOUR_US
    quarters = [sum(NOW + q * HOUR_US // 2 <= at < NOW + (q + 1) * HOUR_US // 2 for at in late)
                for q in range(4)]  # fmt: skip
    assert min(quarters) > 180


@pytest.mark.parametrize(
    ("journey", "fault"),
    [
        (made(Wait(name="a"), Wait(name="a")), "two steps are called a"),
        (made(Wait(name="a", on={"over": "nowhere"})), "a: nowhere is no later step"),
        (made(Wait(name="a"), Wait(name="b", on={"over": "a"})), "b: a is no later step"),
        (made(Wait(name="a", on={"sent": END})), "a has no end sent"),
        (made(Split(name="a", arms={})), "a needs arms with weights of 1 or more"),
        (made(Reward(name="a")), "a gives points, or a share off, or a sum off"),
        (made(Wait(name=END)), "no step may be called end"),
    ],
)
def test_what_is_no_journey(journey: Journey, fault: str) -> None:
    assert fault in faults(journey)
    with pytest.raises(DocumentError, match=fault.split(",", maxsplit=1)[0]):
        decode(encode(journey))


def test_a_document_is_the_journey() -> None:
    journey = made(
        Split(name="a", arms={"x": 1, "y": 2}, on={"y": "c"}),
        Branch(name="b", asks=~Check("read", "ask"), on={"no": END}),
        Reward(name="c", permille=150, title="Скидка", first_purchase=True),
        Wait(name="d", lasts=HOUR, unless=SO),
        replace(SEND, name="e", needs=~SO, channels=("sms",), context={"arm": "x"}, on={}),
        Do(name="f", action="open_task", ends=("done", "no"), settings={"hours": 2}),
        goal=Check("bought"),
        leave=(~Check("heard", "site.order"),),
    )
    assert decode(encode(journey)) == journey
    assert encode(decode(encode(journey))) == encode(journey)


BY_HAND = {"is": "by_hand"}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        None,
        {"name": "a b", "trigger": BY_HAND},
        {"trigger": {"is": "wait", "name": "x"}},
        {"steps": [{"is": "fly"}]},
        {"steps": [{"is": "wait", "name": "x", "y": 1}]},
        {"steps": [{"is": "wait", "name": 5}]},
        {"steps": [{"is": ["wait"], "name": "x"}]},
        {"steps": [{"is": "wait", "name": "x", "lasts": "long"}]},
        {"steps": [{"is": "send", "name": "x"}]},
    ],
)
def test_what_is_no_document(document: Any) -> None:
    usual = {"name": "a", "title": {}, "trigger": BY_HAND, "steps": [{"is": "wait", "name": "w"}]}
    assert decode(json.dumps(usual)).name == "a"
    text = json.dumps({**usual, **document} if document else document)
    with pytest.raises(DocumentError):
        decode(text)
