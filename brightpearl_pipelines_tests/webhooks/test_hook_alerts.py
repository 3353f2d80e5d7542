"""Hooks that were switched off or cannot be had are told: X-58."""

import pytest

from brightpearl_pipelines.sandbox.kernel import Fault
from brightpearl_pipelines.store import alerts
from brightpearl_pipelines_tests.webhooks.receiving import CONFIGURATION, subscribe

URL = "http://127.0.0.1:8990"


@pytest.fixture
def told(sandbox, store, clock):
    """Brings the subscriptions in order; returns what is open then, by key."""

    def go():
        subscribe(sandbox, store, clock, URL, CONFIGURATION)
        with store.transaction() as tx:
            return {each.alert.key: each.alert for each in alerts.open_alerts(tx) if each.cleared_at is None}

    return go


def test_the_first_subscriptions_are_no_trouble(told):
    assert told() == {}


def test_a_hook_that_the_shop_switched_off_is_told_until_all_are_found_in_order(sandbox, told):
    told()
    hook = next(each for each in sandbox.bigcommerce.collections["hooks"].values() if "order/created" in each["scope"])
    sandbox.call(lambda: hook.update(is_active=False))
    (alert,) = told().values()
    assert (alert.key, alert.severity.value) == ("webhook:repaired:bigcommerce", "warning")
    assert "bigcommerce: 1 webhook(s) were off or changed and are in order again: store/order/created" in alert.title
    assert told() == {}


def test_a_hook_that_is_gone_is_told(sandbox, told):
    told()
    hooks = sandbox.brightpearl.collection("webhooks")
    gone = next(number for number, each in hooks.items() if each["subscribeTo"] == "order.modified")
    sandbox.call(lambda: hooks.pop(gone))
    assert set(told()) == {"webhook:repaired:brightpearl"}


def test_one_that_cannot_be_had_is_an_error_that_names_no_secret(sandbox, told):
    fault = Fault("status", "POST", ".*hooks", status=422)
    sandbox.call(lambda: sandbox.bigcommerce.faults.append(fault))
    found = told()
    alert = found["webhook:failed:bigcommerce"]
    assert alert.severity.value == "error"
    assert "cannot be had" in alert.title
    sandbox.call(lambda: sandbox.bigcommerce.faults.clear())
    assert "webhook:failed:bigcommerce" not in told()
