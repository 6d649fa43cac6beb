"""`kapsula journeys`: what runs by itself, for whom, and the switches of it."""

import csv
import getpass
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from app.commands.people import customer_id_of
from app.commands.session import AsJson, no, on_database, out, overrides, show, show_json
from app.settings import load_settings
from loyalty.clock import SystemClock
from loyalty.programme import build_programme
from loyalty.refusals import Refusal
from messaging.journeys import documents
from messaging.journeys.declaration import Journey, Wait, ends_of
from messaging.journeys.engine import Journeys
from messaging.journeys.overview import Figures, figures, ways_taken
from messaging.journeys.revisions import publish
from messaging.journeys.switches import Switches, changes_of, set_switches
from messaging.templates import BOOK

journeys = typer.Typer(no_args_is_help=True, help="What runs by itself, and its switches.")
Name = Annotated[str, typer.Argument(help="As `kapsula journeys list` shows it.")]
By = Annotated[str, typer.Option(help="Who does it, for the record.")]
CHUNK = 1_000


async def _open() -> Journeys:
    """The journeys as a worker would have them."""
    settings, clock = load_settings(**overrides), SystemClock()
    await BOOK.refresh(at_once=True)
    programme = build_programme(clock=clock, secret=b"no codes here" * 3,
                                rules=settings.rules())  # fmt: skip
    opened = Journeys(clock, programme)
    await opened.open()
    return opened


def _newest(opened: Journeys, name: str) -> tuple[int, Journey]:
    found = opened.shelf.newest(name)
    if found is None:
        no(f"there is no journey {name!r}: see `kapsula journeys list`")
    return found


@journeys.command("list")
@on_database
async def list_journeys(as_json: AsJson = False) -> None:
    """Every journey: whether it is on, who is inside, how many have ended and reached the goal."""
    opened, counts = await _open(), await figures()
    rows: list[dict[str, Any]] = []
    for name in opened.shelf.names:
        number, journey = _newest(opened, name)
        counted = counts.get(name)
        rows.append(
            {
                "journey": name,
                "title": journey.title.get("en", name),
                "on": opened.shelf.is_on(name),
                "revision": number,
                "inside": sum(counted.asleep.values()) if counted else 0,
                "ended": sum(counted.ended.values()) if counted else 0,
                "at_the_goal": counted.ended.get("goal", 0) if counted else 0,
            }
        )
    show(as_json, rows)


