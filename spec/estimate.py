"""The one form in which a number that is not exact reaches a person: a range with its unit and its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A range: `low <= likely <= high`, meant to hold the true value nine times in ten.

    `source` says where the figure comes from (a formula, a measurement, a price list), `as_of` is the date of
    that source as YYYY-MM-DD, or empty where a date means nothing (a formula).
    """

    low: float
    likely: float
    high: float
    unit: str
    source: str = ""
    as_of: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.likely <= self.high:
            raise ValueError(f"not a range: {self.low} <= {self.likely} <= {self.high} ({self.unit})")

    @classmethod
    def exact(cls, value: float, unit: str, source: str = "", as_of: str = "") -> Estimate:
        """A value that is known, written as a range of no width."""
        return cls(low=value, likely=value, high=value, unit=unit, source=source, as_of=as_of)

    def scaled(self, factor: float, unit: str | None = None, source: str | None = None) -> Estimate:
        """The same range times `factor` (> 0), in `unit` where that changes it."""
        return Estimate(
            low=self.low * factor,
            likely=self.likely * factor,
            high=self.high * factor,
            unit=self.unit if unit is None else unit,
            source=self.source if source is None else source,
            as_of=self.as_of,
        )

    def range(self) -> dict[str, float]:
        """`{"low", "likely", "high"}`, the form that scripts read."""
        return {"low": self.low, "likely": self.likely, "high": self.high}

    def to_json(self) -> dict[str, object]:
        """Every field, for the plan."""
        return {**self.range(), "unit": self.unit, "source": self.source, "as_of": self.as_of}

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Estimate:
        """The inverse of `to_json`."""
        return cls(**value)  # type: ignore[arg-type]
