"""The shape of a product as kept and shown, and what can be wrong with a sent one (brightpearl.md §7.1)."""

from __future__ import annotations

from brightpearl_pipelines.sandbox.brightpearl.reference import text
from brightpearl_pipelines.sandbox.brightpearl.wire import JsonObject, decimal_of, int_of

CHANNEL = "Brightpearl"
DIMENSIONS = ("length", "height", "width", "volume")
_IDENTITY = ("sku", "isbn", "ean", "upc", "mpn")
_LENGTHS = {"sku": 32, "isbn": 14, "ean": 14, "upc": 14, "mpn": 14}


def product_shape(body: JsonObject) -> JsonObject:
    """A product in the shape of GET out of a checked POST body."""
    stock = body.get("stock", {})
    financial = body.get("financialDetails", {})
    product: JsonObject = {
        "id": 0,
        "brandId": int(body["brandId"]),
        "collectionId": body.get("collectionId", 0),
        "productTypeId": body.get("productTypeId", 1),
        "identity": identity_shape(body.get("identity", {})),
        "productGroupId": body.get("productGroupId", 0),
        "featured": bool(body.get("featured", False)),
        "stock": {
            "stockTracked": bool(stock.get("stockTracked", False)),
            "weight": {"magnitude": _number(stock.get("weight", {}).get("magnitude"))},
            "dimensions": {name: _number(stock.get("dimensions", {}).get(name)) for name in DIMENSIONS},
        },
        "financialDetails": {"taxable": financial.get("taxable", True), "taxCode": financial.get("taxCode", {"id": 0})},
        "salesChannels": [channel_shape(channel) for channel in body["salesChannels"]],
        "composition": body.get("composition") or {"bundle": False},
    }
    if body.get("variations"):
        product["variations"] = body["variations"]
    product |= {
        "createdOn": "", "updatedOn": "", "warehouses": body.get("warehouses", {}),
        "nominalCodeStock": body.get("nominalCodeStock", "1001"),
        "nominalCodePurchases": body.get("nominalCodePurchases", "5000"),
        "nominalCodeSales": body.get("nominalCodeSales", "4000"),
        "seasonIds": body.get("seasonIds", []), "reporting": body.get("reporting", {}),
        "status": body.get("status", "LIVE"), "salesPopupMessage": "", "warehousePopupMessage": "",
    }  # fmt: skip
    return product


def identity_shape(sent: JsonObject) -> JsonObject:
    """`barcode` is read only: the EAN, else the UPC. Numbers never set are missing (§7.1)."""
    identity = {name: str(sent[name]) for name in _IDENTITY if sent.get(name) is not None}
    identity.setdefault("sku", "")
    barcode = identity.get("ean") or identity.get("upc")
    return {**identity, "barcode": barcode} if barcode else identity


def channel_shape(sent: JsonObject) -> JsonObject:
    description, short = sent.get("description"), sent.get("shortDescription")
    categories = sent.get("categories", [])
    return {
        "salesChannelName": sent.get("salesChannelName", CHANNEL),
        "productName": str(sent.get("productName", "")),
        "productCondition": sent.get("productCondition", "new"),
        "categories": [{"categoryCode": str(entry["categoryCode"])} for entry in categories],
        "description": description if isinstance(description, dict) else text("", "HTML_FRAGMENT"),
        "shortDescription": short if isinstance(short, dict) else text("", "HTML_FRAGMENT"),
    }


def merged(old: JsonObject, new: JsonObject) -> JsonObject:
    both = dict(old)
    for name, value in new.items():
        both[name] = (
            merged(both[name], value) if isinstance(value, dict) and isinstance(both.get(name), dict) else value
        )
    return both


def merged_channels(old: list[JsonObject], new: list[JsonObject]) -> list[JsonObject]:
    """Channels by name: a name sent alone keeps the categories (recorded, §7.1)."""
    channels = {channel["salesChannelName"]: channel for channel in old}
    for sent in new:
        name = sent.get("salesChannelName", CHANNEL)
        channels[name] = channel_shape({**channels.get(name, {}), **sent})
    return list(channels.values())


def _number(value: object) -> float:
    number = decimal_of(value)
    return float(number) if number is not None else 0.0


def identity_problems(identity: JsonObject) -> list[tuple[str, str]]:
    return [
        ("PRDC-019", f"{name} may have at most {longest} characters")
        for name, longest in _LENGTHS.items()
        if len(str(identity.get(name) or "")) > longest
    ]


def shape_problems(body: JsonObject) -> list[tuple[str, str]]:
    """Sections of the wrong JSON type."""
    objects = ("identity", "stock", "financialDetails", "reporting", "composition", "warehouses")
    lists = ("salesChannels", "variations", "seasonIds")
    wrong = [name for name in objects if not isinstance(body.get(name, {}), dict)]
    wrong += [name for name in lists if not isinstance(body.get(name, []), list)]
    channels = body.get("salesChannels", [])
    if isinstance(channels, list) and not all(_is_channel(channel) for channel in channels):
        wrong.append("salesChannels")
    return [("PRDC-022", f"{name} has the wrong type") for name in wrong]


def _is_channel(channel: object) -> bool:
    categories = channel.get("categories", []) if isinstance(channel, dict) else None
    return isinstance(categories, list) and all(
        isinstance(entry, dict) and int_of(entry.get("categoryCode")) is not None for entry in categories
    )
