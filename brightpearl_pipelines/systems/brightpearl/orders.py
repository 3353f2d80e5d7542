"""Shop orders into Brightpearl: planned here, written by `order_writes`; their later changes by `order_edit_writes`.

One atomic sales order with all rows; `externalRef` and the integration instance id together are unique at the server,
so that no repetition can make a second one (brightpearl.md §5.5). An order with a line that Brightpearl does not know
is held whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from brightpearl_pipelines.entities.models import Order, OrderStatus
from brightpearl_pipelines.entities.returned import units_returned
from brightpearl_pipelines.store.types import DeadLetter, Delivery, DeliveryState, Golden
from brightpearl_pipelines.systems.brightpearl.customers import create_key as customer_create_key
from brightpearl_pipelines.systems.brightpearl.order_edits import AGREED, Edit, differences
from brightpearl_pipelines.systems.brightpearl.order_parts import (
    HoldError,
    References,
    create_key,
    external_ref,
    header,
    letter,
    row_body,
    settings_of,
    shop_of,
)
from brightpearl_pipelines.systems.brightpearl.refunded import returns_of, total_refunded
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.contract import Plan, PlanContext, cancel_key

WAITING = {
    OrderStatus.INCOMPLETE.value: "order_incomplete",
    OrderStatus.AWAITING_PAYMENT.value: "order_awaiting_payment",
}
UNSENT = (DeliveryState.PENDING, DeliveryState.FAILED)
"""States of a creation of which Brightpearl surely knows nothing."""


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """What Brightpearl lacks of these orders."""
    return _Planner(context, [row for row in rows if row.origin.get("number") in context.shops]).run()


@dataclass
class _Planner:
    context: PlanContext
    rows: Sequence[Golden]
    deliveries: list[Delivery] = field(default_factory=list)
    held: list[DeadLetter] = field(default_factory=list)
    ignored: dict[UUID, str] = field(default_factory=dict)
    superseded: list[tuple[UUID, str]] = field(default_factory=list)
    renewed: list[tuple[str, UUID]] = field(default_factory=list)
    details: dict[UUID, Sequence[tuple[str, Any, Any]]] = field(default_factory=dict)
    returns: Mapping[str, Sequence[Golden]] = field(default_factory=dict)
    """What was refunded of the orders, by `shop:number`."""

    def run(self) -> Plan:
        hub, name = self.context.hub, self.context.connection
        wanted = [external_ref(shop_of(row), row.content["number"]) for row in self.rows]
        self.returns = returns_of(self.context, wanted)
        made = hub.deliveries(name, [create_key(shop_of(row), row.content["number"]) for row in self.rows])
        agreed = hub.agreed("order", name, [row.id for row in self.rows])
        references = References.of(self.context, self.rows)
        for row in self.rows:
            creation = made.get(create_key(shop_of(row), row.content["number"]))
            try:
                self._one(row, creation, agreed.get(row.id), references)
            except HoldError as hold:
                self.held.append(letter(self.context, row, hold))
        return Plan(self.deliveries, self.held, self.ignored, self.superseded, self.renewed, details=self.details)

    def _one(
        self, row: Golden, creation: Delivery | None, agreed: Mapping[str, Any] | None, references: References
    ) -> None:
        status = row.content["status"]
        # A creation that was refused or given up never reached Brightpearl.
        exists = creation is not None and creation.state not in (DeliveryState.DEAD, DeliveryState.DISCARDED)
        if status == OrderStatus.CANCELLED:
            self._cancel(row, creation if exists else None, references)
        elif status == OrderStatus.REFUNDED:
            self._refunded(row, creation, exists=exists, references=references)
        elif exists and creation is not None:
            self._imported(row, creation, agreed or creation.payload["agreed"], references)
        elif row.content.get("archived"):
            self.ignored[row.id] = "order_archived"
        elif status in WAITING:
            self.ignored[row.id] = WAITING[status]
        elif status in (OrderStatus.SHIPPED, OrderStatus.PARTIALLY_SHIPPED):
            raise HoldError(
                "shipped_before_import",
                f"order {row.content['number']} was shipped in the shop before it reached Brightpearl",
                "Enter it in Brightpearl by hand if it is to be booked there, then discard this letter.",
            )
        else:
            self._create(row, references)
            if creation is not None:
                self._wanted_again(row)

    # -- refunds --------------------------------------------------------------------------------------------------

    def _returns(self, row: Golden) -> Sequence[Golden]:
        return self.returns[external_ref(shop_of(row), row.content["number"])]

    def _refunded(self, row: Golden, creation: Delivery | None, *, exists: bool, references: References) -> None:
        """The shop shows the whole order as refunded. It is booked as it was sold, its credits follow it, and nothing
        of it is packed; the shop's status alone moves no money (bigcommerce.md §2.8)."""
        shop, number = shop_of(row), row.content["number"]
        cancelled = self.context.hub.deliveries(self.context.connection, [cancel_key(shop, number)])
        if cancelled or row.content.get("progress") == OrderStatus.CANCELLED:
            self.ignored[row.id] = "cancelled_before_it_was_refunded"
            return
        back = total_refunded(self._returns(row))
        total = _total(row)
        if back < total:
            raise HoldError(
                "refund_not_found",
                f"order {number} is marked as refunded in the shop, but of its {total} only {back} was refunded there",
                "Refund it in the shop, since a status alone moves no money, or give it another status.",
                where="status",
                waiting_for=[f"return:{shop}:{number}"],
            )
        if creation is not None and exists and creation.state not in UNSENT:
            body = {"order": {"$ref": ["order", str(row.id)]}, "status": _stopped(settings_of(self.context))}
            self.superseded += [(row.id, kind) for kind in ("reserve", "edit")]
            self._intend(row, "stop", f"stop:{shop}:{number}", {"body": body}, after=(creation.key,))
            return
        self.superseded += [(row.id, kind) for kind in ("create", "note", "reserve")]
        self._create(row, references, status=_stopped(settings_of(self.context)))
        if creation is not None:
            self._wanted_again(row)

    def _wanted_again(self, row: Golden) -> None:
        """The order was given up before, and with it its payments."""
        self.renewed += [("payment", each) for each in self._payments(row)]

    def _reserve_less(self, row: Golden, creation: Delivery, references: References) -> None:
        """A reservation that still waits for stock must not take what was refunded meanwhile."""
        key = f"reserve:{shop_of(row)}:{row.content['number']}"
        waiting = self.context.hub.deliveries(self.context.connection, [key]).get(key)
        units = units_returned(each.content for each in self._returns(row))
        if waiting is None or waiting.state not in UNSENT or waiting.payload["body"].get("refunded", {}) == units:
            return
        self.superseded.append((row.id, "reserve"))
        self._reserve(row, key, Order.model_validate(row.content), references, after=creation.key)

    # -- cancelling -----------------------------------------------------------------------------------------------

    def _cancel(self, row: Golden, creation: Delivery | None, references: References) -> None:
        if creation is None:
            self.ignored[row.id] = "cancelled_before_import"
            return
        shop, number = shop_of(row), row.content["number"]
        if returns := self._returns(row):
            if total_refunded(returns) >= _total(row):
                self._refunded(row, creation, exists=True, references=references)
                return
            raise HoldError(
                "cancelled_after_refund",
                f"order {number} was cancelled in the shop after {total_refunded(returns)} of it was refunded there",
                "Refund the rest in the shop as well, or set the order right in Brightpearl, then discard this letter.",
                where="status",
            )
        self.superseded += [(row.id, kind) for kind in ("reserve", "edit", "note")]
        self.superseded += [(each, "record") for each in self._payments(row)]
        if row.content.get("progress") == OrderStatus.CANCELLED:
            self.ignored[row.id] = "cancelled_in_brightpearl"
            return
        if self.context.hub.deliveries(shop, [cancel_key(shop, number)]):
            raise HoldError(
                "reopened_in_brightpearl",
                f"order {number} was cancelled in Brightpearl, the shop followed, and now it is open there again",
                "Cancel it again in Brightpearl, or give it another status in the shop.",
                where="progress",
            )
        if creation.state is DeliveryState.PENDING:
            self.superseded.append((row.id, "create"))
            self.ignored[row.id] = "cancelled_before_import"
            return
        body = {
            "order": {"$ref": ["order", str(row.id)]},
            "external_ref": external_ref(shop, number),
            "status": settings_of(self.context).order_statuses[OrderStatus.CANCELLED],
            "currency": row.content["currency"],
        }
        key = cancel_key(shop, number)
        self._intend(row, "cancel", key, {"body": body}, after=(creation.key,))

    def _payments(self, row: Golden) -> list[UUID]:
        name = f"{shop_of(row)}:{row.content['number']}"
        return [each for ids in self.context.hub.by_keys("payment", "order", [name]).values() for each in ids]

    # -- creating -------------------------------------------------------------------------------------------------

    def _create(self, row: Golden, references: References, *, status: int | None = None) -> None:
        """Intend the order with all that belongs to it; with `status`, as one that is not to be packed."""
        order = Order.model_validate(row.content)
        shop = shop_of(row)
        body = header(self.context, order, shop, references)
        body["rows"] = [row_body(self.context, line, order, references) for line in order.lines]
        body["statusId"] = body["statusId"] if status is None else status
        customer = references.customer(shop, order)
        body["customer"] = {"id": {"$ref": ["customer", str(customer)]}, "address": body["billing"]["address"]}
        body["billing"]["contactId"] = {"$ref": ["customer", str(customer)]}
        known = references.contacts.get(customer)
        key = create_key(shop, order.number)
        payload = {
            "body": body,
            "agreed": {name: row.content[name] for name in AGREED},
            "total": {"currency": order.currency, "total": str(order.total)},
        }
        self._intend(row, "create", key, payload, after=() if known else (customer_create_key(customer),))
        if order.note:
            self._note(row, f"note:{shop}:{order.number}", after=key)
        if status is None:
            self._reserve(row, f"reserve:{shop}:{order.number}", order, references, after=key)

    def _note(self, row: Golden, key: str, *, after: str, **payload: Any) -> None:
        """What the warehouse has to know of an order and no field of it can say (brightpearl.md §5.4)."""
        body = {"order": {"$ref": ["order", str(row.id)]}, "text": row.content["note"]}
        self._intend(row, "note", key, {"body": body, **payload}, after=(after,))

    def _reserve(self, row: Golden, key: str, order: Order, references: References, *, after: str) -> None:
        body = {
            "order": {"$ref": ["order", str(row.id)]},
            "tracked": [{"$ref": ["product", str(each)]} for each in references.tracked(order)],
            "refunded": units_returned(each.content for each in self._returns(row)),
        }
        self._intend(row, "reserve", key, {"body": body}, after=(after,))

    def _intend(self, row: Golden, kind: str, key: str, payload: dict[str, Any], *, after: tuple[str, ...]) -> None:
        self.deliveries.append(Delivery(self.context.connection, "order", row.id, kind, key, payload, after))

    # -- changing -------------------------------------------------------------------------------------------------

    def _imported(self, row: Golden, creation: Delivery, agreed: Mapping[str, Any], references: References) -> None:
        """Carry over what the shop changed since Brightpearl last held the same."""
        # An edit that has not gone out yet is overtaken by what the order is now, be it what it was before.
        self.superseded.append((row.id, "edit"))
        changed = differences(row.content, agreed)
        if not changed:
            self._reserve_less(row, creation, references)
            return
        if row.content.get("progress") == OrderStatus.CANCELLED:
            self.ignored[row.id] = "cancelled_in_brightpearl"
            return
        if creation.state in UNSENT:
            self.superseded += [(row.id, kind) for kind in ("create", "note", "reserve")]
            self._create(row, references)
            return
        edit = Edit(self.context, row, agreed, changed, references)
        stem = f"{row.version}:{shop_of(row)}:{row.content['number']}"
        if edit.writes:
            self._intend(row, "edit", f"edit:{stem}", edit.payload(), after=(creation.key,))
            self.details[row.id] = edit.details()
        if "note" in changed and row.content["note"]:
            base = {**agreed, **(edit.payload()["agreed"] if edit.writes else {}), "note": row.content["note"]}
            self._note(row, f"note:{stem}", after=creation.key, agreed=base)
        if edit.moves_goods:
            self.superseded.append((row.id, "reserve"))
            self._reserve(row, f"reserve:{stem}", edit.order, references, after=f"edit:{stem}")
        stuck = edit.unwritable()
        if stuck is not None:
            self.held.append(letter(self.context, row, stuck))


def _total(row: Golden) -> Decimal:
    return Decimal(row.content["total_net"]) + Decimal(row.content["total_tax"])


def _stopped(settings: BrightpearlSettings) -> int:
    """Brightpearl's status for orders that were refunded as a whole. Raises HoldError."""
    status = settings.order_statuses.get(OrderStatus.REFUNDED)
    if status is None:
        raise HoldError(
            "unmapped_value",
            "connections.yaml does not say which status Brightpearl gives to refunded orders (order_statuses)",
            "Add `refunded`, a status that your warehouse leaves alone, to order_statuses, then retry this letter.",
            where="status",
            value=OrderStatus.REFUNDED.value,
        )
    return status
