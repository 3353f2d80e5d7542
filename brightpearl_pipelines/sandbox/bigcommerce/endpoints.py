"""Every endpoint that the emulator serves, with the OAuth scope it asks for (bigcommerce.md §1.4)."""

from brightpearl_pipelines.sandbox.bigcommerce import (
    brands,
    catalog,
    catalog_writes,
    custom_fields,
    customer_groups,
    customers,
    hooks_api,
    inventory,
    locations,
    metafields,
    order_writes,
    orders,
    payments,
    pricelists,
    refunds,
    shipments,
    store,
)
from brightpearl_pipelines.sandbox.bigcommerce.gateway import Endpoint, endpoint

ORDERS = "store_v2_orders"
TRANSACTIONS = "store_v2_transactions"
PRODUCTS = "store_v2_products"
INVENTORY = "store_inventory"
LOCATIONS = "store_locations"
CUSTOMERS = "store_v2_customers"
INFORMATION = "store_v2_information"
CHANNELS = "store_channel_settings"
ANY = ""

_order = "/v2/orders/{order_id}"

ORDER_ENDPOINTS = (
    endpoint("GET", "/v2/orders", ORDERS, orders.list_orders),
    endpoint("GET", "/v2/orders/count", ORDERS, orders.count_orders),
    endpoint("GET", _order, ORDERS, orders.get_order),
    endpoint("POST", "/v2/orders", ORDERS, order_writes.create_order),
    endpoint("DELETE", "/v2/orders", ORDERS, order_writes.archive_orders),
    endpoint("PUT", _order, ORDERS, order_writes.update_order),
    endpoint("DELETE", _order, ORDERS, order_writes.archive_order),
    endpoint("PUT", f"{_order}/shipping_addresses/{{address_id}}", ORDERS, order_writes.put_address),
    endpoint("GET", f"{_order}/products", ORDERS, orders.list_lines),
    endpoint("GET", f"{_order}/products/{{line_id}}", ORDERS, orders.get_line),
    endpoint("GET", f"{_order}/shipping_addresses", ORDERS, orders.list_addresses),
    endpoint("GET", f"{_order}/shipping_addresses/{{address_id}}", ORDERS, orders.get_address),
    endpoint("GET", f"{_order}/shipping_addresses/{{address_id}}/shipping_quotes", ORDERS, orders.shipping_quotes),
    endpoint("GET", f"{_order}/coupons", ORDERS, orders.list_coupons),
    endpoint("GET", f"{_order}/taxes", ORDERS, orders.list_taxes),
    endpoint("GET", f"{_order}/consignments", ORDERS, orders.get_consignments),
    endpoint("GET", f"{_order}/consignments/shipping/{{address_id}}/shipping_quotes", ORDERS, orders.shipping_quotes),
    endpoint("GET", f"{_order}/fees", ORDERS, orders.list_fees),
    endpoint("GET", f"{_order}/messages", ORDERS, orders.list_messages),
    endpoint("GET", "/v2/order_statuses", ORDERS, orders.list_statuses),
    endpoint("GET", "/v2/order_statuses/{status_id}", ORDERS, orders.get_status),
    endpoint("GET", f"{_order}/shipments", ORDERS, shipments.list_shipments),
    endpoint("POST", f"{_order}/shipments", ORDERS, shipments.create_shipment),
    endpoint("DELETE", f"{_order}/shipments", ORDERS, shipments.delete_shipments),
    endpoint("GET", f"{_order}/shipments/count", ORDERS, shipments.count_shipments),
    endpoint("GET", f"{_order}/shipments/{{shipment_id}}", ORDERS, shipments.get_shipment),
    endpoint("PUT", f"{_order}/shipments/{{shipment_id}}", ORDERS, shipments.update_shipment),
    endpoint("DELETE", f"{_order}/shipments/{{shipment_id}}", ORDERS, shipments.delete_shipment),
)

