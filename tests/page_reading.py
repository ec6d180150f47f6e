"""Reading a page as its reader does: headings, tables by their caption, links by their text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import httpx
from lxml import html


@dataclass(frozen=True)
class Page:
    """An HTML page. White space in its texts is as a browser shows it."""

    source: str

    @classmethod
    def of(cls, answer: httpx.Response, status: int = 200) -> Page:
        """The page of an answer, which must be one."""
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return cls(answer.text)

    @cached_property
    def root(self) -> html.HtmlElement:
        root = html.document_fromstring(self.source)
        # Each begins a line of its own.
        for line in root.iter("br", "p", "dd", "dt", "li"):
            line.tail = f" {line.tail or ''}"
        return root

    @property
    def heading(self) -> str:
        (found,) = self.root.iter("h1")
        return _text(found)

    @property
    def text(self) -> str:
        (main,) = self.root.iter("main")
        return _text(main)

    def table(self, caption: str) -> list[list[str]]:
        """The texts of a table's rows, the head first; its caption begins so."""
        (found,) = [each for each in self.root.iter("table") if _text(each.find("caption")).startswith(caption)]
        return [[_text(cell) for cell in row.iter("th", "td")] for row in found.iter("tr")]

    def links(self, within: str = "//main") -> dict[str, str]:
        """Addresses by what leads there."""
        return {_text(link): link.get("href") for link in self.root.xpath(f"{within}//a[@href]")}

    def link_in(self, caption: str, row: int, column: int) -> str:
        """Where a cell of a table leads."""
        (found,) = [each for each in self.root.iter("table") if _text(each.find("caption")).startswith(caption)]
        cell = list(list(found.iter("tr"))[row].iter("th", "td"))[column]
        (link,) = cell.iter("a")
        return str(link.get("href"))

    def terms(self) -> dict[str, str]:
        """What stands beside each term of the page's lists of terms."""
        return {_text(term): _text(term.getnext()) for term in self.root.iter("dt")}

    def values(self) -> dict[str, str]:
        """What the fields of the page's forms hold."""
        fields = [field for form in self.root.forms for field in form.inputs if field.name]
        return {field.name: field.value or "" for field in fields if getattr(field, "type", "") != "checkbox"}


def _text(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())
