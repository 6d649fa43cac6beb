"""What the programme's rules and promo codes cost. `python -m benchmarks.promo [PART …]`.

The parts are modules of `benchmarks.promo_parts`; without a name all of them run, in turn.
"""

import argparse
import asyncio
import importlib
import pkgutil
from types import ModuleType

from benchmarks import promo_parts
from benchmarks.harness import Report


def parts() -> dict[str, ModuleType]:
    """The parts by name, in the order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(promo_parts.__path__))
    return {name: importlib.import_module(f"{promo_parts.__name__}.{name}") for name in names}


async def run(chosen: dict[str, ModuleType], arguments: argparse.Namespace) -> Report:
    report = Report()
    for part in chosen.values():
        await part.run(report, arguments)
    return report


def main() -> None:
    known = parts()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", choices=[[], *known], help="by default all of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to try it out")
    for part in known.values():
        if hasattr(part, "add_arguments"):
            part.add_arguments(parser)
    arguments = parser.parse_args()
    chosen = {name: part for name, part in known.items() if name in (arguments.part or known)}
    asyncio.run(run(chosen, arguments)).print()


if __name__ == "__main__":
    main()
