"""A small trading account on a stopped clock, and a way to call it over HTTP."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from brightpearl_pipelines.sandbox.brightpearl import BrightpearlEmulator
from brightpearl_pipelines.sandbox.kernel import SandboxClock
from brightpearl_pipelines.sandbox.world import Channel, Currency, Person, Product, TaxRate, Warehouse, World

START = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
MAIN, NORTH = 2, 3
TEMPLATE = "${account-code} ${resource-type} ${resource-id} ${lifecycle-event} ${full-event} ${raised-on}"

WORLD = World(
    seed=7,
    products=(
        Product("KETTLE", "Copper kettle", Decimal("40.00"), cost=Decimal("22.50"), stock={MAIN: 10, NORTH: 4}),
        Product("CUP-RED", "Cup", Decimal("5.00"), family="cup", options={"Colour": "Red"}, stock={MAIN: 100}),
        Product(
            "CUP-BLUE", "Cup", Decimal("5.00"), family="cup", options={"Colour": "Blue"}, stock={MAIN: 3, NORTH: 8}
        ),
        Product("BREAKFAST", "Breakfast set", Decimal("48.00"), components={"KETTLE": 1, "CUP-RED": 2}),
        Product("EBOOK", "Tea book", Decimal("9.00"), tax_code="T0", digital=True),
        Product("LATER", "Not there yet", Decimal("1.00"), in_brightpearl=False),
    ),
    people=(
        Person(
            "Nora", "Quill", "nora@quill.example", "020 1", "4 Mill Lane", "York", "YO1 1AA", "GB", "United Kingdom"
        ),
        Person("Otto", "Brandt", "otto@brandt.example", "030 2", "Ring 9", "Berlin", "10115", "DE", "Germany"),
    ),
    warehouses=(Warehouse(MAIN, "Main", "Bristol"), Warehouse(NORTH, "North", "Leeds")),
    tax_rates=(TaxRate("T20", "VAT 20%", Decimal(20)), TaxRate("T0", "Zero rated", Decimal(0))),
    currencies=(Currency("GBP", "£", Decimal(1)), Currency("EUR", "€", Decimal("1.25"))),
    channels=(Channel("Shop", 1, 11, "GBP"), Channel("Laden", 2, 12, "EUR")),
    shipping_methods=((5, "Standard", "Royal Mail"), (6, "Express", "DPD")),
)


class Inbox:
    """A webhook receiver: an ASGI app that keeps what it got and answers with the statuses it was told to."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.statuses: list[int] = []
        self.requests: list[tuple[str, str, str | None]] = []

    def client(self) -> httpx.AsyncClient:
        async def receive(request: Request) -> Response:
            self.bodies.append((await request.body()).decode())
            self.requests.append((request.method, str(request.url), request.headers.get("content-type")))
            return Response(status_code=self.statuses.pop(0) if self.statuses else 200)

        app = Starlette(routes=[Route("/{rest:path}", receive, methods=["GET", "POST", "PUT", "DELETE"])])
        return httpx.AsyncClient(transport=httpx.ASGITransport(app))


