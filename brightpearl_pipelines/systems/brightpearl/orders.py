"""Shop orders into Brightpearl: planned here, written by `order_writes`.

One atomic sales order with all rows; `externalRef` and the integration instance id together are unique at the server,
so that no repetition can make a second one (brightpearl.md §5.5). An order with a line that Brightpearl does not know
is held whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from brightpearl_pipelines.entities.models import LineKind, Order, OrderLine, OrderStatus
from brightpearl_pipelines.mapping import MappingErrors
from brightpearl_pipelines.store.types import DeadLetter, Delivery, DeliveryState, Golden, Record
from brightpearl_pipelines.systems.brightpearl.customers import create_key as customer_create_key
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.brightpearl.sources import MAPPINGS
from brightpearl_pipelines.systems.brightpearl.tax import NoSuchRateError, tax_code, untaxed_code
from brightpearl_pipelines.systems.contract import Plan, PlanContext, Settings, cancel_key

EDITABLE = ("lines", "total_net", "total_tax", "delivery", "billing", "currency")
"""What of an order must not have changed since it was imported."""
WAITING = {
    OrderStatus.INCOMPLETE.value: "order_incomplete",
    OrderStatus.AWAITING_PAYMENT.value: "order_awaiting_payment",
}


def external_ref(shop: str, number: str) -> str:
    """What the order is called in Brightpearl's externalRef."""
    return f"{shop}:{number}"


def create_key(shop: str, number: str) -> str:
    """The delivery that creates the order."""
    return f"order:{shop}:{number}"


