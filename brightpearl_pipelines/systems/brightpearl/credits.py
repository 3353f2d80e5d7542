"""Refunds into Brightpearl as sales credits: planned here, written by `credit_writes` (brightpearl.md §5.6).

A credit is linked to its sales order by `parentId`; `externalRef` (`shop:order:refund`) and the integration instance id
together are unique at the server, so that no repetition can make a second one. Net and tax of each row are the source's
own. The money goes back by payments against the credit (payments.py), never against the order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from brightpearl_pipelines.entities.models import LineKind, OrderStatus, Return, ReturnLine
from brightpearl_pipelines.entities.returned import units_returned
from brightpearl_pipelines.mapping import MappingErrors
from brightpearl_pipelines.store.types import DeadLetter, Delivery, DeliveryState, Golden
from brightpearl_pipelines.systems.brightpearl.order_parts import create_key, external_ref
from brightpearl_pipelines.systems.brightpearl.refunded import returns_of
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.brightpearl.sources import MAPPINGS
from brightpearl_pipelines.systems.brightpearl.tax import nearest_code
from brightpearl_pipelines.systems.contract import Plan, PlanContext, cancel_key

AGREED = ("lines", "total_net", "total_tax", "currency")
"""What of a refund must not change once its credit is booked."""
GONE = (DeliveryState.DEAD, DeliveryState.DISCARDED)


def credit_ref(shop: str, number: str, refund: str) -> str:
    """What the refund is called in the credit's externalRef."""
    return f"{external_ref(shop, number)}:{refund}"


def credit_key(shop: str, number: str, refund: str) -> str:
    """The delivery that books the credit."""
    return f"credit:{credit_ref(shop, number, refund)}"


class _HoldError(Exception):
    """This refund cannot be booked as it is."""

    def __init__(
        self, reason: str, sentence: str, suggestion: str, *, where: str | None = None, waiting_for: Sequence[str] = ()
    ) -> None:
        super().__init__(sentence)
        self.reason, self.sentence, self.suggestion = reason, sentence, suggestion
        self.where, self.waiting_for = where, waiting_for


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """What Brightpearl lacks of these refunds."""
    return _Planner.of(context, [row for row in rows if row.origin.get("reference") in context.shops]).run()


def left_out(context: PlanContext, returns: Sequence[Golden]) -> dict[UUID, str]:
    """Those returns for which no credit is booked by a rule, with its name."""
    planner = _Planner.of(context, returns)
    rules: dict[UUID, str] = {}
    for row in returns:
        try:
            rule = planner.left_out(row)
        except _HoldError:
            continue
        if rule is not None:
            rules[row.id] = rule
    return rules


@dataclass(frozen=True)
class _Around:
    """What is known of the orders that some refunds belong to, looked up together."""

    orders: Mapping[tuple[str, str], Golden]
    in_brightpearl: frozenset[UUID]
    deliveries: Mapping[str, Delivery]
    customers: Mapping[tuple[str, str], UUID]
    products: Mapping[str, Sequence[UUID]]
    returns: Mapping[str, Sequence[Golden]]
    """All returns of an order, by `shop:number`."""


