"""The names under which a person would keep the files of the table. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from services.reporting.notes import written_day
from services.reporting.table import Question
from shared.clock import local_day
from shared.partnership import Partnership

#: What no file system of an office takes in a name, and what ends the name of a council.
_NOT_IN_A_NAME: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]+')
_COUNCIL: Final = re.compile(r" (?:(?:County|City|Borough|District|Metropolitan|London|Unitary) )*Council$")
#: File systems take 255 bytes, and a folder or an e-mail adds some of its own.
_NAME_BYTES_LIMIT: Final = 200


def file_name(partnership: Partnership, question: Question, suffix: str, edition_title: str | None = None) -> str:
    """``SE7 savings tracker, Cabinet 26 January 2012, East Sussex.docx``, by the title of an edition; of the draft,
    ``SE7 savings tracker, Draft as at 7 December 2011, East Sussex.docx``.

    A draft says by which clocks it was asked for, because one is made after another.
    """
    parts = [f"{partnership.short_name} savings tracker", _state(question, edition_title)]
    if question.home is not None:
        parts.append(_COUNCIL.sub("", partnership.council_by_gss[question.home].name))
    name = " ".join(_NOT_IN_A_NAME.sub(" ", ", ".join(parts)).split())
    return f"{name.encode()[:_NAME_BYTES_LIMIT].decode(errors='ignore').rstrip(' .,')}{suffix}"


def as_attachment(name: str) -> str:
    """The Content-Disposition of a file of that name (RFC 6266), whatever letters stand in it."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\%' else "_" for letter in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _state(question: Question, edition_title: str | None) -> str:
    if edition_title is not None:
        # Commas part the parts of the name.
        return edition_title.replace(",", "")
    told = "Draft"
    if question.as_at is not None:
        told += f" as at {written_day(question.as_at)}"
    if question.known_at is not None:
        told += f" known at {written_day(local_day(question.known_at))}"
    return told
