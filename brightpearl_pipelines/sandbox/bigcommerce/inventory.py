"""Inventory V3: adjustments that are accepted first and applied later, items, settings (bigcommerce.md §4)."""

import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce import stock
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    Json,
    JsonObject,
    Refusal,
    id_filter,
    json_answer,
    page_and_limit,
    text_filter,
    v3_page,
)

MOST_ITEMS = 2000
PAGE_MOST = 1000
IDENTITIES: tuple[str, ...] = ("sku", "variant_id", "product_id")
SETTINGS: dict[str, type] = {"safety_stock": int, "is_in_stock": bool, "warning_level": int, "bin_picking_number": str}
NOT_VALID = "Payload contains invalid fields"


# -- whom an item means ----------------------------------------------------------------------------------------------


def _identity(item: JsonObject, place: str) -> tuple[str, Any]:
    """The one identity of an item; 422 for none or several."""
    given = [name for name in IDENTITIES if item.get(name) is not None]
    if len(given) != 1:
        text = "Exactly one of sku, variant_id or product_id must be specified"
        raise Refusal(422, NOT_VALID, errors={place: text})
    return given[0], item[given[0]]


def _find(shop: Shop, name: str, value: Json) -> tuple[JsonObject | None, JsonObject | None]:
    """The variant or the product that an identity names."""
    if name == "sku":
        return shop.variant_of_sku(str(value)), None
    if name == "variant_id":
        return shop.get("variants", value), None
    return None, shop.get("products", value)


def resolve(shop: Shop, name: str, value: Json) -> str:
    """The stock record that an identity names; 422 for an unknown one and for one that is tracked otherwise."""
    variant, product = _find(shop, name, value)
    if variant is None and product is None:
        identity = f"{name} {value}"
        raise Refusal(422, str(shop.settings["unknown_sku_title"]).format(identity=identity, name=name, value=value))
    if product is not None:
        if product["inventory_tracking"] != "product":
            mode = product["inventory_tracking"]
            raise _mismatch(name, value, mode, "variant id" if mode == "variant" else "tracking settings")
        return f"p{product['id']}"
    assert variant is not None  # noqa: S101 - one of the two is there
    mode = stock.tracking(shop, variant["product_id"])
    simple = not variant.get("option_values")
    if mode == "variant":
        return f"v{variant['id']}"
    if mode == "product" and name == "sku" and simple and shop.settings["sku_adjusts_simple_products"]:
        return f"p{variant['product_id']}"
    raise _mismatch(name, value, mode, "product id" if mode == "product" else "tracking settings")


def _mismatch(name: str, value: Json, mode: str, way: str) -> Refusal:
    return Refusal(422, f"[Item with {name} {value} is tracked by {mode}, please update stock by {way}]")


# -- adjustments -----------------------------------------------------------------------------------------------------


def put_absolute(shop: Shop, call: Call) -> Response:
    """PUT /v3/inventory/adjustments/absolute: sets the level; idempotent by nature."""
    return _queue(shop, "absolute", _read(shop, call, lowest=0))


def post_relative(shop: Shop, call: Call) -> Response:
    """POST /v3/inventory/adjustments/relative: adds; refused below safety stock and where no level was ever set."""
    moves = _read(shop, call, lowest=-stock.MOST)
    for (key, location_id, quantity), identity in zip(moves, _names(call), strict=True):
        record = shop.get("inventory", key)
        level = None if record is None else stock.level_at(record, location_id)
        if level is None:
            raise Refusal(422, f"Items with identity: [{identity}] requires absolute adjustment before relative")
        if quantity < 0 and stock.available(level) + quantity < 0:
            raise Refusal(422, str(shop.settings["insufficient_stock_title"]).format(identity=identity))
    return _queue(shop, "relative", moves)


Move = tuple[str, int, int]


def _names(call: Call) -> list[str]:
    """How the messages call each item."""
    named = (_identity(item, "") for item in call.object_body()["items"])
    return [f"{name} {value}" for name, value in named]


def _read(shop: Shop, call: Call, lowest: int) -> list[Move]:
    """Check a whole payload; one bad item refuses all of it (§4.1)."""
    items = call.object_body().get("items")
    if not isinstance(items, list) or not items:
        raise Refusal(422, NOT_VALID, errors={"items": "must not be empty"})
    if len(items) > MOST_ITEMS:
        raise Refusal(422, NOT_VALID, errors={"items": f"must contain at most {MOST_ITEMS} items"})
    moves = []
    lost = []
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            raise Refusal(422, NOT_VALID, errors={f"items.{place}": "must be an object"})
        name, value = _identity(item, f"items.{place}")
        quantity, location_id = item.get("quantity"), item.get("location_id")
        if type(quantity) is not int or not lowest <= quantity <= stock.MOST:
            raise Refusal(422, NOT_VALID, errors={f"items.{place}.quantity": "must be a whole number in range"})
        if type(location_id) is not int or shop.get("locations", location_id) is None:
            lost.append(str(location_id))
            continue
        moves.append((resolve(shop, name, value), location_id, quantity))
    if lost:
        raise Refusal(422, f"Location not found, identities: [{','.join(dict.fromkeys(lost))}]")
    return moves


def _queue(shop: Shop, kind: str, moves: Sequence[tuple[str, int, Json]]) -> Response:
    """Apply the moves after the shop's delay, first in first out.

    Meanwhile they wait in a collection, so that a restart between acceptance and application loses nothing.
    """
    id_ = shop.next_id("adjustments")
    shop.put("pending_adjustments", id_, {"id": id_, "kind": kind, "moves": [list(move) for move in moves]})
    shop.after(float(shop.settings["inventory_delay_seconds"]), partial(_apply, shop, id_))
    return json_answer({"transaction_id": str(uuid.UUID(bytes=shop.rng.randbytes(16), version=4))})