class HoldError(Exception):
    """This order cannot go as it is."""

    def __init__(
        self,
        reason: str,
        sentence: str,
        suggestion: str,
        *,
        where: str | None = None,
        value: str | None = None,
        waiting_for: Sequence[str] = (),
    ) -> None:
        super().__init__(sentence)
        self.reason, self.sentence, self.suggestion = reason, sentence, suggestion
        self.where, self.value, self.waiting_for = where, value, waiting_for


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

    def run(self) -> Plan:
        hub, name = self.context.hub, self.context.connection
        made = hub.deliveries(name, [create_key(_shop(row), row.content["number"]) for row in self.rows])
        agreed = hub.agreed("order", name, [row.id for row in self.rows])
        references = _References.of(self.context, self.rows)
        for row in self.rows:
            creation = made.get(create_key(_shop(row), row.content["number"]))
            try:
                self._one(row, creation, agreed.get(row.id), references)
            except HoldError as hold:
                self.held.append(self._letter(row, hold))
        return Plan(self.deliveries, self.held, self.ignored, self.superseded, self.renewed)

    def _one(
        self, row: Golden, creation: Delivery | None, agreed: Mapping[str, Any] | None, references: "_References"
    ) -> None:
        status = row.content["status"]
        # A creation that was refused or given up never reached Brightpearl.
        exists = creation is not None and creation.state not in (DeliveryState.DEAD, DeliveryState.DISCARDED)
        if status == OrderStatus.CANCELLED:
            self._cancel(row, creation if exists else None)
        elif status == OrderStatus.REFUNDED:
            self._refunded(row, exists=exists)
        elif exists and creation is not None:
            self._imported(row, agreed or creation.payload["agreed"])
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

    def _cancel(self, row: Golden, creation: Delivery | None) -> None:
        if creation is None:
            self.ignored[row.id] = "cancelled_before_import"
            return
        shop, number = _shop(row), row.content["number"]
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
            "status": self._settings.order_statuses[OrderStatus.CANCELLED],
            "currency": row.content["currency"],
        }
        self.deliveries.append(
            Delivery(
                self.context.connection,
                "order",
                row.id,
                "cancel",
                cancel_key(shop, number),
                {"body": body},
                after=(creation.key,),
            )
        )

    def _payments(self, row: Golden) -> list[UUID]:
        name = f"{_shop(row)}:{row.content['number']}"
        return [each for ids in self.context.hub.by_keys("payment", "order", [name]).values() for each in ids]

    def _imported(self, row: Golden, agreed: Mapping[str, Any]) -> None:
        changed = [name for name in EDITABLE if row.content[name] != agreed.get(name, row.content[name])]
        if changed:
            raise HoldError(
                "edited_after_import",
                f"order {row.content['number']} was edited in the shop after it was imported: {', '.join(changed)}",
                "Make the same edit in Brightpearl, then discard this letter.",
                where=changed[0],
            )

    def _create(self, row: Golden, references: "_References") -> None:
        order = Order.model_validate(row.content)
        shop = _shop(row)
        body = self._header(order, shop, references)
        body["rows"] = [self._row(line, order, references) for line in order.lines]
        customer = references.customers.get((shop, order.customer_key))
        if customer is None:
            raise HoldError(
                "reference_not_found",
                f"the customer of order {order.number} is held or unknown",
                "Mend the customer's own dead letter; this order then goes by itself.",
                waiting_for=[f"customer:{shop}:{order.customer_key}"],
            )
        body["customer"] = {"id": {"$ref": ["customer", str(customer)]}, "address": body["billing"]["address"]}
        body["billing"]["contactId"] = {"$ref": ["customer", str(customer)]}
        known = references.contacts.get(customer)
        key = create_key(shop, order.number)
        payload = {
            "body": body,
            "agreed": {name: row.content[name] for name in EDITABLE},
            "total": {"currency": order.currency, "total": str(order.total)},
        }
        after = () if known else (customer_create_key(customer),)
        reservation = {
            "order": {"$ref": ["order", str(row.id)]},
            "tracked": [{"$ref": ["product", str(each)]} for each in references.tracked(order)],
        }
        name = self.context.connection
        self.deliveries += [
            Delivery(name, "order", row.id, "create", key, payload, after),
            Delivery(name, "order", row.id, "reserve", f"reserve:{shop}:{order.number}", {"body": reservation}, (key,)),
        ]

    @property
    def _settings(self) -> BrightpearlSettings:
        settings = self.context.settings
        assert isinstance(settings, BrightpearlSettings)  # noqa: S101 - this planner belongs to this system
        return settings

    def _header(self, order: Order, shop: str, references: "_References") -> dict[str, Any]:
        settings, shop_settings = self._settings, self.context.shops[shop]
        try:
            body = MAPPINGS["order"].write(order.model_dump(mode="json"), settings.tables())
        except MappingErrors as errors:
            first = errors.errors[0]
            raise HoldError(
                "invalid_field", str(errors), first.suggestion, where=first.field, value=str(first.value)
            ) from errors
        body["externalRef"] = external_ref(shop, order.number)
        body["taxDate"] = order.placed_at.date().isoformat()
        body["statusId"] = settings.order_statuses[OrderStatus.OPEN]
        body["priceListId"] = _code(settings.price_lists, order.currency, "price_lists", "currency")
        body["channelId"] = _code(_channels(shop_settings), order.channel, f"channels of {shop}", "channel")
        rate = order.exchange_rate.quantize(Decimal("0.000001"), ROUND_HALF_UP)
        body["currency"] |= {"fixedExchangeRate": True, "exchangeRate": str(rate)}
        if order.shipping_method:
            method = _code(settings.shipping_methods, order.shipping_method, "shipping_methods", "shipping_method")
            body["delivery"]["shippingMethodId"] = method
        body["warehouseId"] = _warehouse(order, shop_settings, references.levels)
        return body

    def _row(self, line: OrderLine, order: Order, references: "_References") -> dict[str, Any]:
        row: dict[str, Any] = {
            "name": line.name,
            "quantity": str(line.quantity),
            "taxCode": _tax_code(line, order, self._settings),
            "net": str(line.net),
            "tax": str(line.tax),
            "nominalCode": self._settings.nominal_codes[line.kind],
            "externalRef": line.key,
        }
        if line.kind is LineKind.PRODUCT:
            row["productId"] = {"$ref": ["product", str(references.product(line, order, self.context.connection))]}
        return row

    def _letter(self, row: Golden, hold: HoldError) -> DeadLetter:
        return DeadLetter(
            connection=self.context.connection,
            stage="publish",
            entity="order",
            subject=str(row.id),
            reason=hold.reason,
            sentence=hold.sentence,
            suggestion=hold.suggestion,
            field=hold.where,
            value=hold.value,
            waiting_for=hold.waiting_for,
            payload=row.content,
            golden_id=row.id,
        )


