"""Shipments, V2 (bigcommerce.md §2.7)."""

from decimal import Decimal

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.checks import (
    MOST,
    Checks,
    either,
    integer,
    numeric,
    object_of,
    refuse_wrong_v2,
    text,
)
from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.order_book import modified, recount, set_status, write_to_customer
from brightpearl_pipelines.sandbox.bigcommerce.order_shape import ADDRESS_FIELDS
from brightpearl_pipelines.sandbox.bigcommerce.orders import child_of
from brightpearl_pipelines.sandbox.bigcommerce.payments import need_order
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.statuses import COMPLETED, PARTIALLY_SHIPPED, REFUNDED, SHIPPED
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    Call,
    Json,
    JsonObject,
    Refusal,
    decimal_of,
    json_answer,
    money,
    nothing,
    page_and_limit,
    rfc2822,
    v2_list,
)

PROVIDERS = {
    "": "",
    "auspost": "Australia Post",
    "canadapost": "Canada Post",
    "endicia": "Endicia",
    "usps": "USPS",
    "fedex": "FedEx",
    "royalmail": "Royal Mail",
    "ups": "UPS",
    "upsready": "UPS Ready",
    "upsonline": "UPS Online",
    "shipperhq": "ShipperHQ",
}
CHECKS: Checks = {
    "tracking_number": text(50),
    "tracking_link": text(500),
    "comments": text(),
    **dict.fromkeys(("tracking_carrier", "shipping_provider", "shipping_method"), text(255)),
    "merchant_shipping_cost": either(text(), numeric()),
}
NOT_WRITABLE = "The field '{}' cannot be written to. Please remove it from your request before trying again."


ITEM: Checks = {"order_product_id": integer(), "quantity": integer(-MOST)}


def list_shipments(shop: Shop, call: Call) -> Response:
    """GET /v2/orders/{order_id}/shipments; 204 when there are none."""
    page, limit = page_and_limit(call)
    found = shop.children("shipments", need_order(shop, call)["id"])
    return v2_list(found[(page - 1) * limit : page * limit])


def count_shipments(shop: Shop, call: Call) -> Response:
    return json_answer({"count": len(shop.children("shipments", need_order(shop, call)["id"]))})


def get_shipment(shop: Shop, call: Call) -> Response:
    return json_answer(child_of(shop, call, "shipments", "shipment_id"))


def create_shipment(shop: Shop, call: Call) -> Response:
    """POST: refuses more than is left to ship, then counts it as shipped and moves the status to 3 or 2."""
    order, body = need_order(shop, call), call.object_body()
    address = shop.get("order_addresses", body.get("order_address_id", 0))
    if address is None or address["order_id"] != order["id"]:
        raise Refusal(400, "The required field 'order_address_id' was not supplied or is not one of this order's.")
    items = _items(shop, order, address, body)
    fields = _fields(body, {"order_address_id", "items"})
    shipment: JsonObject = {
        "id": shop.next_id("shipments"),
        "order_id": order["id"],
        "customer_id": order["customer_id"],
        "order_address_id": address["id"],
        "date_created": rfc2822(shop.now()),
        "tracking_number": "",
        "merchant_shipping_cost": money(Decimal(0)),
        "shipping_method": address["shipping_method"],
        "comments": "",
        "shipping_provider": "",
        "tracking_carrier": "",
        "tracking_link": "",
        "billing_address": {name: order["billing_address"][name] for name in ADDRESS_FIELDS},
        "shipping_address": {name: address[name] for name in ADDRESS_FIELDS},
        # The product id is 0 in every documented example (§2.7).
        "items": [{"order_product_id": line["id"], "product_id": 0, "quantity": quantity} for line, quantity in items],
        **fields,
    }
    _derive(shipment)
    shop.add("shipments", shipment)
    for line, quantity in items:
        line["quantity_shipped"] += quantity
    _tell(shop, shipment, "created")
    _after_shipping(shop, order)
    write_to_customer(shop, order, shipment["id"])
    return json_answer(shipment, 201)


