"""The public `bigcommerce` client, unchanged, against the emulator behind a real server."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bigcommerce
import pytest
import uvicorn
from bigcommerce.connection import OAuthConnection
from bigcommerce.exception import ClientRequestException, RateLimitingException, ServerException

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.kernel import Fault

from .shop import draft, new_shop


class PlainHttp(OAuthConnection):
    """The client's own connection, for a server without TLS."""

    def full_path(self, url: str) -> str:
        if url.startswith("http"):
            return url
        return f"http://{self.host}" + self.api_path.format(self.store_hash, url)


@contextmanager
def served(shop: BigCommerceEmulator) -> Iterator[str]:
    """The shop behind uvicorn on a free port; yields host and port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    shop.base_url = f"http://{host}"
    server = uvicorn.Server(uvicorn.Config(shop.app(), log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture
def shop() -> BigCommerceEmulator:
    return new_shop(requests_per_30_seconds=150)


@pytest.fixture
def api(shop: BigCommerceEmulator) -> Iterator[Any]:
    with served(shop) as host:
        client = bigcommerce.api.BigcommerceApi(
            client_id=shop.settings["client_id"], store_hash=shop.hash, access_token=shop.settings["access_token"]
        )
        client.connection = PlainHttp(shop.settings["client_id"], shop.hash, shop.settings["access_token"], host=host)
        yield client
        client.connection._session.close()


def test_it_reads_orders_with_their_lines_and_addresses(api: Any, shop: BigCommerceEmulator) -> None:
    order_id = shop.place_order(draft())
    [order] = api.Orders.all()
    assert (order.id, order.total_inc_tax) == (order_id, "39.7900")
    assert [line.sku for line in order.products()] == ["MUG", "TEE-M"]
    assert order.shipping_addresses()[0].city == "Leeds"
    assert api.Orders.get(order_id).status == "Awaiting Fulfillment"


def test_it_pages_through_everything(api: Any, shop: BigCommerceEmulator) -> None:
    for _ in range(260):
        shop.place_order(draft(("BOOK", 1)))
    assert len(list(api.Orders.iterall())) == 260


def test_it_creates_and_changes(api: Any, shop: BigCommerceEmulator) -> None:
    billing = {"first_name": "Ola", "last_name": "Nord", "email": "ola@example.com"}
    line = {"name": "Engraving", "quantity": 1, "price_ex_tax": 5, "price_inc_tax": 6}
    order = api.Orders.create(billing_address=billing, products=[line])
    order.update(status_id=11, staff_notes="Gift")
    assert api.Orders.get(order.id).staff_notes == "Gift"
    hook = api.Webhooks.create(scope="store/order/*", destination="https://in.example/", is_active=True)
    assert api.Webhooks.get(hook.id).scope == "store/order/*"
    assert shop.collections["hooks"][str(hook.id)]["is_active"] is True


def test_it_ships(api: Any, shop: BigCommerceEmulator) -> None:
    order_id = shop.place_order(draft())
    items = [{"order_product_id": 1, "quantity": 2}, {"order_product_id": 2, "quantity": 1}]
    shipment = api.OrderShipments.create(order_id, order_address_id=1, items=items, tracking_number="RM1")
    assert shipment.tracking_number == "RM1"
    assert api.Orders.get(order_id).status_id == 2
    with pytest.raises(ClientRequestException, match="quantity"):
        api.OrderShipments.create(order_id, order_address_id=1, items=items)


def test_it_understands_the_refusals(api: Any, shop: BigCommerceEmulator) -> None:
    with pytest.raises(ClientRequestException, match="not found"):
        api.Orders.get(999)
    shop.faults.append(Fault("status", status=503, count=1))
    with pytest.raises(ServerException):
        api.Orders.all()
    api.Orders.all()
    assert api.connection.rate_limit["requests_remaining"] == 148
    shop.settings["requests_per_30_seconds"] = 1
    with pytest.raises(RateLimitingException):
        api.Orders.all()
