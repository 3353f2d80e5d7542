"""Reading orders, V2 (bigcommerce.md §2.1 to §2.5)."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.order_shape import (
    address_with_link,
    consignments,
    fees,
    tax_rows,
    with_links,
)
from brightpearl_pipelines.sandbox.bigcommerce.payments import need_order
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.statuses import STATUSES
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    JsonObject,
    Refusal,
    bool_filter,
    decimal_of,
    epoch,
    includes,
    instant_filter,
    invalid_field,
    json_answer,
    nothing,
    page_and_limit,
    parse_whole,
    v2_list,
)

Test = Callable[[JsonObject], bool]

SORTS: dict[str, Callable[[JsonObject], Any]] = {
    "id": lambda order: order["id"],
    "customer_id": lambda order: order["customer_id"],
    "date_created": lambda order: epoch(order["date_created"]),
    "date_modified": lambda order: epoch(order["date_modified"]),
    "status_id": lambda order: order["status_id"],
    "channel_id": lambda order: order["channel_id"],
    "external_id": lambda order: order["external_id"] or "",
}


def _sort(call: Call) -> tuple[str, bool]:
    """The field to sort by and whether descending."""
    text = call.query.get("sort") or "id"
    name, _, direction = text.partition(":")
    if name not in SORTS or direction not in ("", "asc", "desc"):
        raise invalid_field(call, "sort")
    return name, direction == "desc"


def _equalities(call: Call) -> list[Test]:
    tests: list[Test] = []
    for name in ("customer_id", "status_id", "channel_id"):
        value = call.query.get(name)
        if value is not None:
            wanted = parse_whole(call, name, value)
            tests.append(lambda order, name=name, wanted=wanted: order[name] == wanted)  # type: ignore[misc]
    for name in ("cart_id", "payment_method", "external_order_id"):
        value = call.query.get(name)
        if value is not None:
            tests.append(lambda order, name=name, wanted=value: (order[name] or "") == wanted)  # type: ignore[misc]
    email = call.query.get("email")
    if email is not None:
        tests.append(lambda order: order["billing_address"]["email"].lower() == email.lower())
    return tests


def _bounds(call: Call) -> list[Test]:
    """Totals and creation dates; ids and modified dates are cut out of the indexes."""
    tests: list[Test] = []
    for name, sign in (("min_total", 1), ("max_total", -1)):
        value = call.query.get(name)
        if value is not None:
            wanted = decimal_of(value, name)
            tests.append(lambda order, sign=sign, wanted=wanted: sign * (Decimal(order["total_inc_tax"]) - wanted) >= 0)  # type: ignore[misc]
    low, high = instant_filter(call, "min_date_created"), instant_filter(call, "max_date_created")
    if low is not None:
        tests.append(lambda order: epoch(order["date_created"]) >= low)
    if high is not None:
        tests.append(lambda order: epoch(order["date_created"]) <= high)
    return tests


def _id_bound(call: Call, name: str) -> int | None:
    value = call.query.get(name)
    return None if value is None else parse_whole(call, name, value)


def _modified_bounds(shop: Shop, call: Call) -> tuple[int | None, int | None]:
    low, high = instant_filter(call, "min_date_modified"), instant_filter(call, "max_date_modified")
    if low is not None and not shop.settings["min_date_modified_inclusive"]:
        low += 1
    return low, high


def _candidates(shop: Shop, call: Call) -> tuple[Sequence[int], str | None, list[Test]]:
    """Ids to look at, the order they are in (None: none in particular), and what is still to be tested."""
    tests = _equalities(call) + _bounds(call)
    low, high = _modified_bounds(shop, call)
    first_id, last_id = _id_bound(call, "min_id"), _id_bound(call, "max_id")

    def modified_test(order: JsonObject) -> bool:
        second = epoch(order["date_modified"])
        return (low is None or second >= low) and (high is None or second <= high)

    def id_test(order: JsonObject) -> bool:
        return (first_id is None or order["id"] >= first_id) and (last_id is None or order["id"] <= last_id)

    direct = _looked_up(shop, call)
    if direct is not None:
        return direct, "id", [*tests, modified_test, id_test]
    if low is not None or high is not None or _sort(call)[0] == "date_modified":
        by_modified = shop.index.orders_by_modified
        if first_id is not None or last_id is not None:
            tests.append(id_test)
        return by_modified.ids(*by_modified.between(low, high)), "date_modified", tests
    by_id = shop.index.orders_by_id
    return by_id.ids(*by_id.between(first_id, last_id)), "id", tests


def _looked_up(shop: Shop, call: Call) -> list[int] | None:
    """Ids by a key that names few orders."""
    external, email, customer = (call.query.get(name) for name in ("external_order_id", "email", "customer_id"))
    if external is not None:
        return shop.index.orders_by_external_id.get(external, [])
    if email is not None:
        return shop.index.orders_by_email.get(email.lower(), [])
    if customer is not None and int(customer):
        return shop.index.orders_by_customer.get(int(customer), [])
    return None


def _without_archived(shop: Shop, call: Call, ids: Sequence[int]) -> Sequence[int]:
    """Archived orders are left out unless the store lists them or `is_deleted` asks for them (§2.1, undocumented)."""
    asked, archived = bool_filter(call, "is_deleted"), shop.index.archived_orders
    if asked:
        return [id_ for id_ in ids if id_ in archived]
    if not archived or (asked is None and shop.settings["archived_orders_in_lists"]):
        return ids
    return [id_ for id_ in ids if id_ not in archived]


def matching(shop: Shop, call: Call) -> tuple[Sequence[int], list[Test]]:
    """Ids in the asked order, with the tests that each order still has to pass."""
    ids, order_of_ids, tests = _candidates(shop, call)
    ids = _without_archived(shop, call, ids)
    name, descending = _sort(call)
    if name != order_of_ids:
        table = shop.collections["orders"]
        key = SORTS[name]
        ids = sorted(ids, key=lambda id_: (key(table[str(id_)]), id_))
    return (ids[::-1] if descending else ids), tests


def page_of_orders(shop: Shop, call: Call) -> list[JsonObject]:
    """The page that was asked for: cut straight out of an index where that says all, else tested as far as needed."""
    page, limit = page_and_limit(call, clamp=shop.settings["over_limit"] == "clamp")
    ids, tests = matching(shop, call)
    table = shop.collections["orders"]
    first, last = (page - 1) * limit, page * limit
    if not tests:
        return [table[str(id_)] for id_ in ids[first:last]]
    passing = (order for order in (table[str(id_)] for id_ in ids) if all(test(order) for test in tests))
    return list(islice(passing, first, last))


def list_orders(shop: Shop, call: Call) -> Response:
    """GET /v2/orders."""
    wanted = includes(call)
    return v2_list([shown(shop, order, wanted) for order in page_of_orders(shop, call)])


def shown(shop: Shop, order: JsonObject, wanted: set[str]) -> JsonObject:
    """The order as answered, with what `include` asked for in place of links."""
    full = with_links(shop, order)
    if "consignments" in wanted or "consignments.line_items" in wanted:
        full["consignments"] = consignments(shop, order, full_lines="consignments.line_items" in wanted)
    if "fees" in wanted:
        full["fees"] = fees(shop, order["id"])
    return full


def count_orders(shop: Shop, call: Call) -> Response:
    """GET /v2/orders/count, with the same filters."""
    ids, tests = matching(shop, call)
    table = shop.collections["orders"]
    counts = dict.fromkeys(STATUSES, 0)
    for id_ in ids:
        order = table[str(id_)]
        if all(test(order) for test in tests):
            counts[order["status_id"]] += 1
    statuses = [
        {
            "id": id_,
            "name": name,
            "system_label": name,
            "custom_label": name,
            "system_description": description,
            "count": counts[id_],
            "sort_order": place,
        }
        for id_, (name, place, description) in STATUSES.items()
    ]
    return json_answer({"statuses": statuses, "count": sum(counts.values())})


def get_order(shop: Shop, call: Call) -> Response:
    """GET /v2/orders/{order_id}."""
    return json_answer(shown(shop, need_order(shop, call), includes(call)))


def _paged(call: Call, items: list[JsonObject]) -> Response:
    page, limit = page_and_limit(call)
    return v2_list(items[(page - 1) * limit : page * limit])


def child_of(shop: Shop, call: Call, collection: str, name: str) -> JsonObject:
    """A sub-resource of the order in the path; 404 when it is not the order's own."""
    order = need_order(shop, call)
    child = shop.get(collection, call.ids[name])
    if child is None or int(child["order_id"]) != order["id"]:
        raise Refusal(404, NOT_FOUND)
    return child


