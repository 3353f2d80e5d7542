"""Metafields of orders, products and variants, V3; a duplicate gets 409 (bigcommerce.md §2.9)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.checks import one_of, refuse_wrong, text
from brightpearl_pipelines.sandbox.bigcommerce.gateway import Endpoint, endpoint
from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    Json,
    JsonObject,
    Refusal,
    instant_filter,
    iso,
    json_answer,
    nothing,
    parse_instant,
    text_filter,
    v3_data,
    v3_slice,
)

PERMISSIONS = ("app_only", "read", "write", "read_and_sf_access", "write_and_sf_access")
CHECKS = {
    "permission_set": one_of(*PERMISSIONS),
    "namespace": text(64, least=1),
    "key": text(64, least=1),
    "value": text(least=1),
    "description": text(255),
}
REQUIRED = ("permission_set", "namespace", "key", "value")
MOST_PER_OWNER = 250
DUPLICATE = "The namespace and key already exist on this resource."


@dataclass(frozen=True)
class Owner:
    """What metafields hang on: its name, its collection, the collection of its metafields, its place in the path."""

    kind: str
    owners: str
    metafields: str
    id_name: str
    events: bool

    def need(self, shop: Shop, call: Call) -> int:
        """The owner that the path names; 404 when there is none."""
        if shop.get(self.owners, call.ids[self.id_name]) is None:
            raise Refusal(404, NOT_FOUND)
        return call.number(self.id_name)

    def tell(self, shop: Shop, what: str, metafield: JsonObject) -> None:
        if self.events:
            data = {"metafield_id": metafield["id"], "resource_id": str(metafield["resource_id"])}
            emit(shop, f"store/{self.kind}/metafield/{what}", data)


ORDER = Owner("order", "orders", "order_metafields", "order_id", True)
PRODUCT = Owner("product", "products", "product_metafields", "product_id", True)
VARIANT = Owner("variant", "variants", "variant_metafields", "variant_id", True)


def _visible(call: Call, metafield: JsonObject) -> bool:
    """What is `app_only` shows itself to its own app alone."""
    return bool(metafield["permission_set"] != "app_only" or metafield["owner_client_id"] == call.client_id)


def _filtered(call: Call, found: list[JsonObject]) -> list[JsonObject]:
    query = call.query
    key, namespace = query.get("key"), query.get("namespace")
    keys, namespaces = text_filter(call, "key:in"), text_filter(call, "namespace:in")
    low, high = instant_filter(call, "date_modified:min"), instant_filter(call, "date_modified:max")

    def passes(each: JsonObject) -> bool:
        second = int(parse_instant(each["date_modified"]).timestamp())
        return (
            _visible(call, each)
            and (key is None or each["key"] == key)
            and (namespace is None or each["namespace"] == namespace)
            and (keys is None or each["key"].lower() in keys)
            and (namespaces is None or each["namespace"].lower() in namespaces)
            and (low is None or second >= low)
            and (high is None or second <= high)
        )

    return [each for each in found if passes(each)]


def list_of_owner(owner: Owner, shop: Shop, call: Call) -> Response:
    return v3_slice(call, _filtered(call, shop.children(owner.metafields, owner.need(shop, call))))


def list_all(owner: Owner, shop: Shop, call: Call) -> Response:
    return v3_slice(call, _filtered(call, list(shop.collections[owner.metafields].values())))


def _one(owner: Owner, shop: Shop, call: Call) -> JsonObject:
    metafield = shop.get(owner.metafields, call.ids["metafield_id"])
    if metafield is None or metafield["resource_id"] != owner.need(shop, call) or not _visible(call, metafield):
        raise Refusal(404, NOT_FOUND)
    return metafield


def get_one(owner: Owner, shop: Shop, call: Call) -> Response:
    return v3_data(_one(owner, shop, call))


def _checked(body: Json, *, whole: bool) -> JsonObject:
    """The writable fields; 422 for a missing or malformed one."""
    if not isinstance(body, dict):
        raise Refusal(422, "JSON data is missing or invalid")
    missing = {name: f"Please provide a {name}." for name in REQUIRED if whole and not body.get(name)}
    if missing:
        raise Refusal(422, "Missing Required Fields", errors=missing)
    refuse_wrong(body, CHECKS)
    return {name: body[name] for name in CHECKS if name in body}


def _create(owner: Owner, shop: Shop, call: Call, resource_id: int, fields: JsonObject) -> JsonObject:
    own = [each for each in shop.children(owner.metafields, resource_id) if each["owner_client_id"] == call.client_id]
    if any(each["namespace"] == fields["namespace"] and each["key"] == fields["key"] for each in own):
        raise Refusal(409, DUPLICATE)
    if len(own) >= MOST_PER_OWNER:
        raise Refusal(422, f"A resource may have at most {MOST_PER_OWNER} metafields of one app.")
    now = iso(shop.now())
    metafield = {
        "id": shop.next_id(owner.metafields),
        **fields,
        "resource_type": owner.kind,
        "resource_id": resource_id,
        "date_created": now,
        "date_modified": now,
        "owner_client_id": call.client_id,
    }
    shop.add(owner.metafields, metafield)
    owner.tell(shop, "created", metafield)
    return metafield


def create_one(owner: Owner, shop: Shop, call: Call) -> Response:
    resource_id = owner.need(shop, call)
    return v3_data(_create(owner, shop, call, resource_id, _checked(call.body, whole=True)))


def _update(owner: Owner, shop: Shop, call: Call, metafield: JsonObject, fields: JsonObject) -> JsonObject:
    after = {**metafield, **fields}
    for other in shop.children(owner.metafields, metafield["resource_id"]):
        same = all(other[name] == after[name] for name in ("owner_client_id", "namespace", "key"))
        if same and other["id"] != metafield["id"]:
            raise Refusal(409, DUPLICATE)
    metafield.update(fields)
    metafield["date_modified"] = iso(shop.now())
    shop.touch()
    owner.tell(shop, "updated", metafield)
    return metafield


def update_one(owner: Owner, shop: Shop, call: Call) -> Response:
    metafield = _one(owner, shop, call)
    return v3_data(_update(owner, shop, call, metafield, _checked(call.body, whole=False)))


def delete_one(owner: Owner, shop: Shop, call: Call) -> Response:
    metafield = _one(owner, shop, call)
    shop.drop(owner.metafields, metafield["id"])
    owner.tell(shop, "deleted", metafield)
    return nothing()


# -- many at once ----------------------------------------------------------------------------------------------------


def _batch(call: Call, items: list[Json], do: Callable[[Json], Json]) -> Response:
    """Each by itself; what failed is listed beside what did not."""
    done, errors = [], []
    for place, item in enumerate(items):
        try:
            done.append(do(item))
        except Refusal as refusal:
            errors.append({"status": refusal.status, "title": refusal.title, "errors": {str(place): refusal.title}})
    meta = {"total": len(items), "success": len(done), "failed": len(errors)}
    status = 422 if errors and not done else 200
    return json_answer({"data": done, "errors": errors, "meta": meta}, status)


def create_many(owner: Owner, shop: Shop, call: Call) -> Response:
    def create(item: Json) -> JsonObject:
        if shop.get(owner.owners, item.get("resource_id", 0)) is None:
            raise Refusal(404, NOT_FOUND)
        return _create(owner, shop, call, int(item["resource_id"]), _checked(item, whole=True))

    return _batch(call, call.array_body(10), create)


def _known(owner: Owner, shop: Shop, call: Call, id_: Json) -> JsonObject:
    metafield = shop.get(owner.metafields, id_)
    if metafield is None or not _visible(call, metafield):
        raise Refusal(404, NOT_FOUND)
    return metafield


def update_many(owner: Owner, shop: Shop, call: Call) -> Response:
    def update(item: Json) -> JsonObject:
        return _update(owner, shop, call, _known(owner, shop, call, item.get("id")), _checked(item, whole=False))

    return _batch(call, call.array_body(10), update)


def delete_many(owner: Owner, shop: Shop, call: Call) -> Response:
    if not isinstance(call.body, list):
        raise Refusal(422, "JSON data is missing or invalid")

    def delete(id_: Json) -> Json:
        metafield = _known(owner, shop, call, id_)
        shop.drop(owner.metafields, metafield["id"])
        owner.tell(shop, "deleted", metafield)
        return id_

    return _batch(call, call.body, delete)


def endpoints_for(owner: Owner, base: str, scope: str, bulk: str | None = None) -> tuple[Endpoint, ...]:
    """The endpoints below one owner's path, and the bulk ones."""
    single = f"{base}/metafields/{{metafield_id}}"
    made = [
        endpoint("GET", f"{base}/metafields", scope, partial(list_of_owner, owner)),
        endpoint("POST", f"{base}/metafields", scope, partial(create_one, owner)),
        endpoint("GET", single, scope, partial(get_one, owner)),
        endpoint("PUT", single, scope, partial(update_one, owner)),
        endpoint("DELETE", single, scope, partial(delete_one, owner)),
    ]
    if bulk is not None:
        made += [
            endpoint("GET", bulk, scope, partial(list_all, owner)),
            endpoint("POST", bulk, scope, partial(create_many, owner)),
            endpoint("PUT", bulk, scope, partial(update_many, owner)),
            endpoint("DELETE", bulk, scope, partial(delete_many, owner)),
        ]
    return tuple(made)
