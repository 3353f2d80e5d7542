"""Every endpoint that the emulator serves, with the OAuth scope it asks for (bigcommerce.md §1.4)."""

from brightpearl_pipelines.sandbox.bigcommerce import (
    catalog,
    hooks_api,
    inventory,
    metafields,
    order_writes,
    orders,
    payments,
    refunds,
    shipments,
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
    endpoint("GET", "/v3/catalog/variants", PRODUCTS, catalog.list_variants),
    endpoint("GET", f"{_product}/variants", PRODUCTS, catalog.list_product_variants),
    endpoint("GET", f"{_product}/variants/{{variant_id}}", PRODUCTS, catalog.get_variant),
    endpoint("GET", f"{_product}/options", PRODUCTS, catalog.list_options),
    *metafields.endpoints_for(metafields.PRODUCT, _product, PRODUCTS),
    *metafields.endpoints_for(metafields.VARIANT, f"{_product}/variants/{{variant_id}}", PRODUCTS),
)

INVENTORY_ENDPOINTS = (
    endpoint("PUT", "/v3/inventory/adjustments/absolute", INVENTORY, inventory.put_absolute),
    endpoint("POST", "/v3/inventory/adjustments/relative", INVENTORY, inventory.post_relative),
    endpoint("GET", "/v3/inventory/items", INVENTORY, inventory.list_items),
    endpoint("GET", "/v3/inventory/locations/{location_id}/items", INVENTORY, inventory.list_location_items),
    endpoint("PUT", "/v3/inventory/locations/{location_id}/items", INVENTORY, inventory.put_location_items),
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
    *HOOK_ENDPOINTS,
)
