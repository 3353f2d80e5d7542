"""product-service: products, identities, bundles, suppliers (brightpearl.md §7.1)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.product_shapes import (
    CHANNEL,
    DIMENSIONS,
    channel_shape,
    identity_problems,
    identity_shape,
    merged,
    merged_channels,
    product_shape,
    shape_problems,
)
from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.timeindex import TimeIndex
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    DONE,
    ApiError,
    Call,
    IdSet,
    JsonObject,
    Reply,
    answer,
    decimal_of,
    get_uris,
    instant_of,
    int_of,
    not_found,
    padded,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator
    from brightpearl_pipelines.sandbox.world import Product

FREE_TEXT_PRODUCT = 1000
FIRST_PRODUCT = 1007
MOST = 200
_PLAIN_FIELDS = (
    "brandId",
    "collectionId",
    "productTypeId",
    "productGroupId",
    "featured",
    "nominalCodeStock",
    "nominalCodePurchases",
    "nominalCodeSales",
    "seasonIds",
    "reporting",
    "status",
    "salesPopupMessage",
    "warehousePopupMessage",
    "warehouses",
    "variations",
)


class Products:
    """Products by id, found by SKU through an index."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator
        self.rebuild()

    def rebuild(self) -> None:
        self.by_sku: dict[str, int] = {}
        self.by_name: dict[str, int] = {}
        self.updated = TimeIndex()
        self._skus: dict[int, str] = {}
        self._shared_skus: Counter[str] = Counter()
        groups = self.emulator.collection("product_groups").values()
        self._groups: dict[str, int] = {group["name"]: group["id"] for group in groups}
        for product in self.emulator.collection("products").values():
            self._index(product)

    def endpoints(self) -> list[Endpoint]:
        root = "product-service/product"
        return [
            Endpoint("GET", f"{root}/{{ids}}", self.get, "product-get"),
            Endpoint("POST", root, self.create, "post-product"),
            Endpoint("PUT", f"{root}/{{id}}", self.put, "put-product"),
            Endpoint("OPTIONS", f"{root}/{{ids?}}", self.options, "product-options"),
            Endpoint("PUT", f"{root}/{{id}}/identity", self.put_identity, "put-product-identity"),
            Endpoint("GET", f"{root}/{{id}}/bundle", self.get_bundle, "get-product-bundle"),
            Endpoint("PUT", f"{root}/{{id}}/bundle", self.put_bundle, "put-product-bundle"),
            Endpoint("GET", f"{root}/{{id}}/supplier", self.suppliers, "get-product-supplier"),
            Endpoint("POST", f"{root}/{{id}}/supplier", self.add_suppliers, "post-product-supplier"),
        ]

    # -- state ----------------------------------------------------------------------------------------------------

    def find(self, product_id: int) -> JsonObject | None:
        return self.emulator.collection("products").get(str(product_id))

    def with_sku(self, sku: str) -> list[JsonObject]:
        """All products with a SKU: the index knows one, others may have taken the same."""
        if self._shared_skus.get(sku, 0) < 2:
            return [self.emulator.collection("products")[str(self.by_sku[sku])]]
        products = self.emulator.collection("products").values()
        return [product for product in products if product["identity"].get("sku") == sku]

    def stock_tracked(self, product_id: int) -> bool:
        """Whether stock is kept of a product: not of bundles, services and the free-text product."""
        product = self.find(product_id)
        return product is not None and product["stock"]["stockTracked"] and not product["composition"]["bundle"]

    def components(self, product_id: int) -> list[JsonObject]:
        """The parts of a bundle, `[]` for any other product."""
        product = self.find(product_id)
        parts: list[JsonObject] = product["composition"].get("bundleComponents", []) if product else []
        return parts

    def name_of(self, product: JsonObject) -> str:
        name: str = product["salesChannels"][0]["productName"]
        return name

    def insert(self, product: JsonObject, *, quietly: bool = False) -> int:
        """Store a new product; `quietly` without the event, for what was there before the story begins."""
        product_id = self.emulator.next_id("product", FIRST_PRODUCT)
        product["id"] = product_id
        now = self.emulator.stamp()
        group = self.by_name.get(self.name_of(product))
        if not product.get("productGroupId"):  # the same name puts products into one group (§7.1)
            other = self.find(group) if group is not None else None
            product["productGroupId"] = (
                other["productGroupId"] if other else self.emulator.next_id("product_group", 212)
            )
        product["createdOn"] = product["updatedOn"] = now
        self.emulator.put("products", product_id, product)
        self._index(product)
        if not quietly:
            self.emulator.webhooks.raise_event("product.created", product_id)
        return product_id

    def changed(self, product: JsonObject) -> None:
        product["updatedOn"] = self.emulator.stamp()
        self._index(product)
        self.emulator.touch()
        self.emulator.webhooks.raise_event("product.modified", product["id"])

    def _index(self, product: JsonObject) -> None:
        number, sku = product["id"], product["identity"].get("sku", "")
        old = self._skus.get(number)
        if old and self.by_sku.get(old) == number:
            del self.by_sku[old]
        if old is not None:
            self._shared_skus[old] -= 1
        self._skus[number] = sku
        self._shared_skus[sku] += 1
        if sku:
            self.by_sku.setdefault(sku, number)
        self.by_name.setdefault(self.name_of(product), number)
        updated = instant_of(product["updatedOn"])
        if updated is not None:
            self.updated.set(number, int(updated.timestamp()))

    def add(self, product: Product, *, quietly: bool = False) -> str:
        """Create a product of the world with stock and prices; ValueError when it has unknown components."""
        reference = self.emulator.reference
        brand = self._named("brands", product.brand, {"description": ""})
        category = self._named("categories", product.category, reference.new_category(product.category))
        tax = reference.tax_code(product.tax_code)
        unknown = [sku for sku in product.components if sku not in self.by_sku]
        if unknown:
            raise ValueError(f"the components {', '.join(unknown)} of {product.sku} are not in Brightpearl")
        bundle = bool(product.components)
        body: JsonObject = {
            "brandId": brand,
            "identity": {"sku": product.sku},
            "stock": {
                "stockTracked": not bundle and not product.digital,
                "weight": {"magnitude": float(product.weight)},
            },
            "financialDetails": {"taxCode": {"id": tax["id"] if tax else 0, "code": product.tax_code}},
            "salesChannels": [
                channel_shape({"productName": product.name, "categories": [{"categoryCode": str(category)}]})
            ],
            "composition": {"bundle": bundle},
        }
        if bundle:
            body["composition"]["bundleComponents"] = [
                {"productId": self.by_sku[sku], "productQuantity": quantity, "sku": sku}
                for sku, quantity in product.components.items()
            ]
        if product.family is not None:
            body["productGroupId"] = self._family(product.family)
            body["variations"] = [self._variation(option, value) for option, value in product.options.items()]
        product_id = self.insert(product_shape(body), quietly=quietly)
        self.emulator.prices.first_prices(product_id, product.price, product.cost)
        if body["stock"]["stockTracked"]:
            self.emulator.stock.first_stock(product_id, product.stock)
        return str(product_id)

    def _named(self, collection: str, name: str, rest: JsonObject) -> int:
        """The id of the entry with this name, made where there is none."""
        entries = self.emulator.collection(collection).values()
        known = next((entry["id"] for entry in entries if entry["name"] == name), None)
        if known is not None:
            return int(known)
        number = self.emulator.reference.next_number(collection)
        self.emulator.put(collection, number, {"id": number, "name": name, **rest})
        return number

    def _family(self, name: str) -> int:
        if name not in self._groups:
            self._groups[name] = self.emulator.next_id("product_group", 212)
            self.emulator.put("product_groups", self._groups[name], {"id": self._groups[name], "name": name})
        return self._groups[name]

    def _variation(self, option: str, value: str) -> JsonObject:
        option_id = self._named("options", option, {})
        same = (
            entry["optionValueId"]
            for entry in self.emulator.collection("option_values").values()
            if entry["optionId"] == option_id and entry["optionValueName"] == value
        )
        value_id = next(same, None) or self.emulator.reference.put_option_value(option_id, value)
        return {"optionId": option_id, "optionName": option, "optionValueId": value_id, "optionValue": value}

    # -- reading --------------------------------------------------------------------------------------------------

    def get(self, call: Call, ids: str) -> Reply:
        products = self.emulator.collection("products")
        found = IdSet.parse(ids).limited(MOST).among(products)
        if not found:
            raise not_found(f"Cannot find product(s) {ids}")
        return answer([self._shown(call, products[str(number)]) for number in found])

    def _shown(self, call: Call, product: JsonObject) -> JsonObject:
        """Weights and dimensions as padded numbers; `version` is `updatedOn` in milliseconds (§7.1)."""
        updated = instant_of(product["updatedOn"])
        weight = product["stock"].get("weight", {}).get("magnitude", 0)
        dimensions = product["stock"].get("dimensions", {})
        view = {name: value for name, value in product.items() if name != "customFields"}
        view["stock"] = {
            "stockTracked": product["stock"]["stockTracked"],
            "weight": {"magnitude": padded(decimal_of(weight) or 0, 4)},
            "dimensions": {name: padded(decimal_of(dimensions.get(name)) or 0, 2) for name in DIMENSIONS},
        }
        view |= self.emulator.custom_fields.shown(call, product, "product")
        view["version"] = int(updated.timestamp()) * 1000 if updated else 0
        return view

    def options(self, _call: Call, ids: str | None) -> Reply:
        products = self.emulator.collection("products")
        return answer(get_uris("/product", IdSet.parse(ids).among(products) if ids else map(int, products)))

    def _existing(self, product_id: str) -> JsonObject:
        product = self.emulator.collection("products").get(product_id)
        if product is None:
            raise not_found(f"Cannot find product(s) {product_id}")
        return product

    # -- writing --------------------------------------------------------------------------------------------------

    def create(self, call: Call) -> Reply:
        body = call.object()
        problems = [*self._creation_problems(body), *self._problems(body)]
        if problems:
            raise ApiError(400, *problems)
        return answer(self.insert(product_shape(body)))

    def _creation_problems(self, body: JsonObject) -> list[tuple[str, str]]:
        problems = []
        if not body.get("brandId"):
            problems.append(("PRDC-014", "You must supply a brand ID."))
        channels = body.get("salesChannels")
        main = [
            channel
            for channel in (channels if isinstance(channels, list) else [])
            if isinstance(channel, dict) and channel.get("salesChannelName") == CHANNEL
        ]
        if not main or not main[0].get("productName"):
            problems.append(("PRDC-015", f"You must supply a sales channel named {CHANNEL} with a productName."))
        elif not main[0].get("categories"):
            problems.append(("PRDC-016", "You must supply at least one category."))
        return problems

    def _problems(self, body: JsonObject) -> list[tuple[str, str]]:
        """What holds for POST and PUT alike; the numbers of these codes are not documented."""
        problems = []
        brand = body.get("brandId")
        if brand and str(brand) not in self.emulator.collection("brands"):
            problems.append(("PRDC-017", f"You have supplied an invalid brand ID: {brand}"))
        problems += shape_problems(body)
        if problems:
            return problems
        tax = body.get("financialDetails", {}).get("taxCode", {})
        if tax and str(tax.get("id")) not in self.emulator.collection("tax_codes"):
            problems.append(("PRDC-018", f"You have supplied an invalid tax code: {tax.get('id')}"))
        problems += identity_problems(body.get("identity", {}))
        problems += self._variation_problems(body.get("variations", []))
        return problems

    def _variation_problems(self, variations: list[JsonObject]) -> list[tuple[str, str]]:
        values = self.emulator.collection("option_values")
        problems = []
        if len(variations) > 4:
            problems.append(("PRDC-020", "A product can have at most 4 options"))
        for variation in variations:
            value = values.get(str(variation.get("optionValueId"))) if isinstance(variation, dict) else None
            if value is None or value["optionId"] != variation.get("optionId"):
                problems.append(("PRDC-021", f"You have supplied an invalid variation: {variation}"))
        return problems

    def put(self, call: Call, id: str) -> Reply:
        """Change what is sent. Nested objects are merged, lists replaced: what the service does is not documented."""
        product = self._existing(id)
        expected = call.headers.get("if-match")
        if expected is not None and expected.strip('"') != str(self._shown(call, product)["version"]):
            raise ApiError(412, ("PRDC-040", "The product has been changed since it was read"))
        body = call.object()
        problems = self._problems(body)
        if problems:
            raise ApiError(400, *problems)
        channels = merged_channels(product["salesChannels"], body.get("salesChannels", []))
        changes = {name: body[name] for name in _PLAIN_FIELDS if name in body}
        for name in ("identity", "stock", "financialDetails"):
            changes[name] = merged(product[name], body.get(name, {}))
        changes["identity"] = identity_shape(changes["identity"])
        product.update({**changes, "salesChannels": channels})
        self.changed(product)
        return DONE

    def put_identity(self, call: Call, id: str) -> Reply:
        """Replaces: what is not sent is cleared (§7.1)."""
        product = self._existing(id)
        body = call.object()
        problems = identity_problems(body)
        if problems:
            raise ApiError(400, *problems)
        product["identity"] = identity_shape(body)
        self.changed(product)
        return DONE

    def get_bundle(self, _call: Call, id: str) -> Reply:
        product = self._existing(id)
        if not product["composition"]["bundle"]:
            raise not_found(f"Product {id} is not a bundle")
        return answer({"components": product["composition"]["bundleComponents"]})

    def put_bundle(self, call: Call, id: str) -> Reply:
        product = self._existing(id)
        sent = call.object().get("components")
        parts = [part for part in sent if isinstance(part, dict)] if isinstance(sent, list) else []
        components = []
        for part in parts:
            number, quantity = int_of(part.get("productId")), int_of(part.get("productQuantity"))
            component = self.find(number) if number is not None and number != product["id"] else None
            if component is None or quantity is None or quantity < 1:
                raise ApiError(400, ("PRDC-050", f"You have supplied an invalid bundle component: {part}"))
            sku = component["identity"].get("sku", "")
            components.append({"productId": number, "productQuantity": quantity, "sku": sku})
        if not components:
            raise ApiError(400, ("PRDC-050", "A bundle needs at least one component"))
        product["composition"] = {"bundle": True, "bundleComponents": components}
        product["stock"]["stockTracked"] = False
        self.changed(product)
        return DONE

    def suppliers(self, _call: Call, id: str) -> Reply:
        return answer(self._existing(id).get("supplierIds", []))

    def add_suppliers(self, call: Call, id: str) -> Reply:
        """Additive; a multi-resource reply, 207 when only some could be added."""
        product = self._existing(id)
        sent = call.json()
        contacts = self.emulator.collection("contacts")
        errors: JsonObject = {}
        statuses: JsonObject = {}
        for supplier_id in sent if isinstance(sent, list) else []:
            contact = contacts.get(str(supplier_id))
            known = contact is not None and contact["relationshipToAccount"]["isSupplier"]
            statuses[str(supplier_id)] = 200 if known else 400
            if known:
                product["supplierIds"] = sorted({*product.get("supplierIds", []), int(supplier_id)})
            else:
                error = {"code": "PRDC-060", "message": f"{supplier_id} is not a supplier"}
                errors[str(supplier_id)] = [error]
        if not statuses:
            raise ApiError(400, ("PRDC-060", "A list of supplier ids is required"))
        self.changed(product)
        return answer({"resourceErrors": errors, "resourceStatuses": statuses}, 207 if errors else 200)
