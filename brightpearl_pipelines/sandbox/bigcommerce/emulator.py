"""The BigCommerce emulator: a shop with its API in front and shoppers and clerks inside."""

from collections.abc import Sequence
from decimal import Decimal

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from brightpearl_pipelines.sandbox.bigcommerce import (
    catalog_book,
    checkout,
    hooks,
    inventory,
    payments,
    populate,
    refunds,
)
from brightpearl_pipelines.sandbox.bigcommerce.customer_book import ADDRESS_TEXTS, change_address, change_customer
from brightpearl_pipelines.sandbox.bigcommerce.endpoints import ENDPOINTS
from brightpearl_pipelines.sandbox.bigcommerce.gateway import WINDOW, Gateway, rate_headers, too_many
from brightpearl_pipelines.sandbox.bigcommerce.oauth import TokenEndpoint
from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import Json, JsonObject
from brightpearl_pipelines.sandbox.world import DraftOrder, Product, World


class BigCommerceEmulator(Shop):
    """Serves one shop under `/stores/{hash}/v2|v3`. See `Shop` for its state and `DEFAULTS` for its settings."""

    def routes(self) -> Sequence[BaseRoute]:
        gateway = Gateway(self, ENDPOINTS)
        methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"]
        token = TokenEndpoint(self)
        return [
            Route("/oauth2/token", token.endpoint, methods=["POST"]),
            Route("/stores/{store_hash}/{path:path}", gateway.endpoint, methods=methods),
        ]

    def credentials(self) -> JsonObject:
        """What a client needs: the store-level API account."""
        return {
            "base_url": f"{self.base_url}/stores/{self.hash}",
            "store_hash": self.hash,
            "access_token": self.settings["access_token"],
            "client_id": self.settings["client_id"],
            "client_secret": self.settings["client_secret"],
        }

    def throttled(self) -> Response:
        """429 with the four headers and X-Retry-After; a fault of kind `status` with 429 gives one without (§1.3)."""
        quota = int(self.settings["requests_per_30_seconds"])
        response = too_many()
        response.headers.update(rate_headers(quota, quota, WINDOW / 30, limited=True))
        return response

    def restored(self) -> None:
        """Indexes and waiting timers, after a restart."""
        self.rebuild_indexes()
        hooks.resume(self)
        inventory.resume(self)
        payments.resume(self)
        refunds.resume(self)

    def populate(self, world: World) -> None:
        """Fill the empty shop; ValueError when two products share a SKU but for its case."""
        populate.fill(self, world)

    # -- shoppers and clerks --------------------------------------------------------------------------------------

    def place_order(self, draft: DraftOrder) -> int:
        """A checkout; returns the order's id.

        ValueError, nothing changed, for an unknown SKU, currency or status, or a discount above the lines' worth.
        """
        return checkout.place(self, draft)

    def cancel_order(self, order_id: int) -> None:
        """Set an order to Cancelled; stock returns if the shop's settings say so. KeyError for an unknown order."""
        checkout.cancel(self, order_id)

    def refund_order(
        self, order_id: int, items: list[tuple[int, int]], amount_override: Decimal | None = None, reason: str = ""
    ) -> int:
        """A clerk refunds quantities of lines by order product id; returns the refund's id.

        `amount_override` is paid back in place of what the lines come to. ValueError when more is asked than is left or
        the order is not paid, KeyError for an unknown order.
        """
        return refunds.by_clerk(self, order_id, items, amount_override, reason)

    def add_product(self, product: Product) -> int:
        """The shop takes a product into its range, or a variant into its family; returns the shop product's id.

        ValueError when another product has the SKU but for its case.
        """
        return catalog_book.add_world_product(self, product)

    def retire_product(self, sku: str) -> None:
        """Take what carries this SKU out of the range: a variant alone, its product with it when it was the last.

        ValueError for a SKU that the shop does not have. Order lines keep what they snapshot.
        """
        variant = self.variant_of_sku(sku)
        if variant is None:
            raise ValueError(f"the shop has no product with the SKU {sku!r}")
        if len(self.children("variants", variant["product_id"])) == 1:
            catalog_book.delete_product(self, self.need("products", variant["product_id"]))
        else:
            catalog_book.delete_variant(self, variant)

    def update_customer(self, customer_id: int, **changes: Json) -> None:
        """Change a customer, or their first address where a field belongs to it. KeyError for an unknown customer."""
        customer = self.need("customers", customer_id)
        addresses = self.children("addresses", customer_id)
        own = {name: value for name, value in changes.items() if name in customer}
        others = {name: value for name, value in changes.items() if name not in customer}
        unknown = set(others) - set(ADDRESS_TEXTS)
        if unknown or (others and not addresses):
            raise KeyError(f"customer {customer_id} has no field {', '.join(sorted(unknown or others))}")
        if own:
            change_customer(self, customer, own)
        if others:
            change_address(self, addresses[0], others)
