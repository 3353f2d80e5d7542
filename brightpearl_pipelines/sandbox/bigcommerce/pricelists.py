"""Price lists, their records and whom they are for, V3 (bigcommerce.md §6)."""

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.catalog_shape import variant_json
from brightpearl_pipelines.sandbox.bigcommerce.checks import (
    MOST_MEASURE,
    NOT_VALID,
    Checks,
    flag,
    integer,
    list_of,
    numeric,
    object_of,
    one_of,
    or_null,
    refuse_wrong,
    text,
    wrong_fields,
)
from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    Json,
    JsonObject,
    Refusal,
    id_filter,
    includes,
    instant_filter,
    iso,
    nothing,
    parse_instant,
    text_filter,
    v3_data,
    v3_slice,
)

UPSERT_BATCH = 1000
CREATE_BATCH = 100
ASSIGNMENT_BATCH = 25
PRICES = ("price", "sale_price", "retail_price", "map_price")
LIST_CHECKS: Checks = {"name": text(least=1), "active": flag}
RECORD_CHECKS: Checks = {
    "variant_id": integer(),
    **dict.fromkeys(("sku", "currency"), text()),
    **dict.fromkeys(PRICES, or_null(numeric(0, MOST_MEASURE))),
    "bulk_pricing_tiers": list_of(
        object_of(
            {
                **dict.fromkeys(("quantity_min", "quantity_max"), integer()),
                "type": one_of("fixed", "price", "percent"),
                "amount": numeric(),
            }
        )
    ),
}
ASSIGNMENT_CHECKS: Checks = {
    "price_list_id": integer(),
    **dict.fromkeys(("customer_group_id", "channel_id"), or_null(integer())),
}


def need_list(shop: Shop, call: Call) -> JsonObject:
    """The price list that the path names; 404 when there is none."""
    found = shop.get("price_lists", call.ids["list_id"])
    if found is None:
        raise Refusal(404, NOT_FOUND)
    return found


def list_lists(shop: Shop, call: Call) -> Response:
    ids, name = id_filter(call, "id:in"), call.query.get("name")
    found = [
        each
        for each in shop.collections["price_lists"].values()
        if (ids is None or each["id"] in ids) and (name is None or each["name"] == name)
    ]
    return v3_slice(call, found)


def get_list(shop: Shop, call: Call) -> Response:
    return v3_data(need_list(shop, call))


def _checked_name(shop: Shop, body: JsonObject, own: int | None) -> str:
    """The list's name; 422 without one, 409 for one in use."""
    if not body.get("name"):
        raise Refusal(422, "Missing Required Fields", errors={"name": "Please provide a name."})
    refuse_wrong(body, LIST_CHECKS)
    name = str(body["name"])
    if any(each["name"] == name and each["id"] != own for each in shop.collections["price_lists"].values()):
        raise Refusal(409, f"A price list named {name} exists already.")
    return name


def create_list(shop: Shop, call: Call) -> Response:
    body = call.object_body()
    now = iso(shop.now())
    made = {
        "name": _checked_name(shop, body, None),
        "id": shop.next_id("price_lists"),
        "active": body.get("active", True),
        "date_created": now,
        "date_modified": now,
    }
    shop.add("price_lists", made)
    emit(shop, "store/priceList/created", {"type": "priceList", "id": made["id"]})
    return v3_data(made)


def update_list(shop: Shop, call: Call) -> Response:
    found, body = need_list(shop, call), call.object_body()
    found["name"] = _checked_name(shop, {"name": found["name"], **body}, found["id"])
    found["active"] = body.get("active", found["active"])
    found["date_modified"] = iso(shop.now())
    shop.touch()
    return v3_data(found)


def delete_list(shop: Shop, call: Call) -> Response:
    """DELETE: with its records and assignments."""
    found = need_list(shop, call)
    for record in shop.children("price_records", found["id"]):
        shop.drop("price_records", record["id"])
    for each in list(shop.collections["price_assignments"].values()):
        if each["price_list_id"] == found["id"]:
            shop.drop("price_assignments", each["id"])
    shop.drop("price_lists", found["id"])
    return nothing()


# -- records ---------------------------------------------------------------------------------------------------------


def _shown(shop: Shop, record: JsonObject, wanted: set[str]) -> JsonObject:
    """A record as answered, with `include=sku,bulk_pricing_tiers`."""
    full = {name: value for name, value in record.items() if name not in ("id", "bulk_pricing_tiers")}
    if full.get("price") is None:
        variant = shop.get("variants", record["variant_id"])
        price = variant_json(shop, variant)["calculated_price"] if variant else 0
    else:
        price = full["price"]
    full["calculated_price"] = full.get("sale_price") or price
    if "bulk_pricing_tiers" in wanted:
        full["bulk_pricing_tiers"] = record["bulk_pricing_tiers"]
    if "sku" in wanted:
        variant = shop.get("variants", record["variant_id"])
        full["sku"] = variant["sku"] if variant else ""
    return full


