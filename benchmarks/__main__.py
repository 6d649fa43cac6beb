"""Runs every benchmark, each in its own process, and shows all aims in one table."""

import json
import pkgutil
import subprocess
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

import benchmarks

HELPERS = {"harness", "__main__", "dispatch_parts", "promo_parts", "refill_parts"}


def main() -> int:
    """Returns 1 when an aim is missed or a benchmark breaks."""
    console = Console()
    table = Table(title="Benchmarks", title_justify="left")
    for column in ("benchmark", "what", "value", "aim", ""):
        table.add_column(column, justify="right" if column == "value" else "left")
    good = True
    for name in names():
        console.rule(name)
        report = run(name)
        good = good and report is not None and all(a["holds"] for a in report["aims"].values())
        for what, aim in (report or {"aims": {}})["aims"].items():
            verdict = "[green]holds[/]" if aim["holds"] else "[red]missed[/]"
            table.add_row(name, what, str(aim["value"]), aim["aim"], verdict)
        if report is None:
            table.add_row(name, "", "", "", "[red]broke[/]")
    console.print(table)
    return 0 if good else 1


def names() -> list[str]:
    """The modules of this package that are benchmarks."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name for name in found if name not in HELPERS and not name.startswith("_"))


def run(name: str) -> dict[str, Any] | None:
    """Run one, passing its output on; its last line as a report, or None when it broke."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith("{"):
                sys.stdout.write(line)
            last = line
    try:
        report = json.loads(last)
    except ValueError:
        return None
    return report if isinstance(report, dict) and "aims" in report else None


if __name__ == "__main__":
    sys.exit(main())