def _items(shop: Shop, order: JsonObject, address: JsonObject, body: JsonObject) -> list[tuple[JsonObject, int]]:
    """The lines and quantities to ship; 400 for none, for a line of another address, and for more than is left."""
    given = body.get("items")
    if not isinstance(given, list) or not given:
        raise Refusal(400, "The required field 'items' was not supplied.")
    asked: dict[int, int] = {}
    for item in given:
        line_id, quantity = _item(item)
        asked[line_id] = asked.get(line_id, 0) + quantity
    found = []
    for line_id, quantity in asked.items():
        line = shop.get("order_products", line_id)
        if line is None or line["order_id"] != order["id"] or line["order_address_id"] != address["id"]:
            raise Refusal(400, "The field 'order_product_id' is invalid.", details={"order_product_id": line_id})
        left = line["quantity"] - line["quantity_shipped"]
        if quantity < 1 or quantity > left:
            reason = "The quantity specified is greater than the quantity of the product that is available to ship."
            details = {"invalid_reason": reason, "available_quantity": left, "order_product_id": line_id}
            raise Refusal(400, "The field 'quantity' is invalid.", details=details)
        found.append((line, quantity))
    return found


def _item(item: Json) -> tuple[int, int]:
    refuse_wrong_v2({"items": item}, {"items": object_of(ITEM, required=ITEM)})
    return item["order_product_id"], item["quantity"]


def _fields(body: JsonObject, besides: set[str]) -> JsonObject:
    """The writable fields of a shipment, checked."""
    fields: JsonObject = {}
    for name, value in body.items():
        if name in besides:
            continue
        if name not in CHECKS:
            raise Refusal(400, NOT_WRITABLE.format(name))
        refuse_wrong_v2({name: value}, CHECKS)
        fields[name] = money(decimal_of(value, name)) if name == "merchant_shipping_cost" else value
    provider = fields.get("shipping_provider", "")
    if provider not in PROVIDERS and not provider.startswith("carrier_"):
        raise Refusal(400, "The field 'shipping_provider' is invalid.")
    return fields


def _derive(shipment: JsonObject) -> None:
    """The fields that BigCommerce makes of the others."""
    provider = shipment["shipping_provider"]
    shipment["shipping_provider_display_name"] = PROVIDERS.get(provider, provider)
    shipment["generated_tracking_link"] = shipment["tracking_link"]
    carrier = shipment["tracking_carrier"] or provider
    if not shipment["tracking_link"] and carrier and shipment["tracking_number"]:
        shipment["generated_tracking_link"] = f"https://track.example.com/{carrier}/{shipment['tracking_number']}"


def _after_shipping(shop: Shop, order: JsonObject) -> None:
    """Count what was shipped, and let the status follow: partly or wholly shipped (§2.7)."""
    lines = shop.children("order_products", order["id"])
    recount(shop, order, lines)
    goods = [line for line in lines if line["type"] == "physical"]
    complete = all(line["quantity_shipped"] >= line["quantity"] for line in goods)
    if complete:
        order["date_shipped"] = rfc2822(shop.now())
    if order["status_id"] not in (COMPLETED, REFUNDED):
        set_status(shop, order, SHIPPED if complete else PARTIALLY_SHIPPED, by_shipment=True)
    modified(shop, order)


def _tell(shop: Shop, shipment: JsonObject, what: str) -> None:
    data = {"type": "shipment", "id": shipment["id"], "orderId": shipment["order_id"]}
    emit(shop, f"store/shipment/{what}", data)


def update_shipment(shop: Shop, call: Call) -> Response:
    """PUT: everything but the items."""
    shipment = child_of(shop, call, "shipments", "shipment_id")
    body = call.object_body()
    shipment.update(_fields(body, {"order_address_id"}))
    _derive(shipment)
    shop.touch()
    _tell(shop, shipment, "updated")
    order = need_order(shop, call)
    if shop.settings["shipment_update_emails"]:
        write_to_customer(shop, order, shipment["id"])
    modified(shop, order)
    return json_answer(shipment)


def _take_back(shop: Shop, order: JsonObject, shipment: JsonObject) -> None:
    """Forget a shipment; its items are to be shipped again, but the status stays (§2.7)."""
    for item in shipment["items"]:
        line = shop.get("order_products", item["order_product_id"])
        if line is not None:
            line["quantity_shipped"] -= item["quantity"]
    shop.drop("shipments", shipment["id"])
    recount(shop, order, shop.children("order_products", order["id"]))
    _tell(shop, shipment, "deleted")


def delete_shipment(shop: Shop, call: Call) -> Response:
    order = need_order(shop, call)
    _take_back(shop, order, child_of(shop, call, "shipments", "shipment_id"))
    modified(shop, order)
    return nothing()


def delete_shipments(shop: Shop, call: Call) -> Response:
    order = need_order(shop, call)
    for shipment in shop.children("shipments", order["id"]):
        _take_back(shop, order, shipment)
    modified(shop, order)
    return nothing()
