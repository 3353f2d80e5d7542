"""The Brightpearl emulator: one account, its services, its gateway (brightpearl.md)."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from brightpearl_pipelines.sandbox.brightpearl import multimessage
from brightpearl_pipelines.sandbox.brightpearl.accounting import Accounting
from brightpearl_pipelines.sandbox.brightpearl.auth import Auth, Throttle, UnauthenticatedError
from brightpearl_pipelines.sandbox.brightpearl.contacts import Contacts
from brightpearl_pipelines.sandbox.brightpearl.custom_fields import CustomFields
from brightpearl_pipelines.sandbox.brightpearl.goods_in import GoodsIn
from brightpearl_pipelines.sandbox.brightpearl.goods_out import GoodsOut
from brightpearl_pipelines.sandbox.brightpearl.journals import Journals
from brightpearl_pipelines.sandbox.brightpearl.order_api import OrderApi
from brightpearl_pipelines.sandbox.brightpearl.orders import Orders
from brightpearl_pipelines.sandbox.brightpearl.population import fill
from brightpearl_pipelines.sandbox.brightpearl.prices import Prices
from brightpearl_pipelines.sandbox.brightpearl.products import Products
from brightpearl_pipelines.sandbox.brightpearl.reference import Reference
from brightpearl_pipelines.sandbox.brightpearl.reservations import Reservations
from brightpearl_pipelines.sandbox.brightpearl.routing import Router
from brightpearl_pipelines.sandbox.brightpearl.sales_orders import SalesOrders
from brightpearl_pipelines.sandbox.brightpearl.search import Searches
from brightpearl_pipelines.sandbox.brightpearl.search_definitions import all_searches
from brightpearl_pipelines.sandbox.brightpearl.settings import default_settings
from brightpearl_pipelines.sandbox.brightpearl.stock import Stock
from brightpearl_pipelines.sandbox.brightpearl.transfers import Transfers
from brightpearl_pipelines.sandbox.brightpearl.warehouses import Warehouses
from brightpearl_pipelines.sandbox.brightpearl.webhooks import Webhooks
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    ApiError,
    Call,
    Json,
    JsonObject,
    Reply,
    dumps,
    not_found,
    stamp,
)
from brightpearl_pipelines.sandbox.kernel import Emulator, SandboxClock
from brightpearl_pipelines.sandbox.world import Product, World

API_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
TOO_MANY = {"response": "You have sent too many requests. Please wait before sending another request"}
GATEWAY = "api-proxy"
COLLECTIONS = (
    "orders",
    "order_notes",
    "contacts",
    "postal_addresses",
    "products",
    "availability",
    "reservations",
    "goods_out_notes",
    "goods_in_notes",
    "stock_corrections",
    "stock_transfers",
    "customer_payments",
    "supplier_payments",
    "journals",
    "webhooks",
    "webhook_deliveries",
)


class BrightpearlEmulator(Emulator):
    """One Brightpearl account. The services hold no state of their own beyond indexes, which `restored` rebuilds.

    Whoever edits `collections["orders"]` behind its back: the small objects inside an order are shared with others and
    refuse to be changed in place; put a changed copy in their stead.
    """

    name = "brightpearl"

    def __init__(self, *, seed: int = 7, clock: SandboxClock | None = None, settings: JsonObject | None = None) -> None:
        super().__init__(seed=seed, clock=clock, settings=settings)
        self.settings = {**default_settings(), **self.settings}
        # Apart from `rng`, so that the number of calls made does not change which fault strikes next.
        self.secrets = random.Random(f"brightpearl:secrets:{seed}")
        self.zone = ZoneInfo(self.settings["time_zone"])
        self.auth = Auth(self)
        self.throttle = Throttle(self)
        self.webhooks = Webhooks(self)
        self.reference = Reference(self)
        self.custom_fields = CustomFields(self)
        self.contacts = Contacts(self)
        self.products = Products(self)
        self.prices = Prices(self)
        self.warehouses = Warehouses(self)
        self.stock = Stock(self)
        self.orders = Orders(self)
        self.order_api = OrderApi(self)
        self.sales_orders = SalesOrders(self)
        self.reservations = Reservations(self)
        self.goods_out = GoodsOut(self)
        self.goods_in = GoodsIn(self)
        self.transfers = Transfers(self)
        self.accounting = Accounting(self)
        self.journals = Journals(self)
        self.searches = Searches(self, all_searches(self))
        self._router = Router(
            [
                *self.webhooks.endpoints(),
                *self.reference.endpoints(),
                *self.custom_fields.endpoints(),
                *self.contacts.endpoints(),
                *self.products.endpoints(),
                *self.prices.endpoints(),
                *self.warehouses.endpoints(),
                *self.stock.endpoints(),
                *self.order_api.endpoints(),
                *self.sales_orders.endpoints(),
                *self.reservations.endpoints(),
                *self.goods_out.endpoints(),
                *self.goods_in.endpoints(),
                *self.transfers.endpoints(),
                *self.accounting.endpoints(),
                *self.journals.endpoints(),
                *self.searches.endpoints(),
            ]
        )
        for name in COLLECTIONS:  # so that an outside reader finds them before the first one is stored
            self.collection(name)
        self.reference.first_data()
        self.custom_fields.first_data()
        self.auth.first_secrets()

    # -- the sandbox's side ---------------------------------------------------------------------------------------

    def populate(self, world: World) -> None:
        """Fill the account with what the world holds: reference data, products, stock, some known customers."""
        fill(self, world)

    def restored(self) -> None:
        """Rebuild indexes and timers from the collections."""
        self.zone = ZoneInfo(self.settings["time_zone"])
        indexed = (
            self.contacts,
            self.products,
            self.orders,
            self.goods_out,
            self.goods_in,
            self.accounting,
            self.webhooks,
        )
        for service in indexed:
            service.rebuild()
        self.order_api.resume_closing()

    def credentials(self) -> JsonObject:
        """Addresses, references, secrets and the tokens issued last. Webhooks are not signed: use a secret URI."""
        account = self.settings["account"]
        return {
            "system": self.name,
            "base_url": f"{self.base_url}/public-api/{account}",
            "token_url": f"{self.base_url}/token/{account}",
            "authorize_url": f"{self.base_url}/authorize/{account}",
            "account": account,
            "app_ref": self.settings["app_ref"],
            "dev_ref": self.settings["dev_ref"],
            "client_secret": self.settings["client_secret"],
            "access_token": self.auth.newest("access")["token"],
            "access_token_expires_on": self.auth.newest("access")["expiresOn"],
            "refresh_token": self.auth.newest("refresh")["token"],
            "account_token": self.auth.newest("account")["token"],
            "staff_email": self.settings["staff_email"],
            "staff_password": self.settings["staff_password"],
            "installation_instance_id": self.settings["installation_instance_id"],
            "webhook_authentication": "none: put a secret into uriTemplate",
        }

    def api_domain(self) -> str:
        """The host that the token reply names (§1.4)."""
        return self.base_url.split("://")[-1]

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self.secrets.getrandbits(128), version=4))

    def stamp(self, instant: datetime | None = None) -> str:
        """An instant, by default the present one, as the API shows it: in the account's time zone (§2.1)."""
        return stamp(instant or self.clock.now(), self.zone)

    def ship(
        self,
        order_id: str,
        quantities: dict[str, int] | None = None,
        *,
        tracking: str,
        shipping_method_id: int | None = None,
    ) -> str:
        """Pick, pack and ship order rows (all that is left by default), as the warehouse would; the note's id.

        `quantities` maps order row id to units. ValueError when there is nothing to ship or stock is missing.
        """
        return self.goods_out.ship(order_id, quantities, tracking=tracking, shipping_method_id=shipping_method_id)

    def take_back(self, note_id: str, *, destroy: bool = False) -> None:
        """Undo the shipping of a goods-out note, and with `destroy` the note as well; see `GoodsOut.take_back`."""
        self.goods_out.take_back(note_id, destroy=destroy)

    def correct_tracking(self, note_id: str, tracking: str) -> None:
        """Type another tracking number into a goods-out note, as a person would in the UI."""
        self.goods_out.correct_tracking(note_id, tracking)

    def open_orders(self) -> list[str]:
        """Ids of sales orders that are not cancelled and have allocated stock left to ship."""
        return self.goods_out.open_orders()

    def add_product(self, product: Product) -> str:
        """Create a product as a person would in the UI; its id."""
        return self.products.add(product)

    def correct_stock(self, sku: str, warehouse_id: int, quantity_change: int, reason: str) -> None:
        """Add or take units, as a stock take would. ValueError for an unknown SKU or more than is on hand."""
        self.stock.correct(sku, warehouse_id, quantity_change, reason)

    def edit_contact(self, contact_id: str, **changes: Json) -> None:
        """Set top-level fields of a contact, e.g. `firstName`, or `email` and `telephone` for the primary ones."""
        self.contacts.edit(contact_id, **changes)

    # -- the API's side -------------------------------------------------------------------------------------------

    def routes(self) -> list[BaseRoute]:
        api = [
            Route(f"/{prefix}/{{account}}/{{path:path}}", self._api, methods=API_METHODS)
            for prefix in ("public-api", "2.0.0")
        ]
        outside = [
            Route("/token/{account}", self.auth.token, methods=["POST"]),
            Route("/{account}/oauth/token", self.auth.token, methods=["POST"]),
            Route("/oauth/token", self.auth.token, methods=["POST"]),
            Route("/authorize/{account}", self.auth.consent, methods=["GET"]),
            Route("/{account}/authorise", self.auth.authorise, methods=["POST"]),
        ]
        return [*api, *outside]

    async def _api(self, request: Request) -> Response:
        headers = request.headers
        admitted, extra = self.throttle.take(self.auth.pool(headers))
        if not admitted:
            return self._response(Reply(TOO_MANY, 503), GATEWAY, extra)
        try:
            caller = self.auth.authenticate(request.path_params["account"], headers)
        except UnauthenticatedError as error:
            return self._response(Reply({"response": str(error)}, 401), GATEWAY, extra)
        if caller.instance_id is not None:
            extra["brightpearl-installed-integration-instance-id"] = str(caller.instance_id)
        call = Call(
            method=request.method,
            path="/" + "/".join(part for part in request.path_params["path"].split("/") if part),
            query=dict(request.query_params),
            headers=dict(headers),
            raw=await request.body(),
            staff_id=caller.staff_id,
            instance_id=caller.instance_id,
        )
        if len(request.url.path) + len(request.url.query) > int(self.settings["longest_uri"]):
            return self._response(Reply({"response": "Request-URI Too Long"}, 414), GATEWAY, extra)
        if call.path == "/multi-message" and call.method == "POST":
            return self._response(self._multi_message(call), "multi-message", extra)
        reply, message_type = self.perform(call)
        return self._response(reply, message_type, extra)

    def perform(self, call: Call) -> tuple[Reply, str]:
        """Answer one call, and name its message type."""
        found = self._router.find(call)
        if found is None:
            return Reply(not_found(f"Cannot find the resource /app{call.path}").body(), 404), GATEWAY
        endpoint, places = found
        message_type = endpoint.message_type
        try:
            return endpoint.handler(call, **places), message_type
        except ApiError as error:
            if error.status == 404 and message_type in ("webhook-get", "webhook-delete"):
                message_type = "-".join(reversed(message_type.split("-")))  # seen: verb first on a 404 only (§2.2)
            return Reply(error.body(), error.status), message_type

    def _multi_message(self, call: Call) -> Reply:
        if not self.settings["multi_message_enabled"]:
            refusal = {"response": "Service Unavailable"}
            return Reply(refusal, int(self.settings["multi_message_refusal_status"]))
        try:
            return multimessage.process(self, replace(call, headers={}))
        except ApiError as error:
            return Reply(error.body(), error.status)

    def throttled(self) -> Response:
        """The answer of a `throttle` fault: as if the pool were used up."""
        _, headers = self.throttle.take("fault")
        return self._response(Reply(TOO_MANY, 503), GATEWAY, {**headers, "brightpearl-requests-remaining": "0"})

    def _response(self, reply: Reply, message_type: str, extra: Mapping[str, str]) -> Response:
        headers = {
            "Content-Type": "application/json;charset=UTF-8",
            "Cache-Control": "no-cache, must-revalidate",
            "Expires": "Mon, 20 Dec 1998 01:00:00 GMT",
            "Pragma": "no-cache",
            "Message-Type": message_type,
            "Ruid": self.new_uuid(),
            **extra,
        }
        content = dumps(reply.body, escape_html=bool(self.settings["escape_html"]))
        return Response(content, reply.status, headers=headers)
