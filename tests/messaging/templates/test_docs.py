"""What docs/templates.md says about templates is so."""

import re
from pathlib import Path

from messaging.templates.definition import KINDS, TOPICS
from messaging.templates.filters import FILTERS
from messaging.templates.markup import EMAIL, TELEGRAM
from tests.messaging.templates.samples import looked_at

PAPER = (Path(__file__).parents[3] / "docs/templates.md").read_text(encoding="utf-8")


def test_its_example_is_without_fault() -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAPER, re.DOTALL)
    assert looked_at(example).problems == ()


def test_every_filter_type_topic_and_tag_is_named() -> None:
    named = set(re.findall(r"`(\w[\w-]*)", PAPER)) | set(re.findall(r"`<?(\w+)", PAPER))
    assert set(FILTERS) - named == set()
    assert set(KINDS) - named == set()
    assert all(topic in PAPER for topic in TOPICS)
    assert {*TELEGRAM.tags, *EMAIL.tags} - named - {"h2"} == set()
