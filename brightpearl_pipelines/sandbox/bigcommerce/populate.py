"""Fills the shop from the world: channels, currencies, tax, products with their variants, customers."""

from decimal import Decimal

from brightpearl_pipelines.sandbox.bigcommerce import catalog_book
from brightpearl_pipelines.sandbox.bigcommerce.customer_book import add_person
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.stock import DEFAULT_LOCATION
from brightpearl_pipelines.sandbox.bigcommerce.wire import JsonObject, zulu
from brightpearl_pipelines.sandbox.world import World

STANDARD_RATE = Decimal(20)


def fill(shop: Shop, world: World) -> None:
    """Turn the world into shop objects; ValueError when two products share a SKU but for its case."""
    _token(shop)
    _surroundings(shop, world)
    for product in world.products:
        catalog_book.add_world_product(shop, product)
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
        base = currency.code == world.base_currency
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
        "operating_hours": {
            day: {"open": True, "opening": "09:00", "closing": "17:00"}
            for day in ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
        },
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
