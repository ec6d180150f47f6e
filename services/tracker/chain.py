"""The chain that makes a ledger tamper-evident. PURE.

Each stream has a chain of its own. Its links are, in the order of posting, each return and then that return's entries:

    genesis = SHA-256(text of the stream)
    link    = SHA-256(previous link's hash + content)

where the content is the sequence of the link's fields, each as its length in bytes (four bytes, big-endian) followed by
its UTF-8 text, and a field that is absent as the length ``FF FF FF FF`` alone. So no two contents have the same bytes,
and whoever alters, leaves out, adds or moves a link has to alter every hash after it, the head's among them.

Nothing of it depends on this tracker: posting the same events again, on another day and another machine, gives the
same hashes.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, NewType

from shared.clock import moment_text
from shared.events import LineAccepted, ReturnAccepted
from shared.figures import Stream

Hash = NewType("Hash", bytes)

_ABSENT: Final = b"\xff\xff\xff\xff"


def genesis(stream: Stream) -> Hash:
    """What the first link of a stream's chain is linked to."""
    return Hash(sha256(str(stream).encode()).digest())


def link(previous: Hash, fields: Iterable[str | None]) -> Hash:
    """The hash of the link with these fields, after the one with the previous hash."""
    return Hash(sha256(previous + b"".join(map(_packed, fields))).digest())


def _packed(field: str | None) -> bytes:
    if field is None:
        return _ABSENT
    text = field.encode()
    return len(text).to_bytes(4, "big") + text


def return_link(previous: Hash, number: int, accepted: ReturnAccepted) -> Hash:
    """The link of a return: all that its entries have in common. ``number`` is its place among the stream's."""
    return link(
        previous,
        (
            "return",
            accepted.workstream,
            accepted.scope,
            str(number),
            str(accepted.version),
            accepted.submission_id,
            accepted.as_at.isoformat(),
            moment_text(accepted.recorded_at),
            accepted.stated_by.name,
            accepted.stated_by.role,
            accepted.stated_by.council,
            accepted.source.system,
            accepted.source.reference,
            accepted.source.file,
            accepted.reason,
            accepted.update,
        ),
    )


def entry_link(
    previous: Hash, number: int, account: str, line: LineAccepted, movement_pence: int, balance_pence: int
) -> Hash:
    """The link of an entry. What it has in common with its return's other entries stands in the return's link.

    What can hold no space stands in one field, apart by spaces. There are millions of these: the lines below are
    ``link(previous, (figures, account, line.reason, line.note, line.cell))``, written out for half the time.
    """
    amount = "none" if line.amount_pence is None else line.amount_pence
    figures = (
        f"entry {number} {line.line} {line.status!s} {amount} {line.confidence!s} {movement_pence} {balance_pence}"
    ).encode()
    about, reason, note, cell = account.encode(), line.reason, line.note, line.cell
    content = (
        previous,
        len(figures).to_bytes(4, "big"),
        figures,
        len(about).to_bytes(4, "big"),
        about,
        _ABSENT if reason is None else _packed(reason),
        _ABSENT if note is None else _packed(note),
        _ABSENT if cell is None else _packed(cell),
    )
    return Hash(sha256(b"".join(content)).digest())


def digest(heads: Iterable[tuple[Stream, int, Hash]]) -> str:
    """One hash for a whole ledger, from its streams' heads: (stream, number of entries, hash of the last link)."""
    links = Hash(sha256(b"ledger").digest())
    for stream, entry_count, head in sorted(heads):
        links = link(links, (str(stream), str(entry_count), head.hex()))
    return links.hex()
