"""How products, variants, options and brands come to be, change and go (bigcommerce.md §3)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.sandbox.bigcommerce import stock
from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import JsonObject, iso, number
from brightpearl_pipelines.sandbox.world import Product


class TakenError(ValueError):
    """A name or SKU that another product has already."""


# -- SKUs, brands, channels ------------------------------------------------------------------------------------------


def claim_sku(shop: Shop, sku: str, *, own: int | None = None) -> None:
    """TakenError when the SKU belongs to another product than `own`, whatever its case (§3.2)."""
    other = shop.variant_of_sku(sku)
    parent = shop.index.parent_by_sku.get(sku.lower())
    taken = other["sku"] if other is not None and other["product_id"] != own else None
    if parent is not None and parent != own:
        taken = shop.need("products", parent)["sku"]
    if taken is not None:
        raise TakenError(f"the SKU {sku!r} clashes with {taken!r}: BigCommerce's SKUs are unique whatever their case")


def named(shop: Shop, collection: str, name: str) -> int:
    """The id of the brand or category with this name, made if it is new."""
    known = shop.named_ids.setdefault(collection, {})
    if name.lower() not in known:
        id_ = shop.next_id(collection, 11)
        known[name.lower()] = id_
        blank: JsonObject = {"id": id_, "name": name}
        shop.put(collection, id_, blank if collection == "brands" else {**blank, "parent_id": 0})
    return known[name.lower()]


def assign_channel(shop: Shop, product_id: int, channel_id: int) -> None:
    """Let a channel sell a product; doing it twice is doing it once."""
    if all(each["channel_id"] != channel_id for each in shop.children("product_channels", product_id)):
        row = {"id": shop.next_id("product_channels"), "product_id": product_id, "channel_id": channel_id}
        shop.add("product_channels", row)


# -- making and changing ---------------------------------------------------------------------------------------------


def new_product(shop: Shop, fields: Mapping[str, Any], *, with_options: bool) -> JsonObject:
    """Store a product; a simple one gets its base variant. TakenError for a name or SKU in use."""
    name, sku = str(fields["name"]), str(fields.get("sku") or "")
    if name.lower() in shop.index.product_by_name:
        raise TakenError(f"the product name {name!r} is taken")
    if sku:
        claim_sku(shop, sku)
    id_ = shop.next_id("products", 101)
    now = iso(shop.now())
    product: JsonObject = {
        "inventory_tracking": "none",
        **fields,
        "id": id_,
        "name": name,
        "sku": sku,
        "date_created": now,
        "date_modified": now,
        "base_variant_id": None,
    }
    product.setdefault("custom_url", {"url": f"/p{id_}/", "is_customized": False})
    shop.add("products", product)
    shop.index.product_by_name[name.lower()] = id_
    emit(shop, "store/product/created", {"type": "product", "id": id_})
    if not with_options:
        product["base_variant_id"] = new_variant(shop, product, {"sku": sku})["id"]
    elif sku:
        shop.index.parent_by_sku[sku.lower()] = id_
    return product


def new_variant(shop: Shop, product: JsonObject, fields: Mapping[str, Any]) -> JsonObject:
    """Store a variant. TakenError for a SKU in use."""
    sku = str(fields.get("sku") or "")
    if sku:
        claim_sku(shop, sku, own=product["id"] if not fields.get("option_values") else None)
    id_ = shop.next_id("variants", 201)
    base = not fields.get("option_values")
    variant = {**fields, "id": id_, "product_id": product["id"], "sku": sku, "sku_id": None if base else id_}
    shop.add("variants", variant)
    if sku:
        shop.index.variant_by_sku[sku.lower()] = id_
    if not base:
        tell_sku(shop, variant, "created")
    return variant


def tell_sku(shop: Shop, variant: JsonObject, what: str) -> None:
    """The event of a variant."""
    data = {"product_id": variant["product_id"], "variant_id": variant["id"]}
    emit(shop, f"store/sku/{what}", {"type": "sku", "id": variant["id"], "sku": data})


def change_product(shop: Shop, product: JsonObject, fields: Mapping[str, Any]) -> None:
    """Change a product; name, SKU and index follow. TakenError, nothing changed, for a name or SKU in use."""
    name, sku = str(fields.get("name", product["name"])), str(fields.get("sku", product["sku"]) or "")
    if shop.index.product_by_name.get(name.lower(), product["id"]) != product["id"]:
        raise TakenError(f"the product name {name!r} is taken")
    if sku:
        claim_sku(shop, sku, own=product["id"])
    shop.index.product_by_name.pop(product["name"].lower(), None)
    shop.index.product_by_name[name.lower()] = product["id"]
    if sku != product["sku"]:
        _rename_sku(shop, product, sku)
    product.update(fields)
    product["sku"] = sku
    product["date_modified"] = iso(shop.now())
    shop.touch()
    emit(shop, "store/product/updated", {"type": "product", "id": product["id"]})


def _rename_sku(shop: Shop, product: JsonObject, sku: str) -> None:
    """The SKU of a simple product and of its base variant are one thing (§8.17)."""
    base = product["base_variant_id"]
    if base is None:
        shop.index.parent_by_sku.pop(product["sku"].lower(), None)
        if sku:
            shop.index.parent_by_sku[sku.lower()] = product["id"]
        return
    set_variant_sku(shop, shop.need("variants", base), sku)


def set_variant_sku(shop: Shop, variant: JsonObject, sku: str) -> None:
    """Give a variant another SKU; stock records and the base product's own SKU follow."""
    shop.index.variant_by_sku.pop(variant["sku"].lower(), None)
    variant["sku"] = sku
    if sku:
        shop.index.variant_by_sku[sku.lower()] = variant["id"]
    for key in (f"v{variant['id']}", f"p{variant['product_id']}"):
        record = shop.get("inventory", key)
        if record is not None and record["variant_id"] == variant["id"]:
            record["sku"] = sku


