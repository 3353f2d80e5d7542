"""What a BigCommerce refund pays back, line by line, with the shop's own money and the shop's own tax (§2.8). Pure.

A refund states its total and the tax in it, and of each item at most what is paid back with tax: how the tax lies on
the items is not said. So it is laid on them as it lies on the order's lines, and what rounding leaves goes to the
largest remainders; the sums are always the refund's. Where the merchant's own figures say less than the items are
worth, every item gives way in proportion; what they say more is a line of its own, named so. An amount off the order as
a whole has no tax unless the refund says so. No rate is ever applied.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.entities.models import LineKind, OrderStatus
from brightpearl_pipelines.entities.money import allocate, minor_unit, to_minor_unit
from brightpearl_pipelines.store.types import Json
from brightpearl_pipelines.systems.bigcommerce import orders

ZERO = Decimal(0)
KINDS: Mapping[str, tuple[LineKind, str]] = {
    "PRODUCT": (LineKind.PRODUCT, ""),
    "GIFT_WRAPPING": (LineKind.WRAPPING, "Gift wrapping"),
    "SHIPPING": (LineKind.SHIPPING, "Shipping"),
    "HANDLING": (LineKind.HANDLING, "Handling"),
    "FEE": (LineKind.FEE, "Fee"),
    "ORDER": (LineKind.CUSTOM, "Refund on the order"),
    "TAX": (LineKind.CUSTOM, "Tax adjustment"),
}
ADJUSTMENT = "Adjustment"


@dataclass(frozen=True)
class _Part:
    """A line to be: `gross` with tax; `share` is the part of it that is tax, as on the order's line."""

    key: str
    kind: LineKind
    name: str
    gross: Decimal
    share: Decimal = ZERO
    more: Mapping[str, Any] = field(default_factory=dict)
    tax: Decimal = ZERO
    quantity: int = 1


def lines(refund: Json, order: Json, *, restock: bool) -> list[dict[str, Any]]:
    """The lines of a return, adding up to `totals`; empty when nothing at all is paid or taken back.

    `restock`: whether goods that are refunded come back. Raises LookupError for an item of a kind that is not known, or
    of a line that the order has not.
    """
    currency = str(order["default_currency_code"])
    total, tax = gross_and_tax(refund, order)
    parts = _unique(list(_parts(refund, order, currency, restock=restock)))
    parts = _taxed(_paid(parts, total, currency), tax, currency)
    return [
        {
            "key": part.key,
            "kind": part.kind.value,
            "name": part.name,
            "quantity": part.quantity,
            "net": part.gross - part.tax,
            "tax": part.tax,
            **part.more,
        }
        for part in parts
        if part.gross or part.tax or part.kind is LineKind.PRODUCT
    ]


def gross_and_tax(refund: Json, order: Json) -> tuple[Decimal, Decimal]:
    """What is paid back, and the tax in it, in the order's currency."""
    currency = str(order["default_currency_code"])
    return (
        to_minor_unit(Decimal(str(refund["total_amount"])), currency),
        to_minor_unit(Decimal(str(refund.get("total_tax") or 0)), currency),
    )


def _parts(refund: Json, order: Json, currency: str, *, restock: bool) -> Iterator[_Part]:
    of_order = {str(line["key"]): line for line in orders.lines(order, {})}
    for item in refund.get("items") or []:
        kind, name = KINDS[item["item_type"]]
        line = _line_of(kind, item, of_order)
        if kind is LineKind.PRODUCT:
            yield _goods(item, line, currency, restock=restock)
            continue
        label = str(item["item_type"]).lower().replace("_", "-")
        more = {"line": line["key"]} if line else {}
        yield _Part(
            f"{label}-{item['item_id']}",
            kind,
            str(line["name"]) if line else str(item.get("reason") or "") or name,
            _asked(item) or ZERO,
            _share(line),
            more,
        )


def _line_of(kind: LineKind, item: Json, of_order: Mapping[str, Json]) -> Json:
    """The order's line that an item names; nothing for an amount off the order, or for a cost that is no line there."""
    id_ = str(item["item_id"])
    if kind is LineKind.PRODUCT:
        return of_order[id_]
    if kind is LineKind.CUSTOM:
        return {}
    # Costs are lines of their own: per address, per order product, or one of the whole order.
    return of_order.get(f"{kind.value}-{id_}") or of_order.get(kind.value) or {}


def _goods(item: Json, line: Json, currency: str, *, restock: bool) -> _Part:
    quantity = int(item["quantity"])
    gross = _asked(item)
    if gross is None:
        worth = (line["net"] + line["tax"]) * quantity / line["quantity"]
        off = sum((Decimal(str(each["amount"])) for each in item.get("adjustments") or []), ZERO)
        gross = to_minor_unit(worth + off, currency)
    # What has no product behind it in the order has none here.
    kind = LineKind(line["kind"])
    more = {
        "line": str(line["key"]),
        "sku": str(line.get("sku") or ""),
        "restock": restock and kind is LineKind.PRODUCT,
    }
    return _Part(str(line["key"]), kind, str(line["name"]), gross, _share(line), more, quantity=quantity)


def _asked(item: Json) -> Decimal | None:
    """The item's own amount; the API may leave it out where a quantity says enough (§2.8)."""
    amount = item.get("requested_amount")
    return None if amount is None else Decimal(str(amount))


def _share(line: Json) -> Decimal:
    gross = line["net"] + line["tax"] if line else ZERO
    return Decimal(line["tax"] / gross) if gross else ZERO


def _unique(parts: Sequence[_Part]) -> list[_Part]:
    """Two items may name one line: the second gets a key of its own."""
    met: dict[str, int] = {}
    found = []
    for part in parts:
        met[part.key] = met.get(part.key, 0) + 1
        found.append(part if met[part.key] == 1 else replace(part, key=f"{part.key}-{met[part.key]}"))
    return found


def _paid(parts: list[_Part], total: Decimal, currency: str) -> list[_Part]:
    """The parts with gross amounts that add up to the total."""
    asked = [to_minor_unit(part.gross, currency) for part in parts]
    over = total - sum(asked, ZERO)
    if over > minor_unit(currency) * len(parts) or (over and not sum(asked, ZERO)):
        asked = [*asked, over]
        parts = [*parts, _Part("adjustment", LineKind.CUSTOM, ADJUSTMENT, over)]
    elif over:
        asked = allocate(total, asked, currency)
    return [replace(part, gross=gross) for part, gross in zip(parts, asked, strict=True)]


def _taxed(parts: list[_Part], tax: Decimal, currency: str) -> list[_Part]:
    """The parts with tax that adds up to the refund's."""
    exact = [part.gross * part.share for part in parts]
    amounts = [to_minor_unit(each, currency) for each in exact]
    left = tax - sum(amounts, ZERO)
    if left and parts[-1].name == ADJUSTMENT and left == parts[-1].gross:
        amounts[-1] = left  # tax that was overcharged, given back as such
    elif left:
        weights = exact if any(exact) else [part.gross for part in parts]
        amounts = allocate(tax, weights, currency)
    return [replace(part, tax=amount) for part, amount in zip(parts, amounts, strict=True)]


def status_with_refunds(order: Json, status: str) -> str:
    """Where a partly refunded order stands: the shop's status hides whether it was shipped (§2.5), its counts tell."""
    if status != OrderStatus.PARTIALLY_REFUNDED.value:
        return status
    shipped, ordered = int(order.get("items_shipped") or 0), int(order.get("items_total") or 0)
    if not shipped:
        return status
    return (OrderStatus.SHIPPED if shipped >= ordered else OrderStatus.PARTIALLY_SHIPPED).value
