"""Warehouses, their locations and defaults, and shipping methods (brightpearl.md §8.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.stock import DEFAULT_LOCATION
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    DONE,
    ApiError,
    Call,
    IdSet,
    JsonObject,
    Reply,
    answer,
    not_found,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

_DEFAULTS = {
    "defaultLocationId": DEFAULT_LOCATION,
    "overflowLocationId": 0,
    "reorderLevel": 0,
    "reorderQuantity": 0,
}
QUARANTINE_LOCATION = 1


class Warehouses:
    """Places and ways of shipping."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    def endpoints(self) -> list[Endpoint]:
        root = "warehouse-service/warehouse"
        methods = "warehouse-service/shipping-method"
        return [
            Endpoint("GET", f"{root}/{{ids?}}", self.get, "get-warehouse"),
            Endpoint("GET", f"{root}/{{id}}/location/default", self.default_location, "get-default-location"),
            Endpoint("GET", f"{root}/{{id}}/location/quarantine", self.quarantine, "get-quarantine-location"),
            Endpoint("GET", f"{root}/{{id}}/product/{{ids}}", self.defaults, "get-warehouse-defaults"),
            Endpoint("PUT", f"{root}/{{id}}/product/{{product_id}}", self.put_defaults, "put-warehouse-defaults"),
            Endpoint("GET", f"{methods}/{{ids?}}", self.shipping_methods, "get-shipping-method"),
            Endpoint("POST", methods, self.add_shipping_method, "post-shipping-method"),
        ]

    def put_warehouse(self, number: int, name: str, city: str) -> None:
        address = {"addressId": 210 + number, "customerId": 0, "streetAddress": "1 Dock Road", "postcode": "CA1 1AA"}
        place = {"city": city, "state": "", "countryId": 222, "countryIsoCode2": "GB"}
        self.emulator.put("warehouses", number, {"id": number, "name": name, "address": {**address, **place}})

    def put_shipping_method(self, number: int, name: str, carrier: str) -> None:
        method = {
            "id": number,
            "name": name,
            "code": f"SM{number}",
            "methodType": 1,
            "breaks": "10,100,250,1000,100000",
        }
        rest = {"additionalInformationRequired": False, "carrier": carrier, "countries": "UK"}
        self.emulator.put("shipping_methods", number, {**method, **rest})

    def known_method(self, number: object) -> bool:
        """Whether a shipping method exists; 0 means none and is always allowed."""
        return number in (0, "0", None) or str(number) in self.emulator.collection("shipping_methods")

    def get(self, _call: Call, ids: str | None) -> Reply:
        return answer(self.emulator.reference.pick("warehouses", ids, "Warehouses"))

    def shipping_methods(self, _call: Call, ids: str | None) -> Reply:
        return answer(self.emulator.reference.pick("shipping_methods", ids, "Shipping Methods"))

    def add_shipping_method(self, call: Call) -> Reply:
        body = call.object()
        name = body.get("name")
        taken = {method["name"] for method in self.emulator.collection("shipping_methods").values()}
        if not isinstance(name, str) or not name or len(name) > 128 or name in taken:
            raise ApiError(400, ("WHSC-080", "name is required, unique and at most 128 characters"))
        number = self.emulator.reference.next_number("shipping_methods")
        self.put_shipping_method(number, name, str(body.get("carrier", "")))
        return answer(number)

    def _existing(self, warehouse_id: str) -> None:
        if warehouse_id not in self.emulator.collection("warehouses"):
            raise not_found("No Warehouses Found")

    def default_location(self, _call: Call, id: str) -> Reply:
        self._existing(id)
        return answer(DEFAULT_LOCATION)

    def quarantine(self, _call: Call, id: str) -> Reply:
        self._existing(id)
        return answer(QUARANTINE_LOCATION)

    def defaults(self, _call: Call, id: str, ids: str) -> Reply:
        self._existing(id)
        products = self.emulator.collection("products")
        found = IdSet.parse(ids).limited(200).among(products)
        if not found:
            raise not_found("No warehouse defaults found")
        return answer([{"productId": number, **self._defaults_of(products[str(number)], id)} for number in found])

    def _defaults_of(self, product: JsonObject, warehouse_id: str) -> JsonObject:
        return {**_DEFAULTS, **product["warehouses"].get(warehouse_id, {})}

    def put_defaults(self, call: Call, id: str, product_id: str) -> Reply:
        self._existing(id)
        product = self.emulator.products.find(int(product_id))
        if product is None:
            raise not_found(f"Cannot find product(s) {product_id}")
        body = call.object()
        changes = {name: body[name] for name in _DEFAULTS if name in body}
        product["warehouses"][id] = {**self._defaults_of(product, id), **changes}
        self.emulator.products.changed(product)
        return DONE