@dataclass
class _Planner:
    context: PlanContext
    rows: Sequence[Golden]
    around: _Around
    deliveries: list[Delivery] = field(default_factory=list)
    held: list[DeadLetter] = field(default_factory=list)
    ignored: dict[UUID, str] = field(default_factory=dict)
    renewed: list[tuple[str, UUID]] = field(default_factory=list)

    @classmethod
    def of(cls, context: PlanContext, rows: Sequence[Golden]) -> "_Planner":
        return cls(context, rows, _look_around(context, rows))

    def run(self) -> Plan:
        for row in self.rows:
            try:
                self._one(row)
            except _HoldError as hold:
                self.held.append(self._letter(row, hold))
        return Plan(self.deliveries, self.held, self.ignored, renewed=self.renewed)

    def _one(self, row: Golden) -> None:
        shop, number = row.origin["reference"], row.content["order_number"]
        key = credit_key(shop, number, row.content["reference"])
        booked = self.around.deliveries.get(key)
        if booked is not None and booked.state not in GONE:
            self._unchanged(row, booked)
            return
        rule = self.left_out(row)
        if rule is not None:
            self.ignored[row.id] = rule
            return
        self._book(row, self._order(row), shop, key)

    def _order(self, row: Golden) -> Golden:
        shop, number = row.origin["reference"], row.content["order_number"]
        order = self.around.orders.get((shop, number))
        if order is None:
            raise _HoldError(
                "reference_not_found",
                f"refund {row.content['reference']}: its order {number} is held or unknown",
                "Mend the order's own dead letter; the refund then goes by itself.",
                waiting_for=[f"order:{shop}:{number}"],
            )
        return order

    def _unchanged(self, row: Golden, booked: Delivery) -> None:
        agreed = booked.payload["agreed"]
        changed = [name for name in AGREED if row.content[name] != agreed[name]]
        if changed:
            raise _HoldError(
                "changed_after_import",
                f"refund {row.content['reference']} of order {row.content['order_number']} changed in the shop after "
                f"its credit was booked: {', '.join(changed)}",
                "Make the same change in Brightpearl's credit, then discard this letter.",
                where=changed[0],
            )

    def left_out(self, row: Golden) -> str | None:
        """The rule by which there is nothing to credit: the money went back another way, or never came.

        Raises _HoldError while the order is not in Brightpearl.
        """
        shop, number, order = row.origin["reference"], row.content["order_number"], self._order(row)
        if order.content.get("progress") == OrderStatus.CANCELLED:
            return "order_cancelled_in_brightpearl"
        cancellation = self.around.deliveries.get(cancel_key(shop, number))
        if cancellation is not None and cancellation.state not in GONE:
            return "paid_back_with_the_cancellation"
        creation = self.around.deliveries.get(create_key(shop, number))
        if order.id in self.around.in_brightpearl or (creation is not None and creation.state not in GONE):
            return None
        if order.content["status"] == OrderStatus.CANCELLED:
            return "order_cancelled_before_import"
        if order.content["status"] == OrderStatus.REFUNDED:
            self.renewed.append(("order", order.id))  # it may have waited for this very refund
        raise _HoldError(
            "order_not_imported",
            f"order {number}, which is refunded, is not in Brightpearl",
            "Mend the order's own dead letter; the refund then goes by itself.",
            waiting_for=[f"order:{self.context.connection}:{order.id}"],
        )

    def _book(self, row: Golden, order: Golden, shop: str, key: str) -> None:
        back = Return.model_validate(row.content)
        name, reference = self.context.connection, credit_ref(shop, back.order_number, back.reference)
        body = self._header(back, order, shop)
        body["rows"] = [self._row(line, back, order) for line in back.lines]
        payload = {
            "body": body,
            "agreed": {name: row.content[name] for name in AGREED},
            "total": {"currency": back.currency, "total": str(-back.total)},
        }
        creation = create_key(shop, back.order_number)
        after = (creation,) if creation in self.around.deliveries else ()
        self.deliveries.append(Delivery(name, "return", row.id, "create", key, payload, after))
        returns = self.around.returns[external_ref(shop, back.order_number)]
        goods = {
            "order": {"$ref": ["order", str(order.id)]},
            "refunded": units_returned(each.content for each in returns),
        }
        if any(line.kind is LineKind.PRODUCT for line in back.lines):
            release = Delivery(name, "return", row.id, "release", f"release:{reference}", {"body": goods}, (key,))
            self.deliveries.append(release)
        restocked = {line.key: line.line for line in back.lines if line.restock}
        if restocked:
            earlier = [each for each in returns if int(each.content["reference"]) < int(back.reference)]
            received = {
                "order": goods["order"],
                "credit": {"$ref": ["return", str(row.id)]},
                "batch": reference,
                "received_at": row.content["returned_at"],
                "lines": restocked,
                "before": units_returned(each.content for each in earlier),
                "refunded": units_returned(each.content for each in (*earlier, row)),
            }
            self.deliveries.append(
                Delivery(name, "return", row.id, "receive", f"receive:{reference}", {"body": received}, (key,))
            )
        # A reservation that still waits for stock must not take what is refunded now.
        self.renewed.append(("order", order.id))

    @property
    def _settings(self) -> BrightpearlSettings:
        settings = self.context.settings
        assert isinstance(settings, BrightpearlSettings)  # noqa: S101 - this planner belongs to this system
        return settings

    def _header(self, back: Return, order: Golden, shop: str) -> dict[str, Any]:
        """Customer, addresses, channel and price mode of the order; currency and rate of the refund."""
        settings, shop_settings = self._settings, self.context.shops[shop]
        content = {**order.content, "placed_at": back.returned_at, "currency": back.currency}
        try:
            body = MAPPINGS["order"].write(content, settings.tables())
        except MappingErrors as errors:
            first = errors.errors[0]
            raise _HoldError("invalid_field", str(errors), first.suggestion, where=first.field) from errors
        customer = self.around.customers.get((shop, order.content["customer_key"]))
        if customer is None:
            raise _HoldError(
                "reference_not_found",
                f"the customer of order {back.order_number}, which is refunded, is held or unknown",
                "Mend the customer's own dead letter; the refund then goes by itself.",
                waiting_for=[f"customer:{shop}:{order.content['customer_key']}"],
            )
        contact = {"$ref": ["customer", str(customer)]}
        rate = back.exchange_rate.quantize(Decimal("0.000001"), ROUND_HALF_UP)
        body |= {
            "externalRef": credit_ref(shop, back.order_number, back.reference),
            "parentId": {"$ref": ["order", str(order.id)]},
            "taxDate": back.returned_at.date().isoformat(),
            "customer": {"id": contact, "address": body["billing"]["address"]},
            "warehouseId": getattr(shop_settings, "warehouses", (2,))[0],
        }
        body["billing"]["contactId"] = contact
        body["currency"] |= {"fixedExchangeRate": True, "exchangeRate": str(rate)}
        channel = getattr(shop_settings, "channels", {}).get(order.content["channel"])
        if channel is not None:
            body["channelId"] = channel
        if back.currency in settings.price_lists:
            body["priceListId"] = settings.price_lists[back.currency]
        return body

    def _row(self, line: ReturnLine, back: Return, order: Golden) -> dict[str, Any]:
        settings = self._settings
        row: dict[str, Any] = {
            "name": line.name,
            "quantity": str(line.quantity),
            # What was refunded at a merchant's own figures need not have a rate of the list: the amounts are his.
            "taxCode": nearest_code(line.net, line.tax, settings.tax_codes),
            "net": str(line.net),
            "tax": str(line.tax),
            "nominalCode": settings.nominal_codes[line.kind],
            "externalRef": line.key,
        }
        if line.kind is LineKind.PRODUCT:
            row["productId"] = {"$ref": ["product", str(self._product(line, back))]}
        return row

    def _product(self, line: ReturnLine, back: Return) -> UUID:
        found = self.around.products.get(line.sku, ())
        if len(found) == 1:
            return found[0]
        raise _HoldError(
            "ambiguous_reference" if found else "reference_not_found",
            f"refund {back.reference} of order {back.order_number}, line {line.key} ({line.name}): {len(found)} "
            f"products in Brightpearl have the SKU {line.sku!r}",
            "Give the product its SKU back in Brightpearl; the refund then goes by itself.",
            where="sku",
            waiting_for=[f"product:{self.context.connection}:{line.sku}"],
        )

    def _letter(self, row: Golden, hold: _HoldError) -> DeadLetter:
        return DeadLetter(
            connection=self.context.connection,
            stage="publish",
            entity="return",
            subject=str(row.id),
            reason=hold.reason,
            sentence=hold.sentence,
            suggestion=hold.suggestion,
            field=hold.where,
            waiting_for=hold.waiting_for,
            payload=row.content,
            golden_id=row.id,
        )


