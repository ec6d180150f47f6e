"""Which characters of a text an office file can hold. Pure."""

from __future__ import annotations

import re
from typing import Final

#: What XML 1.0 takes, less the line ends and the tab (its section 2.2): the rest would make a file that does not open.
_NOT_HELD: Final = re.compile("[^\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_ENDS: Final = re.compile("\r\n|[\r\n\v\f\u0085\u2028\u2029]")


def one_line(text: str) -> str:
    """The text in one line; what no file can hold shows as ``\ufffd``, not as nothing."""
    return _NOT_HELD.sub("\ufffd", _LINE_ENDS.sub(" ", text).replace("\t", " "))


def paragraphs(text: str) -> list[str]:
    """The text's lines, each as :func:`one_line` gives it, without the empty ones."""
    return [line for part in _LINE_ENDS.split(text) if (line := one_line(part).strip())]
