"""The language of templates: a small part of Jinja that can neither hang, nor eat memory, nor look
behind a value.

What is understood is a list; everything else is refused before it is compiled. A text has no loop
in a loop, no assignment, no call, no attribute and no macro, so what it writes is bounded by its
own length, by the lists it is given and by a limit on what comes out.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from messaging import i18n
from messaging.templates.bodies import Reader
from messaging.templates.filters import FILTERS, READER, reader_of
from messaging.templates.problems import Flaw
from messaging.templates.values import NUMBER_MAX, Value

_UNDERSTOOD = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.CondExpr,
    nodes.Name, nodes.Const, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And,
    nodes.Or, nodes.Not, nodes.Neg, nodes.Add, nodes.Sub, nodes.Mul, nodes.FloorDiv, nodes.Mod,
    nodes.Concat, nodes.Getattr, nodes.Getitem,
)  # fmt: skip
_TESTS = ("none", "odd", "even", "divisibleby")
_LOOP = frozenset({"index", "index0", "first", "last", "length", "revindex"})
_CALLED = {
    "Assign": "{% set %}", "AssignBlock": "{% set %}", "Call": "calls such as x()",
    "Macro": "{% macro %}", "CallBlock": "{% call %}", "Include": "{% include %}",
    "Import": "{% import %}", "FromImport": "{% import %}", "Extends": "{% extends %}",
    "Block": "{% block %}", "With": "{% with %}", "FilterBlock": "{% filter %}",
    "ScopedEvalContextModifier": "{% autoescape %}", "Pow": "**", "Div": "/ (write //)",
    "List": "lists in square brackets", "Dict": "{…}", "Tuple": "(…, …)", "Slice": "[…:…]",
    "Keyword": "arguments by name",
}  # fmt: skip
_ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv,
    "%": operator.mod,
}  # fmt: skip
_DEPTH_MAX = 40
_TAG = r"\{%(?:(?!%\}).)*%\}|\{#(?:(?!#\}).)*#\}"
_LONE_TAGS = re.compile(rf"^[ \t]*((?:{_TAG})(?:[ \t]*(?:{_TAG}))*)[ \t]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mistake:
    """In a text, with its line."""

    flaw: Flaw
    detail: str
    line: int


class _Sandbox(ImmutableSandboxedEnvironment):
    """Even what has come past the list of what is understood is stopped here."""

    intercepted_binops = frozenset(_ARITHMETIC)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return isinstance(obj, LoopContext) and attr in _LOOP

    def is_safe_callable(self, obj: Any) -> bool:
        return False

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Whole numbers alone: `"%9999999d" % 1` and `"ab" * 10**9` are texts of gigabytes."""
        if not _is_number(left) or not _is_number(right):
            raise SecurityError(f"{operator} takes whole numbers only; ~ joins texts")
        result = _ARITHMETIC[operator](left, right)
        if abs(result) > NUMBER_MAX:
            raise SecurityError("the number is too large")
        return result


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@pass_context
def _printed(context: Any, value: Any) -> Any:
    """What may be written as it is. An absent value is a mistake, not the word None."""
    if isinstance(value, Undefined) or (isinstance(value, str) or _is_number(value)):
        return value
    if isinstance(value, date):
        reader = reader_of(context)
        return i18n.day(reader.language, value, reader.timezone)
    if value is None:
        raise SecurityError("a value that is absent would be written: put it into {% if … %}")
    raise SecurityError(f"a {type(value).__name__} cannot be written as it is")


@lru_cache(maxsize=2)
def _environment(escapes: bool) -> _Sandbox:
    made = _Sandbox(
        autoescape=escapes, undefined=StrictUndefined, finalize=_printed, keep_trailing_newline=True
    )
    made.globals.clear()
    made.filters.clear()
    made.filters.update(FILTERS)
    made.tests = {name: made.tests[name] for name in (*_TESTS, "in")}
    return made


class Words:
    """One compiled text."""

    __slots__ = ("_length_max", "_template")

    def __init__(self, template: Template, length_max: int) -> None:
        self._template = template
        self._length_max = length_max

    def pieces(self, values: Mapping[str, Value], reader: Reader) -> list[str]:
        """What the template says itself, and between it what it writes of values, escaped Markup.

        Raises whatever a template can raise, and SecurityError when it grows too long.
        """
        template = self._template
        known = {**values, READER: reader}
        context = Context(template.environment, known, template.name, template.blocks)
        pieces, length = [], 0
        for piece in template.root_render_func(context):
            length += len(piece)
            if length > self._length_max:
                raise SecurityError(f"it grows longer than {self._length_max} characters")
            pieces.append(piece)
        return pieces


def glued(pieces: Iterable[str]) -> str:
    """The text that a template has written in these pieces."""
    return i18n.one_full_stop("".join(pieces).strip())


