"""Stock locations V3; writes answer with a transaction and take effect at once (bigcommerce.md §4.3)."""

import uuid

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.checks import (
    NOT_VALID,
    Checks,
    flag,
    list_of,
    numeric,
    object_of,
    one_of,
    refuse_wrong,
    text,
)
from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.populate import default_location
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.stock import DEFAULT_LOCATION
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    JsonObject,
    Refusal,
    bool_filter,
    id_filter,
    json_answer,
    text_filter,
    v3_slice,
    zulu,
)

PAGE_MOST = 1000
MOST_LOCATIONS = 100
BATCH = 50
REQUIRED = ("label", "managed_by_external_source", "type_id", "time_zone", "address")
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_HOURS: Checks = {"open": flag, "opening": text(), "closing": text()}
CHECKS: Checks = {
    **dict.fromkeys(("code", "label", "description", "time_zone"), text()),
    **dict.fromkeys(("managed_by_external_source", "enabled", "storefront_visibility"), flag),
    "type_id": one_of("PHYSICAL", "VIRTUAL"),
    "operating_hours": object_of(dict.fromkeys(DAYS, object_of(_HOURS))),
    "special_hours": list_of(
        object_of(
            {**_HOURS, "label": text(), "date": text(), "all_day": flag, "annual": flag}, ["label", "date", "open"]
        )
    ),
    "address": object_of(
        {
            **dict.fromkeys(("address1", "address2", "city", "state", "zip", "email", "phone", "country_code"), text()),
            "geo_coordinates": object_of(
                {"latitude": numeric(-90, 90), "longitude": numeric(-180, 180)}, ["latitude", "longitude"]
            ),
        }
    ),
}
"""The vendor's locations file."""


def _accepted(shop: Shop) -> Response:
    return json_answer({"transaction_id": str(uuid.UUID(bytes=shop.rng.randbytes(16), version=4))})


def list_locations(shop: Shop, call: Call) -> Response:
    """GET /v3/inventory/locations."""
    ids, codes = id_filter(call, "location_id:in"), text_filter(call, "location_code:in")
    types = text_filter(call, "type_id:in")
    flags = {
        "is_default": bool_filter(call, "is_default"),
        "enabled": bool_filter(call, "is_active"),
        "managed_by_external_source": bool_filter(call, "managed_by_external_source"),
        "storefront_visibility": bool_filter(call, "storefront_visibility"),
    }
    found = [
        {name: value for name, value in location.items() if name != "is_default"}
        for location in shop.collections["locations"].values()
        if (ids is None or location["id"] in ids)
        and (codes is None or location["code"].lower() in codes)
        and (types is None or location["type_id"].lower() in types)
        and all(wanted is None or location[name] is wanted for name, wanted in flags.items())
    ]
    return v3_slice(call, found, maximum=PAGE_MOST)


def create_locations(shop: Shop, call: Call) -> Response:
    """POST: an array; codes are unique."""
    items = call.array_body(BATCH)
    codes = {location["code"].lower() for location in shop.collections["locations"].values()}
    if len(shop.collections["locations"]) + len(items) > MOST_LOCATIONS:
        raise Refusal(422, f"A store may have at most {MOST_LOCATIONS} locations")
    for place, item in enumerate(items):
        missing = [name for name in REQUIRED if item.get(name) is None]
        if missing:
            raise Refusal(422, NOT_VALID, errors={f"{place}.{name}": "is required" for name in missing})
        refuse_wrong(item, CHECKS, place=f"{place}.")
        code = item.get("code", "").lower()
        if code and code in codes:
            raise Refusal(422, NOT_VALID, errors={f"{place}.code": "is taken"})
        codes.add(code)
    now = zulu(shop.now())
    for item in items:
        id_ = shop.next_id("locations")
        location = {
            **default_location(now),
            "description": "",
            "enabled": True,
            "storefront_visibility": True,
            "code": f"BC-LOCATION-{id_}",
            **{name: item[name] for name in CHECKS if item.get(name, "") != ""},
            "id": id_,
            "is_default": False,
        }
        shop.add("locations", location)
        emit(shop, "store/inventory/location/created", {"location_id": id_})
    return _accepted(shop)


def update_locations(shop: Shop, call: Call) -> Response:
    """PUT: an array; what is left out stays."""
    items = call.array_body(BATCH)
    for place, item in enumerate(items):
        refuse_wrong(item, CHECKS, place=f"{place}.")
        if shop.get("locations", item.get("id", 0)) is None:
            raise Refusal(422, f"Location not found, identities: [{item.get('id')}]")
    for item in items:
        _change(shop, shop.need("locations", item["id"]), item)
    return _accepted(shop)


def _change(shop: Shop, location: JsonObject, fields: JsonObject) -> None:
    given = {name: fields[name] for name in CHECKS if name in fields}
    if "address" in given:
        given["address"] = {**location["address"], **given["address"]}
    location.update(given)
    location["updated_at"] = zulu(shop.now())
    shop.touch()
    emit(shop, "store/inventory/location/updated", {"location_id": location["id"]})


def delete_locations(shop: Shop, call: Call) -> Response:
    """DELETE ?location_id:in=: never the default location; stock there goes with it."""
    ids = id_filter(call, "location_id:in")
    if not ids:
        raise Refusal(422, "A filter is required", errors={"location_id:in": "Please provide a filter."})
    if any(shop.get("locations", id_) is None for id_ in ids):
        raise Refusal(404, NOT_FOUND)
    if DEFAULT_LOCATION in ids:
        raise Refusal(422, "The default location cannot be deleted.")
    for id_ in ids:
        shop.drop("locations", id_)
        for record in shop.collections["inventory"].values():
            record["levels"].pop(str(id_), None)
    return _accepted(shop)
