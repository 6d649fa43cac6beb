"""Policies know the standard library, Struct and each other, no clock and no chance."""

import ast
import re
import sys
from pathlib import Path

import pytest

from messaging.policy.verdicts import Why

MESSAGING = Path(__file__).parents[3] / "messaging"
POLICIES = sorted((MESSAGING / "policy").glob("*.py"))
IMPURE = {"asyncio", "os", "random", "secrets", "socket", "sqlite3", "subprocess", "time", "uuid"}
CLOCKS = re.compile(r"\b(now|utcnow|today)\(\)")


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_is_pure(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            top = module.split(".")[0]
            own = module.startswith("messaging.policy.") or module in ("msgspec", "msgspec.structs")
            assert own or top in sys.stdlib_module_names, module
            assert top not in IMPURE, module
    assert not CLOCKS.search(text)


def test_every_reason_is_given_by_some_code() -> None:
    said: set[str] = set()
    for path in MESSAGING.rglob("*.py"):
        said |= set(re.findall(r"\bWhy\.([A-Z_]+)", path.read_text(encoding="utf-8")))
    assert {why.name for why in Why} - said == set()


def test_a_reason_with_its_subject_reads_as_it_is_kept() -> None:
    assert Why.CAPPED.of("marketing_day") == "capped:marketing_day"
    assert f"{Why.EXPIRED}" == "expired"
