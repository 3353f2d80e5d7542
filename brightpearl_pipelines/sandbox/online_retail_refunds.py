"""Finding the order that a cancellation gives money back for."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from brightpearl_pipelines.sandbox.world import DraftOrder

PENNY = Decimal("0.01")


@dataclass(frozen=True)
class RefundItem:
    """So many units back of one line of the order, by the line's index in `DraftOrder.lines`."""

    line_index: int
    quantity: int


@dataclass(frozen=True)
class Refund:
    """What one cancellation takes back of one order; a cancellation over several orders gives several."""

    invoice: str
    order_external_id: str
    items: tuple[RefundItem, ...]
    amount: Decimal
    """With tax, at the cancellation's own prices."""
    amount_differs: bool
    """Whether those prices are not the order's, so that `amount` overrides what the shop would work out."""
    refunded_at: datetime
    line_numbers: tuple[int, ...]
    """The lines of the file that it stands for."""


@dataclass
class Matched:
    """The outcome for one cancellation: refunds, and a reason for each line (by number) that found no order."""

    refunds: list[Refund] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)


@dataclass
class _Ordered:
    """An earlier order and what of each of its lines can still be given back."""

    order: DraftOrder
    codes: list[str]
    units_left: list[int]
    money_left: dict[str, Decimal]
    """By code, net of tax."""

    def lines_of(self, code: str) -> list[int]:
        return [index for index, own in enumerate(self.codes) if own == code]

    def units_of(self, code: str) -> int:
        return sum(self.units_left[index] for index in self.lines_of(code))

    def price_is(self, code: str, price: Decimal) -> bool:
        return any(self.order.lines[index].price == price for index in self.lines_of(code))

    def with_tax(self, code: str, net: Decimal) -> Decimal:
        return net * (1 + self.order.lines[self.lines_of(code)[0]].tax_rate / 100)

    def take(self, code: str, units: int, price: Decimal) -> list[RefundItem]:
        """Take the units off the lines with this code, those at this price first."""
        items = []
        wanted = units
        for index in sorted(self.lines_of(code), key=lambda index: self.order.lines[index].price != price):
            taken = min(wanted, self.units_left[index])
            if taken:
                self.units_left[index] -= taken
                items.append(RefundItem(index, taken))
                wanted -= taken
        self.money_left[code] -= units * price
        return items


WantedLine = tuple[int, str, int, Decimal]
"""Line number, stock code, units to take back (above zero), net unit price."""


class RefundMatcher:
    """Remembers each customer's orders; gives each cancelled line to the latest of them that can bear it.

    An order can bear a line if it has the code in enough units not yet refunded, and as much money for them was paid.
    An order at the cancelled price goes before one at another price.
    """

    def __init__(self) -> None:
        self._orders: dict[str, list[_Ordered]] = defaultdict(list)

    def remember(self, customer_id: str, order: DraftOrder, codes: list[str]) -> None:
        """Add an order; `codes` are the stock codes of its lines, at the same index."""
        ordered = _Ordered(order, codes, [line.quantity for line in order.lines], defaultdict(Decimal))
        for code, line in zip(codes, order.lines, strict=True):
            ordered.money_left[code] += line.quantity * line.price
        self._orders[customer_id].append(ordered)

    def match(self, customer_id: str, invoice: str, wanted: Iterable[WantedLine], instant: datetime) -> Matched:
        """Find an order for each line of one cancellation."""
        outcome = Matched()
        by_order: dict[int, list[WantedLine]] = defaultdict(list)
        items: dict[int, list[RefundItem]] = defaultdict(list)
        differs: set[int] = set()
        earlier = self._orders.get(customer_id, [])
        for line in wanted:
            line_number, code, units, price = line
            position = self._bearer(earlier, code, units, price)
            if position is None:
                outcome.reasons[line_number] = _why_no_order(earlier, code, units)
                continue
            found = earlier[position].take(code, units, price)
            by_order[position].append(line)
            items[position].extend(found)
            if any(earlier[position].order.lines[item.line_index].price != price for item in found):
                differs.add(position)
        for position, lines in sorted(by_order.items()):
            ordered = earlier[position]
            amount = sum((ordered.with_tax(code, units * price) for _, code, units, price in lines), Decimal(0))
            outcome.refunds.append(
                Refund(
                    invoice=invoice,
                    order_external_id=ordered.order.external_id or "",
                    items=_merged(items[position]),
                    amount=amount.quantize(PENNY, ROUND_HALF_UP),
                    amount_differs=position in differs,
                    refunded_at=instant,
                    line_numbers=tuple(line_number for line_number, *_ in lines),
                )
            )
        return outcome

    def _bearer(self, earlier: list[_Ordered], code: str, units: int, price: Decimal) -> int | None:
        able = [
            position
            for position, ordered in enumerate(earlier)
            if code in ordered.codes and ordered.units_of(code) >= units and ordered.money_left[code] >= units * price
        ]
        same_price = [position for position in able if earlier[position].price_is(code, price)]
        best = same_price or able
        return best[-1] if best else None


def _merged(items: list[RefundItem]) -> tuple[RefundItem, ...]:
    units: dict[int, int] = defaultdict(int)
    for item in items:
        units[item.line_index] += item.quantity
    return tuple(RefundItem(index, quantity) for index, quantity in sorted(units.items()))


def _why_no_order(earlier: list[_Ordered], code: str, units: int) -> str:
    if not earlier:
        return "the customer has no earlier order in the file"
    containing = [ordered for ordered in earlier if code in ordered.codes]
    if not containing:
        return f"no earlier order of the customer contains {code}"
    left = max(ordered.units_of(code) for ordered in containing)
    if left < units:
        return f"{units} of {code} go back, but no earlier order has more than {left} left to refund"
    return f"more money would go back for {code} than was paid"
