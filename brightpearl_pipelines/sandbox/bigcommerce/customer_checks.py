"""What customers, their addresses and attributes may hold (bigcommerce.md §5; lengths from the vendor's file)."""

from math import inf

from brightpearl_pipelines.sandbox.bigcommerce.checks import (
    Checks,
    either,
    flag,
    integer,
    list_of,
    numeric,
    object_of,
    one_of,
    or_null,
    text,
)

AT_ONCE = 10
"""Addresses and attributes that a new customer may bring along."""

OWNED = {"name": text(), "value": either(text(), numeric(-inf), list_of(text()))}
FORM_FIELDS = list_of(object_of(OWNED, required=OWNED))
ADDRESS_CHECKS: Checks = {
    **dict.fromkeys(("first_name", "last_name"), text(255, least=1)),
    "company": text(255),
    **dict.fromkeys(("address1", "address2", "country"), text()),
    **dict.fromkeys(("city", "state_or_province"), text(100)),
    "postal_code": text(30),
    "country_code": text(2, least=2),
    "phone": text(50),
    "address_type": one_of("residential", "commercial"),
    "customer_id": integer(),
    "form_fields": FORM_FIELDS,
}
CUSTOMER_CHECKS: Checks = {
    "email": text(250, least=3),
    **dict.fromkeys(("first_name", "last_name"), text(100, least=1)),
    **dict.fromkeys(("company", "tax_exempt_category"), text(255)),
    "phone": text(50),
    "notes": text(),
    "registration_ip_address": text(30),
    **dict.fromkeys(("customer_group_id", "origin_channel_id"), integer()),
    "channel_ids": or_null(list_of(integer())),
    "accepts_product_review_abandoned_cart_emails": flag,
    "store_credit_amounts": list_of(object_of({"amount": numeric(-inf)})),
    "form_fields": FORM_FIELDS,
    "authentication": object_of({"force_password_reset": flag, "new_password": text()}),
    "trigger_account_created_notification": flag,
    "addresses": list_of(object_of(ADDRESS_CHECKS), AT_ONCE),
    "attributes": list_of(
        object_of({"attribute_id": integer(), "attribute_value": text(255)}, required=["attribute_id"]), AT_ONCE
    ),
}
ATTRIBUTE_CHECKS: Checks = {"name": text(255, least=1), "type": one_of("string", "number", "date")}
VALUE_CHECKS: Checks = {"customer_id": integer(), "attribute_id": integer(), "value": text(255)}
