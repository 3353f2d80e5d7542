"""Customer groups, which are still V2 (bigcommerce.md §5)."""

from collections.abc import Iterable, Mapping
from math import inf

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.checks import (
    Checks,
    either,
    flag,
    integer,
    list_of,
    numeric,
    object_of,
    one_of,
    refuse_wrong_v2,
    text,
)
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    Json,
    JsonObject,
    Refusal,
    bool_filter,
    decimal_of,
    json_answer,
    money,
    nothing,
    page_and_limit,
    v2_list,
)

_METHOD: Checks = {"method": one_of("percent", "fixed", "price"), "amount": either(text(), numeric(-inf))}
RULES: Mapping[str, Checks] = {
    "price_list": {"price_list_id": integer()},
    "category": {**_METHOD, "category_id": integer()},
    "product": {**_METHOD, "product_id": integer()},
    "all": _METHOD,
}
"""What each type of discount rule consists of; all of it is required (customers.v2.yml)."""


def _rule(value: Json) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in RULES:
        return f"must be an object whose type is one of {', '.join(RULES)}"
    return object_of(RULES[kind], required=RULES[kind])(value)


CHECKS: Checks = {
    "name": text(least=1),
    "is_default": flag,
    "category_access": object_of(
        {"type": one_of("all", "specific", "none"), "categories": list_of(integer())}, ["type"]
    ),
    "discount_rules": list_of(_rule),
    "is_group_for_guests": flag,
}


def _fields(shop: Shop, body: JsonObject, own: int | None) -> JsonObject:
    """The writable fields, checked, and of each part only what it consists of; 409 for another group's name."""
    refuse_wrong_v2(body, CHECKS)
    if any(group["name"] == body.get("name") and group["id"] != own for group in _groups(shop)):
        raise Refusal(409, "A customer group with this name exists already.")
    fields = {name: body[name] for name in CHECKS if name in body}
    if "category_access" in fields:
        access = fields["category_access"]
        fields["category_access"] = {name: access[name] for name in ("type", "categories") if name in access}
    if "discount_rules" in fields:
        fields["discount_rules"] = [_kept(rule) for rule in fields["discount_rules"]]
    return fields


def _kept(rule: JsonObject) -> JsonObject:
    kept = {name: rule[name] for name in ("type", *RULES[rule["type"]])}
    if "amount" in kept:
        kept["amount"] = money(decimal_of(kept["amount"], "discount_rules"))
    return kept


def _groups(shop: Shop) -> Iterable[JsonObject]:
    return shop.collections["customer_groups"].values()


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
        for group in _groups(shop)
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
    fields = _fields(shop, body, None)
    group: JsonObject = {
        "id": shop.next_id("customer_groups"),
        "is_default": False,
        "category_access": {"type": "all"},
        "discount_rules": [],
        "is_group_for_guests": False,
        "date_created": f"{shop.now():%Y-%m-%d %H:%M:%S}",
        "date_modified": f"{shop.now():%Y-%m-%d %H:%M:%S}",
        **fields,
    }
    shop.add("customer_groups", group)
    return json_answer(group)


def update_group(shop: Shop, call: Call) -> Response:
    group = _one(shop, call)
    group.update(_fields(shop, call.object_body(), group["id"]))
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
