"""What the daily checks have looked at, and what was not as promised."""

from collections import Counter
from dataclasses import dataclass, field

SHOWN = 20


@dataclass(slots=True)
class Findings:
    """What is not as promised. `checked` counts what was looked at."""

    checked: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, what: str, detail: str) -> None:
        self.wrong[what] += 1
        if len(self.examples) < SHOWN:
            self.examples.append(f"{what}: {detail}")
