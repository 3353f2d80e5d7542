"""Fills the shop from the world: channels, currencies, tax, products with their variants, customers."""

from collections.abc import Sequence
from decimal import Decimal

from brightpearl_pipelines.sandbox.bigcommerce.customer_book import add_person
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.stock import DEFAULT_LOCATION, ensure_level, record_of
from brightpearl_pipelines.sandbox.bigcommerce.wire import JsonObject, iso, number, zulu
from brightpearl_pipelines.sandbox.world import BASE_CURRENCY, Product, World

STANDARD_RATE = Decimal(20)


def fill(shop: Shop, world: World) -> None:
    """Turn the world into shop objects; ValueError when two products share a SKU but for its case."""
    _token(shop)
    _surroundings(shop, world)
    families: dict[str, list[Product]] = {}
    for product in world.products:
        families.setdefault(product.family or f"\0{product.sku}", []).append(product)
    for members in families.values():
        add_family(shop, members)
    for person in world.people:
        if person.registered and person.email.lower() not in shop.index.customer_by_email:
            add_person(shop, person)


def _token(shop: Shop) -> None:
    """The store-level API account that `credentials` hands out."""
    token = shop.settings["access_token"]
    shop.put(
        "tokens",
        token,
        {
            "id": token,
            "access_token": token,
            "client_id": shop.settings["client_id"],
            "scope": shop.settings["scope"],
            "context": f"stores/{shop.hash}",
        },
    )


def _surroundings(shop: Shop, world: World) -> None:
    """Location, channels, currencies and tax classes."""
    now = zulu(shop.now())
    shop.next_id("locations")
    shop.put("locations", 1, default_location(now))
    for channel in world.channels:
        shop.put(
            "channels", channel.bigcommerce_id, _channel(channel.bigcommerce_id, channel.name, channel.currency, now)
        )
        shop.sequences["channels"] = max(shop.sequences.get("channels", 0), channel.bigcommerce_id)
    for currency in world.currencies:
        id_ = shop.next_id("currencies")
        base = currency.code == BASE_CURRENCY
        shop.put("currencies", id_, _currency(id_, currency.code, currency.symbol, currency.rate, now, base=base))
    # Class 0 is the implicit default and carries the standard rate; the others get ids of their own.
    shop.put("tax_classes", 0, {"id": 0, "name": "Default Tax Class", "code": "", "rate": str(_standard(world))})
    for tax in world.tax_rates:
        id_ = shop.next_id("tax_classes")
        shop.put("tax_classes", id_, {"id": id_, "name": tax.name, "code": tax.code, "rate": str(tax.rate)})


def _standard(world: World) -> Decimal:
    rates = [tax.rate for tax in world.tax_rates if tax.code == "T20"]
    return rates[0] if rates else STANDARD_RATE


def default_location(now: str) -> JsonObject:
    """Location 1, from which the storefront sells (§4.3)."""
    return {
        "id": DEFAULT_LOCATION,
        "code": "BC-LOCATION-1",
        "label": "Default location",
        "description": "",
        "managed_by_external_source": False,
        "type_id": "PHYSICAL",
        "enabled": True,
        "is_default": True,
        "storefront_visibility": True,
        "operating_hours": None,
        "special_hours": [],
        "time_zone": "Europe/London",
        "address": {
            "address1": "1 Harbour Street",
            "address2": "",
            "city": "Bristol",
            "state": "Bristol",
            "zip": "BS1 4RW",
            "email": "shop@example.com",
            "phone": "",
            "geo_coordinates": {"latitude": 51.45, "longitude": -2.59},
            "country_code": "GB",
        },
        "created_at": now,
        "updated_at": now,
    }


def _channel(id_: int, name: str, currency: str, now: str) -> JsonObject:
    return {
        "id": id_,
        "name": name,
        "type": "storefront",
        "platform": "bigcommerce" if id_ == 1 else "custom",
        "status": "active",
        "is_visible": True,
        "is_enabled": True,
        "is_listable_from_ui": True,
        "external_id": "",
        "icon_url": "",
        "date_created": now,
        "date_modified": now,
        "currency": currency,
    }


def _currency(id_: int, code: str, symbol: str, rate: Decimal, now: str, *, base: bool) -> JsonObject:
    return {
        "id": id_,
        "is_default": base,
        "country_iso2": "GB" if code == "GBP" else "",
        "default_for_country_codes": ["GBR"] if code == "GBP" else [],
        "currency_code": code,
        "currency_exchange_rate": f"{rate:.10f}",
        "auto_update": False,
        "token": symbol,
        "token_location": "left",
        "decimal_token": ".",
        "thousands_token": ",",
        "decimal_places": 2,
        "name": code,
        "enabled": True,
        "is_transactional": True,
        "last_updated": now,
    }


# -- products --------------------------------------------------------------------------------------------------------


