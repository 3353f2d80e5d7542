"""Amounts of money: decimals in the currency's minor unit, never floats."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel.core import get_global


@lru_cache(maxsize=256)
def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency: 0.01 for GBP, 1 for JPY, 0.001 for KWD (source: CLDR, through Babel)."""
    fractions: Mapping[str, tuple[int, ...]] = get_global("currency_fractions")
    digits = fractions.get(currency, fractions["DEFAULT"])[0]
    return Decimal(1).scaleb(-digits)


def to_minor_unit(amount: Decimal, currency: str) -> Decimal:
    """Round half up to the currency's minor unit, as invoices do."""
    return amount.quantize(minor_unit(currency), ROUND_HALF_UP)


def allocate(total: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Split `total` in proportion to `weights` without losing a penny (largest remainder; ties to the earlier share).

    Weights may not be negative; if all are zero the first share takes everything. Raises ValueError without weights.
    """
    if not weights:
        raise ValueError("nothing to allocate to: no weights")
    if any(weight < 0 for weight in weights):
        raise ValueError(f"weights may not be negative: {[str(weight) for weight in weights]}")
    unit = minor_unit(currency)
    units = int((to_minor_unit(total, currency) / unit).to_integral_value())
    whole = sum(weights, Decimal(0))
    if whole == 0:
        return [units * unit, *(Decimal(0) * unit for _ in weights[1:])]
    sign, units = (-1, -units) if units < 0 else (1, units)
    exact = [units * weight / whole for weight in weights]
    shares = [int(share.to_integral_value(ROUND_FLOOR)) for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[: units - sum(shares)]:
        shares[i] += 1
    return [sign * share * unit for share in shares]
