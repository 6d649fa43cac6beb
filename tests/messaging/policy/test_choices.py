"""What she has chosen of advertising, out of her facts; a table, and a law for any facts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.policy.choices import Fact, choice_of, resumed

YES, NO = True, False
ALL = ""


@pytest.mark.parametrize(
    ("facts", "gets", "stopped"),
    [
        ([], "", True),
        ([(ALL, NO)], "", True),
        ([(ALL, YES)], "email sms", False),
        ([(ALL, YES), ("sms", NO)], "email", False),
        ([("email", YES)], "email", False),
        ([(ALL, YES), ("email", NO), ("sms", NO)], "", False),  # other channels are still open
        ([(ALL, YES), (ALL, NO)], "", True),
        ([(ALL, YES), (ALL, NO), ("sms", YES)], "sms", False),
        ([(ALL, NO), (ALL, YES)], "email sms", False),
    ],
)
def test_where_advertising_goes(facts: list[Fact], gets: str, stopped: bool) -> None:
    choice = choice_of(facts)
    assert [c for c in ("email", "sms") if choice.gets(c)] == gets.split()
    assert choice.stopped is stopped


@pytest.mark.parametrize(
    ("facts", "back"),
    [
        ([], [(ALL, YES)]),
        ([(ALL, NO)], [(ALL, YES)]),
        ([(ALL, YES), (ALL, NO)], [(ALL, YES)]),
        ([(ALL, YES), ("sms", NO), (ALL, NO)], [(ALL, YES), ("sms", NO)]),
        ([(ALL, YES), ("sms", NO), (ALL, NO), (ALL, NO)], [(ALL, YES), ("sms", NO)]),
        ([("email", YES), (ALL, NO)], [("email", YES)]),
    ],
)
def test_what_was_stopped_comes_back_as_it_was(facts: list[Fact], back: list[Fact]) -> None:
    assert resumed(choice_of(facts)) == back


FACTS = st.lists(st.tuples(st.sampled_from(["", "email", "sms", "messenger"]), st.booleans()))


@given(FACTS)
def test_stopping_and_coming_back_changes_nothing(facts: list[Fact]) -> None:
    before = choice_of(facts)
    if before.stopped:
        return
    stopped = [*facts, (ALL, NO)]
    assert choice_of(stopped).stopped
    after = choice_of([*stopped, *resumed(choice_of(stopped))])
    for channel in ("email", "sms", "messenger", "webpush"):
        assert after.gets(channel) == before.gets(channel)
