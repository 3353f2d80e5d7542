"""The arithmetic of an order (bigcommerce.md §2.2, §2.3); pure, in decimals.

Tax is rounded per line. Line prices and totals are before discounts, the order's tax is after them.
With tax-inclusive pricing the `inc` side is exact and the `ex` side derived; otherwise the other way round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal(0)
HUNDRED = Decimal(100)
CENT = Decimal("0.01")
FOUR_PLACES = Decimal("0.0001")


@dataclass(frozen=True)
class TaxRule:
    """How a shop computes tax: which side prices are entered on, and to what tax is rounded."""

    inclusive: bool
    quantum: Decimal = CENT

    def rounded(self, amount: Decimal) -> Decimal:
        return amount.quantize(self.quantum, ROUND_HALF_UP)


@dataclass(frozen=True)
class Amount:
    """One sum on both sides of tax; `base` as it was entered."""

    base: Decimal
    ex: Decimal
    inc: Decimal

    @property
    def tax(self) -> Decimal:
        return self.inc - self.ex


NO_AMOUNT = Amount(ZERO, ZERO, ZERO)


@dataclass(frozen=True)
class PricedLine:
    """A line's unit price and total, before discounts; `rate` in per cent."""

    quantity: int
    rate: Decimal
    unit: Amount
    total: Amount


def tax_within(gross: Decimal, rate: Decimal, rule: TaxRule) -> Decimal:
    """The tax contained in a gross amount."""
    return rule.rounded(gross * rate / (HUNDRED + rate))


def amount_from_net(net: Decimal, rate: Decimal, rule: TaxRule) -> Amount:
    """A net sum as the shop would show it: an inclusive shop enters the gross, rounded to cents."""
    if rule.inclusive:
        gross = (net * (HUNDRED + rate) / HUNDRED).quantize(CENT, ROUND_HALF_UP)
        return Amount(gross, gross - tax_within(gross, rate, rule), gross)
    return Amount(net, net, net + rule.rounded(net * rate / HUNDRED))


def line_from_net(net: Decimal, quantity: int, rate: Decimal, rule: TaxRule) -> PricedLine:
    """A line from its net unit price."""
    unit = amount_from_net(net.quantize(FOUR_PLACES, ROUND_HALF_UP), rate, rule)
    return PricedLine(quantity, rate, unit, _line_total(unit, quantity, rate, rule))


def line_from_gross(gross: Decimal, quantity: int, rate: Decimal, rule: TaxRule) -> PricedLine:
    """A line from its unit price with tax, as an inclusive shop's staff enter it."""
    unit = Amount(gross, gross - tax_within(gross, rate, rule), gross)
    return PricedLine(quantity, rate, unit, _line_total(unit, quantity, rate, rule))


def line_from_pair(ex: Decimal, inc: Decimal, quantity: int, rule: TaxRule) -> PricedLine:
    """A line whose unit price was given on both sides: the tax is what lies between them."""
    unit = Amount(inc if rule.inclusive else ex, ex, inc)
    rate = ((inc - ex) * HUNDRED / ex).quantize(FOUR_PLACES, ROUND_HALF_UP) if ex else ZERO
    total_ex, total_inc = rule.rounded(ex * quantity), rule.rounded(inc * quantity)
    return PricedLine(quantity, rate, unit, Amount(total_inc if rule.inclusive else total_ex, total_ex, total_inc))


def _line_total(unit: Amount, quantity: int, rate: Decimal, rule: TaxRule) -> Amount:
    if rule.inclusive:
        gross = unit.inc * quantity
        return Amount(gross, gross - tax_within(gross, rate, rule), gross)
    net = (unit.ex * quantity).quantize(rule.quantum, ROUND_HALF_UP)
    return Amount(net, net, net + rule.rounded(net * rate / HUNDRED))


def spread(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Share `total` by weight in whole cents; the cents left over go to the largest remainders, earliest first.

    ValueError when there is something to share and nothing to share it over.
    """
    whole = sum(weights, ZERO)
    if total == 0:
        return [ZERO] * len(weights)
    if whole <= 0:
        raise ValueError(f"a discount of {total} has no priced line to lie on")
    exact = [total * weight / whole for weight in weights]
    shares = [share.quantize(CENT, "ROUND_FLOOR") for share in exact]
    left = int(((total - sum(shares, ZERO)) / CENT).to_integral_value(ROUND_HALF_UP))
    by_remainder = sorted(range(len(weights)), key=lambda place: (shares[place] - exact[place], place))
    for place in by_remainder[:left]:
        shares[place] += CENT
    return shares


def tax_after_discount(line: PricedLine, discount: Decimal, rule: TaxRule) -> Decimal:
    """The line's tax once its share of the discounts is gone."""
    if discount == 0:
        return line.total.tax
    return tax_within(line.total.inc - discount, line.rate, rule)