@dataclass(frozen=True)
class _References:
    """Customers and products that some orders name, looked up together."""

    customers: Mapping[tuple[str, str], UUID]
    contacts: Mapping[UUID, Sequence[str]]
    products: Mapping[str, Sequence[UUID]]
    """Golden products that Brightpearl knows, by SKU."""
    levels: Mapping[str, Mapping[str, int]]
    """On-hand figures by SKU and warehouse, of what is stock tracked."""
    goldens: Mapping[UUID, Golden]
    parts: Mapping[str, UUID]
    """The products of all lines, and what bundles among them are made of, by SKU."""

    @classmethod
    def of(cls, context: PlanContext, rows: Sequence[Golden]) -> "_References":
        hub = context.hub
        customers: dict[tuple[str, str], UUID] = {}
        for shop in {_shop(row) for row in rows}:
            keys = [row.content["customer_key"] for row in rows if _shop(row) == shop]
            customers |= {(shop, key): found for key, found in hub.golden_ids("customer", shop, keys).items()}
        skus = {line["sku"] for row in rows for line in row.content["lines"] if line["kind"] == "product"}
        candidates = hub.by_keys("product", "sku", skus)
        here = hub.external_ids("product", context.connection, {each for ids in candidates.values() for each in ids})
        products = {sku: [each for each in ids if here.get(each)] for sku, ids in candidates.items()}
        contacts = hub.external_ids("customer", context.connection, set(customers.values()))
        goldens, parts = _with_parts(context, {sku: ids[0] for sku, ids in products.items() if ids})
        figures = hub.records(context.connection, "inventory", [external[0] for external in here.values()])
        levels = {
            sku: _on_hand(figures[here[ids[0]][0]])
            for sku, ids in products.items()
            if ids and here[ids[0]][0] in figures
        }
        return cls(customers, contacts, products, levels, goldens, parts)

    def tracked(self, order: Order) -> list[UUID]:
        """The stock tracked products of an order's lines; of a bundle, its components, to the last level."""
        found: set[UUID] = set()
        wanted = [line.sku for line in order.lines if line.kind is LineKind.PRODUCT]
        while wanted:
            sku = wanted.pop()
            if sku not in self.parts:
                continue
            content = self.goldens[self.parts[sku]].content
            wanted += [part["sku"] for part in content.get("components") or []]
            if content.get("stock_tracked"):
                found.add(self.parts[sku])
        return sorted(found)

    def product(self, line: OrderLine, order: Order, connection: str) -> UUID:
        found = self.products.get(line.sku, ())
        if len(found) == 1:
            return found[0]
        if found:
            raise HoldError(
                "ambiguous_reference",
                f"order {order.number}: {len(found)} products in Brightpearl have the SKU {line.sku!r}",
                "Give each product a SKU of its own in Brightpearl, then retry this letter.",
                where="sku",
                value=line.sku,
            )
        raise HoldError(
            "reference_not_found",
            f"order {order.number}, line {line.key} ({line.name}): no product in Brightpearl has the SKU {line.sku!r}",
            "Create the product in Brightpearl, or correct its SKU; the order then goes by itself.",
            where="sku",
            value=line.sku,
            waiting_for=[f"product:{connection}:{line.sku}"],
        )


def _with_parts(context: PlanContext, skus: Mapping[str, UUID]) -> tuple[dict[UUID, Golden], dict[str, UUID]]:
    """Golden products and, to the last level, their components, as far as Brightpearl knows them."""
    goldens: dict[UUID, Golden] = {}
    parts = dict(skus)
    wanted = set(skus.values())
    while wanted:
        fresh = context.hub.goldens("product", wanted)
        goldens |= fresh
        below = {part["sku"] for golden in fresh.values() for part in golden.content.get("components") or []}
        found = context.hub.by_keys("product", "sku", below - parts.keys())
        known = context.hub.external_ids(
            "product", context.connection, {each for ids in found.values() for each in ids}
        )
        new = {sku: each for sku, ids in found.items() for each in ids if known.get(each)}
        parts |= new
        wanted = set(new.values()) - goldens.keys()
    return goldens, parts


def _shop(row: Golden) -> str:
    return row.origin["number"]


def _warehouse(order: Order, shop_settings: Settings, levels: "Mapping[str, Mapping[str, int]]") -> int:
    """The first of the shop's warehouses that can serve all of the order, else the first of all."""
    warehouses: Sequence[int] = getattr(shop_settings, "warehouses", ())
    needed: dict[str, int] = {}
    for line in order.lines:
        if line.kind is LineKind.PRODUCT and line.sku in levels:
            needed[line.sku] = needed.get(line.sku, 0) + line.quantity
    for warehouse in warehouses:
        if all(levels[sku].get(str(warehouse), 0) >= units for sku, units in needed.items()):
            return warehouse
    return warehouses[0]


def _channels(settings: Settings) -> Mapping[str, int]:
    channels: Mapping[str, int] = getattr(settings, "channels", {})
    return channels


def _code(table: Mapping[str, int], key: str, name: str, where: str) -> int:
    if key in table:
        return table[key]
    raise HoldError(
        "unmapped_value",
        f"{where} is {key!r}, which connections.yaml does not map ({name})",
        f"Add {key!r} to {name} in connections.yaml, then retry this letter.",
        where=where,
        value=key,
    )


def _tax_code(line: OrderLine, order: Order, settings: BrightpearlSettings) -> str:
    """The code that names this tax; rounding is not taxed."""
    if line.kind is LineKind.ROUNDING:
        return untaxed_code(settings.tax_codes)
    try:
        return tax_code(line.net, line.tax, line.quantity, order.currency, settings.tax_codes)
    except NoSuchRateError as error:
        raise HoldError(
            "unmapped_value",
            f"order {order.number}, line {line.key}: tax {line.tax} on {line.net} is {error.rate} %, which no tax code "
            "has",
            "Add the rate to tax_codes in connections.yaml, then retry this letter.",
            where="tax",
            value=str(error.rate),
        ) from error


def _on_hand(record: Record) -> dict[str, int]:
    return {place: int(each["onHand"]) for place, each in record.payload["warehouses"].items()}
