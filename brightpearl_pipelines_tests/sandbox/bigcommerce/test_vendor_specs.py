"""The emulator's answers, judged by the vendor's own OpenAPI files: every endpoint that they describe and we serve."""

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.bigcommerce.endpoints import ENDPOINTS
from brightpearl_pipelines.sandbox.world import DraftLine, DraftOrder

from .shop import GUEST, Caller, against, draft, new_shop
from .vendor_specs import described, shape, violations

AREAS = {
    "orders v2": r"v2 /order.*",
    "orders v3": r"v3 /orders.*",
    "catalogue": r"v3 /catalog.*",
    "inventory": r"v3 /inventory.*",
    "customers": r"v3 /customers.*|v2 /customer_groups.*",
    "price lists": r"v3 /pricelists.*",
    "store": r"v2 /(store|time|currencies|tax_classes).*|v3 /(tax|channels|settings).*",
    "hooks": r"v3 /hooks.*",
}

Key = tuple[str, str, str]


def served() -> dict[Key, str]:
    """What we serve and the vendor's files describe, with the file."""
    known = described()
    keys = {(each.version, each.method, shape(each.path)) for each in ENDPOINTS}
    return {key: known[key] for key in keys if key in known}


def served_in(area: str) -> set[Key]:
    return {key for key in served() if re.fullmatch(AREAS[area], f"{key[0]} {key[2]}")}


FALSE_ALARMS = (
    # Those that the README beside the files lists, by its numbers.
    (r"GET /v2/orders", r".*'date_modified:asc' is not one of.*"),  # 1: the enum lacks the documented suffix
    (r"GET /v3/inventory/.*", r"ParameterValidationError.*"),  # 2: id lists typed as one integer
    (r"GET /v2/.* 204", r"ResponseNotFound.*"),  # 4: empty V2 lists are not declared
    (r"PUT /v3/catalog/products ", r".*Tried to write read-only property.*"),  # 7: id is required and read-only
    # Met while judging: alternatives that overlap, so that a plain link or an empty list fits two of them,
    (r".*", r".*is valid under each of.*"),
    # a 204 for which the file still wants a body,
    (r"DELETE .* 204", r"MissingData.*"),
    # one fee where the endpoint answers a list of them,
    (r"GET /v2/orders/\{\}/fees .*", r": \[.*is not of type 'object'"),
    # and fields that are null by the documentation's own words or in recorded answers, but not by the schema.
    (
        r".*",
        r"(.*\.)?(cart_id|base_variant_id|option_set_id|channel_ids|sale_price|retail_price|weight|width|height|depth"
        r"|fixed_cost_shipping_price): None (for not nullable|is not of type .*)",
    ),
)


def is_false_alarm(call: str, complaint: str) -> bool:
    return any(re.match(where, call) and re.fullmatch(what, complaint, re.DOTALL) for where, what in FALSE_ALARMS)


