"""Answers to questions, and the NPS with its interval."""

from itertools import product
from math import comb

import pytest

from loyalty.rules.surveys import (
    COMMENT_MAX,
    INTERESTS,
    NPS,
    SURVEYS,
    Nps,
    Survey,
    fits,
    group_of,
    nps_of,
    toggled,
)


@pytest.mark.parametrize(
    ("survey", "question", "values", "is_answer"),
    [
        (NPS, "score", ["0"], True),
        (NPS, "score", ["10"], True),
        (NPS, "score", ["11"], False),
        (NPS, "score", ["-1"], False),
        (NPS, "score", ["007"], False),
        (NPS, "score", ["٣"], False),
        (NPS, "score", ["9", "9"], False),
        (NPS, "score", [], False),
        (NPS, "why", [], True),
        (NPS, "why", ["price", "queue"], True),
        (NPS, "why", ["price", "price"], False),
        (NPS, "why", ["weather"], False),
        (NPS, "words", ["Долго ждала.\nЖарко."], True),
        (NPS, "words", [], True),
        (NPS, "words", ["a", "b"], False),
        (NPS, "words", ["я" * COMMENT_MAX], True),
        (NPS, "words", ["я" * (COMMENT_MAX + 1)], False),
        (NPS, "words", ["a\x00"], False),
        (INTERESTS, "wish", ["advice"], True),
        (INTERESTS, "wish", [], False),
        (INTERESTS, "wish", ["advice", "discounts"], False),
    ],
)
def test_what_is_an_answer(
    survey: Survey, question: str, values: list[str], is_answer: bool
) -> None:
    asked = survey.question(question)
    assert asked is not None
    assert fits(asked, values) is is_answer


def test_questions_follow_one_another() -> None:
    assert [NPS.after(code) and NPS.after(code).code for code in ("score", "why", "words")] == [  # type: ignore[union-attr]
        "why",
        "words",
        None,
    ]


def test_codes_fit_under_a_button_and_into_their_columns() -> None:
    for survey in SURVEYS.values():
        for question in survey.questions:
            for option in (question.code, *question.options):
                assert len(option) <= 12


@pytest.mark.parametrize(
    ("scores", "group"),
    [(range(7), "detractor"), (range(7, 9), "passive"), (range(9, 11), "promoter")],
)
def test_groups(scores: range, group: str) -> None:
    assert {group_of(score) for score in scores} == {group}


def test_an_option_said_twice_is_said_once() -> None:
    assert toggled(["b"], "a", True) == ("a", "b")
    assert toggled(["a", "b"], "a", True) == ("a", "b")
    assert toggled(["a"], "a", False) == toggled([], "a", False) == ()


@pytest.mark.parametrize(
    ("scores", "score"),
    [({10: 5, 9: 5}, 100), ({0: 3}, -100), ({10: 2, 7: 5, 6: 1, 0: 1}, 0), ({9: 3, 8: 1}, 75)],
)
def test_the_score(scores: dict[int, int], score: float) -> None:
    assert nps_of(scores).score == score


def test_nobody_has_answered() -> None:
    assert (Nps().score, Nps().interval()) == (None, None)


def test_the_interval_holds_the_score_narrows_and_stays_in_bounds() -> None:
    for n in (1, 5, 50, 5000):
        low, high = Nps(n, 0, 0).interval() or (0, 0)
        assert -100 <= low < high <= 100
        assert high == 100
    widths = []
    for n in (10, 40, 160, 640):
        low, high = Nps(n // 2, n // 4, n // 4).interval() or (0, 0)
        assert low < 25 < high
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[2] / widths[3] == pytest.approx(2, rel=0.05), (
        "a quarter of the answers: half as sure"
    )


@pytest.mark.parametrize("n", [10, 30])
def test_the_interval_covers_the_truth_as_often_as_it_says(n: int) -> None:
    """Exactly: over every possible sample, weighed by its probability, for many true shares."""
    shares = [(p / 10, d / 10) for p, d in product(range(1, 9), range(1, 9)) if p + d <= 9]
    samples = [
        (p, d, interval)
        for p in range(n + 1)
        for d in range(n + 1 - p)
        if (interval := Nps(p, n - p - d, d).interval())
    ]
    coverages = []
    for promoting, detracting in shares:
        passive, truth = 1 - promoting - detracting, 100 * (promoting - detracting)
        coverages.append(
            sum(
                comb(n, p) * comb(n - p, d)
                * promoting**p * detracting**d * passive ** (n - p - d)
                for p, d, (low, high) in samples
                if low <= truth <= high
            )
        )  # fmt: skip
    assert sum(coverages) / len(coverages) == pytest.approx(0.95, abs=0.01)
    assert min(coverages) > 0.9