@journeys.command("show")
@on_database
async def show_journey(
    name: Name,
    document: Annotated[
        bool, typer.Option(help="Only its JSON, to be edited and published.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The steps of a journey with what comes after each end, how often, and who sleeps there."""
    opened = await _open()
    number, journey = _newest(opened, name)
    if document:
        show_json(json.loads(documents.encode(opened.shelf.revisions(name)[-1].journey)))
        return
    counted = (await figures()).get(name, Figures())
    rows = _rows(journey, counted, await ways_taken(name))
    if as_json:
        show_json({"journey": name, "revision": number, "on": opened.shelf.is_on(name),
                   "steps": rows, "ended": dict(counted.ended)})  # fmt: skip
        return
    state = "on" if opened.shelf.is_on(name) else "off"
    out.print(f"[bold]{name}[/], revision {number}, {state}: {journey.about.get('en', '')}")
    show(False, rows)
    for row in await changes_of(name, limit=5):
        out.print(f"[dim]{row['author']}: {escape(row['before'])} → {escape(row['after'])}[/]")


def _rows(
    journey: Journey, counted: Figures, taken: Mapping[tuple[str, str], int]
) -> list[dict[str, Any]]:
    """Each end of each step; who sleeps at a step stands beside its first end."""
    return [
        {
            "step": step.name,
            "what": type(step).__name__.lower(),
            "end": edge,
            "then": journey.after(step.name, edge),
            "taken": taken.get((step.name, edge), 0),
            "asleep": 0 if place else counted.asleep.get(step.name, 0),
        }
        for step in journey.steps
        for place, edge in enumerate(ends_of(step))
    ]


@journeys.command("switch")
@on_database
async def switch(
    name: Name,
    *,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Takes in, or not.")] = None,
    delay: Annotated[list[str] | None, typer.Option(help="STEP=HOURS of a wait.")] = None,
    template: Annotated[list[str] | None, typer.Option(help="STEP=TEMPLATE of a message.")] = None,
    reward: Annotated[
        list[str] | None, typer.Option(help="STEP.points=300, STEP.live_days=7.")
    ] = None,
    channels: Annotated[str | None, typer.Option(help="messenger,email…; empty: all.")] = None,
    by: By = "",
) -> None:
    """Set what may be set without publishing. It holds at once, for those inside too."""
    opened = await _open()
    _, journey = _newest(opened, name)
    now = opened.shelf.switches(name)
    changes: dict[str, Any] = {} if on is None else {"is_on": on}
    if delay:
        changes["delays"] = {**now.delays, **_delays(delay)}
    if template:
        changes["templates"] = {**now.templates, **dict(map(_pair, template))}
    if reward:
        changes["rewards"] = _rewards(now, reward)
    if channels is not None:
        changes["channels"] = [c for c in channels.split(",") if c]
    if not changes:
        no("say what to set: --on, --off, --delay, --template, --reward or --channels")
    done = await set_switches(journey, changes, by=by or getpass.getuser(), at=SystemClock().now())
    if isinstance(done, Refusal):
        no(f"{done.code}: {done.data.get('field', '')} does not fit this journey")
    out.print(f"{name} is {'on' if done.is_on else 'off'}.")
    waits = ", ".join(s.name for s in journey.steps if isinstance(s, Wait))
    out.print(f"[dim]Waits that have a delay: {waits or 'none'}.[/]")


def _delays(said: Sequence[str]) -> dict[str, int]:
    """In seconds, by step; they are said in hours."""
    return {step: int(_number(hours) * 3600) for step, hours in map(_pair, said)}


def _rewards(now: Switches, said: Sequence[str]) -> dict[str, dict[str, int]]:
    rewards = {step: dict(fields) for step, fields in now.rewards.items()}
    for where, amount in map(_pair, said):
        step, _, field = where.partition(".")
        rewards.setdefault(step, {})[field] = int(_number(amount))
    return rewards


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        no(f"{text!r} is not NAME=VALUE")
    return name, value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        no(f"{text!r} is no number")


@journeys.command("publish")
@on_database
async def publish_journey(
    path: Annotated[Path, typer.Argument(help="JSON, as `show --document` prints it.")],
    move_inside: Annotated[
        bool, typer.Option(help="Those inside go on by it; else they finish by theirs.")
    ] = False,
    key: Annotated[str, typer.Option(help="The same key publishes once.")] = "",
    by: By = "",
) -> None:
    """Make a document the newest revision of its journey."""
    await _open()
    journey = _document(path)
    now = SystemClock().now()
    number = await publish(
        journey, author=by or getpass.getuser(), moves_inside=move_inside, at=now,
        key=key or f"{journey.name}:{now.isoformat()}",
    )  # fmt: skip
    if isinstance(number, Refusal):
        no(f"{number.code} {number.data.get('field', '')}")
    inside = "go on by it" if move_inside else "finish by theirs"
    out.print(f"{journey.name} is published as revision {number}; those inside {inside}.")


def _named(who: str) -> list[str]:
    """Each customer of the file, or the one."""
    path = Path(who)
    if not path.is_file():
        return [who]
    with path.open(encoding="utf-8", newline="") as lines:
        return [row[0].strip() for row in csv.reader(lines) if row and row[0].strip()]


def _document(path: Path) -> Journey:
    try:
        return documents.decode(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        no(f"{path} cannot be read: {error}")
    except documents.DocumentError as error:
        no(f"{path} is no journey: {error}")


@journeys.command("enrol")
@on_database
async def enrol(
    name: Name,
    who: Annotated[str, typer.Argument(help="One customer, or a file with one on each line.")],
    key: Annotated[str, typer.Option(help="Once for each customer and key.")],
) -> None:
    """Let customers in by hand."""
    opened = await _open()
    _newest(opened, name)
    region = load_settings(**overrides).programme.region
    ids = [await customer_id_of(each, region) for each in _named(who)]
    entered = 0
    for start in range(0, len(ids), CHUNK):
        done = await opened.enrol(name, ids[start : start + CHUNK], key=key)
        if isinstance(done, Refusal):
            no(f"{name} is off: `kapsula journeys switch {name} --on` first")
        entered += done
    out.print(f"{entered} of {len(ids)} entered {name}; the others were in already.")
