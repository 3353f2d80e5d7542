"""The store about itself: profile, time, currencies, tax, channels, inventory settings (bigcommerce.md §4.4, §6)."""

from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.checkout import default_currency
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    Call,
    JsonObject,
    Refusal,
    bool_filter,
    id_filter,
    includes,
    json_answer,
    page_and_limit,
    text_filter,
    v2_list,
    v3_data,
    v3_slice,
    whole,
    zulu,
)


def get_store(shop: Shop, _: Call) -> Response:
    """GET /v2/store."""
    currency = default_currency(shop)
    address = f"{shop.hash}.shop.example"
    zone = {
        "name": "Europe/London",
        "raw_offset": 0,
        "dst_offset": 3600,
        "dst_correction": True,
        "date_format": {"display": "jS M Y", "export": "jS M Y", "extended_display": "jS M Y @ g:i A"},
    }
    features = {
        "stencil_enabled": True,
        "sitewidehttps_enabled": False,
        "facebook_catalog_id": "",
        "checkout_type": "optimized",
        "wishlists_enabled": False,
        "graphql_storefront_api_enabled": True,
        "shopper_consent_tracking_enabled": False,
        "multi_storefront_enabled": True,
        "storefront_limits": {"active": 5, "total_including_inactive": 10},
    }
    return json_answer(
        {
            "id": shop.hash,
            "account_uuid": "00000000-0000-4000-8000-000000000001",
            "domain": address,
            "secure_url": f"https://{address}",
            "control_panel_base_url": f"https://admin.{address}",
            "status": "live",
            "name": "The sandbox's shop",
            "first_name": "Sandy",
            "last_name": "Box",
            "address": "1 Harbour Street, Bristol",
            "country": "United Kingdom",
            "country_code": "GB",
            "infrastructure_region": "europe-west2",
            "phone": "+44 117 496 0000",
            "admin_email": "owner@shop.example",
            "order_email": "orders@shop.example",
            "favicon_url": "",
            "timezone": zone,
            "language": "en",
            "currency": currency["currency_code"],
            "currency_symbol": currency["token"],
            "decimal_separator": currency["decimal_token"],
            "thousands_separator": currency["thousands_token"],
            "decimal_places": currency["decimal_places"],
            "currency_symbol_location": currency["token_location"],
            "weight_units": "KGS",
            "dimension_units": "Centimeters",
            "dimension_decimal_places": 2,
            "dimension_decimal_token": ".",
            "dimension_thousands_token": ",",
            "plan_name": "Partner Sandbox",
            "plan_level": "Partner Sandbox",
            "plan_is_trial": False,
            "industry": "Home and Garden",
            "logo": {"url": ""},
            "is_price_entered_with_tax": bool(shop.settings["prices_entered_with_tax"]),
            "store_id": int(shop.settings["store_id"]),
            "default_channel_id": 1,
            "default_site_id": 1000,
            "active_comparison_modules": [],
            "features": features,
        }
    )


def get_time(shop: Shop, _: Call) -> Response:
    """GET /v2/time: the cheapest way to see whether a token works."""
    return json_answer({"time": int(shop.clock.now().timestamp())})


# -- currencies and tax ----------------------------------------------------------------------------------------------


def list_currencies(shop: Shop, call: Call) -> Response:
    """GET /v2/currencies."""
    page, limit = page_and_limit(call)
    found = list(shop.collections["currencies"].values())
    return v2_list(found[(page - 1) * limit : page * limit])


def get_currency(shop: Shop, call: Call) -> Response:
    found = shop.get("currencies", call.ids["currency_id"])
    if found is None:
        raise Refusal(404, NOT_FOUND)
    return json_answer(found)


def _tax_class(shop: Shop, tax_class: JsonObject) -> JsonObject:
    made = zulu(shop.now())
    # Ids are texts here, unlike anywhere else (§6).
    return {"id": str(tax_class["id"]), "name": tax_class["name"], "created_at": made, "updated_at": made}


def list_tax_classes(shop: Shop, _: Call) -> Response:
    """GET /v2/tax_classes; the default class 0 is implicit."""
    return v2_list([_tax_class(shop, each) for each in shop.collections["tax_classes"].values() if each["id"]])


def get_tax_class(shop: Shop, call: Call) -> Response:
    found = shop.get("tax_classes", call.ids["tax_class_id"])
    if found is None or not found["id"]:
        raise Refusal(404, NOT_FOUND)
    return json_answer(_tax_class(shop, found))


