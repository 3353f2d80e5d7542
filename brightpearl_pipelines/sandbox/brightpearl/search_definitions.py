"""What can be searched, by which columns, in the documented order (brightpearl.md §3.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.order_searches import order_searches
from brightpearl_pipelines.sandbox.brightpearl.search import Column, Item, Search, at, by_id, by_time
from brightpearl_pipelines.sandbox.brightpearl.wire import Json, decimal_of

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator


def all_searches(emulator: BrightpearlEmulator) -> list[Search]:
    """Every search of the emulator."""
    return [
        *order_searches(emulator),
        _products(emulator),
        _contacts(emulator),
        _goods_out(emulator),
        _payments(emulator, "customer"),
        _payments(emulator, "supplier"),
        *_lists(emulator),
    ]


# -- products -----------------------------------------------------------------------------------------------------


def _products(emulator: BrightpearlEmulator) -> Search:
    def channel(item: Item) -> Item:
        first: Item = item["salesChannels"][0]
        return first

    def categories(item: Item) -> list[int]:
        return [int(entry["categoryCode"]) for entry in channel(item)["categories"]]

    def identity(name: str) -> Callable[[Item], Json]:
        return lambda item: item["identity"].get(name, "")

    def narrow(filters: Mapping[str, str]) -> Iterable[Item] | None:
        products = emulator.collection("products")
        if "productId" in filters:
            return by_id(products, filters["productId"])
        if "updatedOn" in filters:
            return by_time(products, emulator.products.updated, filters["updatedOn"])
        if "SKU" in filters and filters["SKU"] in emulator.products.by_sku:
            return emulator.products.with_sku(filters["SKU"])
        return None

    columns = [
        Column("productId", "IDSET", at("id"), reference="productCategoryMembership"),
        Column("productName", "SEARCH_STRING", lambda item: channel(item)["productName"]),
        Column("SKU", "STRING", identity("sku")),
        Column("barcode", "STRING", identity("barcode")),
        *(Column(name.upper(), "STRING", identity(name)) for name in ("ean", "upc", "isbn", "mpn")),
        Column("stockTracked", "BOOLEAN", at("stock", "stockTracked")),
        Column("salesChannelName", "STRING", lambda item: channel(item)["salesChannelName"], filterable=False),
        Column("createdOn", "PERIOD", at("createdOn")),
        Column("updatedOn", "PERIOD", at("updatedOn")),
        Column("brightpearlCategoryCode", "IDSET", categories, sortable=False),
        Column("productGroupId", "INTEGER", at("productGroupId")),
        Column("brandId", "IDSET", at("brandId")),
        Column("productTypeId", "IDSET", at("productTypeId")),
        Column("productStatus", "STRING", at("status")),
        Column("primarySupplierId", "IDSET", lambda item: next(iter(item.get("supplierIds", [])), None)),
    ]
    return Search(
        "product-service/product-search",
        columns,
        lambda: emulator.collection("products").values(),
        "productId",
        reference=lambda _map, value, item: {str(value): categories(item)},  # keyed by product, unlike the others
        narrow=narrow,
        lagging="createdOn",
        ordered=True,
    )


# -- contacts -----------------------------------------------------------------------------------------------------


def _contacts(emulator: BrightpearlEmulator) -> Search:
    def email(kind: str) -> Callable[[Item], Json]:
        return at("communication", "emails", kind, "email")

    def telephone(kind: str) -> Callable[[Item], Json]:
        return at("communication", "telephones", kind)

    def is_customer(item: Item) -> bool:
        relation = item["relationshipToAccount"]
        return not relation["isSupplier"] and not relation["isStaff"]

    def last_ordered(item: Item) -> Json:
        numbers = emulator.orders.by_contact.get(item["contactId"])
        return emulator.collection("orders")[str(numbers[-1])]["placedOn"] if numbers else None

    def narrow(filters: Mapping[str, str]) -> Iterable[Item] | None:
        contacts = emulator.collection("contacts")
        if "contactId" in filters:
            return by_id(contacts, filters["contactId"])
        if "updatedOn" in filters:
            return by_time(contacts, emulator.contacts.updated, filters["updatedOn"])
        for name in ("primaryEmail", "secondaryEmail", "tertiaryEmail"):
            if name in filters:
                return emulator.contacts.with_email_containing(filters[name])
        return None

    columns = [
        Column("contactId", "IDSET", at("contactId")),
        Column("primaryEmail", "SEARCH_STRING", email("PRI")),
        Column("secondaryEmail", "SEARCH_STRING", email("SEC")),
        Column("tertiaryEmail", "SEARCH_STRING", email("TER")),
        Column("firstName", "SEARCH_STRING", at("firstName")),
        Column("lastName", "SEARCH_STRING", at("lastName")),
        Column("isSupplier", "BOOLEAN", at("relationshipToAccount", "isSupplier"), sortable=False),
        Column("companyName", "SEARCH_STRING", at("organisation", "name")),
        Column("isStaff", "BOOLEAN", at("relationshipToAccount", "isStaff"), sortable=False),
        Column("isCustomer", "BOOLEAN", is_customer, sortable=False),
        Column("createdOn", "PERIOD", at("createdOn")),
        Column("updatedOn", "PERIOD", at("updatedOn")),
        Column("lastContactedOn", "PERIOD", lambda _item: None),
        Column("lastOrderedOn", "PERIOD", last_ordered),
        Column("nominalCode", "INTEGER", at("financialDetails", "nominalCode")),
        Column("isPrimary", "BOOLEAN", at("isPrimaryContact")),
        *(Column(kind.lower(), "STRING", telephone(kind), sortable=False) for kind in ("PRI", "SEC", "MOB")),
        Column("exactCompanyName", "STRING", at("organisation", "name")),
        Column("title", "STRING", at("salutation")),
    ]
    return Search(
        "contact-service/contact-search",
        columns,
        lambda: emulator.collection("contacts").values(),
        "contactId",
        narrow=narrow,
        lagging="createdOn",
        ordered=True,
    )


# -- goods-out notes ----------------------------------------------------------------------------------------------


def _goods_out(emulator: BrightpearlEmulator) -> Search:
    def narrow(filters: Mapping[str, str]) -> Iterable[Item] | None:
        if filters.get("orderId", "").isdigit():
            return emulator.goods_out.notes_of(int(filters["orderId"]))
        if filters.get("goodsOutNoteId", "").isdigit():
            return by_id(emulator.collection("goods_out_notes"), filters["goodsOutNoteId"])
        if "shippedOn" in filters:
            return by_time(emulator.collection("goods_out_notes"), emulator.goods_out.shipped, filters["shippedOn"])
        return None

    columns = [
        Column("goodsOutNoteId", "INTEGER", at("goodsOutNoteId")),
        *(Column(name, "BOOLEAN", at("status", name)) for name in ("printed", "picked", "packed", "shipped")),
        Column("shippedOn", "PERIOD", at("status", "shippedOn")),
        Column("orderId", "INTEGER", at("orderId")),
        Column("shippingMethodId", "IDSET", at("shipping", "shippingMethodId")),
        Column("warehouseId", "INTEGER", at("warehouseId")),
        Column("priority", "BOOLEAN", at("priority")),
        Column("createdOn", "PERIOD", at("createdOn")),
        Column("releaseDate", "PERIOD", at("releaseDate")),
        Column("createdBy", "INTEGER", at("createdBy")),
        Column("transfer", "BOOLEAN", at("transfer")),
    ]
    return Search(
        "warehouse-service/goods-note/goods-out-search",
        columns,
        lambda: emulator.collection("goods_out_notes").values(),
        "goodsOutNoteId",
        narrow=narrow,
        lagging="createdOn",
        ordered=True,
    )


# -- payments -----------------------------------------------------------------------------------------------------


def _payments(emulator: BrightpearlEmulator, who: str) -> Search:
    collection = f"{who}_payments"

    def currency_id(item: Item) -> Json:
        currency = emulator.reference.currency(item["currencyCode"])
        return currency["id"] if currency else None

    def narrow(filters: Mapping[str, str]) -> Iterable[Item] | None:
        if filters.get("orderId", "").isdigit():
            payments = emulator.collection(collection)
            return [item for item in emulator.accounting.payments_of(int(filters["orderId"]))
                    if str(item["paymentId"]) in payments]  # fmt: skip
        return None

    def only_filter(name: str, kind: str, value: Callable[[Item], Json]) -> Column:
        return Column(name, kind, value, sortable=False)

    columns = [
        Column("paymentId", "IDSET", at("paymentId")),
        *(
            only_filter(name, "STRING", at(name))
            for name in ("transactionRef", "transactionCode", "paymentMethodCode", "paymentType")
        ),
        only_filter("orderId", "IDSET", at("orderId")),
        only_filter("currencyId", "IDSET", currency_id),
        only_filter("currencyCode", "STRING", at("currencyCode")),
        only_filter("amountAuthorized", "STRING", at("amountAuthorized")),
        only_filter("amountPaid", "STRING", at("amountPaid")),
        only_filter("expires", "PERIOD", at("expires")),
        Column("paymentDate", "PERIOD", at("paymentDate")),
        Column("createdOn", "PERIOD", at("createdOn")),
        Column("journalId", "IDSET", at("journalId")),
    ]
    return Search(
        f"accounting-service/{who}-payment-search",
        columns,
        lambda: emulator.collection(collection).values(),
        "paymentId",
        narrow=narrow,
        lagging="createdOn",
        ordered=True,
    )


# -- short lists --------------------------------------------------------------------------------------------------

# path, collection, sort, columns as (name, type, key)
_LISTS: tuple[tuple[str, str, str, tuple[tuple[str, str, str], ...]], ...] = (
    ("accounting-service/nominal-code-search", "nominal_codes", "code", (
        ("code", "SEARCH_STRING", "code"), ("name", "SEARCH_STRING", "name"), ("type", "IDSET", "type"),
        ("bank", "BOOLEAN", "bank"), ("currencyId", "IDSET", "currencyId"), ("active", "BOOLEAN", "active"))),
    ("accounting-service/payment-method-search", "payment_methods", "id", (
        ("id", "IDSET", "id"), ("code", "STRING", "code"), ("name", "STRING", "name"),
        ("isActive", "BOOLEAN", "isActive"))),
    ("warehouse-service/warehouse-search", "warehouses", "warehouseId", (
        ("warehouseId", "IDSET", "id"), ("name", "SEARCH_STRING", "name"))),
    ("warehouse-service/shipping-method-search", "shipping_methods", "id", (
        ("id", "IDSET", "id"), ("name", "SEARCH_STRING", "name"), ("code", "STRING", "code"))),
    ("product-service/brand-search", "brands", "brandId", (
        ("brandId", "IDSET", "id"), ("brandName", "SEARCH_STRING", "name"))),
    ("product-service/collection-search", "collections", "id", (
        ("id", "IDSET", "id"), ("name", "SEARCH_STRING", "name"), ("brandId", "IDSET", "brandId"))),
    ("product-service/option-search", "options", "id", (
        ("id", "IDSET", "id"), ("name", "SEARCH_STRING", "name"))),
    ("product-service/option-value-search", "option_values", "optionValueId", (
        ("optionValueId", "IDSET", "optionValueId"), ("optionValueName", "SEARCH_STRING", "optionValueName"),
        ("optionId", "IDSET", "optionId"))),
    ("product-service/product-type-search", "product_types", "id", (
        ("id", "IDSET", "id"), ("name", "SEARCH_STRING", "name"))),
    ("product-service/season-search", "seasons", "id", (
        ("id", "IDSET", "id"), ("name", "SEARCH_STRING", "name"))),
    ("product-service/brightpearl-category-search", "categories", "id", (
        ("id", "IDSET", "id"), ("name", "SEARCH_STRING", "name"), ("parentId", "IDSET", "parentId"),
        ("active", "BOOLEAN", "active"))),
    ("contact-service/company-search", "companies", "companyId", (
        ("companyId", "IDSET", "companyId"), ("name", "SEARCH_STRING", "name"), ("createdOn", "PERIOD", "createdOn"),
        ("updatedOn", "PERIOD", "updatedOn"))),
    ("contact-service/contact-group-search", "contact_groups", "id", (
        ("id", "IDSET", "id"), ("name", "SEARCH_STRING", "name"))),
)  # fmt: skip


def _lists(emulator: BrightpearlEmulator) -> list[Search]:
    searches = [
        Search(
            path,
            [Column(name, kind, at(key)) for name, kind, key in columns],
            _collection(emulator, collection),
            sort,
        )
        for path, collection, sort, columns in _LISTS
    ]
    return [*searches, _currencies(emulator)]


def _collection(emulator: BrightpearlEmulator, name: str) -> Callable[[], Iterable[Item]]:
    return lambda: emulator.collection(name).values()


def _currencies(emulator: BrightpearlEmulator) -> Search:
    columns = [
        Column("id", "IDSET", at("id")),
        *(Column(name, "STRING", at(name)) for name in ("title", "code", "symbol")),
        Column("exchangeRate", "STRING", lambda item: str(decimal_of(item["exchangeRate"]))),
        Column("isDefault", "BOOLEAN", at("isDefault")),
        Column("exchangeRateVarianceNominalCode", "STRING", at("exchangeRateVarianceNominalCode")),
    ]
    return Search("accounting-service/currency-search", columns, _collection(emulator, "currencies"), "id")
