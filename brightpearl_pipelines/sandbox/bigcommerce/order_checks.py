"""What the body of an order, V2, and of a refund, V3, may hold (bigcommerce.md §2.2, §2.6, §2.8; the vendor's files).

Money of an order is a number or text, as both are in use; `decimal_of` judges what the text says.
"""

from brightpearl_pipelines.sandbox.bigcommerce.checks import (
    MOST_MEASURE,
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
from brightpearl_pipelines.sandbox.bigcommerce.order_shape import ADDRESS_FIELDS
from brightpearl_pipelines.sandbox.bigcommerce.pickups import LOCATION, TEXTS

MONEY = either(text(), numeric(-MOST_MEASURE, MOST_MEASURE))

ADDRESS_CHECKS: Checks = {
    **dict.fromkeys((*ADDRESS_FIELDS, "shipping_method"), text()),
    "form_fields": list_of(object_of({"name": text()})),
}

LINE_CHECKS: Checks = {
    **dict.fromkeys(("id", "product_id", "variant_id", "quantity"), integer()),
    **dict.fromkeys(("name", "name_customer", "name_merchant", "sku", "upc"), text()),
    **dict.fromkeys(("price_ex_tax", "price_inc_tax"), MONEY),
    "product_options": list_of(object_of({"id": integer(), "value": either(text(), integer())}, ["id", "value"])),
}

FEE_CHECKS: Checks = {
    "type": one_of("custom_fee"),
    **dict.fromkeys(("display_name_customer", "display_name_merchant", "source"), text()),
    **dict.fromkeys(("cost_ex_tax", "cost_inc_tax", "cost_tax"), MONEY),
    "tax_class_id": or_null(integer()),
}

PICKUP_CHECKS: Checks = {
    "pickup_method_id": integer(),
    **dict.fromkeys(TEXTS, text()),
    "location": object_of(dict.fromkeys(LOCATION, text(255))),
    "line_items": list_of(object_of(LINE_CHECKS)),
}

ORDER_CHECKS: Checks = {
    **dict.fromkeys(("customer_message", "order_source", "ebay_order_id", "payment_method", "customer_locale"), text()),
    **dict.fromkeys(("geoip_country", "geoip_country_iso2", "date_created", "default_currency_code"), text()),
    **dict.fromkeys(("external_source", "external_order_id", "external_merchant_id"), or_null(text())),
    "credit_card_type": or_null(text()),
    "payment_provider_id": or_null(either(text(), numeric())),
    "staff_notes": text(),
    "ip_address": text(30),
    "ip_address_v6": text(39),
    **dict.fromkeys(("is_email_opt_in", "is_deleted"), flag),
    **dict.fromkeys(("status_id", "channel_id", "customer_id"), integer()),
    "billing_address": object_of(ADDRESS_CHECKS),
    "shipping_addresses": list_of(object_of({**ADDRESS_CHECKS, "id": integer()})),
    "products": list_of(object_of(LINE_CHECKS)),
    "fees": list_of(object_of(FEE_CHECKS)),
    "consignments": object_of({"pickups": list_of(object_of(PICKUP_CHECKS))}),
}

REFUND_CHECKS: Checks = {
    "items": list_of(
        object_of(
            {
                "item_type": one_of("PRODUCT", "GIFT_WRAPPING", "ORDER", "SHIPPING", "HANDLING", "TAX", "FEE"),
                **dict.fromkeys(("item_id", "quantity"), integer()),
                "amount": numeric(0, MOST_MEASURE),
                "reason": text(1000),
                "adjustments": list_of(
                    object_of({"amount": numeric(-MOST_MEASURE, 0), "description": text()}, ["amount"])
                ),
            },
            required=["item_type", "item_id"],
        )
    ),
    "payments": list_of(
        object_of({"provider_id": text(), "amount": numeric(0, MOST_MEASURE), "offline": flag}, required=["amount"])
    ),
    "tax_adjustment_amount": numeric(-MOST_MEASURE, MOST_MEASURE),
    "merchant_calculated_override": object_of(
        dict.fromkeys(("total_amount", "total_tax"), numeric(0, MOST_MEASURE)), required=["total_amount", "total_tax"]
    ),
    "reason": text(1000),
}