def _look_around(context: PlanContext, rows: Sequence[Golden]) -> _Around:
    hub, name = context.hub, context.connection
    wanted = {(row.origin["reference"], row.content["order_number"]) for row in rows}
    orders: dict[tuple[str, str], Golden] = {}
    customers: dict[tuple[str, str], UUID] = {}
    for shop in {shop for shop, _ in wanted}:
        ids = hub.golden_ids("order", shop, [number for each, number in wanted if each == shop])
        found = hub.goldens("order", ids.values())
        orders |= {(shop, number): found[each] for number, each in ids.items() if each in found}
        keys = {row.content["customer_key"] for row in found.values()}
        customers |= {(shop, key): each for key, each in hub.golden_ids("customer", shop, keys).items()}
    own = [credit_key(row.origin["reference"], row.content["order_number"], row.content["reference"]) for row in rows]
    about = [make(*each) for each in wanted for make in (create_key, cancel_key)]
    skus = {line["sku"] for row in rows for line in row.content["lines"] if line["kind"] == LineKind.PRODUCT}
    candidates = hub.by_keys("product", "sku", skus)
    here = hub.external_ids("product", name, {each for ids in candidates.values() for each in ids})
    return _Around(
        orders,
        frozenset(hub.external_ids("order", name, [each.id for each in orders.values()])),
        hub.deliveries(name, [*own, *about]),
        customers,
        {sku: [each for each in ids if here.get(each)] for sku, ids in candidates.items()},
        returns_of(context, [external_ref(*each) for each in wanted]),
    )
