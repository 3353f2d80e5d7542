"""Customers, their addresses and attributes V3, groups V2 (bigcommerce.md §5)."""

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.checks import refuse_wrong
from brightpearl_pipelines.sandbox.bigcommerce.customer_book import (
    ADDRESS_TEXTS,
    CUSTOMER_TEXTS,
    change_address,
    change_customer,
    new_address,
    new_customer,
)
from brightpearl_pipelines.sandbox.bigcommerce.customer_checks import (
    ADDRESS_CHECKS,
    ATTRIBUTE_CHECKS,
    CUSTOMER_CHECKS,
    VALUE_CHECKS,
)
from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    Call,
    JsonObject,
    Refusal,
    id_filter,
    includes,
    instant_filter,
    invalid_field,
    nothing,
    parse_instant,
    text_filter,
    v3_data,
    v3_slice,
    zulu,
)

BATCH = 10
SHOWN_WITH = 10
SORTS = ("date_created", "last_name", "date_modified")
HIDDEN = frozenset({"store_credit_amounts", "form_fields"})
MOST_ATTRIBUTES = 50
CREATE_FAILED = "Create customers failed."
UPDATE_FAILED = "Update customers failed."
EMAIL_TAKEN = {".customer_create": "Error creating customers"}
NOT_UPDATED = {".customer_update": "Error updating customers"}


def _shown(shop: Shop, customer: JsonObject, wanted: set[str]) -> JsonObject:
    """The customer as answered; sub-resources only when asked for, at most 10 of each."""
    full = {name: value for name, value in customer.items() if name not in HIDDEN}
    full["attribute_count"] = len(shop.children("attribute_values", customer["id"]))
    if "addresses" in wanted:
        full["addresses"] = _addresses(shop, customer)
    if "attributes" in wanted:
        full["attributes"] = shop.children("attribute_values", customer["id"])[:SHOWN_WITH]
    if "storecredit" in wanted:
        full["store_credit_amounts"] = customer["store_credit_amounts"]
    if "formfields" in wanted:
        full["form_fields"] = customer["form_fields"]
    return full


def _addresses(shop: Shop, customer: JsonObject) -> list[JsonObject]:
    found = shop.children("addresses", customer["id"])[:SHOWN_WITH]
    return [{name: value for name, value in each.items() if name != "form_fields"} for each in found]


def list_customers(shop: Shop, call: Call) -> Response:
    """GET /v3/customers; there is no way to ask for one but `id:in`."""
    found = [customer for customer in _candidates(shop, call) if _passes(call, customer)]
    sort = call.query.get("sort")
    if sort is not None:
        name, _, direction = sort.partition(":")
        if name not in SORTS or direction not in ("", "asc", "desc"):
            raise invalid_field(call, "sort")
        found.sort(key=lambda customer: (customer[name].lower(), customer["id"]), reverse=direction == "desc")
    wanted = includes(call)
    return v3_slice(call, found, shape=lambda customer: _shown(shop, customer, wanted))


def _candidates(shop: Shop, call: Call) -> list[JsonObject]:
    """By id or e-mail where these are given, else everybody."""
    ids, emails = id_filter(call, "id:in"), text_filter(call, "email:in")
    table = shop.collections["customers"]
    if emails is not None:
        known = (shop.index.customer_by_email.get(email) for email in emails)
        by_email = {id_ for id_ in known if id_ is not None}
        ids = by_email if ids is None else ids & by_email
    if ids is None:
        return list(table.values())
    return [table[str(id_)] for id_ in sorted(ids) if str(id_) in table]


def _passes(call: Call, customer: JsonObject) -> bool:
    groups = id_filter(call, "customer_group_id:in")
    if groups is not None and customer["customer_group_id"] not in groups:
        return False
    for name in ("company", "phone", "registration_ip_address"):
        wanted = text_filter(call, f"{name}:in")
        if wanted is not None and customer[name].lower() not in wanted:
            return False
    full_name = f"{customer['first_name']} {customer['last_name']}".lower()
    names, like = text_filter(call, "name:in"), call.query.get("name:like")
    if (names is not None and full_name not in names) or (like is not None and like.lower() not in full_name):
        return False
    return _in_time(call, customer)


def _in_time(call: Call, customer: JsonObject) -> bool:
    for name in ("date_created", "date_modified"):
        if not any(asked.startswith(name) for asked in call.query):
            continue
        second = int(parse_instant(customer[name]).timestamp())
        low, high = instant_filter(call, f"{name}:min"), instant_filter(call, f"{name}:max")
        exact = instant_filter(call, name)
        if (low is not None and second < low) or (high is not None and second > high):
            return False
        if exact is not None and second != exact:
            return False
    return True


