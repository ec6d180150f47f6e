"""Money as whole pence, and its text both ways. No float touches money.

Short text is what the printed table shows: ``£2k``, ``£434k``, ``£1.25m``, ``£36.25m``, ``£1bn``. It never
rounds: an amount that does not fit three decimals of its unit is written in full (``£1,234,567.89``).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NewType

Pence = NewType("Pence", int)

#: The largest amount of one line, and it is not reached by any council: £1 trillion (exclusive).
LIMIT_PENCE: Final = 10**14

_UNITS: Final = (("bn", 10**11), ("m", 10**8), ("k", 10**5))
_UNIT_PENCE: Final = {"": 100, **dict(_UNITS)}
_WRITTEN: Final = re.compile(
    r"(?P<sign>[-\u2212]?)£?(?P<whole>\d{1,3}(?:,\d{3})+|\d{1,16})(?:\.(?P<decimals>\d{1,16}))?(?P<unit>k|m|bn)?",
    re.ASCII,
)


def parse_pounds(text: str) -> Pence:
    """Read an amount of pounds: ``300000.00``, ``1,162,000``, ``£200k``, ``£1.25m``, ``-£50k``.

    Raises:
        ValueError: in words fit to show, when the text is not an amount, is not a whole number of pence
            or reaches £1 trillion either way.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError("an amount is written in pounds, like 300000.00, £200k or £1.25m")
    unit, decimals = match["unit"] or "", match["decimals"] or ""
    if not unit and len(decimals) > 2:
        raise ValueError("an amount in pounds has at most two decimals")
    digits = int(match["whole"].replace(",", "") + decimals) * _UNIT_PENCE[unit]
    pence, rest = divmod(digits, 10 ** len(decimals))
    if rest:
        raise ValueError("an amount is a whole number of pence")
    if pence >= LIMIT_PENCE:
        raise ValueError("an amount is less than £1 trillion")
    return Pence(-pence if match["sign"] else pence)


def pounds(pence: int) -> str:
    """The exact decimal string of pounds used in JSON and CSV: ``300000.00``."""
    whole, rest = divmod(abs(pence), 100)
    return f"{'-' if pence < 0 else ''}{whole}.{rest:02d}"


def as_decimal(pence: int) -> Decimal:
    """Pounds as an exact decimal, for writers that take numbers."""
    return Decimal(pence).scaleb(-2)


def short_text(pence: int) -> str:
    """The printed text: ``£6.25m``; in full where three decimals would round (``£1,234,567.89``)."""
    sign, amount = ("-" if pence < 0 else ""), abs(pence)
    for unit, unit_pence in _UNITS:
        if amount >= unit_pence:
            thousandths, rest = divmod(amount * 1000, unit_pence)
            if rest:
                return full_text(pence)
            whole, decimals = divmod(thousandths, 1000)
            return f"{sign}£{whole}{f'.{decimals:03d}'.rstrip('0').rstrip('.')}{unit}"
    return full_text(pence)


def full_text(pence: int) -> str:
    """The amount to the penny, pence left out when there are none: ``£1,234,567.89``, ``£500``."""
    whole, rest = divmod(abs(pence), 100)
    return f"{'-' if pence < 0 else ''}£{whole:,}{f'.{rest:02d}' if rest else ''}"
