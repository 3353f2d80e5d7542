"""Customer groups, which are still V2 (bigcommerce.md §5)."""

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    JsonObject,
    Refusal,
    bool_filter,
    json_answer,
    nothing,
    page_and_limit,
    v2_list,
)

WRITABLE = frozenset({"name", "is_default", "category_access", "discount_rules", "is_group_for_guests"})


def _one(shop: Shop, call: Call) -> JsonObject:
    group = shop.get("customer_groups", call.ids["group_id"])
    if group is None:
        raise Refusal(404, NOT_FOUND)
    return group


def list_groups(shop: Shop, call: Call) -> Response:
    """GET /v2/customer_groups; 204 when there are none."""
    name, like = call.query.get("name"), call.query.get("name:like")
    default, guests = bool_filter(call, "is_default"), bool_filter(call, "is_group_for_guests")
    found = [
        group
        for group in shop.collections["customer_groups"].values()
        if (name is None or group["name"] == name)
        and (like is None or like.lower() in group["name"].lower())
        and (default is None or group["is_default"] is default)
        and (guests is None or group["is_group_for_guests"] is guests)
    ]
    page, limit = page_and_limit(call)
    return v2_list(found[(page - 1) * limit : page * limit])


def get_group(shop: Shop, call: Call) -> Response:
    return json_answer(_one(shop, call))


def create_group(shop: Shop, call: Call) -> Response:
    """POST /v2/customer_groups: a name is required and must be new."""
    body = call.object_body()
    if not body.get("name"):
        raise Refusal(400, "The required field 'name' was not supplied.")
    if any(group["name"] == body["name"] for group in shop.collections["customer_groups"].values()):
        raise Refusal(409, "A customer group with this name exists already.")
    group: JsonObject = {
        "id": shop.next_id("customer_groups"),
        "name": str(body["name"]),
        "is_default": False,
        "category_access": {"type": "all"},
        "discount_rules": [],
        "is_group_for_guests": False,
        "date_created": f"{shop.now():%Y-%m-%d %H:%M:%S}",
        "date_modified": f"{shop.now():%Y-%m-%d %H:%M:%S}",
    }
    group.update({name: value for name, value in body.items() if name in WRITABLE})
    shop.add("customer_groups", group)
    return json_answer(group)


def update_group(shop: Shop, call: Call) -> Response:
    group = _one(shop, call)
    group.update({name: value for name, value in call.object_body().items() if name in WRITABLE})
    group["date_modified"] = f"{shop.now():%Y-%m-%d %H:%M:%S}"
    shop.touch()
    return json_answer(group)


def delete_group(shop: Shop, call: Call) -> Response:
    """DELETE: its customers belong to no group afterwards."""
    group = _one(shop, call)
    shop.drop("customer_groups", group["id"])
    for customer in shop.collections["customers"].values():
        if customer["customer_group_id"] == group["id"]:
            customer["customer_group_id"] = 0
    return nothing()