def create_customers(shop: Shop, call: Call) -> Response:
    """POST: at most 10; one e-mail in use refuses the whole batch (§5)."""
    items = call.array_body(BATCH)
    for place, item in enumerate(items):
        _check_new(shop, place, item)
    seen: set[str] = set()
    for item in items:
        email = item["email"].lower()
        if email in seen or email in shop.index.customer_by_email:
            raise Refusal(422, CREATE_FAILED, errors=dict(EMAIL_TAKEN))
        seen.add(email)
    made = []
    for item in items:
        customer = new_customer(shop, item)
        for address in item.get("addresses") or []:
            new_address(shop, customer, address)
        for value in item.get("attributes") or []:
            _put_value(shop, customer["id"], value["attribute_id"], value.get("attribute_value", ""))
        made.append(_shown(shop, customer, {"addresses", "attributes"}))
    return v3_data(made)


CUSTOMER_REQUIRED = ("email", "first_name", "last_name")
ADDRESS_REQUIRED = ("first_name", "last_name", "address1", "city", "country_code")


def _check_new(shop: Shop, place: int, item: JsonObject) -> None:
    _check_given(place, item, CUSTOMER_REQUIRED)
    refuse_wrong(item, CUSTOMER_CHECKS, title=CREATE_FAILED, place=f"{place}.")
    for number, address in enumerate(item.get("addresses", [])):
        _check_given(number, address, ADDRESS_REQUIRED)
    for value in item.get("attributes", []):
        _need_attribute(shop, value["attribute_id"])


def _check_given(place: int, item: JsonObject, names: tuple[str, ...]) -> None:
    missing = [name for name in names if not item.get(name)]
    if missing:
        raise Refusal(422, CREATE_FAILED, errors={f"{place}.{name}": "is required" for name in missing})


WRITABLE = frozenset(
    (
        *CUSTOMER_TEXTS,
        *("customer_group_id", "registration_ip_address", "accepts_product_review_abandoned_cart_emails"),
        *("origin_channel_id", "channel_ids", "store_credit_amounts", "form_fields"),
    )
)


def update_customers(shop: Shop, call: Call) -> Response:
    """PUT: at most 10, own fields only; all checked before any is changed."""
    items = call.array_body(BATCH)
    changes = []
    for place, item in enumerate(items):
        refuse_wrong(item, CUSTOMER_CHECKS, title=UPDATE_FAILED, place=f"{place}.")
        customer = shop.get("customers", item.get("id", 0))
        if customer is None:
            raise Refusal(422, UPDATE_FAILED, errors=dict(NOT_UPDATED))
        email = str(item.get("email", customer["email"])).lower()
        if shop.index.customer_by_email.get(email, customer["id"]) != customer["id"]:
            raise Refusal(422, UPDATE_FAILED, errors=dict(NOT_UPDATED))
        changes.append((customer, {name: value for name, value in item.items() if name in WRITABLE}))
    for customer, fields in changes:
        change_customer(shop, customer, fields)
    return v3_data([_shown(shop, customer, set()) for customer, _ in changes])


def delete_customers(shop: Shop, call: Call) -> Response:
    """DELETE ?id:in=: without the filter nothing happens, and the answer is 204 all the same."""
    for id_ in sorted(id_filter(call, "id:in") or ()):
        customer = shop.get("customers", id_)
        if customer is None:
            continue
        for collection in ("addresses", "attribute_values"):
            for child in shop.children(collection, id_):
                shop.drop(collection, child["id"])
        shop.index.customer_by_email.pop(customer["email"].lower(), None)
        shop.drop("customers", id_)
        emit(shop, "store/customer/deleted", {"type": "customer", "id": id_})
    return nothing()


# -- addresses -------------------------------------------------------------------------------------------------------


def _address(address: JsonObject) -> JsonObject:
    return {name: value for name, value in address.items() if name != "form_fields"}


def list_addresses(shop: Shop, call: Call) -> Response:
    """GET /v3/customers/addresses."""
    customers, ids = id_filter(call, "customer_id:in"), id_filter(call, "id:in")
    companies = text_filter(call, "company:in")
    if customers is not None:
        found = [address for id_ in sorted(customers) for address in shop.children("addresses", id_)]
    else:
        found = list(shop.collections["addresses"].values())
    chosen = [
        each
        for each in found
        if (ids is None or each["id"] in ids) and (companies is None or each["company"].lower() in companies)
    ]
    return v3_slice(call, chosen, shape=_address)


def create_addresses(shop: Shop, call: Call) -> Response:
    """POST: an address that the customer has already is left out of the answer (§5)."""
    items = call.array_body(BATCH)
    for place, item in enumerate(items):
        _check_given(place, item, ADDRESS_REQUIRED)
        refuse_wrong(item, ADDRESS_CHECKS, title="Create addresses failed.", place=f"{place}.")
        if shop.get("customers", item.get("customer_id", 0)) is None:
            raise Refusal(422, "Create addresses failed.", errors={"customer_id": "does not exist"})
    made = [new_address(shop, shop.need("customers", item["customer_id"]), item) for item in items]
    return v3_data([_address(each) for each in made if each is not None])


