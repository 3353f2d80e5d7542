"""Custom fields of orders, products and contacts, and their metadata (brightpearl.md §5.4, §6.2, §7.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.patching import apply_patch
from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import ApiError, Call, IdSet, JsonObject, Reply, answer, not_found

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

_METADATA_PATHS = (
    ("order-service/sale", "sale"),
    ("order-service/purchase", "purchase"),
    ("contact-service/customer", "customer"),
    ("contact-service/supplier", "supplier"),
    ("product-service/product", "product"),
)
_SELECT_OPTIONS = {"64": {"id": 64, "value": "North"}, "65": {"id": 65, "value": "South"}}
_FIRST_FIELDS: tuple[tuple[str, str, str, str, JsonObject], ...] = (
    ("sale", "PCF_GIFTMSG", "Gift message", "TEXT", {}),
    ("sale", "PCF_ZONE", "Zone", "SELECT", _SELECT_OPTIONS),
    ("purchase", "PCF_BUYER", "Buyer", "TEXT", {}),
    ("product", "PCF_SEASONAL", "Seasonal", "YES_NO", {}),
    ("product", "PCF_NOTE", "Note", "TEXT_AREA", {}),
    ("customer", "PCF_SEGMENT", "Segment", "TEXT", {}),
    ("customer", "PCF_SCORE", "Score", "INTEGER", {}),
    ("supplier", "PCF_RATING", "Rating", "INTEGER", {}),
)
_OPS = ("test", "add", "replace", "remove")


class CustomFields:
    """Definitions are in the collection `custom_field_definitions`; values live in the object they belong to."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    def endpoints(self) -> list[Endpoint]:
        metadata = [
            Endpoint(
                "GET", f"{path}/custom-field-meta-data/{{ids?}}", self._metadata(area), "get-custom-fields-metadata"
            )
            for path, area in _METADATA_PATHS
        ]
        values = []
        for path, collection, thing in (
            ("order-service/order", "orders", "order"),
            ("contact-service/contact", "contacts", "contact"),
            ("product-service/product", "products", "product"),
        ):
            template = f"{path}/{{id}}/custom-field"
            values.append(Endpoint("GET", template, self._reader(collection, thing), "get-custom-fields"))
            values.append(Endpoint("PATCH", template, self._patcher(collection, thing), "patch-custom-fields"))
        return [*metadata, *values]

    def first_data(self) -> None:
        for number, (area, code, name, kind, options) in enumerate(_FIRST_FIELDS, start=1):
            field = {"id": number, "code": code, "name": name, "customFieldType": kind, "required": False}
            self.emulator.put("custom_field_definitions", number, {**field, "options": options, "area": area})

    def definitions(self, area: str) -> dict[str, JsonObject]:
        """The fields of an area by code."""
        fields = self.emulator.collection("custom_field_definitions").values()
        return {field["code"]: field for field in fields if field["area"] == area}

    def shown(self, call: Call, thing: JsonObject, area: str) -> JsonObject:
        """The optional sections of a GET: `customFields`, and the codes without a value as `nullCustomFields`."""
        values = thing.get("customFields", {})
        sections: JsonObject = {}
        if call.includes("customFields") and values:
            sections["customFields"] = values
        if call.includes("nullCustomFields"):
            sections["nullCustomFields"] = [code for code in self.definitions(area) if code not in values]
        return sections

    @staticmethod
    def area_of(collection: str, thing: JsonObject) -> str:
        if collection == "orders":
            return "sale" if thing["orderTypeCode"] in ("SO", "SC") else "purchase"
        if collection == "contacts":
            return "supplier" if thing["relationshipToAccount"]["isSupplier"] else "customer"
        return "product"

    def _metadata(self, area: str) -> Callable[..., Reply]:
        def handler(_call: Call, ids: str | None) -> Reply:
            wanted = IdSet.parse(ids) if ids else None
            fields = [field for field in self.definitions(area).values() if wanted is None or field["id"] in wanted]
            if not fields:
                raise not_found("No Custom Fields Found")
            return answer([_metadata_of(field) for field in fields])

        return handler

    def _owner(self, collection: str, thing: str, number: str) -> JsonObject:
        owner = self.emulator.collection(collection).get(number)
        if owner is None:
            raise not_found(f"No {thing} exists with ID {number}")
        return owner

    def _reader(self, collection: str, thing: str) -> Callable[..., Reply]:
        def handler(_call: Call, id: str) -> Reply:
            return answer(self._owner(collection, thing, id).get("customFields", {}))

        return handler

    def _patcher(self, collection: str, thing: str) -> Callable[..., Reply]:
        def handler(call: Call, id: str) -> Reply:
            owner = self._owner(collection, thing, id)
            definitions = self.definitions(self.area_of(collection, owner))
            allowed = [(re.compile(rf"/{re.escape(code)}(/id)?"), _OPS) for code in definitions]
            values = apply_patch(owner.get("customFields", {}), call.json(), allowed)
            owner["customFields"] = {code: _checked(definitions[code], value) for code, value in values.items()}
            if not owner["customFields"]:
                del owner["customFields"]
            self._changed(collection, owner)
            return answer(owner.get("customFields", {}))

        return handler

    def _changed(self, collection: str, owner: JsonObject) -> None:
        if collection == "orders":
            self.emulator.orders.changed(owner)
        elif collection == "products":
            self.emulator.products.changed(owner)
        else:
            self.emulator.contacts.changed(owner)


def _metadata_of(field: JsonObject) -> JsonObject:
    """Without our own key, and without options where there are none to choose."""
    return {name: value for name, value in field.items() if name != "area" and (name != "options" or value)}


def _checked(field: JsonObject, value: object) -> object:
    """A value in the form it is shown: choices with their text, numbers as numbers (§5.4, §6.2)."""
    kind = field["customFieldType"]
    if kind == "SELECT":
        choice = str(value.get("id")) if isinstance(value, dict) else ""
        if choice not in field["options"]:
            raise ApiError(400, ("CMNC-046", f"{field['code']} has no option {choice}"))
        return field["options"][choice]
    if kind == "INTEGER" and isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    return value
