"""How products and variants look as JSON (bigcommerce.md §3.1, §3.2). Only fields that are not default are stored."""

from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.stock import level_of_key, product_level
from brightpearl_pipelines.sandbox.bigcommerce.wire import JsonObject

PRODUCT: JsonObject = {
    "id": 0,
    "name": "",
    "type": "physical",
    "sku": "",
    "description": "",
    "weight": 0,
    "width": 0,
    "depth": 0,
    "height": 0,
    "price": 0,
    "cost_price": 0,
    "retail_price": 0,
    "sale_price": 0,
    "map_price": 0,
    "tax_class_id": 0,
    "product_tax_code": "",
    "calculated_price": 0,
    "categories": [],
    "brand_id": 0,
    "option_set_id": None,
    "option_set_display": "right",
    "inventory_level": 0,
    "inventory_warning_level": 0,
    "inventory_tracking": "none",
    "reviews_rating_sum": 0,
    "reviews_count": 0,
    "total_sold": 0,
    "fixed_cost_shipping_price": 0,
    "is_free_shipping": False,
    "is_visible": True,
    "is_featured": False,
    "related_products": [-1],
    "warranty": "",
    "bin_picking_number": "",
    "layout_file": "",
    "upc": "",
    "mpn": "",
    "gtin": "",
    "search_keywords": "",
    "availability": "available",
    "availability_description": "",
    "gift_wrapping_options_type": "any",
    "gift_wrapping_options_list": [],
    "sort_order": 0,
    "condition": "New",
    "is_condition_shown": False,
    "order_quantity_minimum": 0,
    "order_quantity_maximum": 0,
    "page_title": "",
    "meta_keywords": [],
    "meta_description": "",
    "date_created": "",
    "date_modified": "",
    "view_count": 0,
    "preorder_release_date": None,
    "preorder_message": "",
    "is_preorder_only": False,
    "is_price_hidden": False,
    "price_hidden_label": "",
    "custom_url": {},
    "base_variant_id": None,
    "open_graph_type": "product",
    "open_graph_title": "",
    "open_graph_description": "",
    "open_graph_use_meta_description": True,
    "open_graph_use_product_name": True,
    "open_graph_use_image": True,
}

VARIANT: JsonObject = {
    "id": 0,
    "product_id": 0,
    "sku": "",
    "sku_id": None,
    "price": None,
    "calculated_price": 0,
    "sale_price": None,
    "retail_price": None,
    "map_price": None,
    "weight": None,
    "calculated_weight": 0,
    "width": None,
    "height": None,
    "depth": None,
    "is_free_shipping": False,
    "fixed_cost_shipping_price": None,
    "purchasing_disabled": False,
    "purchasing_disabled_message": "",
    "image_url": "",
    "cost_price": 0,
    "upc": "",
    "mpn": "",
    "gtin": "",
    "inventory_level": 0,
    "inventory_warning_level": 0,
    "bin_picking_number": "",
    "option_values": [],
}

READ_ONLY_PRODUCT = frozenset(
    {"id", "calculated_price", "date_created", "date_modified", "base_variant_id", "view_count"}
)


def product_json(shop: Shop, product: JsonObject) -> JsonObject:
    """The product as GET answers it, without includes."""
    full = {**PRODUCT, **product}
    full["calculated_price"] = full["sale_price"] or full["price"]
    full["inventory_level"] = product_level(shop, product)
    full["option_set_id"] = full["id"] if product.get("base_variant_id") is None else None
    return full


def variant_json(shop: Shop, variant: JsonObject) -> JsonObject:
    """The variant as GET answers it; null price and weight are inherited (§3.2)."""
    product = {**PRODUCT, **shop.need("products", variant["product_id"])}
    full = {**VARIANT, **variant}
    own = full["sale_price"] if full["sale_price"] else full["price"]
    full["calculated_price"] = own if own is not None else product["sale_price"] or product["price"]
    full["calculated_weight"] = full["weight"] if full["weight"] is not None else product["weight"]
    if product["inventory_tracking"] == "variant":
        full["inventory_level"] = level_of_key(shop, f"v{variant['id']}")
    elif product["inventory_tracking"] == "product":
        full["inventory_level"] = level_of_key(shop, f"p{product['id']}")
    return full