def compiled(source: str, declared: Mapping[str, bool], *, escapes: bool, length_max: int) -> Words:
    """`declared`: the variables, and whether each is a list. Raises for what is not understood."""
    mistakes = list(mistakes_in(source, declared, language=None))
    if mistakes:
        raise SecurityError(f"line {mistakes[0].line}: {mistakes[0].flaw}: {mistakes[0].detail}")
    return Words(_environment(escapes).from_string(_without_lone_lines(source)), length_max)


def _without_lone_lines(source: str) -> str:
    """A tag alone on its line leaves no line behind: the line's end moves into the tag, where it
    is nothing, and lines keep their numbers."""
    return _LONE_TAGS.sub(lambda found: f"{found[1][:-2]}\n{found[1][-2:]}", source)


def _parsed(source: str) -> nodes.Template | Mistake:
    try:
        return _environment(False).parse(_without_lone_lines(source))
    except TemplateSyntaxError as error:
        return Mistake(Flaw.SYNTAX, error.message or "", error.lineno)
    except RecursionError:
        return Mistake(Flaw.NOT_UNDERSTOOD, "so many brackets", 1)


def mistakes_in(
    source: str, declared: Mapping[str, bool], *, language: str | None
) -> Iterator[Mistake]:
    """All that is not understood. Plural forms are counted where the language is known."""
    tree = _parsed(source)
    if isinstance(tree, Mistake):
        yield tree
        return
    yield from _Reading(declared, language).walk(tree, frozenset(), 0)


def names_in(source: str) -> set[str]:
    """Every variable that is named; none in a text that cannot be read."""
    tree = _parsed(source)
    if isinstance(tree, Mistake):
        return set()
    return {name.name for name in tree.find_all(nodes.Name)}


def linear(source: str, placeholder: str) -> str:
    """The words of all branches, one after the other, with `placeholder` for each value."""
    tree = _parsed(source)
    if isinstance(tree, Mistake):
        return ""
    return "".join(
        node.data if isinstance(node, nodes.TemplateData) else placeholder
        for output in tree.find_all(nodes.Output)
        for node in output.nodes
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """A walk over one text; `scope` are the names of the loop it is in."""

    declared: Mapping[str, bool]
    language: str | None

    def walk(self, node: nodes.Node, scope: frozenset[str], depth: int) -> Iterator[Mistake]:
        kind = type(node).__name__
        if not isinstance(node, _UNDERSTOOD):
            yield self._refused(node, _CALLED.get(kind, kind.lower()))
            return
        if depth > _DEPTH_MAX:
            yield self._refused(node, "so many brackets")
            return
        if isinstance(node, nodes.For):
            yield from self._loop(node, scope, depth)
            return
        yield from self._own(node, scope)
        for child in node.iter_child_nodes():
            yield from self.walk(child, scope, depth + 1)

    def _own(self, node: nodes.Node, scope: frozenset[str]) -> Iterator[Mistake]:
        """What is wrong with this node, whatever is in it."""
        match node:
            case nodes.Name(name=name) if name not in self.declared and name not in scope:
                yield Mistake(Flaw.UNDECLARED_VARIABLE, name, node.lineno)
            case nodes.Getattr(node=nodes.Name(name="loop"), attr=attr) if attr in _LOOP:
                pass
            case nodes.Getattr(attr=attr):
                yield self._refused(node, f".{attr}")
            case nodes.Getitem(arg=nodes.Const(value=int())):
                pass
            case nodes.Getitem():
                yield self._refused(node, "[…] but for [0], [1] and so on")
            case nodes.Const(value=float()):
                yield self._refused(node, "fractions")
            case nodes.Filter(name=name) if name not in FILTERS:
                yield self._refused(node, f"|{name}")
            case nodes.Filter(name="plural", args=args) if self.language:
                forms = i18n.plural_tags(self.language)
                if len(args) != len(forms):
                    yield Mistake(Flaw.PLURAL_FORMS, ", ".join(forms), node.lineno)
            case nodes.Test(name=name) if name not in _TESTS:
                yield self._refused(node, f"is {name}")

    def _loop(self, node: nodes.For, scope: frozenset[str], depth: int) -> Iterator[Mistake]:
        over, item = node.iter, node.target
        if scope:
            yield self._refused(node, "a loop in a loop")
        elif not isinstance(item, nodes.Name) or node.recursive:
            yield self._refused(node, "this form of {% for %}")
        elif isinstance(over, nodes.Name) and over.name not in self.declared:
            yield Mistake(Flaw.UNDECLARED_VARIABLE, over.name, node.lineno)
        elif not isinstance(over, nodes.Name) or not self.declared[over.name]:
            yield self._refused(node, "{% for %} over anything but a declared list")
        else:
            inner = scope | {item.name, "loop"}
            for child in (node.test, *node.body):
                if child is not None:
                    yield from self.walk(child, inner, depth + 1)
            for child in node.else_:
                yield from self.walk(child, scope, depth + 1)

    @staticmethod
    def _refused(node: nodes.Node, what: str) -> Mistake:
        return Mistake(Flaw.NOT_UNDERSTOOD, what, node.lineno)
