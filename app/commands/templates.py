"""`kapsula templates`: what messages say; checked, kept and shown from files."""

import getpass
import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from app.commands.people import customer_id_of
from app.commands.session import AsJson, err, no, on_database, out, overrides, show, show_json
from app.mail import preview_composer
from app.settings import load_settings
from loyalty.clock import SystemClock
from loyalty.ids import next_id
from loyalty.refusals import Refusal
from messaging.channels.sms.tariff import parse_tariff
from messaging.i18n import LANGUAGES
from messaging.previews import Shown, audience, outgoing_mail, preview, told
from messaging.templates import CHANNELS, TemplateError
from messaging.templates.book import Book
from messaging.templates.problems import Problem, sentence
from messaging.templates.revisions import latest_revisions, revision_of, revisions_of
from messaging.templates.saving import NotSaved, checked, save
from messaging.templates.writing import Writer

templates = typer.Typer(no_args_is_help=True, help="What messages say.")
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A template as TOML.")]
Name = Annotated[str, typer.Argument(help="As `kapsula templates list` shows it.")]
_MILLION = 1_000_000


@templates.command("list")
@on_database
async def list_templates(as_json: AsJson = False) -> None:
    """Every template: those of the house, and over them what was saved."""
    book = await _book()
    saved = {row.name: row for row in await latest_revisions()}
    rows = []
    for name in book.names:
        row = saved.get(name)
        try:
            template = book.template(name)
            topic, about = str(template.topic), template.title("en")
        except TemplateError as error:
            topic, about = "", str(error)
        rows.append(
            {
                "name": name,
                "topic": topic,
                "revision": str(row.revision) if row else "built in",
                "saved_by": row.author if row else "",
                "at": _minute(row.at) if row else "",
                "about": about,
            }
        )
    show(as_json, rows)


@templates.command("show")
@on_database
async def show_template(
    name: Name,
    revision: Annotated[int | None, typer.Option(min=1, help="An earlier one.")] = None,
) -> None:
    """The file of a template, to be edited and saved."""
    book = await _book()
    if revision is None:
        out.print(_writer(book, name).source, markup=False, soft_wrap=True, end="")
        return
    found = await revision_of(name, revision)
    if found is None:
        no(f"there is no revision {revision} of {name}; `kapsula templates history {name}`")
    out.print(found.source, markup=False, soft_wrap=True, end="")


@templates.command("history")
@on_database
async def history(name: Name, as_json: AsJson = False) -> None:
    """Who has saved a template, and when."""
    rows = [
        {"revision": row.revision, "at": _minute(row.at), "saved_by": row.author}
        for row in await revisions_of(name)
    ]
    show(as_json, rows, empty=f"{name} was never saved.")


@templates.command("check")
@on_database
async def check_files(files: Annotated[list[Path], typer.Argument(exists=True)]) -> None:
    """All that is wrong with these files. Exit code 1 when one could not be saved."""
    refused = 0
    for path in files:
        result = await checked(_read(path))
        refused += bool(result.refusals)
        _tell(path, result.problems)
        if not result.problems:
            out.print(f"{escape(str(path))}: fine.", soft_wrap=True)
    if refused:
        raise typer.Exit(1)


@templates.command("save")
@on_database
async def save_file(
    file: File,
    based_on: Annotated[
        int | None,
        typer.Option(min=0, help="The revision that was edited: refused if there is a later one."),
    ] = None,
) -> None:
    """Keep a template: workers use it within a second or two."""
    source, clock = _read(file), SystemClock()
    author = f"cli:{_user()}"[:64]
    result = await save(
        source, author=author, key=f"cli:{next_id()}", at=clock.now(), based_on=based_on
    )
    if isinstance(result, Refusal):
        no(f"refused: {result.code}")
    if isinstance(result, NotSaved):
        _tell(file, result.problems)
        no(f"{file} is not saved")
    _tell(file, result.warnings)
    word = "Saved" if result.new else "It is the same as"
    out.print(f"{word}: {result.name}, revision {result.revision}.")