def _filtered(call: Call, records: list[JsonObject]) -> list[JsonObject]:
    variants, products = id_filter(call, "variant_id:in"), id_filter(call, "product_id:in")
    currencies = text_filter(call, "currency:in") or text_filter(call, "currency")
    low, high = instant_filter(call, "date_modified:min"), instant_filter(call, "date_modified:max")

    def passes(each: JsonObject) -> bool:
        second = int(parse_instant(each["date_modified"]).timestamp())
        return (
            (variants is None or each["variant_id"] in variants)
            and (products is None or each["product_id"] in products)
            and (currencies is None or each["currency"] in currencies)
            and (low is None or second >= low)
            and (high is None or second <= high)
        )

    return [each for each in records if passes(each)]


def list_records(shop: Shop, call: Call) -> Response:
    """GET /v3/pricelists/{list_id}/records."""
    records = shop.children("price_records", need_list(shop, call)["id"])
    skus = text_filter(call, "sku:in") or text_filter(call, "sku")
    if skus is not None:
        variants = {shop.index.variant_by_sku.get(sku) for sku in skus}
        records = [each for each in records if each["variant_id"] in variants]
    wanted = includes(call)
    return v3_slice(call, _filtered(call, records), shape=lambda record: _shown(shop, record, wanted))


def variant_records(shop: Shop, call: Call) -> Response:
    """GET …/records/{variant_id}: one a currency."""
    records = shop.children("price_records", need_list(shop, call)["id"])
    mine = [each for each in records if each["variant_id"] == call.number("variant_id")]
    wanted = includes(call)
    return v3_slice(call, mine, shape=lambda record: _shown(shop, record, wanted))


def _key(list_id: int, variant_id: int, currency: str) -> str:
    return f"{list_id}:{variant_id}:{currency}"


def _record(shop: Shop, call: Call) -> JsonObject | None:
    list_id = need_list(shop, call)["id"]
    id_ = shop.price_keys.get(_key(list_id, call.number("variant_id"), call.ids["currency"].lower()))
    return None if id_ is None else shop.need("price_records", id_)


def get_record(shop: Shop, call: Call) -> Response:
    record = _record(shop, call)
    if record is None:
        raise Refusal(404, NOT_FOUND)
    return v3_data(_shown(shop, record, includes(call)))


def put_record(shop: Shop, call: Call) -> Response:
    """PUT …/records/{variant_id}/{currency}."""
    price_list = need_list(shop, call)
    given = {**call.object_body(), "variant_id": call.number("variant_id"), "currency": call.ids["currency"]}
    errors = _errors(shop, given)
    if errors:
        raise Refusal(422, NOT_VALID, errors=errors)
    record = _upsert(shop, price_list, given)
    _tell(shop, "record/updated", record)
    return v3_data(_shown(shop, record, set()))


def _variant_of(shop: Shop, given: JsonObject) -> JsonObject | None:
    if given.get("variant_id") is not None:
        return shop.get("variants", given["variant_id"])
    return shop.variant_of_sku(str(given.get("sku") or ""))


def _errors(shop: Shop, given: JsonObject) -> JsonObject:
    """What is wrong with a record, by field."""
    errors: JsonObject = {**wrong_fields(given, RECORD_CHECKS)}
    if _variant_of(shop, given) is None:
        errors["variant_id" if given.get("variant_id") is not None else "sku"] = "does not name a variant"
    code = str(given.get("currency") or "").upper()
    if all(each["currency_code"] != code for each in shop.collections["currencies"].values()):
        errors["currency"] = "is not a currency of the store"
    return errors


def _upsert(shop: Shop, price_list: JsonObject, given: JsonObject) -> JsonObject:
    variant = _variant_of(shop, given)
    assert variant is not None  # noqa: S101 - `_errors` refused what names none
    currency = str(given["currency"]).lower()
    key = _key(price_list["id"], variant["id"], currency)
    now = iso(shop.now())
    fields = {name: given[name] for name in (*PRICES, "bulk_pricing_tiers") if name in given}
    known = shop.price_keys.get(key)
    if known is not None:
        record = shop.need("price_records", known)
        record.update(fields, date_modified=now)
        shop.touch()
        return record
    record = {
        "id": shop.next_id("price_records"),
        "price_list_id": price_list["id"],
        "variant_id": variant["id"],
        "product_id": variant["product_id"],
        "currency": currency,
        "date_created": now,
        "date_modified": now,
        "bulk_pricing_tiers": [],
        **fields,
    }
    shop.price_keys[key] = record["id"]
    return shop.add("price_records", record)


def _tell(shop: Shop, what: str, record: JsonObject) -> None:
    emit(shop, f"store/priceList/{what}", _event(record))


def _event(record: JsonObject) -> JsonObject:
    return {name: record[name] for name in ("price_list_id", "variant_id", "currency")} | {"type": "priceList"}