PAYMENT_ENDPOINTS = (
    endpoint("GET", "/v3/orders/{order_id}/transactions", TRANSACTIONS, payments.transactions),
    endpoint("POST", "/v3/orders/{order_id}/payment_actions/capture", TRANSACTIONS, payments.capture),
    endpoint("POST", "/v3/orders/{order_id}/payment_actions/void", TRANSACTIONS, payments.void),
    endpoint("POST", "/v3/orders/{order_id}/payment_actions/refund_quotes", TRANSACTIONS, refunds.create_quote),
    endpoint("POST", "/v3/orders/{order_id}/payment_actions/refunds", TRANSACTIONS, refunds.create_refund),
    endpoint("GET", "/v3/orders/{order_id}/payment_actions/refunds", TRANSACTIONS, refunds.list_order_refunds),
    endpoint("GET", "/v3/orders/payment_actions/refunds", TRANSACTIONS, refunds.list_refunds),
    endpoint("GET", "/v3/orders/payment_actions/refunds/{refund_id}", TRANSACTIONS, refunds.get_refund),
    *metafields.endpoints_for(metafields.ORDER, "/v3/orders/{order_id}", ORDERS, "/v3/orders/metafields"),
)

_product = "/v3/catalog/products/{product_id}"

CATALOG_ENDPOINTS = (
    endpoint("GET", "/v3/catalog/products", PRODUCTS, catalog.list_products),
    endpoint("GET", _product, PRODUCTS, catalog.get_product),
    endpoint("POST", "/v3/catalog/products", PRODUCTS, catalog_writes.create_product),
    endpoint("PUT", "/v3/catalog/products", PRODUCTS, catalog_writes.update_products),
    endpoint("DELETE", "/v3/catalog/products", PRODUCTS, catalog_writes.delete_products),
    endpoint("GET", "/v3/catalog/products/channel-assignments", PRODUCTS, brands.list_assignments),
    endpoint("PUT", "/v3/catalog/products/channel-assignments", PRODUCTS, brands.put_assignments),
    endpoint("DELETE", "/v3/catalog/products/channel-assignments", PRODUCTS, brands.delete_assignments),
    endpoint("PUT", _product, PRODUCTS, catalog_writes.update_product),
    endpoint("DELETE", _product, PRODUCTS, catalog_writes.delete_product),
    endpoint("GET", "/v3/catalog/summary", PRODUCTS, catalog_writes.summary),
    endpoint("PUT", "/v3/catalog/variants", PRODUCTS, catalog_writes.update_variants),
    endpoint("POST", f"{_product}/variants", PRODUCTS, catalog_writes.create_variant),
    endpoint("PUT", f"{_product}/variants/{{variant_id}}", PRODUCTS, catalog_writes.update_variant),
    endpoint("DELETE", f"{_product}/variants/{{variant_id}}", PRODUCTS, catalog_writes.delete_variant),
    endpoint("POST", f"{_product}/options", PRODUCTS, catalog_writes.create_option),
    endpoint("GET", f"{_product}/options/{{option_id}}", PRODUCTS, catalog_writes.get_option),
    endpoint("GET", f"{_product}/options/{{option_id}}/values", PRODUCTS, catalog_writes.list_values),
    endpoint("POST", f"{_product}/options/{{option_id}}/values", PRODUCTS, catalog_writes.create_value),
    endpoint("GET", "/v3/catalog/brands", PRODUCTS, brands.list_brands),
    endpoint("POST", "/v3/catalog/brands", PRODUCTS, brands.create_brand),
    endpoint("GET", "/v3/catalog/brands/{brand_id}", PRODUCTS, brands.get_brand),
    endpoint("DELETE", "/v3/catalog/brands/{brand_id}", PRODUCTS, brands.delete_brand),
    endpoint("GET", "/v3/catalog/categories", PRODUCTS, brands.list_categories),
    endpoint("POST", "/v3/catalog/categories", PRODUCTS, brands.create_category),
    endpoint("GET", "/v3/catalog/categories/{category_id}", PRODUCTS, brands.get_category),
    endpoint("GET", "/v3/catalog/variants", PRODUCTS, catalog.list_variants),
    endpoint("GET", f"{_product}/variants", PRODUCTS, catalog.list_product_variants),
    endpoint("GET", f"{_product}/variants/{{variant_id}}", PRODUCTS, catalog.get_variant),
    endpoint("GET", f"{_product}/options", PRODUCTS, catalog.list_options),
    endpoint("GET", f"{_product}/custom-fields", PRODUCTS, custom_fields.list_fields),
    endpoint("POST", f"{_product}/custom-fields", PRODUCTS, custom_fields.create_field),
    endpoint("GET", f"{_product}/custom-fields/{{custom_field_id}}", PRODUCTS, custom_fields.get_field),
    endpoint("PUT", f"{_product}/custom-fields/{{custom_field_id}}", PRODUCTS, custom_fields.update_field),
    endpoint("DELETE", f"{_product}/custom-fields/{{custom_field_id}}", PRODUCTS, custom_fields.delete_field),
    *metafields.endpoints_for(metafields.PRODUCT, _product, PRODUCTS),
    *metafields.endpoints_for(
        metafields.VARIANT, f"{_product}/variants/{{variant_id}}", PRODUCTS, "/v3/catalog/variants/metafields"
    ),
)