def add_family(shop: Shop, members: Sequence[Product]) -> int:
    """One shop product: of one simple product, or of the variants of a family, told apart by their options."""
    first = members[0]
    simple = first.family is None
    id_ = shop.next_id("products", 101)
    now = iso(shop.now())
    name = _free_name(shop, first.name if simple else str(first.family), first.sku)
    product: JsonObject = {
        "id": id_,
        "name": name,
        "type": "digital" if first.digital else "physical",
        "sku": first.sku if simple else "",
        "weight": number(first.weight),
        "price": shop_price(shop, first),
        "cost_price": number(first.cost),
        "tax_class_id": tax_class_of(shop, first.tax_code),
        "categories": [named(shop, "categories", first.category)],
        "brand_id": named(shop, "brands", first.brand),
        "inventory_tracking": _tracking(first, simple),
        "date_created": now,
        "date_modified": now,
        "custom_url": {"url": f"/p{id_}/", "is_customized": False},
        "base_variant_id": None,
    }
    shop.add("products", product)
    shop.index.product_by_name[name.lower()] = id_
    options = {} if simple else _options(shop, id_, members)
    for member in members:
        variant = _variant(shop, id_, member, options, simple)
        if simple:
            product["base_variant_id"] = variant["id"]
        if product["inventory_tracking"] != "none":
            record = record_of(shop, f"p{id_}" if simple else f"v{variant['id']}")
            ensure_level(record, DEFAULT_LOCATION)["on_hand"] = 0 if member.components else sum(member.stock.values())
    for channel in shop.collections["channels"].values():
        assign_channel(shop, id_, channel["id"])
    return id_


def assign_channel(shop: Shop, product_id: int, channel_id: int) -> None:
    """Let a channel sell a product; doing it twice is doing it once."""
    if all(each["channel_id"] != channel_id for each in shop.children("product_channels", product_id)):
        row = {"id": shop.next_id("product_channels"), "product_id": product_id, "channel_id": channel_id}
        shop.add("product_channels", row)


def _tracking(product: Product, simple: bool) -> str:
    if product.digital:
        return "none"
    return "product" if simple else "variant"


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


def named(shop: Shop, collection: str, name: str) -> int:
    """The id of the brand or category with this name, made if it is new."""
    known = shop.named_ids.setdefault(collection, {})
    if name.lower() not in known:
        id_ = shop.next_id(collection, 11)
        known[name.lower()] = id_
        blank = {"id": id_, "name": name}
        shop.put(collection, id_, blank if collection == "brands" else {**blank, "parent_id": 0})
    return known[name.lower()]


def _free_name(shop: Shop, name: str, sku: str) -> str:
    """Product names are unique in a shop: a second one is told apart by its SKU."""
    name = name or sku
    return name if name.lower() not in shop.index.product_by_name else f"{name} ({sku})"


def _options(shop: Shop, product_id: int, members: Sequence[Product]) -> dict[tuple[str, str], JsonObject]:
    """The options of a family with all values met; by name and label, the reference a variant carries."""
    references: dict[tuple[str, str], JsonObject] = {}
    names = list(dict.fromkeys(name for member in members for name in member.options))
    for place, name in enumerate(names):
        labels = list(dict.fromkeys(member.options[name] for member in members if name in member.options))
        id_ = shop.next_id("options", 111)
        values = [
            {
                "id": shop.next_id("option_values", 95),
                "label": label,
                "sort_order": order,
                "value_data": None,
                "is_default": order == 0,
            }
            for order, label in enumerate(labels)
        ]
        shop.add(
            "options",
            {
                "id": id_,
                "product_id": product_id,
                "name": f"{name}{id_}",
                "display_name": name,
                "type": "rectangles",
                "sort_order": place,
                "option_values": values,
                "config": {},
            },
        )
        for value in values:
            reference = {"id": value["id"], "label": value["label"], "option_id": id_, "option_display_name": name}
            references[(name, str(value["label"]))] = reference
    return references


def _variant(
    shop: Shop, product_id: int, member: Product, options: dict[tuple[str, str], JsonObject], simple: bool
) -> JsonObject:
    claim_sku(shop, member.sku)
    id_ = shop.next_id("variants", 201)
    variant: JsonObject = {"id": id_, "product_id": product_id, "sku": member.sku, "sku_id": None if simple else id_}
    if not simple:
        variant["option_values"] = [options[item] for item in member.options.items()]
        variant["price"] = shop_price(shop, member)
        variant["weight"] = number(member.weight)
    shop.add("variants", variant)
    shop.index.variant_by_sku[member.sku.lower()] = id_
    return variant


def claim_sku(shop: Shop, sku: str) -> None:
    """ValueError when the SKU is taken, whatever its case (§3.2)."""
    other = shop.variant_of_sku(sku)
    if other is not None or sku.lower() in shop.index.parent_by_sku:
        taken = other["sku"] if other else sku
        raise ValueError(f"the SKU {sku!r} clashes with {taken!r}: BigCommerce's SKUs are unique whatever their case")
