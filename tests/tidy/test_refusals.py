"""Every name of a "no" is said somewhere: a name that nothing says misleads whoever handles it."""

import re
from pathlib import Path

from loyalty.refusals import No

ROOT = Path(__file__).parents[2]
TRANSLATORS = {"problems.py", "refusal_texts.py"}


def test_each_refusal_is_said_by_some_code() -> None:
    said: set[str] = set()
    for folder in ("loyalty", "messaging", "bot", "admin", "app"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name not in TRANSLATORS:
                said |= set(re.findall(r"\bNo\.([A-Z_]+)", path.read_text()))
    assert {no.name for no in No} - said == set()
