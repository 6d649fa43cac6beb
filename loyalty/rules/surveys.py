"""Surveys as data, what answers are, and what they add up to: NPS with its interval. Pure.

The words of questions and options are `messaging.survey_words`; codes here are for ever, because
answers are kept by them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal

from loyalty.rules.texts import is_plain

Group = Literal["promoter", "passive", "detractor"]
Kind = Literal["score", "one", "many", "text"]
SCORE_MAX = 10
COMMENT_MAX = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """score: 0 to 10; one or many of the options; text: in her own words."""

    code: str
    kind: Kind
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """Asked question by question; of a survey with a score the first question is the score."""

    name: str
    questions: tuple[Question, ...]

    def question(self, code: str) -> Question | None:
        return next((each for each in self.questions if each.code == code), None)

    def after(self, code: str) -> Question | None:
        """The question that follows; None: this was the last."""
        place = [each.code for each in self.questions].index(code)
        return self.questions[place + 1] if place + 1 < len(self.questions) else None


NPS = Survey(
    "nps",
    (
        Question("score", "score"),
        Question("why", "many", ("staff", "price", "stock", "queue", "place", "order")),
        Question("words", "text"),
    ),
)
INTERESTS = Survey(
    "interests",
    (
        Question("topics", "many", ("vitamins", "beauty", "baby", "sport", "herbs", "devices")),
        Question("family", "many", ("myself", "partner", "children", "parents")),
        Question("wish", "one", ("discounts", "advice", "reminders")),
    ),
)
SURVEYS: Mapping[str, Survey] = {survey.name: survey for survey in (NPS, INTERESTS)}


def fits(question: Question, values: Sequence[str]) -> bool:
    """Whether this answers the question: one value, or some of its options, none of them twice.

    No value at all leaves a question of many or of text open again.
    """
    match question.kind:
        case "score":
            return len(values) == 1 and values[0] in _SCORES
        case "one":
            return len(values) == 1 and values[0] in question.options
        case "many":
            return len(set(values)) == len(values) and set(values) <= set(question.options)
        case "text":
            return len(values) <= 1 and all(
                is_plain(value.replace("\n", " "), COMMENT_MAX) for value in values
            )


_SCORES = frozenset(map(str, range(SCORE_MAX + 1)))


DETRACTOR_MAX, PROMOTER_MIN = 6, 9
"""Reichheld (2003): 9 and 10 promote, 0 to 6 detract."""


def group_of(score: int) -> Group:
    if score >= PROMOTER_MIN:
        return "promoter"
    return "detractor" if score <= DETRACTOR_MAX else "passive"


@dataclass(frozen=True, slots=True)
class Nps:
    """How many answered how. `score` is in points from -100 to 100, None without an answer."""

    promoters: int = 0
    passives: int = 0
    detractors: int = 0

    @property
    def answers(self) -> int:
        return self.promoters + self.passives + self.detractors

    @property
    def score(self) -> float | None:
        if not self.answers:
            return None
        return 100 * (self.promoters - self.detractors) / self.answers

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Where the score of all customers is, so surely, if these are a random part of them.

        Adjusted Wald: three answers are added in thought (¾ promoter, 1½ passive, ¾ detractor),
        then the variance of a difference of two shares of a trinomial, p + d - (p - d)², is used
        as usual (B. Rocks, The American Statistician 70, 2016); what was seen is always in it. The
        plain interval would be one point wide when all agree.
        """
        seen = self.score
        if seen is None:
            return None
        n = self.answers + 3
        promoting, detracting = (self.promoters + 0.75) / n, (self.detractors + 0.75) / n
        middle = promoting - detracting
        half = NormalDist().inv_cdf((1 + confidence) / 2) * sqrt(
            (promoting + detracting - middle**2) / n
        )
        low, high = 100 * (middle - half), 100 * (middle + half)
        return max(-100.0, min(low, seen)), min(100.0, max(high, seen))


def nps_of(scores: Mapping[int, int]) -> Nps:
    """Out of how often each score was given."""
    counts: dict[Group, int] = {"promoter": 0, "passive": 0, "detractor": 0}
    for score, count in scores.items():
        counts[group_of(score)] += count
    return Nps(counts["promoter"], counts["passive"], counts["detractor"])


def toggled(chosen: Collection[str], option: str, wanted: bool) -> tuple[str, ...]:
    """The chosen options with this one among them or not; saying it twice is saying it once."""
    rest = {*chosen} - {option}
    return tuple(sorted(rest | {option} if wanted else rest))
