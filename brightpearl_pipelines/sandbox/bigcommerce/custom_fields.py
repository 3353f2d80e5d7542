"""Custom fields of products, V3 (the vendor's products file; the fact sheet only names them as an include, §3.1).

They live in the product. A product's own PUT with `custom_fields`: entries with an id change, entries without are
added, those left out stay; what the shop does with these is not documented.
"""

from collections.abc import Sequence

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.catalog import need_product
from brightpearl_pipelines.sandbox.bigcommerce.checks import NOT_VALID, list_of, object_of, refuse_wrong, text
from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    Json,
    JsonObject,
    Refusal,
    iso,
    nothing,
    v3_data,
    v3_slice,
)

CHECKS = dict.fromkeys(("name", "value"), text(250, least=1))
MOST = 200


def merged(shop: Shop, present: Sequence[JsonObject], given: Json) -> list[JsonObject]:
    """The fields after a write of some of them. Refusal 422 for a malformed one or a pair that is there twice."""
    refuse_wrong({"custom_fields": given}, {"custom_fields": list_of(object_of({}))})
    fields = [dict(each) for each in present]
    for each in given:
        own = next((field for field in fields if field["id"] == each.get("id")), None)
        if own is not None:
            own |= _checked({**own, **each})
        else:
            fields.append({"id": shop.next_id("custom_fields"), **_checked(each)})
    pairs = [(field["name"], field["value"]) for field in fields]
    if len(set(pairs)) != len(pairs) or len(fields) > MOST:
        raise Refusal(422, NOT_VALID, errors={"custom_fields": "name and value must be unique, at most 200"})
    return fields


def _checked(field: JsonObject) -> JsonObject:
    refuse_wrong({name: field.get(name) for name in CHECKS}, CHECKS)
    return {name: field[name] for name in CHECKS}


def _keep(shop: Shop, product: JsonObject, fields: list[JsonObject]) -> None:
    product["custom_fields"] = fields
    product["date_modified"] = iso(shop.now())
    shop.touch()
    emit(shop, "store/product/updated", {"type": "product", "id": product["id"]})


def _field(product: JsonObject, call: Call) -> JsonObject:
    number = call.number("custom_field_id")
    found: JsonObject | None = next((each for each in product.get("custom_fields", []) if each["id"] == number), None)
    if found is None:
        raise Refusal(404, NOT_FOUND)
    return found


def list_fields(shop: Shop, call: Call) -> Response:
    return v3_slice(call, need_product(shop, call).get("custom_fields", []))


def create_field(shop: Shop, call: Call) -> Response:
    product = need_product(shop, call)
    fields = merged(shop, product.get("custom_fields", []), [{**call.object_body(), "id": None}])
    _keep(shop, product, fields)
    return v3_data(fields[-1])


def get_field(shop: Shop, call: Call) -> Response:
    return v3_data(_field(need_product(shop, call), call))


def update_field(shop: Shop, call: Call) -> Response:
    product = need_product(shop, call)
    number = _field(product, call)["id"]
    _keep(shop, product, merged(shop, product["custom_fields"], [{**call.object_body(), "id": number}]))
    return v3_data(_field(product, call))


def delete_field(shop: Shop, call: Call) -> Response:
    product = need_product(shop, call)
    number = _field(product, call)["id"]
    _keep(shop, product, [each for each in product["custom_fields"] if each["id"] != number])
    return nothing()
