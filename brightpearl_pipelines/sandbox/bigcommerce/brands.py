"""Brands, categories and which channel sells what, V3 (bigcommerce.md §3.3)."""

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce import catalog_book
from brightpearl_pipelines.sandbox.bigcommerce.checks import (
    MOST,
    Checks,
    flag,
    integer,
    list_of,
    object_of,
    one_of,
    refuse_wrong,
    text,
)
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    JsonObject,
    Refusal,
    id_filter,
    nothing,
    v3_data,
    v3_slice,
)

ASSIGNMENT_BATCH = 250


def _brand(brand: JsonObject) -> JsonObject:
    return {
        "page_title": brand["name"],
        "meta_keywords": [],
        "meta_description": "",
        "search_keywords": "",
        "image_url": "",
        "custom_url": {"url": f"/brands/{brand['id']}/", "is_customized": False},
        **brand,
    }


def _category(category: JsonObject) -> JsonObject:
    return {
        "description": "",
        "views": 0,
        "sort_order": 0,
        "page_title": "",
        "meta_keywords": [],
        "meta_description": "",
        "layout_file": "category.html",
        "image_url": "",
        "is_visible": True,
        "search_keywords": "",
        "default_product_sort": "use_store_settings",
        "custom_url": {"url": f"/categories/{category['id']}/", "is_customized": False},
        **category,
    }


SHAPES = {"brands": _brand, "categories": _category}
CHECKS: Checks = {
    "name": text(255, least=1),
    "page_title": text(255),
    "meta_keywords": list_of(text()),
    **dict.fromkeys(("meta_description", "search_keywords", "description"), text()),
    "image_url": text(),
    "custom_url": object_of({"url": text(1024, least=1), "is_customized": flag}, required=["url"]),
    "parent_id": integer(),
    "views": integer(),
    "sort_order": integer(-MOST),
    "layout_file": text(500),
    "is_visible": flag,
    "default_product_sort": one_of(
        *("use_store_settings", "featured", "newest", "best_selling", "alpha_asc", "alpha_desc"),
        *("avg_customer_review", "price_asc", "price_desc"),
    ),
}
"""Of brands and of categories (the vendor's brands and categories files)."""


def _list(shop: Shop, call: Call, collection: str) -> Response:
    name, like = call.query.get("name"), call.query.get("name:like")
    ids = id_filter(call, "id:in")
    found = [
        SHAPES[collection](each)
        for each in shop.collections[collection].values()
        if (name is None or each["name"].lower() == name.lower())
        and (like is None or like.lower() in each["name"].lower())
        and (ids is None or each["id"] in ids)
    ]
    return v3_slice(call, found)


def _create(shop: Shop, call: Call, collection: str) -> Response:
    body = call.object_body()
    if not body.get("name"):
        raise Refusal(422, "Missing Required Fields", errors={"name": "Please provide a name."})
    refuse_wrong(body, CHECKS)
    if body["name"].lower() in shop.named_ids.get(collection, {}):
        raise Refusal(409, f"The name {body['name']} is taken.")
    id_ = catalog_book.named(shop, collection, body["name"])
    made = shop.need(collection, id_)
    writable = SHAPES[collection](made).keys() - {"id", "name"}
    made.update({name: value for name, value in body.items() if name in writable})
    return v3_data(SHAPES[collection](made))


def _one(shop: Shop, collection: str, id_: str) -> JsonObject:
    found = shop.get(collection, id_)
    if found is None:
        raise Refusal(404, NOT_FOUND)
    return found


def _delete(shop: Shop, collection: str, found: JsonObject) -> Response:
    shop.named_ids[collection].pop(found["name"].lower(), None)
    shop.drop(collection, found["id"])
    field = "brand_id" if collection == "brands" else "categories"
    for product in shop.collections["products"].values():
        if field == "brand_id" and product.get(field) == found["id"]:
            product[field] = 0
        elif field == "categories" and found["id"] in product.get(field, []):
            product[field] = [id_ for id_ in product[field] if id_ != found["id"]]
    return nothing()


def list_brands(shop: Shop, call: Call) -> Response:
    return _list(shop, call, "brands")


def create_brand(shop: Shop, call: Call) -> Response:
    """POST /v3/catalog/brands: 409 for a name in use."""
    return _create(shop, call, "brands")


def get_brand(shop: Shop, call: Call) -> Response:
    return v3_data(_brand(_one(shop, "brands", call.ids["brand_id"])))


def delete_brand(shop: Shop, call: Call) -> Response:
    return _delete(shop, "brands", _one(shop, "brands", call.ids["brand_id"]))


def list_categories(shop: Shop, call: Call) -> Response:
    return _list(shop, call, "categories")


def create_category(shop: Shop, call: Call) -> Response:
    return _create(shop, call, "categories")


def get_category(shop: Shop, call: Call) -> Response:
    return v3_data(_category(_one(shop, "categories", call.ids["category_id"])))


# -- which channel sells what ----------------------------------------------------------------------------------------


def list_assignments(shop: Shop, call: Call) -> Response:
    """GET /v3/catalog/products/channel-assignments."""
    products, channels = id_filter(call, "product_id:in"), id_filter(call, "channel_id:in")
    found = [
        {"product_id": each["product_id"], "channel_id": each["channel_id"]}
        for each in shop.collections["product_channels"].values()
        if (products is None or each["product_id"] in products) and (channels is None or each["channel_id"] in channels)
    ]
    return v3_slice(call, found)


def put_assignments(shop: Shop, call: Call) -> Response:
    """PUT: 204; 422 when a product or channel does not exist."""
    rows = call.array_body(ASSIGNMENT_BATCH)
    for row in rows:
        refuse_wrong(row, {"product_id": integer(), "channel_id": integer()})
        for name, collection in (("product_id", "products"), ("channel_id", "channels")):
            if shop.get(collection, row.get(name, 0)) is None:
                raise Refusal(422, "Invalid field(s)", errors={name: f"{row.get(name)} does not exist"})
    for row in rows:
        catalog_book.assign_channel(shop, row["product_id"], row["channel_id"])
    return nothing()


def delete_assignments(shop: Shop, call: Call) -> Response:
    """DELETE with `product_id:in` or `channel_id:in`; one of them is required."""
    products, channels = id_filter(call, "product_id:in"), id_filter(call, "channel_id:in")
    if products is None and channels is None:
        raise Refusal(422, "A filter is required", errors={"product_id:in": "Please provide a filter."})
    for each in list(shop.collections["product_channels"].values()):
        if (products is None or each["product_id"] in products) and (
            channels is None or each["channel_id"] in channels
        ):
            shop.drop("product_channels", each["id"])
    return nothing()
