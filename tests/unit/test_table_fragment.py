"""The fragment of HTML: what is printed, in markup that needs nothing around it."""

from __future__ import annotations

import csv
from html.parser import HTMLParser

import pytest

from services.reporting.exports.fragment import html_fragment
from services.reporting.exports.imprint import Imprint
from services.reporting.table import Question, build_table
from tests.reporting_figures import PRINTED, SE7, january_2012, table_of

IMPRINT = Imprint("Cabinet, 26 January 2012", "Edition 1", digest="ab" * 32)


class Reader(HTMLParser):
    """The rows of the table as texts, a name that reaches down said again in each, and every attribute seen."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.attributes: set[str] = set()
        self.tags: list[str] = []
        self._name, self._is_name, self._in_cell = "", False, False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.tags.append(tag)
        self.attributes |= given.keys()
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self._is_name, self._in_cell = given.get("scope") == "rowgroup", True
            if given.get("scope") == "row":
                self.rows[-1].append(self._name)
            self.rows[-1] += [] if self._is_name else [""]

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        if self._in_cell and self._is_name:
            self._name = data
        elif self._in_cell:
            self.rows[-1][-1] += data


def test_it_says_what_is_printed_cell_by_cell() -> None:
    read = Reader(html_fragment(table_of(*january_2012()), IMPRINT).decode())
    assert read.rows[0] == ["Workstream", "Whose", "2011/12", "2012/13", "2013/14", "2014/15", "Total"]
    assert read.rows[1:] == list(csv.reader(PRINTED.decode().splitlines()))[1:]


def test_it_brings_its_looks_along_and_nothing_else() -> None:
    read = Reader(html_fragment(table_of(*january_2012()), IMPRINT).decode())
    assert read.attributes == {"lang", "style", "scope", "rowspan"}
    assert not {"html", "head", "body", "script", "style", "link", "img"} & set(read.tags)


def test_it_states_what_it_was_made_from() -> None:
    html = html_fragment(table_of(*january_2012()), IMPRINT).decode()
    assert "Cabinet, 26 January 2012 (Edition 1)" in html
    assert f"SHA-256 {'ab' * 32}" in html
    assert "SHA-256" not in html_fragment(table_of(), Imprint("Draft", "Draft, not published")).decode()


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'Roads & "bridges"', "</table>"])
def test_a_name_is_text_whatever_it_holds(name: str) -> None:
    named = SE7.workstreams[0].model_copy(update={"name": name})
    partnership = SE7.model_copy(update={"workstreams": (named, *SE7.workstreams[1:])})
    read = Reader(html_fragment(build_table(partnership, [], (), Question()), IMPRINT).decode())
    assert read.rows[1][0] == name
    assert read.tags.count("script") == 0
    assert read.tags.count("table") == 1