class Judged:
    """Calls an endpoint, checks the status, and collects what the vendor's file says against the exchange."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.shop = caller.shop
        self.problems: list[str] = []
        self.exercised: set[Key] = set()
        self._patterns = [
            (re.compile(key[2].replace("{}", "[^/]+")), key)
            for key in sorted(served(), key=lambda key: key[2].count("{}"))
        ]

    async def __call__(self, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        response = await self.caller(method, path, body, headers={"Content-Type": "application/json"})
        assert response.status_code == expect, f"{method} {path}: {response.status_code} {response.text}"
        key = self._key(response)
        self.exercised.add(key)
        call = f"{method} /{key[0]}{key[2]} {expect}"
        found = violations(served()[key], response)
        self.problems += [f"{call}: {each[-300:]}" for each in found if not is_false_alarm(call, each)]
        return response.json() if response.content else None

    def _key(self, response: httpx.Response) -> Key:
        version, path = re.fullmatch(r"/stores/\w+/(v\d)(/.*)", response.request.url.path).groups()
        method = response.request.method
        for pattern, key in self._patterns:
            if key[:2] == (version, method) and pattern.fullmatch(path):
                return key
        raise AssertionError(f"the vendor's files describe no {method} {version}{path}")


def judge_area(area: str, story: Callable[[Judged], Awaitable[None]], shop: BigCommerceEmulator | None = None) -> None:
    """Run a story; every endpoint of its area must have been called and nothing held against any answer."""
    seen: list[Judged] = []

    async def run(caller: Caller) -> None:
        seen.append(Judged(caller))
        await story(seen[0])

    against(shop or new_shop(), run)
    assert not seen[0].problems, "\n" + "\n".join(seen[0].problems)
    assert served_in(area) - seen[0].exercised == set()


def rich_order(shop: BigCommerceEmulator) -> int:
    """An order with a discount, a coupon-free fee, a download, a gift certificate and a custom line."""
    basket = draft(("MUG", 3), ("TEE-M", 1), ("PDF", 1), discount=Decimal("5.00"), fee_name="Insurance")
    extra = (
        DraftLine("Engraving", 1, Decimal("2.50"), None, "custom"),
        DraftLine("Voucher", 1, Decimal(10), None, "gift_certificate", Decimal(0)),
    )
    fields = {**vars(basket), "lines": basket.lines + extra, "fee_price": Decimal("1.50")}
    return shop.place_order(DraftOrder(**fields))


BILLING = {"first_name": "Ola", "last_name": "Nord", "street_1": "2 Kai", "city": "Hull"}
BILLING |= {"zip": "HU1 1AA", "country": "United Kingdom", "country_iso2": "GB", "email": "ola@example.com"}


def test_every_served_endpoint_that_the_files_describe_lies_in_one_area() -> None:
    for key in served():
        areas = [area for area in AREAS if key in served_in(area)]
        assert len(areas) == 1, (key, areas)
    assert len(served()) > 140


def test_v2_orders_answer_as_described() -> None:
    async def story(ask: Judged) -> None:
        order_id = rich_order(ask.shop)
        coupon_order = ask.shop.place_order(draft(coupon_code="SPRING", discount=Decimal("1.00"), person=GUEST))
        base = f"/v2/orders/{order_id}"
        await ask("GET", "/v2/orders")
        await ask("GET", "/v2/orders?include=consignments,fees&consignment_structure=object&limit=10")
        await ask("GET", "/v2/orders?sort=date_modified:asc&min_date_modified=2026-03-01T00:00:00Z")
        await ask("GET", "/v2/orders?min_id=100000", expect=204)
        await ask("GET", "/v2/orders/count")
        await ask("GET", base)
        await ask("GET", "/v2/orders/999999", expect=404)
        [line, *_] = await ask("GET", f"{base}/products")
        await ask("GET", f"{base}/products/{line['id']}")
        [address] = await ask("GET", f"{base}/shipping_addresses")
        one = f"{base}/shipping_addresses/{address['id']}"
        await ask("GET", one)
        await ask("PUT", one, {"street_1": "3 Low Street", "shipping_method": "Courier"})
        await ask("GET", f"{one}/shipping_quotes", expect=204)
        await ask("GET", f"{base}/consignments/shipping/{address['id']}/shipping_quotes", expect=204)
        await ask("GET", f"/v2/orders/{coupon_order}/coupons")
        await ask("GET", f"{base}/taxes?details=true")
        await ask("GET", f"{base}/consignments")
        await ask("GET", f"{base}/fees")
        await ask("GET", f"{base}/messages", expect=204)
        await ask("GET", "/v2/order_statuses")
        await ask("GET", "/v2/order_statuses/11")
        made = await ask(
            "POST",
            "/v2/orders",
            {"billing_address": BILLING, "products": [{"product_id": line["product_id"], "quantity": 1}]},
        )
        await ask("PUT", f"/v2/orders/{made['id']}", {"status_id": 11, "staff_notes": "Call first"})
        await ask("DELETE", f"/v2/orders/{made['id']}", expect=204)
        parcel = {"order_address_id": address["id"], "items": [{"order_product_id": line["id"], "quantity": 1}]}
        sent = await ask("POST", f"{base}/shipments", {**parcel, "tracking_number": "T1"}, expect=201)
        await ask("GET", f"{base}/shipments")
        await ask("GET", f"{base}/shipments/count")
        await ask("GET", f"{base}/shipments/{sent['id']}")
        await ask("PUT", f"{base}/shipments/{sent['id']}", {"tracking_number": "T2", "shipping_provider": "royalmail"})
        await ask("DELETE", f"{base}/shipments/{sent['id']}", expect=204)
        await ask("DELETE", f"{base}/shipments", expect=204)
        await ask("DELETE", "/v2/orders?limit=1", expect=204)

    judge_area("orders v2", story)


def test_v3_orders_answer_as_described() -> None:
    async def story(ask: Judged) -> None:
        held = ask.shop.place_order(draft(("TRAY", 1)))
        voided = ask.shop.place_order(draft(("TRAY", 1)))
        for id_ in (held, voided):
            ask.shop.need("orders", id_)["payment_status"] = "authorized"
        order_id = ask.shop.place_order(draft(("MUG", 3)))
        [line] = ask.shop.children("order_products", order_id)
        base = f"/v3/orders/{order_id}"
        await ask("GET", f"{base}/transactions")
        await ask("POST", f"/v3/orders/{held}/payment_actions/capture", expect=201)
        await ask("POST", f"/v3/orders/{voided}/payment_actions/void", expect=201)
        items = [{"item_type": "PRODUCT", "item_id": line["id"], "quantity": 1}]
        quote = (await ask("POST", f"{base}/payment_actions/refund_quotes", {"items": items}, expect=201))["data"]
        pay = [{"provider_id": "testgateway", "amount": quote["total_refund_amount"], "offline": False}]
        wanted = {"items": items, "payments": pay}
        refund = (await ask("POST", f"{base}/payment_actions/refunds", wanted, expect=201))["data"]
        await ask("GET", f"{base}/payment_actions/refunds")
        await ask("GET", f"/v3/orders/payment_actions/refunds?order_id:in={order_id}&created:min=2026-01-01T00:00:00Z")
        await ask("GET", f"/v3/orders/payment_actions/refunds/{refund['id']}")
        field = {"permission_set": "app_only", "namespace": "sync", "key": "exported", "value": "7"}
        made = (await ask("POST", f"{base}/metafields", field))["data"]
        await ask("POST", f"{base}/metafields", field, expect=409)
        await ask("GET", f"{base}/metafields")
        await ask("GET", f"{base}/metafields/{made['id']}")
        await ask("PUT", f"{base}/metafields/{made['id']}", {**field, "value": "8"})
        await ask("DELETE", f"{base}/metafields/{made['id']}", expect=204)
        [bulk] = (await ask("POST", "/v3/orders/metafields", [{**field, "resource_id": order_id}]))["data"]
        await ask("GET", "/v3/orders/metafields?namespace=sync")
        await ask("PUT", "/v3/orders/metafields", [{**field, "id": bulk["id"], "value": "9"}])
        await ask("DELETE", "/v3/orders/metafields", [bulk["id"]])

    judge_area("orders v3", story)


def test_the_catalogue_answers_as_described() -> None:
    async def story(ask: Judged) -> None:
        await ask("GET", "/v3/catalog/products?include=variants,options,channels&limit=5")
        new = {"name": "Lamp", "type": "physical", "weight": 2, "price": 30, "sku": "LAMP", "brand_name": "Lux"}
        lamp = (await ask("POST", "/v3/catalog/products", new))["data"]
        base = f"/v3/catalog/products/{lamp['id']}"
        await ask("GET", base)
        await ask("PUT", base, {"price": 31.5})
        await ask("PUT", "/v3/catalog/products", [{"id": lamp["id"], "price": 32}])
        colour = {"display_name": "Colour", "type": "rectangles", "option_values": [{"label": "Red", "sort_order": 0}]}
        option = (await ask("POST", f"{base}/options", colour))["data"]
        one = f"{base}/options/{option['id']}"
        await ask("GET", f"{base}/options")
        await ask("GET", one)
        await ask("POST", f"{one}/values", {"label": "Blue", "sort_order": 1})
        values = (await ask("GET", f"{one}/values"))["data"]
        chosen = [{"id": values[0]["id"], "option_id": option["id"]}]
        made = (await ask("POST", f"{base}/variants", {"sku": "LAMP-R", "option_values": chosen}))["data"]
        await ask("GET", f"{base}/variants")
        await ask("GET", f"{base}/variants/{made['id']}")
        await ask("PUT", f"{base}/variants/{made['id']}", {"price": 40.5})
        await ask("PUT", "/v3/catalog/variants", [{"id": made["id"], "price": 41}])
        await ask("GET", "/v3/catalog/variants?sku=LAMP-R")
        await _metafields(ask, base)
        await _metafields(ask, f"{base}/variants/{made['id']}")
        await _metafields_in_bulk(ask, made["id"])
        fields = f"{base}/custom-fields"
        field = (await ask("POST", fields, {"name": "Care", "value": "Wipe"}))["data"]
        await ask("GET", fields)
        await ask("GET", f"{fields}/{field['id']}")
        await ask("PUT", f"{fields}/{field['id']}", {"name": "Care", "value": "Wash"})
        await ask("DELETE", f"{fields}/{field['id']}", expect=204)
        await ask("DELETE", f"{base}/variants/{made['id']}", expect=204)
        await ask("GET", "/v3/catalog/products/channel-assignments")
        pair = [{"product_id": lamp["id"], "channel_id": 2}]
        await ask("PUT", "/v3/catalog/products/channel-assignments", pair, expect=204)
        await ask("DELETE", f"/v3/catalog/products/channel-assignments?product_id:in={lamp['id']}", expect=204)
        brand = (await ask("POST", "/v3/catalog/brands", {"name": "Acme"}))["data"]
        await ask("GET", "/v3/catalog/brands?name=Acme")
        await ask("GET", f"/v3/catalog/brands/{brand['id']}")
        await ask("DELETE", f"/v3/catalog/brands/{brand['id']}", expect=204)
        await ask("GET", "/v3/catalog/summary")
        await ask("DELETE", base, expect=204)
        await ask("DELETE", f"/v3/catalog/products?id:in={lamp['id']}", expect=204)

    judge_area("catalogue", story)


async def _metafields_in_bulk(ask: Judged, variant_id: int) -> None:
    path = "/v3/catalog/variants/metafields"
    field = {"permission_set": "app_only", "namespace": "bulk", "key": "due", "value": "2027-05-01"}
    [made] = (await ask("POST", path, [{**field, "resource_id": variant_id}]))["data"]
    await ask("GET", f"{path}?namespace=bulk")
    await ask("PUT", path, [{**field, "id": made["id"], "value": "2027-06-01"}])
    await ask("DELETE", path, [made["id"]])


async def _metafields(ask: Judged, base: str) -> None:
    field = {"permission_set": "write", "namespace": "sync", "key": "origin", "value": "7"}
    made = (await ask("POST", f"{base}/metafields", field))["data"]
    await ask("GET", f"{base}/metafields")
    await ask("GET", f"{base}/metafields/{made['id']}")
    await ask("PUT", f"{base}/metafields/{made['id']}", {**field, "value": "8"})
    await ask("DELETE", f"{base}/metafields/{made['id']}", expect=204)


def test_inventory_answers_as_described() -> None:
    async def story(ask: Judged) -> None:
        rows = [{"location_id": 1, "sku": "TEE-S", "quantity": 9}]
        await ask("PUT", "/v3/inventory/adjustments/absolute", {"reason": "count", "items": rows})
        await ask("POST", "/v3/inventory/adjustments/relative", {"reason": "found", "items": rows})
        unknown = [{"location_id": 1, "sku": "NOBODY", "quantity": 9}]
        await ask("PUT", "/v3/inventory/adjustments/absolute", {"items": unknown}, expect=422)
        await ask("GET", "/v3/inventory/items?sku:in=TEE-S,MUG")
        await ask("GET", "/v3/inventory/locations/1/items?variant_id:in=203,204")
        await ask("GET", "/v3/inventory/locations/77/items", expect=404)
        safety = {"settings": [{"identity": {"sku": "TEE-S"}, "safety_stock": 2}]}
        await ask("PUT", "/v3/inventory/locations/1/items", safety)
        await ask("GET", "/v3/inventory/locations")
        address = {
            "address1": "5 Dock Road",
            "city": "Austin",
            "state": "TX",
            "zip": "78701",
            "email": "dock@example.com",
            "geo_coordinates": {"latitude": 30.2, "longitude": -97.7},
            "country_code": "US",
        }
        place = {"label": "Dock", "managed_by_external_source": True, "type_id": "PHYSICAL", "address": address}
        await ask("POST", "/v3/inventory/locations", [{**place, "time_zone": "America/Chicago", "code": "DOCK"}])
        await ask("PUT", "/v3/inventory/locations", [{"id": 2, "label": "Quay"}])
        await ask("DELETE", "/v3/inventory/locations?location_id:in=2")

    judge_area("inventory", story)


def test_customers_answer_as_described() -> None:
    async def story(ask: Judged) -> None:
        home = {
            "first_name": "Kim",
            "last_name": "Lee",
            "address1": "1 Way",
            "city": "Bath",
            "country_code": "GB",
            "state_or_province": "Somerset",
            "postal_code": "BA1 1AA",
        }
        person = {"email": "kim@example.com", "first_name": "Kim", "last_name": "Lee", "addresses": [home]}
        [kim] = (await ask("POST", "/v3/customers", [person]))["data"]
        await ask("POST", "/v3/customers", [person], expect=422)
        await ask("GET", "/v3/customers?include=addresses,attributes,storecredit,formfields&sort=date_created:asc")
        await ask("PUT", "/v3/customers", [{"id": kim["id"], "company": "Kim & Co"}])
        second = {**home, "address1": "2 Way", "customer_id": kim["id"]}
        [address] = (await ask("POST", "/v3/customers/addresses", [second]))["data"]
        await ask("GET", f"/v3/customers/addresses?customer_id:in={kim['id']}")
        await ask("PUT", "/v3/customers/addresses", [{"id": address["id"], "city": "Wells"}])
        await ask("DELETE", f"/v3/customers/addresses?id:in={address['id']}", expect=204)
        [tier] = (await ask("POST", "/v3/customers/attributes", [{"name": "Tier", "type": "string"}]))["data"]
        await ask("GET", "/v3/customers/attributes")
        value = {"attribute_id": tier["id"], "value": "gold", "customer_id": kim["id"]}
        await ask("PUT", "/v3/customers/attribute-values", [value])
        await ask("GET", "/v3/customers/attribute-values")
        await ask("DELETE", f"/v3/customers?id:in={kim['id']}", expect=204)
        group = await ask("POST", "/v2/customer_groups", {"name": "Trade"})
        await ask("GET", "/v2/customer_groups")
        await ask("GET", f"/v2/customer_groups/{group['id']}")
        await ask("PUT", f"/v2/customer_groups/{group['id']}", {"name": "Trade only"})
        await ask("DELETE", f"/v2/customer_groups/{group['id']}", expect=204)

    judge_area("customers", story)


def test_price_lists_answer_as_described() -> None:
    async def story(ask: Judged) -> None:
        variant = ask.shop.variant_of_sku("MUG")
        made = (await ask("POST", "/v3/pricelists", {"name": "Trade", "active": True}))["data"]
        base = f"/v3/pricelists/{made['id']}"
        await ask("GET", "/v3/pricelists")
        await ask("GET", base)
        await ask("PUT", base, {"name": "Trade prices"})
        record = {"variant_id": variant["id"], "currency": "gbp", "price": 7.5, "sale_price": 7, "retail_price": 9}
        await ask("PUT", f"{base}/records", [record])
        await ask("POST", f"{base}/records", [{**record, "currency": "eur"}])
        await ask("POST", f"{base}/records", [{**record, "currency": "eur"}], expect=422)
        await ask("GET", f"{base}/records?include=sku,bulk_pricing_tiers")
        await ask("GET", f"{base}/records/{variant['id']}")
        one = f"{base}/records/{variant['id']}/gbp"
        await ask("GET", one)
        await ask("PUT", one, {"price": 7.25})
        await ask("DELETE", one, expect=204)
        await ask("DELETE", f"{base}/records?variant_id:in={variant['id']}", expect=204)
        await ask("POST", "/v3/pricelists/assignments", [{"price_list_id": made["id"], "channel_id": 2}])
        await ask("PUT", f"{base}/assignments", {"customer_group_id": 1, "channel_id": 1})
        await ask("GET", "/v3/pricelists/assignments")
        await ask("DELETE", f"/v3/pricelists/assignments?price_list_id:in={made['id']}", expect=204)
        await ask("DELETE", base, expect=204)

    judge_area("price lists", story)


def test_the_store_describes_itself_as_described() -> None:
    async def story(ask: Judged) -> None:
        await ask("GET", "/v2/store")
        await ask("GET", "/v2/time")
        await ask("GET", "/v2/currencies")
        await ask("GET", "/v2/currencies/1")
        await ask("GET", "/v2/tax_classes")
        await ask("GET", "/v2/tax_classes/1")
        await ask("GET", "/v3/tax/settings")
        await ask("GET", "/v3/channels?include=currencies")
        await ask("GET", "/v3/channels/1")
        await ask("GET", "/v3/channels/currency-assignments")
        await ask("GET", "/v3/channels/2/currency-assignments")
        await ask("GET", "/v3/settings/inventory")
        await ask("PUT", "/v3/settings/inventory", {"update_stock_behavior": "order_completed_or_shipped"})

    judge_area("store", story)


def test_hooks_answer_as_described() -> None:
    async def story(ask: Judged) -> None:
        hook = {"scope": "store/order/*", "destination": "https://receiver.example/in", "is_active": True}
        made = (await ask("POST", "/v3/hooks", {**hook, "headers": {"x-secret": "s"}}))["data"]
        await ask("POST", "/v3/hooks", {"scope": "store/order/*"}, expect=422)
        await ask("GET", "/v3/hooks")
        await ask("GET", f"/v3/hooks/{made['id']}")
        await ask("PUT", f"/v3/hooks/{made['id']}", {**hook, "is_active": False})
        await ask("GET", "/v3/hooks/admin")
        await ask("PUT", "/v3/hooks/admin", {"emails": ["ops@example.com"]}, expect=204)
        await ask("DELETE", f"/v3/hooks/{made['id']}")

    judge_area("hooks", story)
