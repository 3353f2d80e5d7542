"""Lists that rarely change: statuses, tax codes, currencies, brands, channels, account configuration and the like."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    ApiError,
    Call,
    IdSet,
    JsonObject,
    Reply,
    answer,
    decimal_of,
    not_found,
    padded,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

ORDER_TYPES = {
    "SO": (1, "Sales Order"),
    "PO": (2, "Purchase Order"),
    "SC": (3, "Sales Credit"),
    "PC": (4, "Purchase Credit"),
}
ORDER_TYPE_NAMES = {1: "SALES_ORDER", 2: "PURCHASE_ORDER", 3: "SALES_CREDIT", 4: "PURCHASE_CREDIT"}
_FULFILLED = ("Not Fulfilled", "Part Fulfilled", "Fulfilled")
# In the order of their ids: the kinds as in _STOCK_KINDS, each with its three grades, then NON.
_STOCK_KINDS = ("SO", "PO", "SC", "PC")
_STOCK_CODES = [
    (f"{kind}{letter}", f"{ORDER_TYPES[kind][1]} {words}")
    for kind in _STOCK_KINDS
    for letter, words in zip("NPA", _FULFILLED, strict=True)
]
STOCK_STATUSES = {
    code: (number, words)
    for number, (code, words) in enumerate([*_STOCK_CODES, ("NON", "No Stock Tracked Items")], start=1)
}
SHIPPING_STATUSES = {
    "NST": (1, "No Stock Tracked Products"),
    "SNS": (2, "Not Shipped"),
    "SPS": (3, "Part Shipped"),
    "ASS": (4, "All Shipped"),
}
# id, name, order type, state
_ORDER_STATUSES = (
    (1, "Draft / Quote", "SO", "draft"),
    (2, "New web order", "SO", None),
    (3, "New phone order", "SO", None),
    (4, "Invoiced", "SO", None),
    (5, "Cancelled", "SO", None),
    (16, "On hold", "SO", None),
    (17, "Ready to ship", "SO", None),
    (18, "Part shipped", "SO", None),
    (19, "Shipped", "SO", None),
    (6, "Pending PO", "PO", None),
    (7, "Placed with supplier", "PO", None),
    (8, "Received", "PO", None),
    (10, "New sales credit", "SC", None),
    (11, "Sales credit complete", "SC", None),
    (12, "New purchase credit", "PC", None),
)
_PAYMENT_METHODS = (
    ("ACME_PAY", "Acme Pay"),
    ("CARD", "Card"),
    ("PAYPAL", "PayPal"),
    ("BANK", "Bank transfer"),
    ("CREDIT", "Store credit"),
    ("GIFT", "Gift certificate"),
    ("MANUAL", "Entered by hand"),
)
_NOMINAL_CODES = (
    (1, "1001", "Stock", 1, False),
    (2, "1100", "Debtors control", 1, False),
    (3, "1200", "Bank current account", 1, True),
    (4, "1240", "PayPal", 1, True),
    (5, "2100", "Creditors control", 2, False),
    (6, "2200", "Sales tax control", 2, False),
    (7, "2299", "Rounding corrections", 2, False),
    (8, "4000", "Sales", 4, False),
    (9, "4040", "Carriage", 4, False),
    (10, "4300", "Shipping", 4, False),
    (11, "4310", "Discounts", 4, False),
    (12, "5000", "Purchases", 5, False),
    (13, "5060", "Stock write-off", 5, False),
    (14, "6500", "Bank charges", 6, False),
)
_CONFIGURATION = {
    "defaultCurrencyCode": 1,
    "taxSchemeCode": "VAT",
    "poStatusAcknowledged": 7,
    "defaultProductTypeId": 1,
    "defaultTaxRateId": 3,
    "defaultCostPriceListId": 1,
    "productWeightUnit": "KILOGRAM",
    "productSeasonsEnabled": 0,
    "multipleWarehouseEnabled": 1,
    "costOfSalesEnabled": 1,
    "autoAssignOrder": 1,
    "salesNominalCode": 4000,
    "purchaseNominalCode": 5000,
    "shippingNominalCode": 4300,
    "discountNominalCode": 4310,
    "roundingCorrectionsNominalCode": 2299,
    "chargesNominalCode": 6500,
    "paypalBankAccountCode": 1240,
    "writeOffNoteNominalCode": 5060,
    "orderRowSortingStrategy": "rowSequence",
}
# path, collection, message type, what a 404 calls the thing
_LISTS = (
    ("product-service/brand", "brands", "brand-get", "Brands"),
    ("product-service/brightpearl-category", "categories", "brightpearl-category-get", "Categories"),
    ("product-service/product-type", "product_types", "product-type-get", "Product Types"),
    ("product-service/option", "options", "option-get", "Options"),
    ("product-service/collection", "collections", "collection-get", "Collections"),
    ("product-service/season", "seasons", "season-get", "Seasons"),
    ("product-service/channel", "channels", "channel-get", "Channels"),
    ("product-service/channel-brand", "channel_brands", "channel-brand-get", "Channel Brands"),
    ("product-service/price-list", "price_lists", "get-price-list", "Price Lists"),
    ("contact-service/lead-source", "lead_sources", "get-lead-source", "Lead Sources"),
    ("contact-service/contact-group", "contact_groups", "get-contact-group", "Contact Groups"),
    ("contact-service/company", "companies", "get-company", "Companies"),
    ("accounting-service/payment-method", "payment_methods", "get-payment-method", "Payment Methods"),
    ("accounting-service/nominal-code", "nominal_codes", "get-nominal-code", "Nominal Codes"),
)


def text(words: str, form: str = "PLAINTEXT") -> JsonObject:
    """A piece of text with its language, as product data carries it."""
    return {"languageCode": "en", "text": words, "format": form}


class Reference:
    """Reads, and where the API has it creates, entries of the reference lists."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    def endpoints(self) -> list[Endpoint]:
        lists = [
            Endpoint("GET", f"{path}/{{ids?}}", self._lister(collection, thing), message_type)
            for path, collection, message_type, thing in _LISTS
        ]
        named = [
            Endpoint("POST", path, self._creator(collection, make, code), f"post-{path.split('/')[1]}")
            for path, collection, make, code in (
                ("product-service/brand", "brands", self._brand, "PRDC-024"),
                ("product-service/brightpearl-category", "categories", self._category, "PRDC-030"),
                ("product-service/product-type", "product_types", self._named, "PRDC-031"),
                ("product-service/option", "options", self._named, "PRDC-032"),
            )
        ]
        return [
            *lists,
            *named,
            Endpoint("GET", "product-service/option/{id}/value/{ids?}", self.option_values, "option-value-get"),
            Endpoint("POST", "product-service/option/{id}/value", self.add_option_value, "post-option-value"),
            Endpoint("GET", "contact-service/tag", self.tags, "get-contact-tag"),
            Endpoint("GET", "order-service/order-status/{ids?}", self.order_statuses, "get-order-status"),
            Endpoint("POST", "order-service/order-status", self.add_order_status, "post-order-status"),
            Endpoint("GET", "order-service/order-type", self.order_types, "get-order-type"),
            Endpoint("GET", "order-service/order-stock-status", self.stock_statuses, "get-order-stock-status"),
            Endpoint("GET", "order-service/order-shipping-status", self.ship_statuses, "get-order-shipping-status"),
            Endpoint("GET", "accounting-service/tax-code/{ids?}", self.tax_codes, "get-tax-code"),
            Endpoint("GET", "accounting-service/exchange-rate", self.exchange_rates, "get-exchange-rate"),
            Endpoint(
                "GET", "integration-service/account-configuration", self.configuration, "get-account-configuration"
            ),
        ]

    # -- first data -----------------------------------------------------------------------------------------------

    def first_data(self) -> None:
        """What every new account has; the world adds to it."""
        for position, (number, name, kind, state) in enumerate(_ORDER_STATUSES):
            self.put_order_status(number, name, kind, position, state)
        put = self.emulator.put
        for number, code, name, group, bank in _NOMINAL_CODES:
            entry = {"id": number, "code": code, "name": name, "type": group, "bank": bank, "active": True}
            put("nominal_codes", number, {**entry, "currencyId": 1})
        put("tags", 1, {"tagId": 1, "tagName": "Wholesale"})
        put("lead_sources", 1, {"id": 1, "name": "Web", "parentId": 0, "ownerId": 0, "isActive": True})
        put("contact_groups", 1, {"id": 1, "name": "Newsletter", "description": "", "contactIds": []})
        put("product_types", 1, {"id": 1, "name": "Default"})
        put("collections", 1, {"id": 1, "name": "Core", "brandId": 1})
        put("seasons", 1, {"id": 1, "name": "All year", "description": ""})
        put("channel_brands", 1, {"id": 1, "name": "Acme Trading"})
        for number, (method_code, name) in enumerate(_PAYMENT_METHODS, start=1):
            accounts = {self.emulator.settings["base_currency"]: "1240" if method_code == "PAYPAL" else "1200"}
            put(
                "payment_methods",
                number,
                {"id": number, "code": method_code, "name": name, "isActive": True, "bankAccounts": accounts},
            )
        self.put_currency(self.emulator.settings["base_currency"], "£", "1.000000")

    def put_order_status(self, number: int, name: str, kind: str, position: int, state: str | None) -> None:
        status = {"statusId": number, "name": name, "orderTypeCode": kind, "sortOrder": position * 10}
        rest = {"disabled": False, "visible": True, "color": "#09C", "remindAfterDays": 0, "alertEmails": ""}
        tail = {"emailContent": "", "batchProcess": False, **({"state": state} if state else {})}
        self.emulator.put("order_statuses", number, {**status, **rest, **tail})
        self.emulator.sequences["order_status"] = max(number, self.emulator.sequences.get("order_status", 0))

    def put_currency(self, code: str, symbol: str, rate: str) -> None:
        """`rate`: units for one of the base currency, 6 decimals."""
        known = {currency["code"]: currency["id"] for currency in self.emulator.collection("currencies").values()}
        number = known.get(code) or self.emulator.next_id("currency")
        currency = {"id": number, "title": code, "code": code, "symbol": symbol, "exchangeRate": rate}
        default = code == self.emulator.settings["base_currency"]
        rest = {"isDefault": default, "exchangeRateVarianceNominalCode": "7911"}
        self.emulator.put("currencies", number, {**currency, **rest})

    # -- look-ups for the other services --------------------------------------------------------------------------

    def currency(self, code: str) -> JsonObject | None:
        currencies = self.emulator.collection("currencies").values()
        return next((currency for currency in currencies if currency["code"] == code), None)

    def tax_code(self, code: object) -> JsonObject | None:
        return next((tax for tax in self.emulator.collection("tax_codes").values() if tax["code"] == code), None)

    def payment_method(self, code: str) -> JsonObject | None:
        methods = self.emulator.collection("payment_methods").values()
        return next((method for method in methods if method["code"] == code), None)

    # -- handlers -------------------------------------------------------------------------------------------------

    def pick(self, collection: str, ids: str | None, thing: str) -> list[JsonObject]:
        """The named entries, all without a set; 404 when there are none (§2.4)."""
        entries = self.emulator.collection(collection)
        found = IdSet.parse(ids).among(entries) if ids else list(map(int, entries))
        if not found:
            raise not_found(f"No {thing} Found")
        return [entries[str(number)] for number in found]

    def _lister(self, collection: str, thing: str) -> Callable[..., Reply]:
        def handler(_call: Call, ids: str | None) -> Reply:
            return answer(self.pick(collection, ids, thing))

        return handler

    def _creator(self, collection: str, make: Callable[[JsonObject], JsonObject], code: str) -> Callable[..., Reply]:
        thing = {"brands": "Brand", "categories": "Category", "product_types": "Product type", "options": "Option"}

        def handler(call: Call) -> Reply:
            body = call.object()
            name = body.get("name")
            if not isinstance(name, str) or not name.strip():
                raise ApiError(400, (code, f"{thing[collection]} name is required"))
            taken = (entry["name"] == name for entry in self.emulator.collection(collection).values())
            if len(name) > 120 or any(taken):
                raise ApiError(400, (code, f"{thing[collection]} name must be unique and at most 120 characters"))
            number = self.next_number(collection)
            self.emulator.put(collection, number, {"id": number, **make(body)})
            return answer(number)

        return handler

    def next_number(self, collection: str) -> int:
        """The next id of a reference list, above whatever the world put there."""
        highest = max(map(int, self.emulator.collection(collection)), default=0)
        sequences = self.emulator.sequences
        sequences[collection] = max(highest, sequences.get(collection, 0))
        return self.emulator.next_id(collection)

    def _named(self, body: JsonObject) -> JsonObject:
        return {"name": body["name"]}

    def _brand(self, body: JsonObject) -> JsonObject:
        return {"name": body["name"], "description": body.get("description", "")}

    def _category(self, body: JsonObject) -> JsonObject:
        return self.new_category(body["name"], body.get("parentId", 0))

    def new_category(self, name: str, parent_id: int = 0) -> JsonObject:
        now = self.emulator.stamp()
        made = {"createdOn": now, "createdById": 4, "updatedOn": now, "updatedById": 4, "description": text("")}
        return {"name": name, "parentId": parent_id, "active": True, **made}

    def option_values(self, _call: Call, id: str, ids: str | None) -> Reply:
        values = [value for value in self.emulator.collection("option_values").values() if value["optionId"] == int(id)]
        wanted = [value for value in values if ids is None or value["optionValueId"] in IdSet.parse(ids)]
        if not wanted:
            raise not_found("No Option Values Found")
        return answer(wanted)

    def add_option_value(self, call: Call, id: str) -> Reply:
        name = call.object().get("optionValueName")
        if id not in self.emulator.collection("options") or not isinstance(name, str) or not name:
            raise ApiError(400, ("PRDC-033", "A known option and an optionValueName are required"))
        return answer(self.put_option_value(int(id), name))

    def put_option_value(self, option_id: int, name: str) -> int:
        number = self.next_number("option_values")
        value = {"optionValueId": number, "optionValueName": name, "optionId": option_id, "sortOrder": number}
        self.emulator.put("option_values", number, value)
        return number

    def tags(self, _call: Call) -> Reply:
        """A map by id, unlike the other lists (§6.2)."""
        return answer(dict(self.emulator.collection("tags")))

    def order_statuses(self, _call: Call, ids: str | None) -> Reply:
        statuses = self.pick("order_statuses", ids, "Order Statuses")
        kinds = list(ORDER_TYPES)
        return answer(sorted(statuses, key=lambda item: (kinds.index(item["orderTypeCode"]), item["sortOrder"])))

    def add_order_status(self, call: Call) -> Reply:
        body = call.object()
        name, kind = body.get("name"), body.get("orderTypeCode")
        problems = []
        if not isinstance(name, str) or not name:
            problems.append(("ORDC-060", "Order status name is required"))
        if str(kind) not in ORDER_TYPES:
            problems.append(("ORDC-006", "You have supplied an invalid order type code"))
        if problems:
            raise ApiError(400, *problems)
        number = self.emulator.next_id("order_status")
        self.put_order_status(number, str(name), str(kind), number, None)
        self.emulator.collection("order_statuses")[str(number)]["color"] = body.get("color", "#09C")
        return answer(number)

    def order_types(self, _call: Call) -> Reply:
        return answer([_coded(number, code, words) for code, (number, words) in ORDER_TYPES.items()])

    def stock_statuses(self, _call: Call) -> Reply:
        return answer([_coded(number, code, words) for code, (number, words) in STOCK_STATUSES.items()])

    def ship_statuses(self, _call: Call) -> Reply:
        return answer([_coded(number, code, words) for code, (number, words) in SHIPPING_STATUSES.items()])

    def tax_codes(self, _call: Call, ids: str | None) -> Reply:
        """`rate` is left out when it is zero (§9.3)."""
        shown = []
        for tax in self.pick("tax_codes", ids, "Tax Codes"):
            rate = decimal_of(tax["rate"])
            facts = {name: value for name, value in tax.items() if name != "rate"}
            shown.append({**facts, "rate": padded(rate, 4)} if rate else facts)
        return answer(shown)

    def exchange_rates(self, _call: Call) -> Reply:
        currencies = self.emulator.collection("currencies").values()
        return answer(
            [
                {
                    "currencyId": currency["id"],
                    "currencyCode": currency["code"],
                    "rate": padded(currency["exchangeRate"], 6),
                }
                for currency in currencies
            ]
        )

    def configuration(self, _call: Call) -> Reply:
        """All values are strings (§10.4)."""
        settings = self.emulator.settings
        status = settings["default_sales_status"]
        own = {
            "baseCurrencyCode": settings["base_currency"],
            "timeZone": settings["time_zone"],
            "newSalesOrderStatusId": status["SO"],
            "newPurchaseOrderStatusId": status["PO"],
            "newSalesCreditStatusId": status["SC"],
            "newPurchaseCreditStatusId": status["PC"],
            "invoicedOrderStatusId": settings["invoiced_status"],
            "cancelledOrderStatusId": settings["cancelled_status"],
        }
        values = {**own, **_CONFIGURATION}
        return answer({"configuration": {name: str(value) for name, value in values.items()}})


def _coded(number: int, code: str, description: str) -> JsonObject:
    return {"id": number, "code": code, "description": description}
