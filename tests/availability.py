"""What this machine may lack: Postgres, Redis, Chromium. Without one its tests are skipped, and the
summary says so; with CI=true they fail instead, so that nobody merges what nobody has run.
"""

import os
import shutil
from collections import Counter
from functools import lru_cache

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.backends import ON_CI

REDIS_URL = os.environ.get("KAPSULA_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
_MARK = "not available here: "


def require(absence: str | None) -> None:
    """Go on when `absence` is None; else skip the test, or fail it on CI."""
    if absence is None:
        return
    if ON_CI:
        pytest.fail(absence)
    pytest.skip(_MARK + absence)


@lru_cache(maxsize=1)
def redis_absence() -> str | None:
    """Why there is no Redis, or None."""
    try:
        with Redis.from_url(REDIS_URL, socket_connect_timeout=1) as client:
            client.ping()
    except RedisError as error:
        return f"Redis at {REDIS_URL} ({type(error).__name__})"
    return None


def chromium_path() -> str | None:
    """The browser of this machine, which playwright is told to use."""
    named = os.environ.get("KAPSULA_TEST_CHROMIUM")
    return named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def chromium_absence() -> str | None:
    return None if chromium_path() else "Chromium"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end, in one line each, what was not run and why."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[text.removeprefix("Skipped: ").removeprefix(_MARK)] += 1
    if reasons:
        terminalreporter.section("not run on this machine", yellow=True)
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:>5}  {reason}")
