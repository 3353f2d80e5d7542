"""What the parts of a sales order are made of: its header, its rows, and what they refer to (brightpearl.md §5.5).

Used by whoever plans a sales order, or a change of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from brightpearl_pipelines.entities.models import LineKind, Order, OrderLine, OrderStatus
from brightpearl_pipelines.mapping import MappingErrors
from brightpearl_pipelines.store.types import DeadLetter, Golden, Record
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.brightpearl.sources import MAPPINGS
from brightpearl_pipelines.systems.brightpearl.tax import NoSuchRateError, tax_code, untaxed_code
from brightpearl_pipelines.systems.contract import PlanContext, Settings


def external_ref(shop: str, number: str) -> str:
    """What the order is called in Brightpearl's externalRef."""
    return f"{shop}:{number}"


def create_key(shop: str, number: str) -> str:
    """The delivery that creates the order."""
    return f"order:{shop}:{number}"


def shop_of(row: Golden) -> str:
    """The shop that an order comes from."""
    return row.origin["number"]


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


def settings_of(context: PlanContext) -> BrightpearlSettings:
    """The settings of the account that is planned for."""
    settings = context.settings
    assert isinstance(settings, BrightpearlSettings)  # noqa: S101 - this planner belongs to this system
    return settings


def letter(context: PlanContext, row: Golden, hold: HoldError) -> DeadLetter:
    """The dead letter of an order that cannot go as it is."""
    return DeadLetter(
        connection=context.connection,
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


def mapped_body(order: Order, settings: BrightpearlSettings) -> dict[str, Any]:
    """The body of a sales order, as far as it follows from the mapping file. Raises HoldError."""
    try:
        return MAPPINGS["order"].write(order.model_dump(mode="json"), settings.tables())
    except MappingErrors as errors:
        first = errors.errors[0]
        raise HoldError(
            "invalid_field", str(errors), first.suggestion, where=first.field, value=str(first.value)
        ) from errors


def header(context: PlanContext, order: Order, shop: str, references: "References") -> dict[str, Any]:
    """The body of a new sales order without its rows and its customer. Raises HoldError."""
    settings, shop_settings = settings_of(context), context.shops[shop]
    body = mapped_body(order, settings)
    body["externalRef"] = external_ref(shop, order.number)
    body["taxDate"] = order.placed_at.date().isoformat()
    body["statusId"] = settings.order_statuses[OrderStatus.OPEN]
    of_channel: Mapping[str, Mapping[str, int]] = getattr(shop_settings, "order_price_lists", {})
    price_lists = {**settings.price_lists, **of_channel.get(order.channel, {})}
    body["priceListId"] = code(price_lists, order.currency, "price_lists", "currency")
    body["channelId"] = code(channels_of(shop_settings), order.channel, f"channels of {shop}", "channel")
    _check_rate(order, settings)
    body["currency"] |= {"fixedExchangeRate": True, "exchangeRate": str(wire_rate(order))}
    if order.shipping_method:
        body["delivery"]["shippingMethodId"] = shipping_method_id(order, settings)
    body["warehouseId"] = warehouse_for(order, shop_settings, references.levels)
    return body


def _check_rate(order: Order, settings: BrightpearlSettings) -> None:
    """The shop's rates are for its own default currency; they are of use only if that is the account's base currency.

    A rate of exactly 1 belongs to the base currency, and to no other (§5.1: the rate is between order and base).
    """
    base = settings.base_currency
    if base is not None and (order.currency == base) is not (order.exchange_rate == 1):
        raise HoldError(
            "unmapped_value",
            f"order {order.number} is in {order.currency} at a rate of {order.exchange_rate}, while the account "
            f"reckons in {base}: the shop's default currency is another one",
            "Keep the shop in step with an account of its own currency, or make that currency the shop's default one; "
            "if base_currency in connections.yaml is wrong, correct it. Then retry this letter.",
            where="exchange_rate",
            value=str(order.exchange_rate),
        )


def wire_rate(order: Order) -> Decimal:
    """The order's own exchange rate, in Brightpearl's six decimals."""
    return order.exchange_rate.quantize(Decimal("0.000001"), ROUND_HALF_UP)


def shipping_method_id(order: Order, settings: BrightpearlSettings) -> int:
    """What Brightpearl calls the way an order travels; 0 for one with nothing to ship. Raises HoldError."""
    if not order.shipping_method:
        return 0
    return code(settings.shipping_methods, order.shipping_method, "shipping_methods", "shipping_method")


def row_body(context: PlanContext, line: OrderLine, order: Order, references: "References") -> dict[str, Any]:
    """A row of a sales order. Raises HoldError."""
    settings = settings_of(context)
    row: dict[str, Any] = {
        "name": line.name,
        "quantity": str(line.quantity),
        "taxCode": _tax_code(line, order, settings),
        "net": str(line.net),
        "tax": str(line.tax),
        "nominalCode": settings.nominal_codes[line.kind],
        "externalRef": line.key,
    }
    if line.kind is LineKind.PRODUCT:
        row["productId"] = {"$ref": ["product", str(references.product(line, order, context.connection))]}
    return row


@dataclass(frozen=True)
class References:
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
    def of(cls, context: PlanContext, rows: Sequence[Golden]) -> "References":
        hub = context.hub
        customers: dict[tuple[str, str], UUID] = {}
        for shop in {shop_of(row) for row in rows}:
            keys = [row.content["customer_key"] for row in rows if shop_of(row) == shop]
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

    def customer(self, shop: str, order: Order) -> UUID:
        """The golden customer of an order. Raises HoldError, to be released by the customer, while there is none."""
        found = self.customers.get((shop, order.customer_key))
        if found is None:
            raise HoldError(
                "reference_not_found",
                f"the customer of order {order.number} is held or unknown",
                "Mend the customer's own dead letter; this order then goes by itself.",
                waiting_for=[f"customer:{shop}:{order.customer_key}"],
            )
        return found

    def product(self, line: OrderLine, order: Order, connection: str) -> UUID:
        """The golden product of a line. Raises HoldError, to be released by the product, unless there is just one."""
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


def warehouse_for(order: Order, shop_settings: Settings, levels: "Mapping[str, Mapping[str, int]]") -> int:
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


def channels_of(settings: Settings) -> Mapping[str, int]:
    """A shop's channels: the shop's id to Brightpearl's."""
    channels: Mapping[str, int] = getattr(settings, "channels", {})
    return channels


def code(table: Mapping[str, int], key: str, name: str, where: str) -> int:
    """An entry of a table of connections.yaml, called `name` there; `where` is our field. Raises HoldError."""
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
    """The code of the rate that gives this tax. The shop's amounts are kept as they are; the code only names them."""
    if line.kind is LineKind.ROUNDING:
        return untaxed_code(settings.tax_codes)
    try:
        return tax_code(line.net, line.tax, line.quantity, order.currency, settings.tax_codes)
    except NoSuchRateError as error:
        raise HoldError(
            "unmapped_value",
            f"order {order.number}, line {line.key}: tax {line.tax} on {line.net} is {error.rate} %, "
            "which no tax code has",
            "Add the rate to tax_codes in connections.yaml, then retry this letter.",
            where="tax",
            value=str(error.rate),
        ) from error


def _on_hand(record: Record) -> dict[str, int]:
    return {place: int(each["onHand"]) for place, each in record.payload["warehouses"].items()}
