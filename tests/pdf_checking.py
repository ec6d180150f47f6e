"""PDFs read by programs that did not make them: Poppler for text and structure, pikepdf for tags, veraPDF for PDF/UA-1.

Where a machine lacks one of them, the tests that need it are skipped and say so; in CI they fail.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from deploy.local.kafka_jars import cache_directory
from services.reporting.exports.pdf import load
from shared.errors import Unavailable

_VERAPDF = Path(__file__).parent / "verapdf"


@cache
def require_pango() -> None:
    try:
        load()
    except Unavailable as unavailable:
        _lacking(f"{unavailable.detail} {unavailable.fix}")


@dataclass
class Tagged:
    """A table as its structure tells it: for each row its cells, with their headers' texts."""

    rows: list[list[TaggedCell]] = field(default_factory=list)

    @property
    def texts(self) -> list[list[str]]:
        return [[cell.text for cell in row] for row in self.rows]


@dataclass
class TaggedCell:
    kind: str
    name: str = ""
    text: str = ""
    scope: str = ""
    rows: int = 1
    headers: list[str] = field(default_factory=list)


def text_of(path: Path) -> str:
    return _said("pdftotext", "-layout", str(path), "-")


def right_edges_of(path: Path, word: str) -> list[float]:
    """Where a word ends, each time that it is there, in points from the left edge of the paper."""
    found = re.findall(r'xMax="([0-9.]+)"[^>]*>([^<]*)</word>', _said("pdftotext", "-bbox", str(path), "-"))
    return [float(edge) for edge, text in found if text == word]


def facts_of(path: Path) -> dict[str, str]:
    """What pdfinfo says, by its own names."""
    lines = (line.partition(":") for line in _said("pdfinfo", str(path)).splitlines())
    return {name: value.strip() for name, _, value in lines}


def tables_of(path: Path) -> list[Tagged]:
    """Every table in the structure, in reading order; a header's name in ``headers`` is already its text."""
    tables: list[Tagged] = []
    open_at: list[tuple[int, str]] = []
    for line in _said("pdfinfo", "-struct-text", str(path)).splitlines():
        indent, told = len(line) - len(line.lstrip()), line.strip()
        while open_at and open_at[-1][0] >= indent and not told.startswith("/"):
            open_at.pop()
        inside = [name for _, name in open_at]
        if told.startswith('"'):
            if "TD" in inside or "TH" in inside:
                cell = tables[-1].rows[-1][-1]
                # What goes on in another line is another piece of text.
                cell.text = f"{cell.text} {told[1:-1]}".strip()
        elif found := re.match(r"/(Scope|RowSpan|Headers) (.*)", told):
            cell = tables[-1].rows[-1][-1]
            match found[1]:
                case "Scope":
                    cell.scope = found[2]
                case "RowSpan":
                    cell.rows = int(found[2])
                case _:
                    cell.headers = re.findall(r"\(([^)]+)\)", found[2])
        elif kind := re.match(r"(\w+)(?: <([^>]+)>)?", told):
            open_at.append((indent, kind[1]))
            if kind[1] == "Table":
                tables.append(Tagged())
            elif kind[1] == "TR":
                tables[-1].rows.append([])
            elif kind[1] in ("TH", "TD"):
                tables[-1].rows[-1].append(TaggedCell(kind[1], kind[2] or ""))
    for table in tables:
        names = {cell.name: cell.text for row in table.rows for cell in row if cell.name}
        for row in table.rows:
            for cell in row:
                cell.headers = [names[header] for header in cell.headers]
    return tables


def as_printed(table: Tagged) -> list[list[str]]:
    """The rows with the name of their workstream, which stands once in each group, said again in each of them."""
    rows, name = [], ""
    for row in table.rows[1:]:
        if row[0].rows > 1 or len(row) == len(table.rows[0]):
            name, row = row[0].text, row[1:]
        rows.append([name, *(cell.text for cell in row)])
    return rows


def faults_in(path: Path) -> list[str]:
    """What veraPDF finds against PDF/UA-1; empty where the file complies."""
    java = shutil.which("java")
    if java is None:
        _lacking("there is no java on the PATH, which runs veraPDF")
    command = [java, "-cp", f"{_verapdf_jars()}/*", str(_VERAPDF / "Check.java"), str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert f"{path}: " in ran.stdout, ran.stdout + ran.stderr
    return [] if ran.returncode == 0 else ran.stdout.splitlines()


@cache
def _verapdf_jars() -> Path:
    pom = _VERAPDF / "pom.xml"
    folder = cache_directory() / f"verapdf-{hashlib.sha256(pom.read_bytes()).hexdigest()[:8]}"
    if not folder.is_dir():
        maven = shutil.which("mvn")
        if maven is None:
            _lacking("there is no mvn on the PATH, which fetches veraPDF")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
            jars = Path(partial) / "jars"
            command = [maven, "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            if ran.returncode:
                _lacking(f"Maven cannot fetch veraPDF: {ran.stdout[-500:]}")
            jars.rename(folder)
    return folder


def _said(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        _lacking(f"there is no {program} on the PATH (Debian: poppler-utils)")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=True).stdout


def _lacking(why: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