async def _apply(shop: Shop, id_: int) -> None:
    """Do what was accepted; a product that was deleted meanwhile is passed over."""
    waiting = shop.need("pending_adjustments", id_)
    shop.drop("pending_adjustments", id_)
    for key, location_id, value in waiting["moves"]:
        if shop.get("products" if key[0] == "p" else "variants", key[1:]) is None:
            continue
        if waiting["kind"] == "absolute":
            stock.set_absolute(shop, key, location_id, value)
        elif waiting["kind"] == "relative":
            stock.move(shop, key, location_id, value, by_order=False)
        else:
            stock.ensure_level(stock.record_of(shop, key), location_id).update(value)


def resume(shop: Shop) -> None:
    """Set the timers of what a restart found accepted and not applied."""
    for waiting in shop.collections["pending_adjustments"].values():
        shop.after(0.0, partial(_apply, shop, waiting["id"]))


# -- reads -----------------------------------------------------------------------------------------------------------


def _keys(shop: Shop, call: Call) -> list[tuple[str, JsonObject]]:
    """The stock records that the filters let through, in the order they were made."""
    skus = text_filter(call, "sku:in")
    variants, products = id_filter(call, "variant_id:in"), id_filter(call, "product_id:in")
    table = shop.collections["inventory"]
    if skus is not None:
        found = (shop.variant_of_sku(sku) for sku in skus)
        keys = [key for variant in found if variant is not None and (key := stock.key_of(shop, variant)) is not None]
        chosen = {key: table[key] for key in sorted(set(keys)) if key in table}
    else:
        chosen = table
    return [
        (key, record)
        for key, record in chosen.items()
        if (variants is None or record["variant_id"] in variants)
        and (products is None or record["product_id"] in products)
    ]


def _settings(level: JsonObject) -> JsonObject:
    return {name: level[name] for name in SETTINGS}


def _identity_of(record: JsonObject) -> JsonObject:
    return {name: record[name] for name in IDENTITIES}


def list_items(shop: Shop, call: Call) -> Response:
    """GET /v3/inventory/items: every item with its levels at all locations asked for."""
    page, limit = page_and_limit(call, maximum=PAGE_MOST)
    ids, codes = id_filter(call, "location_id:in"), text_filter(call, "location_code:in")
    records = _keys(shop, call)
    places = {
        location["id"]: location
        for location in shop.collections["locations"].values()
        if (ids is None or location["id"] in ids) and (codes is None or location["code"].lower() in codes)
    }
    first = (page - 1) * limit
    data = [
        {
            "identity": _identity_of(record) | {"sku_id": record["variant_id"]},
            "locations": [
                _at(places[int(id_)], level) for id_, level in record["levels"].items() if int(id_) in places
            ],
        }
        for _, record in records[first : first + limit]
    ]
    return v3_page(call, data, len(records), page, limit)


def _at(location: JsonObject, level: JsonObject) -> JsonObject:
    return {
        "location_id": location["id"],
        "location_code": location["code"],
        "location_name": location["label"],
        "available_to_sell": stock.available(level),
        "total_inventory_onhand": level["on_hand"],
        "location_enabled": location["enabled"],
        "settings": _settings(level),
    }


def _location(shop: Shop, call: Call) -> int:
    if shop.get("locations", call.ids["location_id"]) is None:
        raise Refusal(404, NOT_FOUND)
    return call.number("location_id")


def list_location_items(shop: Shop, call: Call) -> Response:
    """GET /v3/inventory/locations/{id}/items; 404 without such a location."""
    location_id = _location(shop, call)
    page, limit = page_and_limit(call, maximum=PAGE_MOST)
    found = [
        (record, level) for _, record in _keys(shop, call) if (level := stock.level_at(record, location_id)) is not None
    ]
    first = (page - 1) * limit
    data = [
        {
            "identity": _identity_of(record),
            "available_to_sell": stock.available(level),
            "total_inventory_onhand": level["on_hand"],
            "settings": _settings(level),
        }
        for record, level in found[first : first + limit]
    ]
    return v3_page(call, data, len(found), page, limit)


def put_location_items(shop: Shop, call: Call) -> Response:
    """PUT /v3/inventory/locations/{id}/items: safety stock and the like; what is left out stays (§4.2)."""
    location_id = _location(shop, call)
    entries = call.object_body().get("settings")
    if not isinstance(entries, list) or not entries or len(entries) > MOST_ITEMS:
        raise Refusal(422, NOT_VALID, errors={"settings": f"must contain 1 to {MOST_ITEMS} entries"})
    return _queue(shop, "settings", [_setting(shop, place, entry, location_id) for place, entry in enumerate(entries)])


def _setting(shop: Shop, place: int, entry: Json, location_id: int) -> tuple[str, int, JsonObject]:
    identity = entry.get("identity") if isinstance(entry, dict) else None
    if not isinstance(identity, dict):
        raise Refusal(422, NOT_VALID, errors={f"setting.{place}.identity": "must be an object"})
    name, value = _identity(identity, f"setting.{place}.identity")
    given = {field: entry[field] for field in SETTINGS if entry.get(field) is not None}
    if not given:
        text = "At least one setting must be specified: warning_level, is_in_stock or safety_stock"
        raise Refusal(422, NOT_VALID, errors={f"setting.{place}.settings": text})
    for field, each in given.items():
        if type(each) is not SETTINGS[field] or (type(each) is int and each < 0):
            raise Refusal(422, NOT_VALID, errors={f"setting.{place}.{field}": "invalid value"})
    return resolve(shop, name, value), location_id, given