def change_variant(shop: Shop, variant: JsonObject, fields: Mapping[str, Any]) -> None:
    """Change a variant. TakenError, nothing changed, for a SKU in use."""
    sku = str(fields.get("sku", variant["sku"]) or "")
    product = shop.need("products", variant["product_id"])
    base = product["base_variant_id"] == variant["id"]
    if sku.lower() != variant["sku"].lower() and sku:
        claim_sku(shop, sku)
    if sku != variant["sku"]:
        set_variant_sku(shop, variant, sku)
        if base:
            product["sku"] = sku
    variant.update(fields)
    variant["sku"] = sku
    product["date_modified"] = iso(shop.now())
    shop.touch()
    if base:
        emit(shop, "store/product/updated", {"type": "product", "id": product["id"]})
    else:
        tell_sku(shop, variant, "updated")


def delete_variant(shop: Shop, variant: JsonObject) -> None:
    """Take a variant away; order lines keep what they snapshot."""
    shop.index.variant_by_sku.pop(variant["sku"].lower(), None)
    shop.collections["inventory"].pop(f"v{variant['id']}", None)
    for metafield in shop.children("variant_metafields", variant["id"]):
        shop.drop("variant_metafields", metafield["id"])
    shop.drop("variants", variant["id"])
    if variant["sku_id"] is not None:
        tell_sku(shop, variant, "deleted")


def delete_product(shop: Shop, product: JsonObject) -> None:
    """Take a product away with all that hangs on it; reading it gives 404 from then on (§8.16)."""
    for variant in shop.children("variants", product["id"]):
        delete_variant(shop, variant)
    for collection in ("options", "product_metafields", "product_channels"):
        for child in shop.children(collection, product["id"]):
            shop.drop(collection, child["id"])
    shop.collections["inventory"].pop(f"p{product['id']}", None)
    shop.index.product_by_name.pop(product["name"].lower(), None)
    shop.index.parent_by_sku.pop(product["sku"].lower(), None)
    for family in [each for each in shop.collections["families"].values() if each["product_id"] == product["id"]]:
        shop.drop("families", family["id"])
    shop.drop("products", product["id"])
    emit(shop, "store/product/deleted", {"type": "product", "id": product["id"]})


