"""A small shop with a frozen clock and a client that speaks to it without a network."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.kernel import SandboxClock
from brightpearl_pipelines.sandbox.world import (
    Channel,
    Currency,
    DraftLine,
    DraftOrder,
    Person,
    Product,
    TaxRate,
    Warehouse,
    World,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

ANNA = Person(
    first_name="Anna",
    last_name="Ashby",
    email="Anna@Example.com",
    phone="+44 20 7946 0001",
    street_1="1 High Street",
    city="Leeds",
    postcode="LS1 4AP",
    country_iso2="GB",
    country="United Kingdom",
    state="West Yorkshire",
)
GUEST = Person(
    first_name="Gus",
    last_name="Guest",
    email="gus+shop@example.com",
    phone="",
    street_1="9 Side Road",
    city="York",
    postcode="YO1 7HH",
    country_iso2="GB",
    country="United Kingdom",
    registered=False,
)

PRODUCTS = (
    Product("MUG", "Enamel mug", Decimal("8.33"), cost=Decimal("3.10"), stock={1: 40, 2: 10}),
    Product("TRAY", "Oak tray", Decimal("24.99"), stock={1: 12}),
    Product("TEE-S", "Tee S", Decimal("15.00"), family="Tee", options={"Size": "S"}, stock={1: 7}),
    Product("TEE-M", "Tee M", Decimal("16.50"), family="Tee", options={"Size": "M"}, stock={1: 5}),
    Product("BOOK", "Recipe book", Decimal("12.00"), tax_code="T0", stock={1: 100}),
    Product("PDF", "Pattern", Decimal("4.00"), digital=True),
    Product("SET", "Mug and tray", Decimal("30.00"), components={"MUG": 1, "TRAY": 1}),
)


def small_world() -> World:
    return World(
        seed=1,
        products=PRODUCTS,
        people=(ANNA, GUEST),
        warehouses=(Warehouse(1, "Main", "Leeds"), Warehouse(2, "Second", "York")),
        tax_rates=(TaxRate("T20", "Standard", Decimal(20)), TaxRate("T0", "Zero", Decimal(0))),
        currencies=(Currency("GBP", "£", Decimal(1)), Currency("EUR", "€", Decimal("1.15"))),
        channels=(Channel("Shop", 1, 2, "GBP"), Channel("Outlet", 2, 3, "EUR")),
        shipping_methods=((1, "Standard", "Royal Mail"),),
    )


def new_shop(**settings: Any) -> BigCommerceEmulator:
    """A populated shop at noon on a Monday whose clock stands still."""
    clock = SandboxClock()
    clock.freeze(True)
    clock.set(NOON)
    shop = BigCommerceEmulator(clock=clock, settings={"requests_per_30_seconds": 0, **settings})
    shop.base_url = "http://shop.test"
    shop.populate(small_world())
    return shop


def draft(*lines: tuple[str, int], **changes: Any) -> DraftOrder:
    """A basket of SKUs and quantities at catalogue prices."""
    prices = {product.sku: product for product in PRODUCTS}
    made = [
        DraftLine(
            name=prices[sku].name,
            quantity=quantity,
            price=prices[sku].price,
            sku=sku,
            tax_rate=Decimal(0) if prices[sku].tax_code == "T0" else Decimal(20),
        )
        for sku, quantity in lines or (("MUG", 2), ("TEE-M", 1))
    ]
    fields: dict[str, Any] = {"person": ANNA, "lines": tuple(made), "placed_at": NOON, **changes}
    return DraftOrder(**fields)


class Receiver:
    """Where webhooks arrive: keeps each call, answers what `answer` says of its number and content."""

    def __init__(self, answer: Callable[[int, httpx.Request], int] = lambda *_: 200) -> None:
        self.calls: list[httpx.Request] = []
        self.answer = answer

    def client(self) -> httpx.AsyncClient:
        def handle(request: httpx.Request) -> httpx.Response:
            self.calls.append(request)
            return httpx.Response(self.answer(len(self.calls), request))

        return httpx.AsyncClient(transport=httpx.MockTransport(handle))

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(call.content) for call in self.calls]

    def scopes(self) -> list[str]:
        return [body["scope"] for body in self.bodies()]


class Caller:
    """An httpx client for one shop: paths are below the store, `tick` lets time pass."""

    def __init__(self, shop: BigCommerceEmulator, client: httpx.AsyncClient) -> None:
        self.shop = shop
        self.client = client

    async def __call__(self, method: str, path: str, body: Any = None, **kwargs: Any) -> httpx.Response:
        return await self.client.request(method, f"/stores/{self.shop.hash}{path}", json=body, **kwargs)

    async def get(self, path: str, **kwargs: Any) -> Any:
        """The decoded body of a GET that must succeed; None for 204."""
        response = await self("GET", path, **kwargs)
        assert response.status_code in (200, 204), response.text
        return response.json() if response.content else None

    async def tick(self, seconds: float = 1.0) -> None:
        self.shop.clock.advance(seconds)
        await self.shop.tick()


def against(shop: BigCommerceEmulator, story: Callable[[Caller], Awaitable[None]], token: str | None = None) -> None:
    """Run a story against the shop's app."""

    async def run() -> None:
        headers = {"X-Auth-Token": token or shop.settings["access_token"], "Accept": "application/json"}
        transport = httpx.ASGITransport(shop.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test", headers=headers) as client:
            await story(Caller(shop, client))

    asyncio.run(run())
