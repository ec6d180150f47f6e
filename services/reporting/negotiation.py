"""Which form of the table an address answers in: by what the caller takes, or by how the address ends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from services.reporting.exports.csvw import MEDIA_TYPE as CSVW
from services.reporting.files import EXCEL, FRAGMENT, PDF, WORD
from services.reporting.forms import JSON, TIDY_CSV, Form
from shared.errors import Fault, NoSuchForm, NotAcceptable

#: The sidecar of the tidy CSV, named after it as the W3C would have it.
SIDECAR: Final = "csv-metadata.json"

#: The media type of each address, by how it ends.
ADDRESSES: Final[Mapping[str, str]] = {
    f"/v1/tracker.{suffix}": media_type.partition(";")[0]
    for suffix, media_type in {
        "json": JSON.media_type,
        "csv": TIDY_CSV.media_type,
        SIDECAR: CSVW,
        "docx": WORD.media_type,
        "xlsx": EXCEL.media_type,
        "pdf": PDF.media_type,
        "html": FRAGMENT.media_type,
    }.items()
}

#: What /v1/tracker answers in, as its caller prefers; JSON where nothing is said. Not in HTML: a browser prefers that,
#: and would show a fragment of a page.
_BY_MEDIA_TYPE: Final[Mapping[str, Form]] = {
    form.media_type.partition(";")[0]: form for form in (JSON, TIDY_CSV, WORD, EXCEL, PDF)
}
#: So many preferences of callers are remembered; there are few, and browsers' are long.
_REMEMBERED: Final = 200


@lru_cache(_REMEMBERED)
def preferred(accept: str) -> Form:
    """The form that a caller takes rather than any other, by their ``Accept`` (RFC 9110, 12.5.1).

    Raises: NotAcceptable, where they take none of them.
    """
    if not accept.strip():
        return JSON
    # A character set or the like is no reason to refuse: there is one of each form.
    taken = [(name.partition(";")[0].strip(), quality) for name, quality in parse_accept_header(accept, MIMEAccept)]
    found = MIMEAccept(taken).best_match(list(_BY_MEDIA_TYPE))
    if found is None:
        fault = Fault(
            "/header/accept",
            "not-acceptable",
            "No form of the table is among those it names.",
            f"Take one of those that are allowed, or ask for one by its address: {', '.join(ADDRESSES)}.",
            given=accept,
            allowed=list(_BY_MEDIA_TYPE),
        )
        raise NotAcceptable("The table is in no form that you take.", [fault])
    return _BY_MEDIA_TYPE[found]


def no_such_form(suffix: str) -> NoSuchForm:
    """What an address is answered that ends like none of the forms."""
    address = f"/v1/tracker.{suffix}"
    fault = Fault(
        "/path",
        "unknown-form",
        f"There is no address {address}.",
        f"Ask for one of these: {', '.join(ADDRESSES)}.",
        given=address,
        allowed=list(ADDRESSES),
    )
    return NoSuchForm(f"The table has no form .{suffix}.", [fault])
