"""Numbers as people write them: `8b`, `1.5M`, `12k`, and back. Knows nothing of what is counted."""

from __future__ import annotations

import re

SUFFIXES = {"": 0, "k": 3, "m": 6, "b": 9, "t": 12}  # powers of ten
_QUANTITY = re.compile(r"(\d[\d_]*)(\.\d+)?(?:[eE]([-+]?\d+))? ?([kKmMbBtT]?)", re.ASCII)
_LONGEST = 40  # characters; nothing that is counted needs more digits


def parse_quantity(text: str) -> int | float | None:
    """The number, an int where it is whole; None where the text is not one: `8b` 8000000000, `1.5M` 1500000."""
    found = _QUANTITY.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        return None
    whole, fraction, exponent, suffix = found.groups(default="")
    digits, decimals = whole.replace("_", ""), fraction[1:]
    power = (int(exponent) if exponent else 0) + SUFFIXES[suffix.lower()] - len(decimals)
    if abs(power) > 60:  # beyond anything that is counted
        return None
    number: int = int(digits + decimals)  # exact: 8.03b is 8030000000, not 8029999999.999
    if power >= 0:
        return number * _ten(power)
    exact, rest = divmod(number, _ten(-power))
    return exact if rest == 0 else number / _ten(-power)


def write_quantity(value: float) -> str:
    """The shortest form that reads back as the same number: `8.03b`, `12k`, `1500`."""
    if value != int(value) or value < 1000:
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    whole = int(value)
    for suffix, power in (("t", 12), ("b", 9), ("M", 6), ("k", 3)):
        if whole >= 10**power:
            head, rest = divmod(whole, 10**power)
            decimals = f"{rest:0{power}d}".rstrip("0")
            if len(decimals) <= 3:
                return f"{head}.{decimals}{suffix}" if decimals else f"{head}{suffix}"
    return str(whole)


def _ten(power: int) -> int:
    ten: int = 10**power  # typed, because a negative power would make it a float
    return ten