@templates.command("preview")
@on_database
async def preview_template(  # noqa: PLR0917 - the options of a command
    name: Annotated[str, typer.Argument(help="A template, or a file that is not saved yet.")],
    customer: Annotated[
        str, typer.Option(metavar="WHO", help="Id, telephone, card number or e-mail.")
    ] = "",
    language: Annotated[str, typer.Option(help="ru or en; else the customer's.")] = "",
    channel: Annotated[str, typer.Option(help="Only this one.")] = "",
    folder: Annotated[
        Path | None, typer.Option("--out", file_okay=False, help="Write the words to files.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What a reader would get in every channel, and what the SMS costs."""
    if language not in ("", *LANGUAGES) or channel not in ("", *CHANNELS):
        no(f"languages are {', '.join(LANGUAGES)}, channels {', '.join(CHANNELS)}")
    writer = await _writer_of(name)
    settings = load_settings(**overrides)
    who = await customer_id_of(customer, settings.programme.region) if customer else None
    found = await audience(writer, who, language=language)
    if found is None:
        no(f"there is no customer {customer}")
    shown = [
        one for one in preview(writer, found.context, found.reader) if channel in ("", one.channel)
    ]
    if folder is not None:
        _write_files(folder, writer, shown)
    if as_json:
        show_json(told(shown))
        return
    if found.message_id:
        out.print(f"[dim]With the values of message {found.message_id}.[/]")
    price = parse_tariff(settings.sms.price).elsewhere
    for one in shown:
        _show(one, price)


def _show(one: Shown, segment_price: int) -> None:
    notes = [] if one.own else ["the messenger's words"]
    if one.segments:
        notes.append(f"{one.segments.parts} segments, {one.segments.encoding}")
        if segment_price:
            notes.append(f"{one.segments.parts * segment_price / _MILLION:.2f}")
    notes.append(f"{one.length} characters")
    out.print(f"[bold]{one.channel}[/]  [dim]{', '.join(notes)}[/]")
    if one.body is None:
        out.print(f"[red]{escape(one.error)}[/]", soft_wrap=True)
    else:
        if one.body.subject:
            out.print(f"[bold]{escape(one.body.subject)}[/]", soft_wrap=True)
        out.print(escape(one.body.plain), soft_wrap=True)
    out.print()


def _write_files(folder: Path, writer: Writer, shown: list[Shown]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in shown:
        if one.body is None:
            continue
        if one.channel == "messenger":
            (folder / "messenger.html").write_text(one.body.html + "\n", encoding="utf-8")
        elif one.channel == "email":
            composer = preview_composer(load_settings(**overrides), SystemClock())
            mail = composer.compose(outgoing_mail(writer, one.body))
            (folder / "email.eml").write_bytes(mail.content)
        else:
            words = "\n".join(filter(None, (one.body.subject, one.body.plain)))
            (folder / f"{one.channel}.txt").write_text(words + "\n", encoding="utf-8")
    out.print(f"Written to {escape(str(folder))}.", soft_wrap=True)


async def _book() -> Book:
    book = Book()
    await book.refresh()
    return book


def _writer(book: Book, name: str) -> Writer:
    try:
        return book.writer(name)
    except TemplateError as error:
        _no_template(name, str(error))


async def _writer_of(name: str) -> Writer:
    """Of a name, or of a file, which has to be without fault first."""
    path = Path(name)
    if path.suffix != ".toml":
        return _writer(await _book(), name)
    source = _read(path)
    result = await checked(source)
    if result.refusals:
        _tell(path, result.problems)
        no(f"{path} cannot be shown")
    return Writer(result.template, source=source)


def _no_template(name: str, why: str) -> NoReturn:
    if why.startswith("unknown"):
        no(f"there is no template {name!r}; `kapsula templates list` shows them")
    no(why)


def _user() -> str:
    """Who types, as the machine knows them; in a container nobody may have a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        no(f"{path} cannot be read: {error}")


def _tell(path: Path, problems: tuple[Problem, ...]) -> None:
    """On stderr, one a line, as compilers do."""
    for problem in problems:
        where = ":".join(
            str(part) for part in (path, problem.where, problem.line) if part not in ("", None)
        )
        colour = "red" if problem.refuses else "yellow"
        err.print(
            f"{escape(where)}: [{colour}]{problem.flaw}[/]: {escape(sentence(problem, 'en'))}",
            soft_wrap=True,
        )


def _minute(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M")
