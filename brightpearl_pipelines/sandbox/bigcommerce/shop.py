"""The state of one shop: its collections, the indexes over them, its settings; no HTTP here.

Collections hold plain JSON. Everything in `Indexes` can be rebuilt from them and is never saved.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from datetime import datetime

from brightpearl_pipelines.sandbox.bigcommerce.hooks import DomainHealth
from brightpearl_pipelines.sandbox.bigcommerce.wire import Json, JsonObject, epoch
from brightpearl_pipelines.sandbox.kernel import Emulator, SandboxClock

SCOPES = (
    "store_v2_orders store_v2_transactions store_v2_products store_inventory store_locations store_v2_customers "
    "store_v2_information store_v2_default store_channel_settings store_channel_listings"
)

DEFAULTS: JsonObject = {
    "scope": SCOPES,
    "oauth_code": "sandbox-authorisation-code",
    # §1.3: the quota of the Plus and Standard plans; 0 means no limit.
    "requests_per_30_seconds": 150,
    # §2.1, unknown: what a limit above the maximum gets. "reject" answers 413, "clamp" serves the maximum.
    "over_limit": "reject",
    # §2.1, unknown.
    "min_date_modified_inclusive": True,
    "archived_orders_in_lists": False,
    # §2.6: the OpenAPI file says 200, the status table 201.
    "post_order_status": 200,
    # §2.8: what a paid checkout leaves: "purchase" (captured at once) or "authorization".
    "payment_event": "purchase",
    "payment_delay_seconds": 1.0,
    # §8.7: the refunds guide says that refunds through the API never restock, the settings page says otherwise.
    "api_refunds_restock": False,
    # §4.1: adjustments are accepted first and applied later.
    "inventory_delay_seconds": 0.5,
    # §4.1, texts found nowhere.
    "unknown_sku_title": "Items not found, identities: [{identity}]",
    "insufficient_stock_title": "Items with identity: [{identity}] have insufficient available to sell inventory",
    # §8.11: whether a SKU may adjust a simple product, which is tracked by product. Variant SKUs never may.
    "sku_adjusts_simple_products": True,
    # §4.1: an absolute adjustment sets what is on hand (with False: what is available to sell).
    "absolute_sets_on_hand": True,
    # §7.3, unknown: whether an event about an absolute adjustment carries the new "level" or the "delta".
    "absolute_event_value": "level",
    # A checkout of the real shop refuses what is not in stock. Replayed orders were placed long ago, so they pass.
    "checkout_requires_stock": False,
    # §2.7: "customer e-mail by store settings": the statuses that customers are written to about, as ticked in the
    # control panel. A shipment writes once, about the status that it leads to.
    "emails_on_statuses": [],
    # §2.7 does not say whether a changed shipment is told to the customer again.
    "shipment_update_emails": False,
    # §7.1: a real shop insists on https, port 443. The sandbox's receivers are plain http on loopback.
    "require_https_destination": False,
    # §7.1, unknown: how a second hook of the same scope and destination, and the eleventh of a scope, are refused.
    "duplicate_hook_status": 422,
    # §7.2: the time limit is not stated; activation and delivery take "up to a minute".
    "webhook_timeout_seconds": 10.0,
    "webhook_delay_seconds": 0.0,
    "channel_order_events": True,
    # §2.2: orders round tax to cents a line; NO_ROUNDING stores keep 4 decimals.
    "rounding_strategy": "RATE_ROUNDING",
    "prices_entered_with_tax": False,
    # §1.2, not documented for V2.
    "v2_unauthorized": [{"status": 401, "message": "Unauthorized"}],
    "inventory": {
        "product_out_of_stock_behavior": "do_nothing",
        "option_out_of_stock_behavior": "do_nothing",
        "update_stock_behavior": "order_placed",
        "edit_order_stock_adjustment": True,
        "delete_order_stock_adjustment": True,
        "refund_order_stock_adjustment": True,
        "stock_level_display": "dont_show",
        "default_out_of_stock_message": "Out of stock",
        "hide_in_product_filtering": False,
        "show_pre_order_stock_levels": False,
        "show_out_of_stock_message": False,
    },
}


class SortedIds:
    """Ids ordered by a whole number such as a modified second; one place per id."""

    def __init__(self) -> None:
        self._order: list[tuple[int, int]] = []
        self._key: dict[int, int] = {}

    def place(self, id_: int, key: int) -> None:
        """Put the id where `key` says, taking it from where it was."""
        self.remove(id_)
        self._key[id_] = key
        insort(self._order, (key, id_))

    def remove(self, id_: int) -> None:
        old = self._key.pop(id_, None)
        if old is not None:
            del self._order[bisect_left(self._order, (old, id_))]

    def between(self, low: int | None, high: int | None) -> tuple[int, int]:
        """The bounds, for slices of `ids`, of keys from `low` to `high`, both included."""
        first = 0 if low is None else bisect_left(self._order, (low, -1))
        last = len(self._order) if high is None else bisect_left(self._order, (high + 1, -1))
        return first, max(first, last)

    def ids(self, first: int, last: int) -> list[int]:
        return [id_ for _, id_ in self._order[first:last]]


class Indexes:
    """Ways into the collections: what a database would keep beside its tables."""

    def __init__(self) -> None:
        self.orders_by_modified = SortedIds()
        self.orders_by_id = SortedIds()
        self.archived_orders: set[int] = set()
        self.orders_by_external_id: dict[str, list[int]] = defaultdict(list)
        self.orders_by_email: dict[str, list[int]] = defaultdict(list)
        self.orders_by_customer: dict[int, list[int]] = defaultdict(list)
        self.children: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        """By collection, then by parent id: the ids of order lines, order addresses, shipments, refunds, variants …"""
        self.variant_by_sku: dict[str, int] = {}
        """Lower-case SKU of a sellable variant to its id."""
        self.parent_by_sku: dict[str, int] = {}
        """Lower-case SKU of a product with options, which is not sellable, to the product's id."""
        self.customer_by_email: dict[str, int] = {}
        self.product_by_name: dict[str, int] = {}


