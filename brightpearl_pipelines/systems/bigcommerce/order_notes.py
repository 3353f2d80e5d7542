"""What somebody who packs an order has to know and no field of a Brightpearl order can say.

A Brightpearl order has one delivery address. An order to several addresses stays one order there all the same: it is
paid once, its discounts lie over all of its lines, and its number is its own; cut in pieces, none of them would tie out
with the shop. The first address is the order's; the others are named here with what goes to them.
"""

from collections.abc import Iterator

from brightpearl_pipelines.store.types import Json
from brightpearl_pipelines.systems.bigcommerce.orders import line_items
from brightpearl_pipelines.systems.contract import Tables


def note(order: Json, tables: Tables) -> str:
    """All of it, a line each; empty for an ordinary order."""
    del tables
    told = [str(order.get("customer_message") or "").strip(), *_pickups(order), *_other_addresses(order)]
    return "\n".join(part for part in (*told, *_wrapping(order)) if part)


def _pickups(order: Json) -> Iterator[str]:
    for pickup in order["consignments"].get("pickups", []):
        place = pickup.get("location") or {}
        where = _joined(place, "name", "address_line_1", "address_line_2", "city", "postal_code")
        yield f"To be picked up by the customer at {where or 'a place that the shop does not name'}."


def _other_addresses(order: Json) -> Iterator[str]:
    for consignment in order["consignments"].get("shipping", [])[1:]:
        goods = ", ".join(_goods(item) for item in consignment["line_items"])
        name = _joined(consignment, "first_name", "last_name", by=" ")
        place = _joined(consignment, "company", "street_1", "street_2", "city", "state", "zip", "country_iso2")
        yield f"Not to the delivery address, but to {name}, {place}: {goods}."


def _wrapping(order: Json) -> Iterator[str]:
    for item in line_items(order):
        if item.get("wrapping_name"):
            message = str(item.get("wrapping_message") or "").strip()
            words = f", with the message: {message}" if message else ""
            yield f"Gift wrapping {item['wrapping_name']} for {_goods(item)}{words}."


def _goods(item: Json) -> str:
    return f"{item['quantity']} × {item.get('sku') or item['name']}"


def _joined(given: Json, *names: str, by: str = ", ") -> str:
    return by.join(text for name in names if (text := str(given.get(name) or "").strip()))
