"""Tax codes for amounts of tax. The source's amounts are kept as they are; the code only names them."""

from collections.abc import Mapping
from decimal import Decimal

from brightpearl_pipelines.entities.money import minor_unit

ZERO = Decimal(0)


class NoSuchRateError(Exception):
    """No tax code has a rate that gives this tax; `rate` is what it comes to, in per cent."""

    def __init__(self, rate: Decimal) -> None:
        super().__init__(f"no tax code has the rate {rate} %")
        self.rate = rate


def untaxed_code(codes: Mapping[Decimal, str]) -> str:
    """The code of the rate 0, or, where none is mapped, the first of all."""
    return codes.get(ZERO) or next(iter(codes.values()))


def nearest_code(net: Decimal, tax: Decimal, codes: Mapping[Decimal, str]) -> str:
    """The code whose rate comes nearest: several rates can give the same pennies on a small amount."""
    if net == 0:
        return untaxed_code(codes)
    return codes[min(codes, key=lambda rate: abs(net * rate / 100 - tax))]


def tax_code(net: Decimal, tax: Decimal, quantity: int, currency: str, codes: Mapping[Decimal, str]) -> str:
    """As `nearest_code`. Raises NoSuchRateError where even the nearest rate's tax is further off than by rounding."""
    code = nearest_code(net, tax, codes)
    if net == 0:
        return code
    slack = minor_unit(currency) * max(quantity, 2)  # each unit's tax was rounded, perhaps
    if min(abs(net * rate / 100 - tax) for rate in codes) > slack:
        raise NoSuchRateError((tax / net * 100).quantize(Decimal("0.01")))
    return code