def put_records(shop: Shop, call: Call) -> Response:
    """PUT: upsert of at most 1,000; good ones are saved beside refused ones, nothing is echoed (§6)."""
    return _many(shop, call, UPSERT_BATCH, create=False)


def post_records(shop: Shop, call: Call) -> Response:
    """POST: at most 100 new ones."""
    return _many(shop, call, CREATE_BATCH, create=True)


def _many(shop: Shop, call: Call, most: int, *, create: bool) -> Response:
    price_list = need_list(shop, call)
    saved: list[JsonObject] = []
    refused: list[Json] = []
    for item in call.array_body(most):
        errors = _errors(shop, item) or (_exists(shop, price_list, item) if create else {})
        if errors:
            wrong = wrong_fields(item, RECORD_CHECKS)
            named = {name: item[name] for name in ("variant_id", "sku", "currency") if name in item.keys() - wrong}
            refused.append({"data": {"price_list_id": price_list["id"], **named}, "field_errors": errors})
        else:
            saved.append(_upsert(shop, price_list, item))
    if saved:
        what = "records/created" if create else "records/updated"
        emit(shop, f"store/priceList/{what}", [_event(record) for record in saved])
    if refused:
        raise Refusal(422, "Some records were refused", body={"batch_errors": refused})
    return v3_data({})


def _exists(shop: Shop, price_list: JsonObject, item: JsonObject) -> JsonObject:
    variant = _variant_of(shop, item)
    id_ = variant["id"] if variant else 0
    known = _key(price_list["id"], id_, str(item["currency"]).lower()) in shop.price_keys
    return {"variant_id": "has a record in this currency already"} if known else {}


def delete_record(shop: Shop, call: Call) -> Response:
    record = _record(shop, call)
    if record is not None:
        _forget(shop, record)
        _tell(shop, "record/deleted", record)
    return nothing()


def delete_records(shop: Shop, call: Call) -> Response:
    """DELETE …/records with `variant_id:in` or `sku:in`."""
    price_list = need_list(shop, call)
    variants, skus = id_filter(call, "variant_id:in"), text_filter(call, "sku:in")
    if skus is not None:
        variants = (variants or set()) | {shop.index.variant_by_sku.get(sku, 0) for sku in skus}
    records = shop.children("price_records", price_list["id"])
    for record in records:
        if variants is None or record["variant_id"] in variants:
            _forget(shop, record)
    return nothing()


def _forget(shop: Shop, record: JsonObject) -> None:
    shop.price_keys.pop(_key(record["price_list_id"], record["variant_id"], record["currency"]), None)
    shop.drop("price_records", record["id"])


# -- whom a list is for ----------------------------------------------------------------------------------------------


def list_assignments(shop: Shop, call: Call) -> Response:
    lists, groups = id_filter(call, "price_list_id:in"), id_filter(call, "customer_group_id:in")
    channels = id_filter(call, "channel_id:in")
    found = [
        each
        for each in shop.collections["price_assignments"].values()
        if (lists is None or each["price_list_id"] in lists)
        and (groups is None or each.get("customer_group_id") in groups)
        and (channels is None or each.get("channel_id") in channels)
    ]
    return v3_slice(call, found)


def _assign(shop: Shop, list_id: int, given: JsonObject) -> JsonObject:
    """Point a customer group in a channel at a list; one list each."""
    where = {name: given[name] for name in ("customer_group_id", "channel_id") if given.get(name) is not None}
    for each in shop.collections["price_assignments"].values():
        if all(each.get(name) == where.get(name) for name in ("customer_group_id", "channel_id")):
            each["price_list_id"] = list_id
            shop.touch()
            return each
    made = {"id": shop.next_id("price_assignments"), "price_list_id": list_id, **where}
    return shop.add("price_assignments", made)


def post_assignments(shop: Shop, call: Call) -> Response:
    """POST: at most 25."""
    rows = call.array_body(ASSIGNMENT_BATCH)
    for place, row in enumerate(rows):
        refuse_wrong(row, ASSIGNMENT_CHECKS, place=f"{place}.")
        if shop.get("price_lists", row.get("price_list_id", 0)) is None:
            raise Refusal(422, NOT_VALID, errors={"price_list_id": "does not exist"})
    for row in rows:
        _assign(shop, row["price_list_id"], row)
    return v3_data({})


def put_assignment(shop: Shop, call: Call) -> Response:
    price_list, body = need_list(shop, call), call.object_body()
    refuse_wrong(body, ASSIGNMENT_CHECKS)
    return v3_data(_assign(shop, price_list["id"], body))


def delete_assignments(shop: Shop, call: Call) -> Response:
    ids, lists = id_filter(call, "id:in") or id_filter(call, "id"), id_filter(call, "price_list_id:in")
    if ids is None and lists is None:
        raise Refusal(422, "A filter is required", errors={"id": "Please provide a filter."})
    for each in list(shop.collections["price_assignments"].values()):
        if (ids is None or each["id"] in ids) and (lists is None or each["price_list_id"] in lists):
            shop.drop("price_assignments", each["id"])
    return nothing()