def list_lines(shop: Shop, call: Call) -> Response:
    """GET /v2/orders/{order_id}/products: 50 a page, by line id."""
    return _paged(call, shop.children("order_products", need_order(shop, call)["id"]))


def get_line(shop: Shop, call: Call) -> Response:
    return json_answer(child_of(shop, call, "order_products", "line_id"))


def list_addresses(shop: Shop, call: Call) -> Response:
    """GET /v2/orders/{order_id}/shipping_addresses; 204 for an order without any."""
    addresses = shop.children("order_addresses", need_order(shop, call)["id"])
    return _paged(call, [address_with_link(shop, address) for address in addresses])


def get_address(shop: Shop, call: Call) -> Response:
    return json_answer(address_with_link(shop, child_of(shop, call, "order_addresses", "address_id")))


def list_coupons(shop: Shop, call: Call) -> Response:
    return _paged(call, shop.children("order_coupons", need_order(shop, call)["id"]))


def list_taxes(shop: Shop, call: Call) -> Response:
    """GET /v2/orders/{order_id}/taxes; `details=true` says which line each row is about."""
    details = bool_filter(call, "details") is True
    return _paged(call, tax_rows(shop, need_order(shop, call)["id"], details=details))


def get_consignments(shop: Shop, call: Call) -> Response:
    """GET /v2/orders/{order_id}/consignments."""
    full = "consignments.line_items" in includes(call)
    return json_answer(consignments(shop, need_order(shop, call), full_lines=full))


def list_fees(shop: Shop, call: Call) -> Response:
    return _paged(call, fees(shop, need_order(shop, call)["id"]))


def list_messages(shop: Shop, call: Call) -> Response:
    return _paged(call, shop.children("order_messages", need_order(shop, call)["id"]))


def shipping_quotes(shop: Shop, call: Call) -> Response:
    """204: the storefront's quotes are not kept here (§2.4)."""
    need_order(shop, call)
    return nothing()


def _status(id_: int) -> JsonObject:
    name, place, description = STATUSES[id_]
    return {
        "id": id_,
        "name": name,
        "system_label": name,
        "custom_label": name,
        "system_description": description,
        "order": place,
    }


def list_statuses(_: Shop, __: Call) -> Response:
    """GET /v2/order_statuses."""
    return json_answer([_status(id_) for id_ in STATUSES])


def get_status(_: Shop, call: Call) -> Response:
    if call.number("status_id") not in STATUSES:
        raise Refusal(404, NOT_FOUND)
    return json_answer(_status(call.number("status_id")))
