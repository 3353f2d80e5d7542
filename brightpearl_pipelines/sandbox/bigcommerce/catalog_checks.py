"""What products, variants and options may hold (bigcommerce.md §3.1, §3.2; bounds from the vendor's catalogue files).

`inventory_level` of a product has no upper bound here: the catalogue clamps it (§3.4).
"""

from math import inf

from brightpearl_pipelines.sandbox.bigcommerce.checks import (
    MOST,
    MOST_MEASURE,
    Checks,
    flag,
    integer,
    list_of,
    moment,
    numeric,
    object_of,
    one_of,
    or_null,
    text,
)
from brightpearl_pipelines.sandbox.bigcommerce.wire import MOST_WHOLE

MOST_COUNT = 1_000_000_000
SHORT = text(255)
IDS = list_of(integer())
PRICE = numeric(0, MOST_MEASURE)
"""For prices no upper bound is documented, but some there must be: this is the measures' one."""

PRODUCT_CHECKS: Checks = {
    "name": text(250, least=1),
    "type": one_of("physical", "digital"),
    "inventory_tracking": one_of("none", "product", "variant"),
    "availability": one_of("available", "disabled", "preorder"),
    "gift_wrapping_options_type": one_of("any", "none", "list"),
    "condition": one_of("New", "Used", "Refurbished"),
    "open_graph_type": one_of("product", "album", "book", "drink", "food", "game", "movie", "song", "tv_show"),
    **dict.fromkeys(("weight", "width", "depth", "height"), numeric(0, MOST_MEASURE)),
    **dict.fromkeys(("price", "cost_price", "retail_price", "sale_price", "map_price"), PRICE),
    "fixed_cost_shipping_price": PRICE,
    "tax_class_id": integer(0, 255),
    "brand_id": integer(0, MOST_COUNT),
    "inventory_level": integer(0, MOST_WHOLE),
    "inventory_warning_level": integer(),
    "sort_order": integer(-MOST),
    **dict.fromkeys(("order_quantity_minimum", "order_quantity_maximum"), integer(0, MOST_COUNT)),
    **dict.fromkeys(("reviews_rating_sum", "reviews_count", "total_sold"), integer()),
    **dict.fromkeys(("categories", "gift_wrapping_options_list"), IDS),
    "related_products": list_of(integer(-1)),
    **dict.fromkeys(("sku", "product_tax_code", "bin_picking_number", "availability_description"), SHORT),
    **dict.fromkeys(("page_title", "preorder_message", "brand_name"), SHORT),
    **dict.fromkeys(("upc", "gtin"), text(14)),
    **dict.fromkeys(("description", "warranty", "search_keywords", "meta_description", "mpn"), text()),
    **dict.fromkeys(("open_graph_title", "open_graph_description"), text()),
    "layout_file": text(500),
    "price_hidden_label": text(200),
    "option_set_display": text(),
    "meta_keywords": list_of(text()),
    **dict.fromkeys(("is_free_shipping", "is_visible", "is_featured", "is_condition_shown"), flag),
    **dict.fromkeys(("is_preorder_only", "is_price_hidden", "open_graph_use_meta_description"), flag),
    **dict.fromkeys(("open_graph_use_product_name", "open_graph_use_image"), flag),
    "preorder_release_date": or_null(moment),
    "option_set_id": or_null(integer()),
    "custom_url": object_of({"url": text(255, least=1), "is_customized": flag, "create_redirect": flag}, ["url"]),
}

VARIANT_CHECKS: Checks = {
    "sku": SHORT,
    **dict.fromkeys(("price", "sale_price", "retail_price", "map_price", "cost_price"), or_null(PRICE)),
    **dict.fromkeys(("weight", "width", "height", "depth"), or_null(numeric())),
    "fixed_cost_shipping_price": or_null(PRICE),
    **dict.fromkeys(("is_free_shipping", "purchasing_disabled"), flag),
    "purchasing_disabled_message": SHORT,
    "image_url": text(),
    **dict.fromkeys(("upc", "gtin"), or_null(text(14))),
    "mpn": or_null(text()),
    "bin_picking_number": or_null(SHORT),
    "inventory_level": or_null(integer(0, MOST_WHOLE)),
    "inventory_warning_level": or_null(integer()),
}

VALUE_CHECKS: Checks = {
    "label": text(least=1),
    "sort_order": integer(-MOST),
    "is_default": flag,
    "value_data": or_null(object_of({})),
}

OPTION_CHECKS: Checks = {
    "display_name": text(255, least=1),
    "type": one_of("radio_buttons", "rectangles", "dropdown", "product_list", "product_list_with_images", "swatch"),
    "sort_order": integer(-MOST),
    "option_values": list_of(object_of(VALUE_CHECKS)),
    "config": object_of(
        {
            **dict.fromkeys(("default_value", "checkbox_label"), text()),
            "date_limit_mode": one_of("earliest", "range", "latest"),
            "file_types_mode": one_of("specific", "all"),
            "number_limit_mode": one_of("lowest", "highest", "range"),
            "product_list_shipping_calc": one_of("none", "weight", "package"),
            **dict.fromkeys(("date_earliest_value", "date_latest_value"), text()),
            **dict.fromkeys(("file_types_supported", "file_types_other"), list_of(text())),
            **dict.fromkeys(("file_max_size", "text_min_length", "text_max_length", "text_max_lines"), integer()),
            **dict.fromkeys(("number_lowest_value", "number_highest_value"), numeric(-inf)),
            **dict.fromkeys(("checked_by_default", "date_limited", "text_characters_limited"), flag),
            **dict.fromkeys(("text_lines_limited", "number_limited", "number_integers_only"), flag),
            **dict.fromkeys(("product_list_adjusts_inventory", "product_list_adjusts_pricing"), flag),
        }
    ),
}
