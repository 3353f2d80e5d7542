import json

import httpx
import yaml

from brightpearl_pipelines.configuration import configuration_path


def findings(bpp, *, exit_code, **environment):
    result = bpp("doctor", "--json", **environment)
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)["findings"]


def of(found, connection, check):
    return [
        (each["state"], each["what"]) for each in found if (each["connection"], each["check"]) == (connection, check)
    ]


def configured(tmp_path, change):
    """The project's configuration, changed."""
    configuration = yaml.safe_load(configuration_path().read_text())
    change(configuration["connections"])
    path = tmp_path / "connections.yaml"
    path.write_text(yaml.safe_dump(configuration))
    return {"BPP_CONNECTIONS": str(path)}


def only_what_exists(connections):
    methods = connections["brightpearl"]["payment_methods"]
    connections["brightpearl"]["payment_methods"] = {
        name: code for name, code in methods.items() if code in ("CARD", "PAYPAL", "BANK")
    }


def test_a_set_up_in_order_is_well_but_for_its_webhooks_which_can_be_made(bpp_sandbox, tmp_path):
    set_up = configured(tmp_path, only_what_exists)
    found = findings(bpp_sandbox, exit_code=0, **set_up)
    assert {each["check"] for each in found if each["state"] != "ok"} == {"webhooks"}
    assert {each["connection"] for each in found} == {None, "brightpearl", "bigcommerce"}
    assert bpp_sandbox("webhooks", "ensure", **set_up).exit_code == 0
    found = findings(bpp_sandbox, exit_code=0, **set_up)
    assert {each["state"] for each in found} == {"ok"}


def test_every_code_that_does_not_exist_is_named(bpp_sandbox, tmp_path):
    def change(connections):
        only_what_exists(connections)
        account, shop = connections["brightpearl"], connections["bigcommerce"]
        account["order_statuses"]["open"] = 7  # a purchase order's status
        account["tax_codes"]["20"] = "T5"
        account["price_lists"]["GBP"] = 3
        account["shipping_methods"]["Standard"] = 99
        shop["channels"]["2"] = 98
        shop["warehouses"] = [2, 97]
        shop["location"] = 96
        del shop["order_statuses"]["13"]

    found = findings(bpp_sandbox, exit_code=1, **configured(tmp_path, change))
    ill = {(each["connection"], each["check"], each["state"]): each["what"] for each in found if each["state"] != "ok"}
    assert "'open' to 7" in ill["brightpearl", "order statuses", "fail"]
    assert "20 % to T5, whose rate is 5 %" in ill["brightpearl", "tax codes", "fail"]
    assert "GBP to list 3, which is in" in ill["brightpearl", "price lists", "fail"]
    assert "'Standard' to 99" in ill["brightpearl", "shipping methods", "fail"]
    assert "98" in ill["brightpearl", "channels", "fail"]
    assert "97" in ill["brightpearl", "warehouses", "fail"]
    assert "96" in ill["bigcommerce", "location", "fail"]
    assert "does not map 13" in ill["bigcommerce", "order statuses", "warn"]
    assert all(each["todo"] for each in found if each["state"] != "ok")


def test_a_missing_permission_is_named_and_the_rest_is_still_looked_at(bpp_sandbox, sandbox, tmp_path):
    sandbox.fault("bigcommerce", kind="status", path="/v3/customers", status=403, body={"status": 403})
    found = findings(bpp_sandbox, exit_code=1, **configured(tmp_path, only_what_exists))
    assert of(found, "bigcommerce", "scope") == [("fail", "GET v3/customers?limit=1: not permitted (403)")]
    (todo,) = [each["todo"] for each in found if each["check"] == "scope"]
    assert "Customers (read-only)" in todo
    assert of(found, "bigcommerce", "location")[0][0] == "ok"


def test_a_credential_that_is_not_accepted_fails_and_is_tried_again_once_it_is_mended(bpp_sandbox, sandbox, tmp_path):
    set_up = configured(tmp_path, only_what_exists)
    sandbox.fault("bigcommerce", kind="status", status=401, body={"status": 401, "title": "Unauthorized"})
    found = findings(bpp_sandbox, exit_code=1, **set_up)
    assert [state for state, _ in of(found, "bigcommerce", "credential")] == ["fail"]
    assert of(found, "bigcommerce", "location") == []
    assert of(found, "brightpearl", "credential")[0][0] == "ok"
    sandbox.mended()
    assert findings(bpp_sandbox, exit_code=0, **set_up)


def test_a_quota_other_than_configured_and_a_clock_that_is_off_are_told(bpp_sandbox, sandbox, tmp_path):
    def change(connections):
        only_what_exists(connections)
        connections["bigcommerce"]["requests_per_30_seconds"] = 450

    httpx.post(f"{sandbox.url('bigcommerce')}/_sandbox/clock", json={"advance": 600}).raise_for_status()
    found = findings(bpp_sandbox, exit_code=0, **configured(tmp_path, change))
    assert of(found, "bigcommerce", "limit") == [
        ("warn", "this client may make 150 requests in 30 s, configured are 450"),
    ]
    ((state, what),) = of(found, "bigcommerce", "clock")
    assert state == "warn"
    assert "ahead of" in what


def test_without_emulators_each_connection_says_how_to_start_them(bpp):
    found = findings(bpp, exit_code=1)
    for connection in ("brightpearl", "bigcommerce"):
        ((state, what),) = of(found, connection, "credential")
        assert state == "fail"
        assert "bpp sandbox serve" in what


def test_a_database_that_is_away_and_a_key_that_is_none_are_told(bpp):
    away = "postgresql://nobody:hidden-word@127.0.0.1:1/nothing"
    result = bpp("doctor", DATABASE_URL=away, BPP_ENCRYPTION_KEY="short")
    assert result.exit_code == 1
    assert "32 bytes" in result.stdout
    result = bpp("doctor", DATABASE_URL=away)
    assert result.exit_code == 1
    assert "cannot be reached" in result.stdout
    assert "hidden-word" not in result.output


def test_no_secret_is_printed(bpp_sandbox, sandbox, tmp_path):
    printed = ""
    for command in (["webhooks", "ensure"], ["doctor"], ["sync", "--entity", "product"], ["doctor", "--json"]):
        printed += bpp_sandbox(*command).output
    for system in ("brightpearl", "bigcommerce"):
        facts = httpx.get(f"{sandbox.url(system)}/_sandbox/credentials").json()
        secrets = [value for name, value in facts.items() if name.endswith(("token", "secret", "password"))]
        assert secrets
        assert not [secret for secret in secrets if secret in printed]