INVENTORY_ENDPOINTS = (
    endpoint("PUT", "/v3/inventory/adjustments/absolute", INVENTORY, inventory.put_absolute),
    endpoint("POST", "/v3/inventory/adjustments/relative", INVENTORY, inventory.post_relative),
    endpoint("GET", "/v3/inventory/items", INVENTORY, inventory.list_items),
    endpoint("GET", "/v3/inventory/locations/{location_id}/items", INVENTORY, inventory.list_location_items),
    endpoint("PUT", "/v3/inventory/locations/{location_id}/items", INVENTORY, inventory.put_location_items),
    endpoint("GET", "/v3/inventory/locations", LOCATIONS, locations.list_locations),
    endpoint("POST", "/v3/inventory/locations", LOCATIONS, locations.create_locations),
    endpoint("PUT", "/v3/inventory/locations", LOCATIONS, locations.update_locations),
    endpoint("DELETE", "/v3/inventory/locations", LOCATIONS, locations.delete_locations),
)

_group = "/v2/customer_groups/{group_id}"

CUSTOMER_ENDPOINTS = (
    endpoint("GET", "/v3/customers", CUSTOMERS, customers.list_customers),
    endpoint("POST", "/v3/customers", CUSTOMERS, customers.create_customers),
    endpoint("PUT", "/v3/customers", CUSTOMERS, customers.update_customers),
    endpoint("DELETE", "/v3/customers", CUSTOMERS, customers.delete_customers),
    endpoint("GET", "/v3/customers/addresses", CUSTOMERS, customers.list_addresses),
    endpoint("POST", "/v3/customers/addresses", CUSTOMERS, customers.create_addresses),
    endpoint("PUT", "/v3/customers/addresses", CUSTOMERS, customers.update_addresses),
    endpoint("DELETE", "/v3/customers/addresses", CUSTOMERS, customers.delete_addresses),
    endpoint("GET", "/v3/customers/attributes", CUSTOMERS, customers.list_attributes),
    endpoint("POST", "/v3/customers/attributes", CUSTOMERS, customers.create_attributes),
    endpoint("GET", "/v3/customers/attribute-values", CUSTOMERS, customers.list_attribute_values),
    endpoint("PUT", "/v3/customers/attribute-values", CUSTOMERS, customers.put_attribute_values),
    endpoint("GET", "/v2/customer_groups", CUSTOMERS, customer_groups.list_groups),
    endpoint("POST", "/v2/customer_groups", CUSTOMERS, customer_groups.create_group),
    endpoint("GET", _group, CUSTOMERS, customer_groups.get_group),
    endpoint("PUT", _group, CUSTOMERS, customer_groups.update_group),
    endpoint("DELETE", _group, CUSTOMERS, customer_groups.delete_group),
)

_list = "/v3/pricelists/{list_id}"
_record = f"{_list}/records/{{variant_id}}/{{currency:text}}"

