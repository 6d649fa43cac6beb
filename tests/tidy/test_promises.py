"""What the papers promise is so: settings documented, no machine of ours named, commands there."""

import re
import subprocess
from pathlib import Path

import pytest

from app.settings import setting_rows

ROOT = Path(__file__).parents[2]
TEXTS = {".py", ".md", ".toml", ".yml", ".html", ".js", ".css", ".po", ".sh", ".csv", ""}
_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home/\w+)/")


def _files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    paths = (ROOT / name for name in listed.stdout.splitlines())
    return [path for path in paths if path.suffix in TEXTS and path.is_file()]


@pytest.fixture(scope="module")
def operations() -> str:
    return (ROOT / "docs/operations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", setting_rows(), ids=lambda row: row.name)
def test_every_setting_is_documented(operations: str, row: object) -> None:
    name, default, meaning = row.name, row.default, row.meaning  # type: ignore[attr-defined]
    assert f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |" in operations


def test_no_file_names_a_path_of_some_machine() -> None:
    found = []
    for path in _files():
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if _MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_every_link_between_the_papers_leads_somewhere() -> None:
    broken = []
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            if not (path.parent / target).exists():
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named <= targets


def test_every_decision_says_context_choice_and_price() -> None:
    for path in sorted((ROOT / "docs/decisions").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        assert re.match(r"\d{4}-", path.name), path.name
        for part in ("**Context.**", "**Choice.**", "**Price.**"):
            assert part in text, f"{path.name} lacks {part}"
