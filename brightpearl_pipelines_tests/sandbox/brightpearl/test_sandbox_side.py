"""What the sandbox does with the emulator: faults, saving and restoring, the admin API, a seeded world."""

import ast
from decimal import Decimal
from pathlib import Path

import pytest

import brightpearl_pipelines.sandbox.brightpearl as package
from brightpearl_pipelines.sandbox.brightpearl import BrightpearlEmulator
from brightpearl_pipelines.sandbox.world import Product
from brightpearl_pipelines_tests.sandbox.brightpearl.desk import WORLD, Desk, Inbox


def test_the_state_shows_orders_in_the_shape_of_the_api(desk):
    number = desk.sell()
    (stored,) = desk.raw("GET", "/_sandbox/state/orders").json()
    assert stored == desk.order(number)
    counts = desk.raw("GET", "/_sandbox/state").json()
    assert (counts["orders"], counts["products"], counts["contacts"]) == (1, 5, 2)


def test_credentials_are_complete_and_work(desk):
    credentials = desk.raw("GET", "/_sandbox/credentials").json()
    assert credentials["base_url"] == "http://bp.test/public-api/acme"
    assert credentials["token_url"] == "http://bp.test/token/acme"
    assert credentials["installation_instance_id"] == 13
    headers = {
        "Authorization": f"Bearer {credentials['access_token']}",
        "brightpearl-app-ref": credentials["app_ref"],
        "brightpearl-dev-ref": credentials["dev_ref"],
    }
    assert desk.raw("GET", f"{credentials['base_url']}/order-service/order-type", headers=headers).status_code == 200


def test_the_same_seed_gives_the_same_account():
    first, second = Desk(), Desk()
    for desk in (first, second):
        desk.sell(externalRef="a", installedIntegrationInstanceId=13)
    assert first.account.collections == second.account.collections
    assert first.account.credentials() == second.account.credentials()


def test_how_many_people_are_known_from_the_start_is_a_setting():
    assert [row[1] for row in Desk().get("contact-service/contact-search")["results"]] == [
        "nora@quill.example",
        "otto@brandt.example",
    ]
    nobody = Desk(known_people_every=0)
    assert nobody.get("contact-service/contact-search")["results"] == []


def test_an_order_that_was_applied_and_then_dropped_is_there(desk):
    fault = {"kind": "apply_then_drop", "method": "POST", "path": "sales-order", "count": 1}
    desk.raw("POST", "/_sandbox/faults", json=fault)
    body = desk.order_body(desk.line("KETTLE", 1, "40.00", "8.00"), externalRef="x")
    desk.cuts_connections = True
    cut = desk.call("POST", "order-service/sales-order", body)
    assert len(cut.content) < int(cut.headers["content-length"])  # the connection ended in the middle
    assert len(desk.get("order-service/order-search?externalRef=x")["results"]) == 1


def test_a_throttle_fault_looks_like_the_real_thing(desk):
    desk.raw("POST", "/_sandbox/faults", json={"kind": "throttle", "count": 1})
    reply = desk.call("GET", "order-service/order-type")
    assert (reply.status_code, reply.headers["brightpearl-requests-remaining"]) == (503, "0")
    assert "too many requests" in reply.json()["response"]
    assert int(reply.headers["brightpearl-next-throttle-period"]) <= 60_000


def test_a_status_fault_applies_nothing(desk):
    body = {"errors": [{"code": "CMNU-003", "message": "Internal Server Error"}]}
    desk.raw("POST", "/_sandbox/faults", json={"kind": "status", "status": 500, "body": body, "count": 1})
    reply = desk.call("POST", "order-service/sales-order", {"customer": {"id": 201}})
    assert (reply.status_code, reply.json()) == (500, body)
    assert desk.account.collection("orders") == {}


def reopened(desk: Desk, tmp_path) -> Desk:
    """The same account after a restart of the process."""
    desk.account.save(tmp_path)
    after = Desk()
    after.account = BrightpearlEmulator(clock=desk.clock)
    assert after.account.restore(tmp_path)
    after.clock, after.app, after.inbox = desk.clock, after.account.app(), Inbox()
    after.account.base_url, after.account.webhook_client = "http://bp.test", after.inbox.client()
    return after


def test_a_restart_keeps_everything_and_rebuilds_the_indexes(desk, tmp_path):
    key = {"externalRef": "shop-1", "installedIntegrationInstanceId": 13}
    number = desk.sell(**key)
    desk.reserve(number, "KETTLE", 2)
    desk.pay(number, "96.00")
    desk.account.ship(str(number), {desk.row_of(number, "KETTLE"): 1}, tracking="T")
    before = desk.account.collections
    after = reopened(desk, tmp_path)
    assert after.account.collections == before
    assert after.account.credentials() == desk.account.credentials()
    assert after.codes("POST", "order-service/sales-order", after.order_body(**key))[0] == 400
    assert after.pay(number, "96.00").status_code == 400
    assert after.contact() == desk.contact()
    assert after.account.open_orders() == [str(number)]
    assert after.get("order-service/order-search?updatedOn=2026-02-03/")["results"][0][0] == number
    assert after.sell() == number + 1
    after.account.ship(str(number), tracking="T")
    assert after.order(number)["shippingStatusCode"] == "ASS"


def test_a_restart_goes_on_with_webhooks_and_closings_under_way(desk, tmp_path):
    desk.inbox.statuses = [500]
    desk.subscribe("sales-order.created")
    number = desk.sell()
    desk.pass_time(1)
    desk.send("POST", f"order-service/sales-order/{number}/close", {})
    after = reopened(desk, tmp_path)
    after.pass_time(10)
    assert len(after.inbox.bodies) == 1
    assert after.order(number)["invoices"][0]["invoiceReference"] == "SI-1001"


def test_thousands_of_orders_are_searched_through_indexes_not_by_reading_all(desk):
    orders = desk.account.collection("orders")
    desk.sell(externalRef="needle")
    for _ in range(50):
        desk.sell()
    search = next(entry for entry in desk.account.searches.searches if entry.path.endswith("/order-search"))
    for query in (
        {"externalRef": "needle"},
        {"createdOn": "2026-02-04/"},
        {"orderId": "5001"},
        {"customerRef": "none"},
    ):
        narrowed = search.narrow(query)
        assert narrowed is not None
        assert len(list(narrowed)) <= 1 < len(orders)


def test_the_emulator_knows_nothing_of_the_rest_of_the_package():
    for path in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("brightpearl_pipelines"):
                assert node.module.startswith("brightpearl_pipelines.sandbox"), (path.name, node.module)


def test_a_part_that_orders_share_cannot_be_changed_in_place(desk, tmp_path):
    first, second = desk.sell(), desk.sell()
    for account in (desk.account, reopened(desk, tmp_path).account):
        orders = account.collection("orders")
        (row,), (same,) = (orders[str(number)]["orderRows"].values() for number in (first, second))
        assert row["rowValue"] is same["rowValue"]
        with pytest.raises(TypeError, match="shared"):
            row["rowValue"]["rowNet"]["value"] = "1.0000"


def test_a_product_of_unknown_components_is_not_added(desk):
    with pytest.raises(ValueError, match="NOWHERE"):
        desk.account.add_product(Product("SET", "Set", Decimal(1), components={"NOWHERE": 1}))


def test_the_world_holds_a_product_that_brightpearl_lacks(desk):
    assert "LATER" in {product.sku for product in WORLD.products}
    assert desk.get("product-service/product-search?SKU=LATER")["results"] == []
