"""Shop orders into Brightpearl: planned here, written by `order_writes`; their later changes by `order_edit_writes`.

One atomic sales order with all rows; `externalRef` and the integration instance id together are unique at the server,
so that no repetition can make a second one (brightpearl.md §5.5). An order with a line that Brightpearl does not know
is held whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from brightpearl_pipelines.entities.models import Order, OrderStatus
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

    def run(self) -> Plan:
        hub, name = self.context.hub, self.context.connection
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
            self._cancel(row, creation if exists else None)
        elif status == OrderStatus.REFUNDED:
            self._refunded(row, exists=exists)
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
                # Given up before, and with it its payments: they are wanted again.
                self.renewed += [("payment", each) for each in self._payments(row)]

    def _refunded(self, row: Golden, *, exists: bool) -> None:
        """The shop shows the whole order as refunded; `exists`: it was sent to Brightpearl."""
        raise HoldError(
            "refunded_after_import" if exists else "refunded_before_import",
            f"order {row.content['number']} was refunded in the shop",
            "Book the refund in Brightpearl, or cancel the order there, then discard this letter.",
        )

    # -- cancelling -----------------------------------------------------------------------------------------------

    def _cancel(self, row: Golden, creation: Delivery | None) -> None:
        if creation is None:
            self.ignored[row.id] = "cancelled_before_import"
            return
        shop, number = shop_of(row), row.content["number"]
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

    def _create(self, row: Golden, references: References) -> None:
        order = Order.model_validate(row.content)
        shop = shop_of(row)
        body = header(self.context, order, shop, references)
        body["rows"] = [row_body(self.context, line, order, references) for line in order.lines]
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
        self._reserve(row, f"reserve:{shop}:{order.number}", order, references, after=key)

    def _note(self, row: Golden, key: str, *, after: str, **payload: Any) -> None:
        """What the warehouse has to know of an order and no field of it can say (brightpearl.md §5.4)."""
        body = {"order": {"$ref": ["order", str(row.id)]}, "text": row.content["note"]}
        self._intend(row, "note", key, {"body": body, **payload}, after=(after,))

    def _reserve(self, row: Golden, key: str, order: Order, references: References, *, after: str) -> None:
        body = {
            "order": {"$ref": ["order", str(row.id)]},
            "tracked": [{"$ref": ["product", str(each)]} for each in references.tracked(order)],
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
