"""When a message that did not get through is tried again. Pure: chance is an argument."""

from msgspec import Struct


class RetryRules(Struct, frozen=True, kw_only=True):
    first_delay_s: float = 5.0
    delay_s_max: float = 600.0
    tries_max: int = 8
    """Claims of one message, whatever became of them: a message that kills its worker ends too."""


def retry_delay_s(rules: RetryRules, tries: int, chance: float) -> float:
    """Seconds before the next try after `tries` ones: doubled each time, spread by ±20 %.

    `chance` is uniform in [0, 1).
    """
    doubled = rules.first_delay_s * 2.0 ** min(tries - 1, 30)
    return min(doubled, rules.delay_s_max) * (0.8 + 0.4 * chance)