PRICE_ENDPOINTS = (
    endpoint("GET", "/v3/pricelists", PRODUCTS, pricelists.list_lists),
    endpoint("POST", "/v3/pricelists", PRODUCTS, pricelists.create_list),
    endpoint("GET", _list, PRODUCTS, pricelists.get_list),
    endpoint("PUT", _list, PRODUCTS, pricelists.update_list),
    endpoint("DELETE", _list, PRODUCTS, pricelists.delete_list),
    endpoint("GET", f"{_list}/records", PRODUCTS, pricelists.list_records),
    endpoint("PUT", f"{_list}/records", PRODUCTS, pricelists.put_records),
    endpoint("POST", f"{_list}/records", PRODUCTS, pricelists.post_records),
    endpoint("DELETE", f"{_list}/records", PRODUCTS, pricelists.delete_records),
    endpoint("GET", f"{_list}/records/{{variant_id}}", PRODUCTS, pricelists.variant_records),
    endpoint("GET", _record, PRODUCTS, pricelists.get_record),
    endpoint("PUT", _record, PRODUCTS, pricelists.put_record),
    endpoint("DELETE", _record, PRODUCTS, pricelists.delete_record),
    endpoint("GET", "/v3/pricelists/assignments", PRODUCTS, pricelists.list_assignments),
    endpoint("POST", "/v3/pricelists/assignments", PRODUCTS, pricelists.post_assignments),
    endpoint("DELETE", "/v3/pricelists/assignments", PRODUCTS, pricelists.delete_assignments),
    endpoint("PUT", f"{_list}/assignments", PRODUCTS, pricelists.put_assignment),
)

STORE_ENDPOINTS = (
    endpoint("GET", "/v2/store", INFORMATION, store.get_store),
    endpoint("GET", "/v2/time", ANY, store.get_time),
    endpoint("GET", "/v2/currencies", INFORMATION, store.list_currencies),
    endpoint("GET", "/v2/currencies/{currency_id}", INFORMATION, store.get_currency),
    endpoint("GET", "/v2/tax_classes", INFORMATION, store.list_tax_classes),
    endpoint("GET", "/v2/tax_classes/{tax_class_id}", INFORMATION, store.get_tax_class),
    endpoint("GET", "/v3/tax/settings", INFORMATION, store.tax_settings),
    endpoint("GET", "/v3/settings/inventory", INFORMATION, store.get_inventory_settings),
    endpoint("PUT", "/v3/settings/inventory", INFORMATION, store.put_inventory_settings),
    endpoint("GET", "/v3/channels", CHANNELS, store.list_channels),
    endpoint("GET", "/v3/channels/{channel_id}", CHANNELS, store.get_channel),
    endpoint("GET", "/v3/channels/currency-assignments", CHANNELS, store.list_currency_assignments),
    endpoint("GET", "/v3/channels/{channel_id}/currency-assignments", CHANNELS, store.get_currency_assignment),
)

_HOOKS = tuple(
    endpoint(method, f"/{version}{path}", ANY, handler)
    for version in ("v3", "v2")
    for method, path, handler in (
        ("GET", "/hooks", hooks_api.list_hooks),
        ("POST", "/hooks", hooks_api.create_hook),
        ("GET", "/hooks/{hook_id}", hooks_api.get_hook),
        ("PUT", "/hooks/{hook_id}", hooks_api.update_hook),
        ("DELETE", "/hooks/{hook_id}", hooks_api.delete_hook),
    )
)
HOOK_ENDPOINTS = (
    *_HOOKS,
    endpoint("GET", "/v3/hooks/admin", ANY, hooks_api.admin),
    endpoint("PUT", "/v3/hooks/admin", ANY, hooks_api.put_admin),
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *ORDER_ENDPOINTS,
    *PAYMENT_ENDPOINTS,
    *CATALOG_ENDPOINTS,
    *INVENTORY_ENDPOINTS,
    *CUSTOMER_ENDPOINTS,
    *PRICE_ENDPOINTS,
    *STORE_ENDPOINTS,
    *HOOK_ENDPOINTS,
)
