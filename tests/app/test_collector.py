"""What the start has made is spared by the collector, and goes quietly at the end."""

import subprocess
import sys


def test_whoever_stops_us_is_not_told_of_leaks() -> None:
    program = (
        "import admin.till.frames\n"
        "from app.collector import spare_the_collector\n"
        "spare_the_collector()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ended.stderr == b""
