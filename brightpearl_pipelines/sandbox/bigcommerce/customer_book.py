"""Customers and their addresses as the shop keeps them (bigcommerce.md §5)."""

from collections.abc import Mapping
from typing import Any

from brightpearl_pipelines.sandbox.bigcommerce.hooks import emit
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import JsonObject, zulu
from brightpearl_pipelines.sandbox.world import Person

CUSTOMER_TEXTS = ("email", "first_name", "last_name", "company", "phone", "notes", "tax_exempt_category")
ADDRESS_TEXTS = (
    *("first_name", "last_name", "company", "address1", "address2", "city", "state_or_province"),
    *("postal_code", "country_code", "country", "phone"),
)


def new_customer(shop: Shop, given: Mapping[str, Any]) -> JsonObject:
    """Store a customer; the e-mail address must be free."""
    id_ = shop.next_id("customers")
    now = zulu(shop.now())
    customer: JsonObject = {
        "id": id_,
        **{name: str(given.get(name) or "") for name in CUSTOMER_TEXTS},
        "customer_group_id": int(given.get("customer_group_id") or 0),
        "registration_ip_address": str(given.get("registration_ip_address") or ""),
        "date_created": now,
        "date_modified": now,
        "authentication": {"force_password_reset": False},
        "accepts_product_review_abandoned_cart_emails": bool(given.get("accepts_product_review_abandoned_cart_emails")),
        "origin_channel_id": int(given.get("origin_channel_id") or 1),
        "channel_ids": given.get("channel_ids"),
        "address_count": 0,
        "attribute_count": 0,
        "store_credit_amounts": given.get("store_credit_amounts") or [{"amount": 0}],
        "form_fields": given.get("form_fields") or [],
    }
    shop.add("customers", customer)
    shop.index.customer_by_email[customer["email"].lower()] = id_
    emit(shop, "store/customer/created", {"type": "customer", "id": id_})
    return customer


def new_address(shop: Shop, customer: JsonObject, given: Mapping[str, Any]) -> JsonObject | None:
    """Store an address; None when the customer has the very same one already (§5)."""
    fields = {name: str(given.get(name) or "") for name in ADDRESS_TEXTS}
    if any(all(known[name] == fields[name] for name in fields) for known in shop.children("addresses", customer["id"])):
        return None
    address = {
        "id": shop.next_id("addresses"),
        "customer_id": customer["id"],
        "address_type": given.get("address_type") or "residential",
        **fields,
        "form_fields": given.get("form_fields") or [],
    }
    shop.add("addresses", address)
    customer["address_count"] += 1
    data = {"type": "customer", "id": address["id"], "address": {"customer_id": customer["id"]}}
    emit(shop, "store/customer/address/created", data)
    return address


def add_person(shop: Shop, person: Person) -> JsonObject:
    """A person who makes an account at the checkout, with the address typed there."""
    customer = new_customer(
        shop,
        {
            "email": person.email,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "company": person.company,
            "phone": person.phone,
        },
    )
    new_address(
        shop,
        customer,
        {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "company": person.company,
            "address1": person.street_1,
            "address2": person.street_2,
            "city": person.city,
            "state_or_province": person.state,
            "postal_code": person.postcode,
            "country_code": person.country_iso2,
            "country": person.country,
            "phone": person.phone,
        },
    )
    return customer


def customer_for(shop: Shop, person: Person) -> int:
    """The account a checkout runs under: found by e-mail, made when new; 0 for a guest."""
    if not person.registered:
        return 0
    known = shop.index.customer_by_email.get(person.email.lower())
    return known if known is not None else int(add_person(shop, person)["id"])


def change_customer(shop: Shop, customer: JsonObject, changes: Mapping[str, Any]) -> None:
    """Change own fields of a customer and tell it; the e-mail index follows."""
    if "email" in changes:
        shop.index.customer_by_email.pop(customer["email"].lower(), None)
        shop.index.customer_by_email[str(changes["email"]).lower()] = customer["id"]
    customer.update(changes)
    customer["date_modified"] = zulu(shop.now())
    shop.touch()
    emit(shop, "store/customer/updated", {"type": "customer", "id": customer["id"]})


def change_address(shop: Shop, address: JsonObject, changes: Mapping[str, Any]) -> None:
    """Change an address; a customer's `updated` event does not follow from it (§7.3)."""
    address.update(changes)
    shop.touch()
    data = {"type": "customer", "id": address["id"], "address": {"customer_id": address["customer_id"]}}
    emit(shop, "store/customer/address/updated", data)
