"""Orders that the customer fetches: their pickup consignment (bigcommerce.md §2.3, §2.4, §2.6; orders.v2.oas2.yml).

An order is either shipped or picked up, and has at most one pickup. What is picked up has no address of its own.
"""

from collections.abc import Mapping
from typing import Any

from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import Json, JsonObject, Refusal

LOCATION = (
    *("name", "code", "address_line_1", "address_line_2", "city", "state", "postal_code"),
    *("country_alpha2", "email", "phone"),
)
TEXTS = ("pickup_method_display_name", "collection_instructions", "collection_time_description")
SHIPPED_INSTEAD = ("products", "shipping_addresses")
"""What may not stand beside `consignments` in a new order."""


def add_pickup(shop: Shop, order: JsonObject, given: Mapping[str, Any]) -> int:
    """Store how an order is picked up; the id that its lines name as `order_pickup_method_id`."""
    place = given.get("location") or {}
    pickup: JsonObject = {
        "id": shop.next_id("order_pickups"),
        "order_id": order["id"],
        "pickup_method_id": int(given.get("pickup_method_id") or 1),
        **{name: str(given.get(name) or "") for name in TEXTS},
        "location": {"id": 1, **{name: str(place.get(name) or "") for name in LOCATION}},
    }
    shop.add("order_pickups", pickup)
    return int(pickup["id"])


def shown(pickup: JsonObject, line_items: list[JsonObject]) -> JsonObject:
    """A pickup as `consignments` shows it."""
    return {**{name: value for name, value in pickup.items() if name != "order_id"}, "line_items": line_items}


def asked(body: Mapping[str, Any]) -> JsonObject | None:
    """The pickup that a new order asks for, checked; None for an order that is shipped. 400 for a bad one."""
    consignments: Json = body.get("consignments")
    if not consignments:
        return None
    for name in SHIPPED_INSTEAD:
        if body.get(name):
            raise Refusal(400, f"The fields '{name}' and 'consignments' cannot be supplied together.")
    pickups = consignments.get("pickups") if isinstance(consignments, dict) else None
    if not isinstance(pickups, list) or len(pickups) != 1 or not isinstance(pickups[0], dict):
        raise Refusal(400, "The field 'consignments' is invalid.")
    pickup: JsonObject = pickups[0]
    if type(pickup.get("pickup_method_id")) is not int:
        raise Refusal(400, "The required field 'pickup_method_id' was not supplied.")
    if not isinstance(pickup.get("line_items"), list) or not pickup["line_items"]:
        raise Refusal(400, "The required field 'line_items' was not supplied.")
    return pickup
