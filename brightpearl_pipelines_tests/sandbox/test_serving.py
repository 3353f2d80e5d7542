from datetime import UTC, datetime

import httpx
import pytest

from brightpearl_pipelines.sandbox.generate import generate_orders, generate_world
from brightpearl_pipelines_tests.sandbox.serving import serving

WORLD = generate_world(3, products=60, people=20)


def test_both_systems_answer_on_real_ports_with_the_world_and_its_orders():
    orders = list(generate_orders(WORLD, 3, 5, datetime.now(UTC)))
    with serving(world=WORLD, orders=orders, settings={"brightpearl": {"account": "sample"}}) as sandbox:
        shop = sandbox.bigcommerce.credentials()
        answer = httpx.get(f"{shop['base_url']}/v2/orders", headers={"X-Auth-Token": shop["access_token"]})
        assert len(answer.json()) == 5
        assert set(sandbox.urls) == {"brightpearl", "bigcommerce"}
        assert sandbox.brightpearl.credentials()["base_url"] == f"{sandbox.urls['brightpearl']}/public-api/sample"
        place = sandbox.call(lambda: sandbox.bigcommerce.place_order(orders[0]))
        assert str(place) in sandbox.bigcommerce.collection("orders")
        assert sandbox.call(sandbox.brightpearl.tick) >= 0


def test_what_fails_in_the_servers_loop_fails_in_the_test():
    with serving(world=WORLD) as sandbox, pytest.raises(KeyError):
        sandbox.call(lambda: sandbox.bigcommerce.cancel_order(99999))


def test_a_sandbox_that_cannot_start_says_why():
    with (
        pytest.raises(ValueError, match="zone"),
        serving(world=WORLD, settings={"brightpearl": {"time_zone": "zone/../"}}),
    ):
        pass