ADDRESS_WRITABLE = frozenset({*ADDRESS_TEXTS, "address_type", "form_fields"})


def update_addresses(shop: Shop, call: Call) -> Response:
    items = call.array_body(BATCH)
    for place, item in enumerate(items):
        refuse_wrong(item, ADDRESS_CHECKS, title="Update addresses failed.", place=f"{place}.")
        if shop.get("addresses", item.get("id", 0)) is None:
            raise Refusal(422, "Update addresses failed.", errors={"id": "does not exist"})
    changed = []
    for item in items:
        address = shop.need("addresses", item["id"])
        fields = {name: value for name, value in item.items() if name in ADDRESS_WRITABLE}
        change_address(shop, address, fields)
        changed.append(_address(address))
    return v3_data(changed)


def delete_addresses(shop: Shop, call: Call) -> Response:
    for id_ in sorted(id_filter(call, "id:in") or ()):
        address = shop.get("addresses", id_)
        if address is None:
            continue
        shop.drop("addresses", id_)
        shop.need("customers", address["customer_id"])["address_count"] -= 1
        data = {"type": "customer", "id": id_, "address": {"customer_id": address["customer_id"]}}
        emit(shop, "store/customer/address/deleted", data)
    return nothing()


# -- attributes ------------------------------------------------------------------------------------------------------


def list_attributes(shop: Shop, call: Call) -> Response:
    return v3_slice(call, list(shop.collections["attributes"].values()))


def create_attributes(shop: Shop, call: Call) -> Response:
    """POST: at most 50 in the store; the type is fixed for good."""
    items = call.array_body(BATCH)
    known = {each["name"] for each in shop.collections["attributes"].values()}
    for place, item in enumerate(items):
        _check_given(place, item, ("name", "type"))
        refuse_wrong(item, ATTRIBUTE_CHECKS, title="Create attributes failed.", place=f"{place}.")
        if item["name"] in known:
            raise Refusal(422, "Create attributes failed.", errors={f"{place}.name": "is taken"})
        known.add(item["name"])
    if len(known) > MOST_ATTRIBUTES:
        raise Refusal(422, "Create attributes failed.", errors={"attributes": f"at most {MOST_ATTRIBUTES}"})
    now = zulu(shop.now())
    made = [
        shop.add(
            "attributes",
            {
                "id": shop.next_id("attributes"),
                "name": item["name"],
                "type": item["type"],
                "date_created": now,
                "date_modified": now,
            },
        )
        for item in items
    ]
    return v3_data(made)


def list_attribute_values(shop: Shop, call: Call) -> Response:
    customers, attributes = id_filter(call, "customer_id:in"), id_filter(call, "attribute_id:in")
    found = [
        each
        for each in shop.collections["attribute_values"].values()
        if (customers is None or each["customer_id"] in customers)
        and (attributes is None or each["attribute_id"] in attributes)
    ]
    return v3_slice(call, found)


UPSERT_FAILED = "Upsert attribute values failed."


def put_attribute_values(shop: Shop, call: Call) -> Response:
    """PUT: upsert, at most 10."""
    items = call.array_body(BATCH)
    for place, item in enumerate(items):
        missing = {f"{place}.{name}": "is required" for name in VALUE_CHECKS if name not in item}
        if missing:
            raise Refusal(422, UPSERT_FAILED, errors=missing)
        refuse_wrong(item, VALUE_CHECKS, title=UPSERT_FAILED, place=f"{place}.")
        if shop.get("customers", item["customer_id"]) is None:
            raise Refusal(422, UPSERT_FAILED, errors={"customer_id": "does not exist"})
        _need_attribute(shop, item["attribute_id"])
    return v3_data([_put_value(shop, item["customer_id"], item["attribute_id"], item["value"]) for item in items])


def _need_attribute(shop: Shop, id_: int) -> None:
    if shop.get("attributes", id_) is None:
        raise Refusal(422, UPSERT_FAILED, errors={"attribute_id": "does not exist"})


def _put_value(shop: Shop, customer_id: int, attribute_id: int, value: str) -> JsonObject:
    now = zulu(shop.now())
    for known in shop.children("attribute_values", customer_id):
        if known["attribute_id"] == attribute_id:
            known.update(attribute_value=value, date_modified=now)
            shop.touch()
            return known
    return shop.add(
        "attribute_values",
        {
            "id": shop.next_id("attribute_values"),
            "attribute_id": attribute_id,
            "attribute_value": value,
            "customer_id": customer_id,
            "date_created": now,
            "date_modified": now,
        },
    )
