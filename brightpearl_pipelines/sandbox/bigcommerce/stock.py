"""Stock at the shop: levels by location, and how adjustments and orders move them (bigcommerce.md §4).

What is tracked is a product or a variant, by the product's `inventory_tracking`. One record of the collection
`inventory` is one tracked thing: `p<product id>` or `v<variant id>`, with a level for every location that was ever set.
"""

from collections.abc import Iterable

from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.statuses import NO_STOCK_TAKEN
from brightpearl_pipelines.sandbox.bigcommerce.wire import JsonObject

DEFAULT_LOCATION = 1
MOST = 2_147_483_647


def tracking(shop: Shop, product_id: int) -> str:
    """`none`, `product` or `variant`."""
    return str(shop.need("products", product_id)["inventory_tracking"])


def key_of(shop: Shop, variant: JsonObject) -> str | None:
    """The key of the record that counts this variant; None when nobody counts it."""
    mode = tracking(shop, variant["product_id"])
    if mode == "none":
        return None
    return f"p{variant['product_id']}" if mode == "product" else f"v{variant['id']}"


def record_of(shop: Shop, key: str) -> JsonObject:
    """The stock record, made empty when it is not there yet."""
    record = shop.get("inventory", key)
    if record is not None:
        return record
    if key[0] == "v":
        variant = shop.need("variants", key[1:])
        identity = {"variant_id": variant["id"], "product_id": variant["product_id"], "sku": variant["sku"]}
    else:
        product = shop.need("products", key[1:])
        variants = shop.children("variants", product["id"])
        identity = {"variant_id": variants[0]["id"], "product_id": product["id"], "sku": product["sku"]}
    return shop.put("inventory", key, {"id": key, **identity, "levels": {}})


def level_at(record: JsonObject, location_id: int) -> JsonObject | None:
    """The level at a location; None when no absolute number was ever set there."""
    level: JsonObject | None = record["levels"].get(str(location_id))
    return level


def available(level: JsonObject) -> int:
    """`available_to_sell`: what is on hand less the safety stock (§4.2)."""
    return int(level["on_hand"]) - int(level["safety_stock"])


def ensure_level(record: JsonObject, location_id: int) -> JsonObject:
    """The level at a location, made at nought when it is not there."""
    blank = {"on_hand": 0, "safety_stock": 0, "is_in_stock": True, "warning_level": 0, "bin_picking_number": ""}
    level: JsonObject = record["levels"].setdefault(str(location_id), blank)
    return level


def product_level(shop: Shop, product: JsonObject) -> int:
    """`inventory_level` of the catalogue: available to sell at the default location, over all variants."""
    if product["inventory_tracking"] == "none":
        return 0
    if product["inventory_tracking"] == "product":
        return level_of_key(shop, f"p{product['id']}")
    return sum(level_of_key(shop, f"v{id_}") for id_ in shop.index.children["variants"].get(product["id"], ()))


def level_of_key(shop: Shop, key: str) -> int:
    """Available to sell at the default location; 0 where never set."""
    record = shop.get("inventory", key)
    level = None if record is None else level_at(record, DEFAULT_LOCATION)
    return 0 if level is None else available(level)


def set_absolute(shop: Shop, key: str, location_id: int, quantity: int) -> None:
    """Set what is on hand and tell it."""
    record = record_of(shop, key)
    level = ensure_level(record, location_id)
    before = level["on_hand"]
    level["on_hand"] = quantity if shop.settings["absolute_sets_on_hand"] else quantity + level["safety_stock"]
    shop.touch()
    value = quantity if shop.settings["absolute_event_value"] == "level" else level["on_hand"] - before
    _tell(shop, record, location_id, "absolute", value, by_order=False)


def move(shop: Shop, key: str, location_id: int, delta: int, *, by_order: bool) -> int:
    """Add to what is on hand, never below nought; returns what really moved."""
    record = record_of(shop, key)
    level = ensure_level(record, location_id)
    after = min(MOST, max(0, level["on_hand"] + delta))
    moved = int(after - level["on_hand"])
    level["on_hand"] = after
    shop.touch()
    if moved:
        _tell(shop, record, location_id, "relative", moved, by_order=by_order)
    return moved


def _tell(shop: Shop, record: JsonObject, location_id: int, method: str, value: int, *, by_order: bool) -> None:
    """The stock events: of the product or of the SKU by what is tracked, and one a channel (§7.3)."""
    kind = "product" if record["id"][0] == "p" else "sku"
    inventory = {"product_id": record["product_id"], "method": method, "value": value}
    id_ = record["product_id"]
    if kind == "sku":
        inventory["variant_id"] = id_ = record["variant_id"]
    where = "inventory/order/updated" if by_order else "inventory/updated"
    emit(shop, f"store/{kind}/{where}", {"type": kind, "id": id_, "inventory": inventory})
    place = {"variant_id": record["variant_id"], "product_id": record["product_id"], "location_id": location_id}
    for channel in shop.collections["channels"].values():
        emit(shop, f"store/channel/{channel['id']}/inventory/product/stock_changed", place)


# -- what orders do to stock -----------------------------------------------------------------------------------------


def line_key(shop: Shop, line: JsonObject) -> str | None:
    """The stock record behind an order line; None for custom, digital, untracked and deleted ones."""
    variant = shop.get("variants", line["variant_id"])
    return None if variant is None else key_of(shop, variant)


def takes_stock_now(shop: Shop, order: JsonObject) -> bool:
    """Whether an order in this state has its stock taken, by `update_stock_behavior` (§4.4)."""
    if order["status_id"] in NO_STOCK_TAKEN:
        return False
    behaviour = shop.inventory_setting("update_stock_behavior", order["channel_id"])
    return bool(behaviour == "order_placed" or order["status_id"] in (2, 10))


def take_for_order(shop: Shop, order: JsonObject) -> None:
    """Take what the order's lines need and have not taken yet, once its state says so."""
    if not takes_stock_now(shop, order):
        return
    taken = _taken(shop, order["id"])
    for line in shop.children("order_products", order["id"]):
        if str(line["id"]) not in taken:
            take_for_line(shop, order["id"], line)


def take_for_line(shop: Shop, order_id: int, line: JsonObject) -> None:
    """Take one line's quantity from the default location and remember how much was there to take."""
    key = line_key(shop, line)
    if key is None or not line["quantity"]:
        return
    moved = move(shop, key, DEFAULT_LOCATION, -line["quantity"], by_order=True)
    _taken(shop, order_id)[str(line["id"])] = -moved


def give_back(shop: Shop, order: JsonObject, lines: Iterable[tuple[JsonObject, int]]) -> None:
    """Put quantities of lines back, at most what they took."""
    taken = _taken(shop, order["id"])
    for line, quantity in lines:
        back = min(quantity, taken.get(str(line["id"]), 0))
        key = line_key(shop, line)
        if back and key is not None:
            taken[str(line["id"])] -= move(shop, key, DEFAULT_LOCATION, back, by_order=True)


def give_back_all(shop: Shop, order: JsonObject) -> None:
    """Put back everything the order took, as a cancellation does."""
    give_back(shop, order, [(line, line["quantity"]) for line in shop.children("order_products", order["id"])])
    shop.collection("order_stock").pop(str(order["id"]), None)


def _taken(shop: Shop, order_id: int) -> dict[str, int]:
    """Units taken by line id."""
    record = shop.get("order_stock", order_id)
    if record is None:
        record = shop.put("order_stock", order_id, {"id": order_id, "taken": {}})
    taken: dict[str, int] = record["taken"]
    return taken