PARENTS = {
    "order_products": "order_id",
    "order_addresses": "order_id",
    "order_coupons": "order_id",
    "order_fees": "order_id",
    "order_pickups": "order_id",
    "order_messages": "order_id",
    "shipments": "order_id",
    "customer_emails": "order_id",
    "refunds": "order_id",
    "transactions": "order_id",
    "order_metafields": "resource_id",
    "product_metafields": "resource_id",
    "variant_metafields": "resource_id",
    "variants": "product_id",
    "options": "product_id",
    "addresses": "customer_id",
    "attribute_values": "customer_id",
    "price_records": "price_list_id",
    "product_channels": "product_id",
}
"""Collections that hang on another, with the field that names the parent."""

COLLECTIONS = (
    *PARENTS,
    *("orders", "order_taxes", "order_stock", "products", "families", "brands", "categories", "inventory", "locations"),
    *("customers", "attributes", "customer_groups", "currencies", "tax_classes", "channels"),
    *("price_lists", "price_assignments", "hooks", "hook_emails", "tokens", "pending_adjustments", "pending_webhooks"),
)


class Shop(Emulator):
    """The shop's state and its clock. `BigCommerceEmulator` adds the API and what shoppers and clerks do."""

    name = "bigcommerce"

    def __init__(self, *, seed: int = 7, clock: SandboxClock | None = None, settings: JsonObject | None = None) -> None:
        super().__init__(seed=seed, clock=clock, settings=None)
        secrets = {
            "store_hash": f"s{self.rng.randbytes(4).hex()}",
            "store_id": str(self.rng.randrange(1_000_000, 9_999_999)),
            "access_token": self.rng.randbytes(16).hex(),
            "client_id": self.rng.randbytes(16).hex(),
            "client_secret": self.rng.randbytes(32).hex(),
        }
        self.settings = {**DEFAULTS, "inventory": dict(DEFAULTS["inventory"]), **secrets, **(settings or {})}
        self.index = Indexes()
        self.domain_health: dict[str, DomainHealth] = {}
        self.named_ids: dict[str, dict[str, int]] = {}
        """Of brands and categories: lower-case name to id."""
        self.price_keys: dict[str, int] = {}
        """Price records by `list:variant:currency`."""
        for name in COLLECTIONS:
            self.collection(name)

    # -- reading --------------------------------------------------------------------------------------------------

    def get(self, collection: str, key: int | str) -> JsonObject | None:
        """An object by id, or None."""
        return self.collections[collection].get(str(key))

    def need(self, collection: str, key: int | str) -> JsonObject:
        """An object that must exist; KeyError with its name otherwise."""
        found = self.get(collection, key)
        if found is None:
            raise KeyError(f"there is no {collection} {key}")
        return found

    def children(self, collection: str, parent: int) -> list[JsonObject]:
        """The objects of a collection that hang on `parent`, in the order they were made."""
        table = self.collections[collection]
        return [table[str(id_)] for id_ in self.index.children[collection].get(parent, ())]

    def variant_of_sku(self, sku: str) -> JsonObject | None:
        """The sellable variant with this SKU, whatever its case."""
        id_ = self.index.variant_by_sku.get(sku.lower())
        return None if id_ is None else self.need("variants", id_)

    # -- writing --------------------------------------------------------------------------------------------------

    def add(self, collection: str, value: JsonObject) -> JsonObject:
        """Store a new object under its `id`, and note whose child it is."""
        parent = PARENTS.get(collection)
        if parent is not None:
            self.index.children[collection][int(value[parent])].append(value["id"])
        return self.put(collection, value["id"], value)

    def drop(self, collection: str, id_: int | str) -> None:
        """Forget an object."""
        value = self.collections[collection].pop(str(id_))
        parent = PARENTS.get(collection)
        if parent is not None:
            self.index.children[collection][int(value[parent])].remove(int(id_))
        self.touch()

    def index_order(self, order: JsonObject) -> None:
        """Put a new or changed order where its dates and keys say."""
        self.index.orders_by_modified.place(order["id"], epoch(order["date_modified"]))
        if order["is_deleted"]:
            self.index.archived_orders.add(order["id"])
        else:
            self.index.archived_orders.discard(order["id"])

    def index_new_order(self, order: JsonObject) -> None:
        """As `index_order`, and by the keys that never change afterwards."""
        id_ = order["id"]
        self.index_order(order)
        self.index.orders_by_id.place(id_, id_)
        self.index.orders_by_email[order["billing_address"]["email"].lower()].append(id_)
        self.index.orders_by_customer[int(order["customer_id"])].append(id_)
        if order["external_order_id"]:
            self.index.orders_by_external_id[order["external_order_id"]].append(id_)

    def move_order_keys(self, order: JsonObject, external_id: str | None, customer_id: int) -> None:
        """Follow a changed external id or customer; the arguments are what they were."""
        id_ = order["id"]
        if order["external_order_id"] != external_id:
            if external_id:
                self.index.orders_by_external_id[external_id].remove(id_)
            if order["external_order_id"]:
                insort(self.index.orders_by_external_id[order["external_order_id"]], id_)
        if order["customer_id"] != customer_id:
            self.index.orders_by_customer[int(customer_id)].remove(id_)
            insort(self.index.orders_by_customer[int(order["customer_id"])], id_)

    def rebuild_indexes(self) -> None:
        """Make all indexes anew from the collections."""
        self.index = Indexes()
        for collection, parent in PARENTS.items():
            for value in self.collection(collection).values():
                self.index.children[collection][int(value[parent])].append(value["id"])
        for order in self.collection("orders").values():
            self.index_new_order(order)
        for variant in self.collection("variants").values():
            if variant["sku"]:
                self.index.variant_by_sku[variant["sku"].lower()] = variant["id"]
        for product in self.collection("products").values():
            self.index.product_by_name[product["name"].lower()] = product["id"]
            if product["sku"] and product.get("base_variant_id") is None:
                self.index.parent_by_sku[product["sku"].lower()] = product["id"]
        self.price_keys = {
            f"{each['price_list_id']}:{each['variant_id']}:{each['currency']}": each["id"]
            for each in self.collection("price_records").values()
        }
        self.named_ids["coupons"] = {
            each["code"].lower(): each["coupon_id"] for each in self.collection("order_coupons").values()
        }
        for name in ("brands", "categories"):
            self.named_ids[name] = {each["name"].lower(): each["id"] for each in self.collection(name).values()}
        for customer in self.collection("customers").values():
            self.index.customer_by_email[customer["email"].lower()] = customer["id"]

    # -- the shop's own facts -------------------------------------------------------------------------------------

    @property
    def hash(self) -> str:
        return str(self.settings["store_hash"])

    def address(self, path: str) -> str:
        """The absolute URL of a path below the V2 base, as links in V2 answers carry it."""
        return f"{self.base_url}/stores/{self.hash}/v2{path}"

    def now(self) -> datetime:
        """The shop's present second."""
        return self.clock.now().replace(microsecond=0)

    def inventory_setting(self, name: str, channel_id: int | None = None) -> Json:
        """A setting of /settings/inventory; the channel's own value wins where it has one (§4.4)."""
        by_channel = self.settings.get("channel_inventory", {}).get(str(channel_id), {})
        value = by_channel.get(name)
        return self.settings["inventory"][name] if value is None else value
