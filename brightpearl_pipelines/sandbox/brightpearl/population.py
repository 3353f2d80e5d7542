"""Turns the world into a Brightpearl account (see `sandbox/world.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.countries import country
from brightpearl_pipelines.sandbox.brightpearl.prices import COST_LIST, RETAIL_LIST
from brightpearl_pipelines.sandbox.brightpearl.wire import JsonObject, fixed

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator
    from brightpearl_pipelines.sandbox.world import Person, World


def fill(emulator: BrightpearlEmulator, world: World) -> None:
    """Reference data first, then products (components before their bundles), stock and known customers."""
    _money(emulator, world)
    for warehouse in world.warehouses:
        emulator.warehouses.put_warehouse(warehouse.id, warehouse.name, warehouse.city)
    for number, name, carrier in world.shipping_methods:
        emulator.warehouses.put_shipping_method(number, name, carrier)
    for channel in world.channels:
        entry = {"id": channel.brightpearl_id, "name": channel.name, "channelTypeId": 1, "channelBrandId": 1}
        price_list = _list_of(emulator, channel.currency)
        emulator.put("channels", channel.brightpearl_id, {**entry, "defaultPriceListId": price_list})
    known = [product for product in world.products if product.in_brightpearl]
    for product in sorted(known, key=lambda item: bool(item.components)):
        emulator.products.add(product, quietly=True)
    every = int(emulator.settings["known_people_every"])
    for person in world.people[::every] if every else ():
        _contact(emulator, person)


def _money(emulator: BrightpearlEmulator, world: World) -> None:
    """Tax codes, currencies and price lists: one for costs, one to sell at per currency."""
    for number, tax in enumerate(world.tax_rates, start=1):
        entry: JsonObject = {"id": number, "code": tax.code, "description": tax.name, "rate": float(tax.rate)}
        emulator.put("tax_codes", number, entry)
    for currency in world.currencies:
        emulator.reference.put_currency(currency.code, currency.symbol, fixed(currency.rate, 6))
    base = emulator.settings["base_currency"]
    currencies = emulator.collection("currencies").values()
    main = next(entry for entry in currencies if entry["code"] == base)
    emulator.prices.put_list(COST_LIST, "COST", "Cost price", main, "BUY")
    emulator.prices.put_list(RETAIL_LIST, "RETAIL", "Retail", main, "SELL")
    others = (entry for entry in currencies if entry["code"] != base)
    for number, entry in enumerate(others, start=RETAIL_LIST + 1):
        emulator.prices.put_list(number, f"RETAIL_{entry['code']}", f"Retail {entry['code']}", entry, "SELL")


def _list_of(emulator: BrightpearlEmulator, currency: str) -> int:
    lists = emulator.collection("price_lists").values()
    fitting = (item["id"] for item in lists if item["currencyCode"] == currency and item["priceListTypeCode"] == "SELL")
    return next(fitting, RETAIL_LIST)


def _contact(emulator: BrightpearlEmulator, person: Person) -> None:
    land = country(person.country_iso2)
    address: JsonObject = {
        "addressLine1": person.street_1,
        "addressLine2": person.street_2,
        "addressLine3": person.city,
        "addressLine4": person.state,
        "postalCode": person.postcode,
    }
    if land is not None:
        address |= {"countryIsoCode": land["iso3"], "countryIsoCode2": land["iso2"], "countryId": land["countryId"]}
    number = emulator.contacts.add_address(address)
    contact: JsonObject = {
        "firstName": person.first_name[:32],
        "lastName": person.last_name[:32],
        "postAddressIds": {"DEF": number, "BIL": number, "DEL": number},
        "communication": {"emails": {"PRI": {"email": person.email}}, "telephones": {"PRI": person.phone}},
    }
    if person.company:
        contact["organisation"] = {"name": person.company}
    emulator.contacts.add(contact)
