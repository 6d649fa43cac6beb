"""Frequency caps as tables, at the edges of their windows, and against counting by minutes."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.policy.caps import (
    DEFAULT_RULES,
    PRESSING,
    SERVICE,
    Candidate,
    Contact,
    Free,
    Full,
    Rule,
    Tally,
    Which,
    check,
    horizon,
    own_rule,
)
from tests.messaging.policy.instants import DAY, MINUTE, span

NOW = 1000 * DAY

# contacts: how long ago, topic and kind       | candidate     | verdict and how long until then
DEFAULTS = """
                                               | marketing     | free
1h marketing                                   | marketing     | marketing_day in 23h
1d marketing                                   | marketing     | free
1d -1u marketing                               | marketing     | marketing_day in 1u
2d marketing, 3d marketing                     | marketing     | marketing_week in 4d
1h marketing, 3d marketing                     | marketing     | marketing_week in 4d
1h marketing, 6d 12h marketing                 | marketing     | marketing_day in 23h
7d marketing, 2d marketing                     | marketing     | free
7d -1u marketing, 2d marketing                 | marketing     | marketing_week in 1u
8d marketing × 5                               | marketing     | marketing_month in 22d
8d marketing, 12d marketing × 3, 24d marketing | marketing     | marketing_month in 6d
8d marketing, 12d marketing × 3, 30d marketing | marketing     | free
1h marketing birthday                          | marketing     | marketing_day in 23h
1h service                                     | marketing     | free
1h survey nps                                  | marketing     | free
1h marketing, 2h marketing, 3h marketing       | service       | free
1h marketing, 2h marketing, 3h marketing       | survey nps    | free
1h survey nps                                  | survey nps    | nps_quarter in 89d 23h
90d survey nps                                 | survey nps    | free
90d -1u survey nps                             | survey nps    | nps_quarter in 1u
1h survey interests                            | survey nps    | free
1h survey nps                                  | survey interests | free
-1h marketing                                  | marketing     | marketing_day in 25h
"""


@pytest.mark.parametrize(
    "row", DEFAULTS.strip("\n").splitlines(), ids=lambda r: " ".join(r.split())
)
def test_the_default_caps(row: str) -> None:
    past, candidate, verdict = (cell.strip() for cell in row.split("|"))
    topic, _, kind = candidate.partition(" ")
    found = check(DEFAULT_RULES, Candidate(topic, "messenger", kind), contacts(past), NOW)
    assert found == expected(verdict)


def contacts(text: str) -> list[Contact]:
    """`1d -1u marketing birthday, 3d service × 2`: how long ago, topic, kind."""
    found = []
    for entry, _, times in (part.partition(" × ") for part in filter(None, text.split(", "))):
        age = " ".join(word for word in entry.split() if word.lstrip("-")[0].isdigit())
        topic, *kind = (word for word in entry.split() if word[0].isalpha())
        found += [Contact(topic, "messenger", "".join(kind), NOW - span(age))] * int(times or 1)
    return found


def expected(text: str) -> Free | Full:
    if text == "free":
        return Free()
    rule, after = text.split(" in ")
    return Full(rule, NOW + span(after))


ANY = Which()
SMS = Which(channels=frozenset({"sms"}))
BIRTHDAY = Which(kinds=frozenset({"birthday"}))
JUST_NOW = [Contact("service", "sms", "", NOW), Contact("marketing", "email", "birthday", NOW)]


def rule(limit: int, counts: Which, binds: Which, exempt: Sequence[Which] = (SERVICE,)) -> Rule:
    return Rule(
        name="rule", limit=limit, window_us=DAY, counts=counts, binds=binds, exempt=tuple(exempt)
    )


@pytest.mark.parametrize(
    ("told", "candidate", "passes"),
    [
        (rule(1, SMS, ANY), Candidate("marketing", "email"), False),
        (rule(1, ANY, SMS), Candidate("marketing", "email"), True),
        (rule(1, ANY, SMS), Candidate("marketing", "sms"), False),
        (rule(1, ANY, SMS), Candidate("marketing"), True),
        (rule(3, ANY, ANY), Candidate("marketing", "sms"), True),
        (rule(2, ANY, ANY), Candidate("marketing", "sms"), False),
        (rule(2, SMS, ANY), Candidate("marketing", "sms"), True),
        (rule(1, ANY, ANY), Candidate("service", "sms"), True),
        (rule(1, ANY, ANY, exempt=()), Candidate("service", "sms"), False),
        (rule(1, ANY, ANY, [BIRTHDAY]), Candidate("marketing", "sms", "birthday"), True),
        (rule(1, BIRTHDAY, ANY, [BIRTHDAY]), Candidate("marketing", "sms", "offer"), False),
        (rule(1, PRESSING, PRESSING), Candidate("survey", "sms"), False),
    ],
    ids=[
        "what is counted need not be what is bound",
        "a cap on SMS does not bind mail",
        "a cap on SMS counts mail if told so",
        "a channel not chosen yet is no channel's business",
        "room for a third",
        "no room for a third",
        "the mail is not counted",
        "service is exempt from a cap on everything",
        "service is bound when nothing is exempt",
        "an exempt kind passes",
        "an exempt kind presses on the others",
        "topics share a cap",
    ],
)
def test_what_counts_and_what_is_bound(told: Rule, candidate: Candidate, passes: bool) -> None:
    assert isinstance(check([told], candidate, JUST_NOW, NOW), Free) is passes


def test_a_limit_of_none_never_opens() -> None:
    assert check([own_rule(0)], Candidate("marketing"), [], NOW) == Full("her_own", None)
    assert check([own_rule(0)], Candidate("service"), [], NOW) == Free()


def test_of_equal_rules_the_first_is_named() -> None:
    first = Rule(name="first", limit=1, window_us=DAY, counts=ANY, binds=ANY)
    second = Rule(name="second", limit=1, window_us=DAY, counts=ANY, binds=ANY)
    past = [Contact("marketing", "sms", "", NOW)]
    assert check([first, second], Candidate("marketing"), past, NOW) == Full("first", NOW + DAY)


def test_what_is_let_pass_counts_for_the_next() -> None:
    tally = Tally(DEFAULT_RULES, [])
    assert tally.check(Candidate("marketing"), NOW) == Free()
    tally.add(Contact("marketing", "sms", "", NOW))
    assert tally.check(Candidate("marketing"), NOW) == Full("marketing_day", NOW + DAY)


@pytest.mark.parametrize(("limit", "window"), [(-1, DAY), (1, 0), (1, -5)])
def test_a_rule_that_makes_no_sense_is_refused(limit: int, window: int) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Rule(name="nonsense", limit=limit, window_us=window, counts=ANY, binds=ANY)


def test_contacts_older_than_the_horizon_are_not_missed() -> None:
    assert horizon(DEFAULT_RULES) == 90 * DAY
    assert horizon([]) == 0


topics = st.sampled_from(["service", "marketing", "survey"])
channels = st.sampled_from(["messenger", "email", "sms"])
kinds = st.sampled_from(["", "nps", "birthday"])
whiches = st.builds(
    Which,
    topics=st.frozensets(topics, max_size=2),
    channels=st.frozensets(channels, max_size=2),
    kinds=st.frozensets(kinds, max_size=2),
)
rule_lists = st.lists(
    st.builds(
        Rule,
        name=st.sampled_from("abc"),
        limit=st.integers(1, 3),
        window_us=st.integers(1, 300).map(lambda minutes: minutes * MINUTE),
        counts=whiches,
        binds=whiches,
        exempt=st.tuples() | st.tuples(whiches),
    ),
    max_size=4,
)
contact_lists = st.lists(
    st.builds(
        Contact,
        topics,
        channels,
        kinds,
        st.integers(-400, 10).map(lambda minutes: NOW + minutes * MINUTE),
    ),
    max_size=12,
)
candidates = st.builds(Candidate, topics, channels, kinds)


@given(rule_lists, candidates, contact_lists)
def test_the_answer_is_that_of_counting_minute_by_minute(
    rules: list[Rule], candidate: Candidate, past: list[Contact]
) -> None:
    found = check(rules, candidate, past, NOW)
    minute = NOW
    while not naively_free(rules, candidate, past, minute):
        minute += MINUTE
    if minute == NOW:
        assert found == Free()
    else:
        assert isinstance(found, Full)
        assert found.until == minute
        named = [told for told in rules if told.name == found.rule]
        assert not naively_free(named, candidate, past, minute - 1)


@given(rule_lists, st.lists(candidates, max_size=6), contact_lists)
def test_a_tally_says_what_counting_anew_says(
    rules: list[Rule], asked: list[Candidate], past: list[Contact]
) -> None:
    tally, known = Tally(rules, past), list(past)
    for candidate in asked:
        found = tally.check(candidate, NOW)
        assert found == check(rules, candidate, known, NOW)
        if found == Free():
            known.append(Contact(candidate.topic, candidate.channel, candidate.kind, NOW))
            tally.add(known[-1])


@given(rule_lists, candidates, contact_lists)
def test_contacts_beyond_the_horizon_change_nothing(
    rules: list[Rule], candidate: Candidate, past: list[Contact]
) -> None:
    near = [contact for contact in past if contact.at > NOW - horizon(rules)]
    assert check(rules, candidate, near, NOW) == check(rules, candidate, past, NOW)


@given(rule_lists, st.lists(st.tuples(candidates, st.integers(0, 30)), min_size=10, max_size=60))
def test_no_window_ever_holds_more_than_its_limit(
    rules: list[Rule], arrivals: list[tuple[Candidate, int]]
) -> None:
    """Whatever comes and when: judged afterwards, by looking at every window that ever was."""
    sent: list[Contact] = []
    now = NOW
    for candidate, minutes in arrivals:
        now += minutes * MINUTE
        if check(rules, candidate, sent, now) == Free():
            sent.append(Contact(candidate.topic, candidate.channel, candidate.kind, now))
    for told in rules:
        for place, last in enumerate(sent):
            if told.holds(Candidate(last.topic, last.channel, last.kind)):
                window = [
                    contact
                    for contact in sent[:place]
                    if told.counts.takes(contact.topic, contact.channel, contact.kind)
                    and last.at - told.window_us < contact.at
                ]
                assert len(window) < told.limit


def naively_free(
    rules: Sequence[Rule], candidate: Candidate, past: Sequence[Contact], at: int
) -> bool:
    """By the words of the specification, one rule and one contact at a time."""

    def within(which: Which, topic: str, channel: str, kind: str) -> bool:
        if which.topics and topic not in which.topics:
            return False
        if which.channels and channel not in which.channels:
            return False
        return not (which.kinds and kind not in which.kinds)

    for told in rules:
        asked = (candidate.topic, candidate.channel, candidate.kind)
        if not within(told.binds, *asked) or any(within(free, *asked) for free in told.exempt):
            continue
        young = 0
        for contact in past:
            counted = within(told.counts, contact.topic, contact.channel, contact.kind)
            if counted and at - contact.at < told.window_us:
                young += 1
        if young >= told.limit:
            return False
    return True