def option_reference(shop: Shop, product_id: int, name: str, label: str) -> JsonObject:
    """What a variant says of one of its options; option and value are made when they are new."""
    options = shop.children("options", product_id)
    option = next((each for each in options if each["display_name"] == name), None)
    if option is None:
        id_ = shop.next_id("options", 111)
        option = {
            "id": id_,
            "product_id": product_id,
            "name": f"{name}{id_}",
            "display_name": name,
            "type": "rectangles",
            "sort_order": len(options),
            "option_values": [],
            "config": {},
        }
        shop.add("options", option)
    value = next((each for each in option["option_values"] if each["label"] == label), None)
    if value is None:
        value = new_option_value(shop, option, {"label": label})
    return {"id": value["id"], "label": label, "option_id": option["id"], "option_display_name": name}


def new_option_value(shop: Shop, option: JsonObject, given: Mapping[str, Any]) -> JsonObject:
    """Add a value to an option."""
    place = len(option["option_values"])
    value = {
        "id": shop.next_id("option_values", 95),
        "label": str(given["label"]),
        "sort_order": int(given.get("sort_order", place)),
        "value_data": given.get("value_data") or {},
        "is_default": bool(given.get("is_default", False)),
    }
    option["option_values"].append(value)
    shop.touch()
    return value


# -- the world's products --------------------------------------------------------------------------------------------


def add_world_product(shop: Shop, product: Product) -> int:
    """A simple product, or a variant of its family's shop product; returns the shop product's id.

    TakenError when another product has the SKU but for its case.
    """
    claim_sku(shop, product.sku)
    if product.family is None:
        shown = _shop_product(shop, product, _free_name(shop, product.name, product.sku), simple=True)
        variant = shop.need("variants", shown["base_variant_id"])
    else:
        family = shop.get("families", product.family)
        if family is None:
            shown = _shop_product(shop, product, _free_name(shop, product.family, product.sku), simple=False)
            shop.put("families", product.family, {"id": product.family, "product_id": shown["id"]})
        else:
            shown = shop.need("products", family["product_id"])
        references = [option_reference(shop, shown["id"], name, label) for name, label in product.options.items()]
        fields = {"option_values": references, "price": shop_price(shop, product), "weight": number(product.weight)}
        variant = new_variant(shop, shown, {"sku": product.sku, **fields})
    key = stock.key_of(shop, variant)
    if key is not None:
        # A bundle's stock is what a sync makes of its components: nobody counts bundles on a shelf.
        on_hand = 0 if product.components else sum(product.stock.values())
        stock.ensure_level(stock.record_of(shop, key), stock.DEFAULT_LOCATION)["on_hand"] = on_hand
    return int(shown["id"])


def _shop_product(shop: Shop, product: Product, name: str, *, simple: bool) -> JsonObject:
    tracking = "none" if product.digital else ("product" if simple else "variant")
    fields = {
        "name": name,
        "type": "digital" if product.digital else "physical",
        "sku": product.sku if simple else "",
        "weight": number(product.weight),
        "price": shop_price(shop, product),
        "cost_price": number(product.cost),
        "tax_class_id": tax_class_of(shop, product.tax_code),
        "categories": [named(shop, "categories", product.category)],
        "brand_id": named(shop, "brands", product.brand),
        "inventory_tracking": tracking,
    }
    shown = new_product(shop, fields, with_options=not simple)
    for channel in shop.collections["channels"].values():
        assign_channel(shop, shown["id"], channel["id"])
    return shown


def shop_price(shop: Shop, product: Product) -> int | float:
    """The price as the shop's staff enter it: net, or with tax where the store's setting says so."""
    if not shop.settings["prices_entered_with_tax"]:
        return number(product.price)
    percent = Decimal(shop.need("tax_classes", tax_class_of(shop, product.tax_code))["rate"])
    return number((product.price * (100 + percent) / 100).quantize(Decimal("0.01")))


def tax_class_of(shop: Shop, code: str) -> int:
    """The shop's class for a tax code of the world; 0, the default, for the standard rate and unknown codes."""
    default = shop.need("tax_classes", 0)["rate"]
    for tax_class in shop.collections["tax_classes"].values():
        if tax_class["code"] == code and tax_class["rate"] != default:
            return int(tax_class["id"])
    return 0


def _free_name(shop: Shop, name: str, sku: str) -> str:
    """Product names are unique in a shop: a second one is told apart by its SKU."""
    name = name or sku
    return name if name.lower() not in shop.index.product_by_name else f"{name} ({sku})"
