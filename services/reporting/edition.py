"""An edition: the tracker as published for a meeting, and the manifest that its hash is taken of. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from services.reporting.exports.imprint import Imprint
from services.reporting.partnership_document import partnership_of
from services.reporting.table import Question
from shared.partnership import Partnership


@dataclass(frozen=True)
class Edition:
    """An edition as published.

    ``as_at`` is the last day of which it tells, ``known_at`` the moment of publishing. ``manifest`` is canonical JSON:
    what the edition is, where each stream of the ledger stood, the partnership's file, the code that made it, and the
    SHA-256 of the table of each home council. ``digest`` is the manifest's SHA-256, in hexadecimal, and so vouches for
    all of it.
    """

    number: int
    title: str
    meeting_date: date
    as_at: date
    known_at: datetime
    published_by: str
    manifest: bytes
    digest: str

    @cached_property
    def document(self) -> Mapping[str, Any]:
        document: dict[str, Any] = json.loads(self.manifest)
        return document

    @cached_property
    def partnership(self) -> Partnership:
        """The partnership as its file had it on the day."""
        return partnership_of(self.document["partnership"])

    @property
    def councils(self) -> Sequence[str]:
        """The GSS codes of the home councils that the edition is for."""
        return list(self.document["councils"])

    @property
    def notes(self) -> Sequence[str]:
        return list(self.document["notes"])

    @property
    def code_version(self) -> str:
        return str(self.document["code_version"])

    @property
    def ledger_version(self) -> int:
        return int(self.document["ledger_version"])

    @property
    def round(self) -> int | None:
        """The number of the round that was open, if one was."""
        number: int | None = self.document["round"]
        return number

    @property
    def table_digests(self) -> Mapping[str, str]:
        """The SHA-256 of each table, by the home council's GSS code, or ``none``."""
        return dict(self.document["tables"])

    @property
    def name(self) -> str:
        """``Edition 3: Cabinet, 26 January 2012``."""
        return f"Edition {self.number}: {self.title}"

    @property
    def imprint(self) -> Imprint:
        """What every file made from it says of itself."""
        return Imprint(self.title, f"Edition {self.number}", self.as_at, self.known_at, self.digest, tuple(self.notes))

    def question(self, home: str | None) -> Question:
        """The question that the frozen table of a home council answers."""
        return Question(home=home, as_at=self.as_at, known_at=self.known_at)


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one way to write a JSON document: names sorted, no white space, UTF-8, a line end."""
    return (json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