class Desk:
    """One account and the calls of a private app on it."""

    def __init__(self, **settings: object) -> None:
        self.clock = SandboxClock()
        self.clock.freeze(True)
        self.clock.set(START)
        self.account = BrightpearlEmulator(clock=self.clock, settings={"known_people_every": 1, **settings})
        self.account.base_url = "http://bp.test"
        self.account.populate(WORLD)
        self.inbox = Inbox()
        self.cuts_connections = False
        """Whether a connection cut on purpose is to show as a body that ends too early, not as a crash."""
        self.account.webhook_client = self.inbox.client()
        self.app = self.account.app()

    def headers(self) -> dict[str, str]:
        credentials = self.account.credentials()
        return {
            "brightpearl-app-ref": credentials["app_ref"],
            "brightpearl-account-token": credentials["account_token"],
        }

    def raw(self, method: str, url: str, **kwargs: object) -> httpx.Response:
        """A request to any address of the host."""

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=not self.cuts_connections)
            async with httpx.AsyncClient(transport=transport, base_url="http://bp.test") as client:
                return await client.request(method, url, **kwargs)

        return asyncio.run(go())

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """A request of the private app below the account, e.g. `order-service/order/1`."""
        kwargs = {} if body is None else {"json": body}
        return self.raw(method, f"/public-api/acme/{path}", headers={**self.headers(), **(headers or {})}, **kwargs)

    def get(self, path: str) -> object:
        """The `response` of a GET that has to succeed."""
        reply = self.call("GET", path)
        assert reply.status_code == 200, reply.text
        return reply.json()["response"]

    def send(self, method: str, path: str, body: object = None) -> object:
        """The `response` of a write that has to succeed; None when it has none."""
        reply = self.call(method, path, body)
        assert reply.status_code == 200, reply.text
        return reply.json().get("response")

    def codes(self, method: str, path: str, body: object = None) -> tuple[int, list[str]]:
        """Status and error codes of a call that has to fail."""
        reply = self.call(method, path, body)
        return reply.status_code, [error["code"] for error in reply.json()["errors"]]

    def pass_time(self, seconds: float) -> None:
        """Move the clock and run what is due."""
        self.clock.advance(seconds)
        asyncio.run(self.account.tick())

    # -- shortcuts of the trade ---------------------------------------------------------------------------------

    def product(self, sku: str) -> int:
        return self.account.products.by_sku[sku]

    def contact(self, email: str = "nora@quill.example") -> int:
        return self.get(f"contact-service/contact-search?primaryEmail={email}")["results"][0][0]

    def line(self, sku: str, quantity: int, net: str, tax: str) -> dict[str, object]:
        return {"productId": self.product(sku), "quantity": quantity, "taxCode": "T20", "net": net, "tax": tax}

    def order_body(self, *rows: dict[str, object], **more: object) -> dict[str, object]:
        return {"customer": {"id": self.contact()}, "ref": "A-1", "rows": list(rows), **more}

    def sell(self, *rows: dict[str, object], **more: object) -> int:
        """Post a sales order, by default of two kettles."""
        lines = rows or (self.line("KETTLE", 2, "80.00", "16.00"),)
        return self.send("POST", "order-service/sales-order", self.order_body(*lines, **more))

    def order(self, order_id: int) -> dict:
        return self.get(f"order-service/order/{order_id}")[0]

    def row_of(self, order_id: int, sku: str) -> str:
        rows = self.order(order_id)["orderRows"]
        return next(number for number, row in rows.items() if row.get("productSku") == sku)

    def reserve(self, order_id: int, sku: str, quantity: int, warehouse: int = MAIN) -> httpx.Response:
        row = {"productId": self.product(sku), "salesOrderRowId": self.row_of(order_id, sku), "quantity": quantity}
        return self.call(
            "POST", f"warehouse-service/order/{order_id}/reservation/warehouse/{warehouse}", {"products": [row]}
        )

    def on_hand(self, sku: str, warehouse: int = MAIN) -> tuple[int, int, int]:
        """In stock, on hand, allocated."""
        number = self.product(sku)
        figures = self.get(f"warehouse-service/product-availability/{number}")[str(number)]["warehouses"][
            str(warehouse)
        ]
        return figures["inStock"], figures["onHand"], figures["allocated"]

    def pay(self, order_id: int, amount: str, **more: object) -> httpx.Response:
        body = {
            "transactionRef": f"t-{order_id}",
            "paymentMethodCode": "CARD",
            "paymentType": "RECEIPT",
            "orderId": order_id,
            "currencyIsoCode": "GBP",
            "amountPaid": amount,
            "paymentDate": "2026-02-03T10:00:00Z",
        }
        return self.call("POST", "accounting-service/customer-payment", {**body, **more})

    def subscribe(self, topic: str, **more: object) -> int:
        body = {
            "subscribeTo": topic,
            "httpMethod": "POST",
            "uriTemplate": "http://hooks.test/bp?secret=s",
            "bodyTemplate": TEMPLATE,
            "contentType": "text/plain",
            "idSetAccepted": True,
            "qualityOfService": 1,
        }
        return self.send("POST", "integration-service/webhook", {**body, **more})
