"""The two greys of the printed table, and what goes with them: one palette for every file. Pure.

They are told apart in print and in a copy of a print; ink on either has a contrast of more than 10:1.
"""

from __future__ import annotations

from typing import Final

PARTNERSHIP_GREY: Final = "ECEEEF"
HOME_GREY: Final = "C6C9CC"
HEADER_GROUND: Final = "2B3A45"
HEADER_INK: Final = "FFFFFF"
INK: Final = "0B0C0C"
QUIET_INK: Final = "505A5F"
LINE: Final = "B1B4B6"
LINK_INK: Final = "1D4F91"
