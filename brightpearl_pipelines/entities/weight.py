"""Weights: decimals, in kilograms; each system has a unit of its own."""

from decimal import Decimal
from typing import Final, Literal

Unit = Literal["kg", "g", "lb", "oz"]

KILOGRAMS: Final[dict[str, Decimal]] = {
    "kg": Decimal(1),
    "g": Decimal("0.001"),
    "lb": Decimal("0.45359237"),
    "oz": Decimal("0.028349523125"),
}
"""How much one of a unit weighs (international pound and ounce)."""
PRECISION: Final = Decimal("0.0001")


def to_kilograms(weight: Decimal, unit: Unit) -> Decimal:
    """The weight in kilograms, exactly."""
    return weight * KILOGRAMS[unit]


def from_kilograms(kilograms: Decimal, unit: Unit) -> Decimal:
    """The weight in another unit, to four decimals."""
    return (kilograms / KILOGRAMS[unit]).quantize(PRECISION)
