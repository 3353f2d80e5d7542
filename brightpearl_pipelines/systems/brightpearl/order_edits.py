"""What a shop changed of an order after its import, and how much of that can be carried over.

Rows can be added, changed and removed, the way of shipping and the customer be replaced. Addresses, currency, rate,
channel and price mode of an order cannot be changed through the API (brightpearl.md §5.4, §5.5): they are held until
Brightpearl shows them, which it does once a person has typed them there. What a person changed in Brightpearl is left
alone unless the shop changed the very same line.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from brightpearl_pipelines.entities.models import LineKind, Order
from brightpearl_pipelines.store.types import Golden, Json
from brightpearl_pipelines.systems.brightpearl.order_parts import (
    HoldError,
    References,
    channels_of,
    mapped_body,
    row_body,
    settings_of,
    shipping_method_id,
    shop_of,
    wire_rate,
)
from brightpearl_pipelines.systems.contract import PlanContext

FIXED = ("billing", "delivery", "currency", "exchange_rate", "channel", "tax_inclusive")
"""What Brightpearl's API does not change once the order is there."""
WRITTEN = ("lines", "shipping_method", "customer_key")
AGREED = (*WRITTEN, *FIXED, "total_net", "total_tax", "note")
"""What is remembered of an order when Brightpearl has taken it."""

_Line = Mapping[str, Any]


def differences(content: Json, agreed: Json) -> list[str]:
    """The fields that are not as they were agreed; what was never agreed on is not one of them."""
    changed = [
        name
        for name in (*FIXED, "shipping_method", "customer_key", "note")
        if content[name] != agreed.get(name, content[name])
    ]
    lines = agreed.get("lines", content["lines"])
    return [*changed, "lines"] if _by_key(content["lines"]) != _by_key(lines) else changed


def _by_key(lines: Sequence[_Line]) -> dict[str, tuple[Any, ...]]:
    """What a row says of each line. The name of a product is the product's own affair."""
    return {
        line["key"]: (
            line["kind"],
            line["sku"],
            line["quantity"],
            Decimal(line["net"]),
            Decimal(line["tax"]),
            "" if line["kind"] == LineKind.PRODUCT else line["name"],
        )
        for line in lines
    }


class Edit:
    """The changes of one order: what is written, what is shown to people, what has to be held."""

    def __init__(
        self, context: PlanContext, row: Golden, agreed: Json, changed: Sequence[str], references: References
    ) -> None:
        self.order = Order.model_validate(row.content)
        self._context, self._row, self._agreed, self._changed = context, row, agreed, changed
        self._references = references
        self._before = _by_key(agreed.get("lines", row.content["lines"]))
        self._after = _by_key(row.content["lines"])

    @property
    def writes(self) -> bool:
        """Whether anything of it can be written."""
        return any(name in self._changed for name in WRITTEN)

    @property
    def moves_goods(self) -> bool:
        """Whether something else is to be reserved than before."""
        return _goods(self._before) != _goods(self._after)

    def payload(self) -> dict[str, Any]:
        """The payload of the delivery; rows are named by their externalRef. Raises HoldError."""
        order, context = self.order, self._context
        changed = {key for key, facts in self._after.items() if self._before.get(key) != facts}
        body: dict[str, Any] = {
            "order": {"$ref": ["order", str(self._row.id)]},
            "changed": list(self._changed),
            "set": [row_body(context, line, order, self._references) for line in order.lines if line.key in changed],
            "gone": sorted(self._before.keys() - self._after.keys()),
        }
        if "shipping_method" in self._changed:
            body["shipping_method"] = shipping_method_id(order, settings_of(context))
        if "customer_key" in self._changed:
            customer = self._references.customer(shop_of(self._row), order)
            body["customer"] = {"$ref": ["customer", str(customer)]}
        held_back = {name: self._agreed[name] for name in (*FIXED, "note") if name in self._agreed}
        agreed = {**{name: self._row.content[name] for name in AGREED}, **held_back}
        return {
            "body": body,
            "agreed": agreed,
            "total": {"currency": order.currency, "total": str(order.total)},
        }

    def details(self) -> list[tuple[str, Any, Any]]:
        """(field, before, after), for the reader of a dry run."""
        found: list[tuple[str, Any, Any]] = [
            (name, self._agreed.get(name), self._row.content[name])
            for name in ("shipping_method", "customer_key")
            if name in self._changed
        ]
        for key in sorted(self._before.keys() | self._after.keys()):
            before, after = self._before.get(key), self._after.get(key)
            if before != after:
                found.append((f"line {key}", _told(before), _told(after)))
        return found

    # -- what the API does not change -----------------------------------------------------------------------------

    def unwritable(self) -> HoldError | None:
        """Why a part of it has to be held; None if nothing has, or Brightpearl shows it all by now."""
        fields = [name for name in FIXED if name in self._changed and not self._shown(name)]
        if not fields:
            return None
        names = ", ".join(fields)
        waiting = [f"order:{self._context.connection}:{each}" for each in self._ids or (self._row.id,)]
        return HoldError(
            "not_changeable",
            f"order {self.order.number} was edited in the shop after its import, and Brightpearl's API does not change "
            f"this of an order: {names}",
            "Make the change in Brightpearl by hand; this letter goes by itself once Brightpearl shows it.",
            where=fields[0],
            value=str(self._row.content[fields[0]]) if fields[0] not in ("billing", "delivery") else None,
            waiting_for=waiting,
        )

    @cached_property
    def _ids(self) -> Sequence[str]:
        name = self._context.connection
        return self._context.hub.external_ids("order", name, [self._row.id]).get(self._row.id, ())

    @cached_property
    def _record(self) -> Json:
        """Brightpearl's order as it was last read; empty if it was not."""
        found = self._context.hub.records(self._context.connection, "orders", self._ids)
        return next((record.payload for record in found.values() if not record.deleted), {})

    def _shown(self, name: str) -> bool:
        return bool(self._record) and _SHOWN[name](self, self._record)

    def _shows_address(self, record: Json, role: str) -> bool:
        wanted = mapped_body(self.order, settings_of(self._context))[role]["address"]
        found = {**record["parties"][role]}
        # Sent with three letters, and shown with both (§11.22).
        found["countryIsoCode"] = found.get("countryIsoCode3", "")
        return all(str(found.get(field) or "") == str(value or "") for field, value in wanted.items())

    def _shows_channel(self, record: Json) -> bool:
        channel = channels_of(self._context.shops[shop_of(self._row)]).get(self.order.channel)
        return bool(record["assignment"]["current"]["channelId"] == channel)


_SHOWN: Mapping[str, Callable[[Edit, Json], bool]] = {
    "billing": lambda edit, record: edit._shows_address(record, "billing"),
    "delivery": lambda edit, record: edit._shows_address(record, "delivery"),
    "currency": lambda edit, record: record["currency"]["orderCurrencyCode"] == edit.order.currency,
    "exchange_rate": lambda edit, record: Decimal(record["currency"]["exchangeRate"]) == wire_rate(edit.order),
    "channel": lambda edit, record: edit._shows_channel(record),
    "tax_inclusive": lambda edit, record: (record["priceModeCode"] == "INC") is edit.order.tax_inclusive,
}


def _goods(lines: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """SKU and quantity of the product lines."""
    return {key: facts[1:3] for key, facts in lines.items() if facts[0] == LineKind.PRODUCT}


def _told(facts: tuple[Any, ...] | None) -> str | None:
    if facts is None:
        return None
    kind, sku, quantity, net, tax, name = facts
    return f"{quantity} × {sku or name or kind}, {net} + {tax} tax"
