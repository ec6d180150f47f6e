"""What is wrong with a council's own Word template: every tag that cannot be filled in, and the paragraph it is in.

Found before anything is written, by reading the tags against :data:`EXAMPLES`: so also those tags are checked that
stand where this table has nothing to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from docx.document import Document
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement
from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from shared.errors import Fault, Refused

_TAG: Final = re.compile(r"\{\{(?P<value>.*?)\}\}|\{%(?P<statement>.*?)%\}|\{#.*?#\}", re.DOTALL)
_LOOSE: Final = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")
#: ``{%tr … %}`` takes its whole table row away, and so on (docxtpl).
_REACH: Final = re.compile(r"(?P<reach>tr|tc|p|r)\s")
_QUOTES: Final = str.maketrans("“”‘’", "\"\"''")
_QUOTED_LIMIT: Final = 90
#: Enough for any table, and nothing that would let a template count to a thousand million.
FILTERS: Final = ("capitalize", "default", "first", "join", "last", "length", "lower", "title", "trim", "upper")
_TAKEN: Final = (
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Const,
    nodes.Filter,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.CondExpr,
    nodes.Concat,
)
_LOOP: Final = {"first": True, "last": False, "index": 1, "index0": 0, "length": 1}


class WrongTemplate(Refused):
    """A Word template that cannot be filled in: each fault names the tag and the paragraph it is in."""

    code, title = "wrong-template", "The Word template cannot be filled in"


@dataclass(frozen=True, slots=True)
class _Place:
    """A paragraph: ``pointer`` counts as a person would in the opened document."""

    part: str
    number: int
    text: str

    @property
    def pointer(self) -> str:
        return f"{self.part}, paragraph {self.number}"


@dataclass(slots=True)
class _Opened:
    """A ``for`` or ``if`` that waits for its end, and the names it makes known."""

    word: str
    reach: str
    tag: str
    place: _Place
    names: dict[str, Any] = field(default_factory=dict)


class _Wrong(Exception):
    def __init__(self, detail: str, allowed: Iterable[str] | None = None, name: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.allowed = sorted(allowed) if allowed is not None else None
        self.name = name


def template_faults(document: Document, environment: SandboxedEnvironment, examples: Mapping[str, Any]) -> list[Fault]:
    """Everything wrong with the tags of a template, in the order of reading."""
    faults: list[Fault] = []
    for part, root in _parts_of(document):
        faults.extend(_Reader(environment, examples).faults_of(part, root))
    return faults


def _parts_of(document: Document) -> Iterator[tuple[str, BaseOxmlElement]]:
    yield "the body", document.element.body
    for relation in document.part.rels.values():
        for word in ("header", "footer"):
            if relation.reltype.endswith(f"/{word}") and not relation.is_external:
                yield f"the {word}", relation.target_part.element


class _Reader:
    def __init__(self, environment: SandboxedEnvironment, examples: Mapping[str, Any]) -> None:
        self._environment = environment
        self._examples = examples
        self._opened: list[_Opened] = []

    def faults_of(self, part: str, root: BaseOxmlElement) -> list[Fault]:
        faults: list[Fault] = []
        for number, paragraph in enumerate(root.iter(qn("w:p")), start=1):
            place = _Place(part, number, _text_of(paragraph))
            if loose := _LOOSE.search(_TAG.sub("", place.text)):
                wrong = _Wrong(f"{loose[0]} has no counterpart in the same paragraph")
                faults.append(_fault(loose[0], place, wrong))
            for match in _TAG.finditer(place.text):
                tag = match[0]
                try:
                    self._read(match, tag.translate(_QUOTES), place)
                except _Wrong as wrong:
                    faults.append(_fault(tag, place, wrong))
                except TemplateSyntaxError as error:
                    faults.append(_fault(tag, place, _Wrong(f"it cannot be read: {error.message}")))
        faults.extend(
            _fault(opened.tag, opened.place, _Wrong(f"it is never closed by an end{opened.word}"))
            for opened in self._opened
        )
        return faults

    def _read(self, match: re.Match[str], tag: str, place: _Place) -> None:
        if tag.startswith("{#"):
            return
        inside = tag[2:-2]
        reach = found["reach"] if (found := _REACH.match(inside)) else ""
        inside = inside[len(reach) :].strip("-+ \n")
        if match["value"] is not None:
            self._value_of(self._expression(inside))
            return
        word, _, rest = inside.partition(" ")
        match word:
            case "for" | "if":
                opened = _Opened(word, reach, tag, place)
                # It stays open though it be wrong: its end is not wrong as well.
                self._opened.append(opened)
                opened.names = self._names_made(inside, word)
            case "elif" | "else" | "endif" | "endfor":
                self._close(word, reach, tag)
                if word == "elif":
                    self._value_of(self._expression(rest))
            case "cellbg" | "colspan":
                self._value_of(self._expression(rest))
            case "vm" | "hm":
                pass
            case _:
                raise _Wrong("a template may not use it", ("for", "if", "elif", "else", "endif", "endfor"))

    def _names_made(self, inside: str, word: str) -> dict[str, Any]:
        ending = f"{{% {inside} %}}{{% end{word} %}}"
        statement = self._environment.parse(ending).body[0]
        if isinstance(statement, nodes.For):
            among = self._value_of(statement.iter)
            if not isinstance(among, Sequence) or isinstance(among, str):
                raise _Wrong("there is only one of it, and nothing to go through")
            if not isinstance(statement.target, nodes.Name) or statement.test or statement.recursive:
                raise _Wrong("it is written like {% for row in rows %}")
            return {statement.target.name: among[0], "loop": _LOOP}
        assert isinstance(statement, nodes.If)  # noqa: S101 - there are but these two
        self._value_of(statement.test)
        return {}

    def _close(self, word: str, reach: str, tag: str) -> None:
        if not self._opened:
            raise _Wrong("there is nothing open that it could belong to")
        opened = self._opened[-1]
        belongs = ("for",) if word == "endfor" else ("if",) if word in ("elif", "endif") else ("for", "if")
        if opened.word not in belongs:
            raise _Wrong(f"the last tag that is open is {opened.tag}, to which it does not belong")
        if word.startswith("end"):
            self._opened.pop()
        if opened.reach != reach:
            raise _Wrong(f"it has to begin as {opened.tag} begins, with {{%{opened.reach}")

    def _expression(self, text: str) -> nodes.Expr:
        output = self._environment.parse(f"{{{{ {text} }}}}").body[0]
        assert isinstance(output, nodes.Output)  # noqa: S101 - it was written so just above
        return output.nodes[0]

    def _value_of(self, expression: nodes.Node) -> Any:
        """An example of what the expression stands for; ``None`` where that is not known beforehand."""
        match expression:
            case nodes.Name(name=name):
                for opened in reversed(self._opened):
                    if name in opened.names:
                        return opened.names[name]
                if name not in self._examples:
                    known = {*self._examples, *(each for opened in self._opened for each in opened.names)}
                    raise _Wrong(f"{name} is not known here", known, name)
                return self._examples[name]
            case nodes.Getattr(node=node, attr=attribute):
                whole = self._value_of(node)
                if not isinstance(whole, Mapping) or attribute not in whole:
                    allowed = whole if isinstance(whole, Mapping) else ()
                    raise _Wrong(f"{attribute} is not known of that", allowed, attribute)
                return whole[attribute]
            case nodes.Filter(name=name) if name not in FILTERS:
                raise _Wrong(f"{name} is not a filter that a template may use", FILTERS, name)
            case _ if not isinstance(expression, _TAKEN):
                raise _Wrong("a template may not reckon or call: it takes what there is")
        for child in expression.iter_child_nodes():
            self._value_of(child)
        return None


def _text_of(paragraph: BaseOxmlElement) -> str:
    """The paragraph's own text: a text box has paragraphs inside a paragraph."""
    return "".join(
        text.text or "" for text in paragraph.iter(qn("w:t")) if next(text.iterancestors(qn("w:p"))) is paragraph
    )


def _fault(tag: str, place: _Place, wrong: _Wrong) -> Fault:
    near = get_close_matches(wrong.name, wrong.allowed, n=1) if wrong.name and wrong.allowed else []
    quoted = place.text if len(place.text) <= _QUOTED_LIMIT else f"{place.text[:_QUOTED_LIMIT]}…"
    return Fault(
        pointer=place.pointer,
        code="wrong-tag",
        detail=f"{tag}: {wrong.detail}. It stands in {place.part}, in paragraph {place.number}: “{quoted}”.",
        fix=f"Perhaps {near[0]} was meant." if near else "Correct the tag in the template, or take it out.",
        given=tag,
        allowed=wrong.allowed,
    )