def tax_settings(shop: Shop, _: Call) -> Response:
    """GET /v3/tax/settings."""
    with_tax = bool(shop.settings["prices_entered_with_tax"])
    strategy = "INCLUSIVE" if with_tax else "EXCLUSIVE"
    data = {
        "tax_entered_with_prices": with_tax,
        "price_display_settings": {
            "control_panel_price_display_strategy": strategy,
            "invoice_price_display_strategy": strategy,
        },
        "fallback_strategy": "BASIC",
        "should_subtract_store_tax": False,
        "should_use_geolocation_to_determine_guest_shopper_tax_zone": False,
        "guest_shopper_tax_zone_id": 1,
        "store_tax_zone_id": 1,
        "document_submission_strategy": "ON_ORDER_CREATION",
        "rounding_strategy": shop.settings["rounding_strategy"],
    }
    return v3_data(data)


# -- channels --------------------------------------------------------------------------------------------------------


def _channel(shop: Shop, channel: JsonObject, wanted: set[str]) -> JsonObject:
    shown = {name: value for name, value in channel.items() if name != "currency"}
    if "currencies" in wanted:
        shown["currencies"] = _currencies(shop, channel)
    return shown


def _currencies(shop: Shop, channel: JsonObject) -> JsonObject:
    enabled = [each["currency_code"] for each in shop.collections["currencies"].values() if each["enabled"]]
    return {"channel_id": channel["id"], "enabled_currencies": enabled, "default_currency": channel["currency"]}


def list_channels(shop: Shop, call: Call) -> Response:
    """GET /v3/channels."""
    statuses, types = text_filter(call, "status:in"), text_filter(call, "type:in")
    platforms, available = text_filter(call, "platform:in"), bool_filter(call, "available")
    wanted = includes(call)
    found = [
        channel
        for channel in shop.collections["channels"].values()
        if (statuses is None or channel["status"] in statuses)
        and (types is None or channel["type"] in types)
        and (platforms is None or channel["platform"] in platforms)
        and (available is None or (channel["status"] in ("active", "prelaunch", "connected")) is available)
    ]
    return v3_slice(call, found, shape=lambda channel: _channel(shop, channel, wanted))


def _need_channel(shop: Shop, call: Call) -> JsonObject:
    channel = shop.get("channels", call.ids["channel_id"])
    if channel is None:
        raise Refusal(404, NOT_FOUND)
    return channel


def get_channel(shop: Shop, call: Call) -> Response:
    return v3_data(_channel(shop, _need_channel(shop, call), includes(call)))


def list_currency_assignments(shop: Shop, call: Call) -> Response:
    """GET /v3/channels/currency-assignments."""
    ids = id_filter(call, "channel_id:in")
    found = [each for each in shop.collections["channels"].values() if ids is None or each["id"] in ids]
    return v3_slice(call, found, shape=lambda channel: _currencies(shop, channel))


def get_currency_assignment(shop: Shop, call: Call) -> Response:
    return v3_data(_currencies(shop, _need_channel(shop, call)))


# -- what moves stock ------------------------------------------------------------------------------------------------

CHOICES = {
    "update_stock_behavior": ("order_placed", "order_completed_or_shipped"),
    "stock_level_display": ("dont_show", "show", "show_when_low"),
    "option_out_of_stock_behavior": ("do_nothing", "hide_option", "label_option"),
    "product_out_of_stock_behavior": (
        "do_nothing",
        "hide_product",
        "hide_product_and_accessible",
        "hide_product_and_redirect",
    ),
}


def _channel_of(shop: Shop, call: Call) -> str | None:
    """The channel whose own values are meant; None for the global ones."""
    if "channel_id" not in call.query:
        return None
    id_ = str(whole(call, "channel_id", 0))
    if shop.get("channels", id_) is None:
        raise Refusal(422, "Invalid field(s)", errors={"channel_id": "does not exist"})
    return id_


def get_inventory_settings(shop: Shop, call: Call) -> Response:
    """GET /v3/settings/inventory; a channel's value is null where it follows the global one."""
    channel, everywhere = _channel_of(shop, call), shop.settings["inventory"]
    if channel is None:
        return v3_data(everywhere)
    own = shop.settings.get("channel_inventory", {}).get(channel, {})
    return v3_data({name: own.get(name) for name in everywhere})


def put_inventory_settings(shop: Shop, call: Call) -> Response:
    """PUT /v3/settings/inventory: what is given changes; null on a channel follows the global value again."""
    channel, body = _channel_of(shop, call), call.object_body()
    everywhere = shop.settings["inventory"]
    for name, value in body.items():
        known = everywhere.get(name)
        fits = value in CHOICES[name] if name in CHOICES else type(value) is type(known)
        if not (fits or (channel is not None and value is None)) or name not in everywhere:
            raise Refusal(422, "Invalid field(s)", errors={name: "invalid value"})
    if channel is None:
        everywhere.update(body)
    else:
        shop.settings.setdefault("channel_inventory", {}).setdefault(channel, {}).update(body)
    shop.touch()
    return get_inventory_settings(shop, call)
