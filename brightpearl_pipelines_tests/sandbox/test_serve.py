import contextlib
import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

STARTER = "import sys, json; from pathlib import Path; from brightpearl_pipelines.sandbox.serve import run\n"
PATIENCE_SECONDS = 60


def started(*, orders=None, data=None, **options):
    options |= {"orders": str(orders) if orders else None, "data": str(data) if data else None}
    code = STARTER + (
        f"options = json.loads({json.dumps(json.dumps(options))})\n"
        "options |= {k: Path(options[k]) for k in ('orders', 'data') if options[k]}\n"
        "sys.exit(run(**options))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


@contextlib.contextmanager
def serving(systems=2, stop_by=signal.SIGTERM, **options):
    """A served sandbox by its announcements; ends it by a signal and expects a clean exit."""
    with started(base_port=0, **options) as process:
        try:
            lines = [json.loads(process.stdout.readline()) for _ in range(systems)]
            yield {line["system"]: line for line in lines}
            process.send_signal(stop_by)
            rest, errors = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
    assert (process.returncode, rest) == (0, ""), errors
    assert "Traceback" not in errors


def state(announced, collection):
    answer = httpx.get(f"{announced['admin']}/state/{collection}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def counts(announced):
    """How much there is of what, by system."""
    answers = {name: httpx.get(f"{line['admin']}/state").json() for name, line in announced.items()}
    return {name: {kind: count for kind, count in answer.items() if count} for name, answer in answers.items()}


def refused(**options):
    with started(**options) as process:
        printed, message = process.communicate(timeout=PATIENCE_SECONDS)
    assert printed == ""
    assert "Traceback" not in message
    return process.returncode, message


def test_it_announces_both_systems_once_they_answer_and_stops_cleanly():
    with serving(stop_by=signal.SIGINT) as announced:
        assert list(announced) == ["brightpearl", "bigcommerce"]
        for line in announced.values():
            assert set(line) == {"system", "base_url", "credentials", "admin"}
            assert line["credentials"] == httpx.get(f"{line['admin']}/credentials").json()
            assert line["credentials"]["base_url"].startswith(line["base_url"])
        orders = state(announced["bigcommerce"], "orders")
        assert len(orders) == 120
        account = announced["brightpearl"]["credentials"]
        headers = {"brightpearl-app-ref": account["app_ref"], "brightpearl-account-token": account["account_token"]}
        headers |= {"brightpearl-dev-ref": account["dev_ref"]}
        warehouses = httpx.get(f"{account['base_url']}/warehouse-service/warehouse/", headers=headers)
        assert {place["id"] for place in warehouses.json()["response"]} >= {2, 3, 5}


def test_only_serves_what_was_asked_for():
    with serving(systems=1, only=["bigcommerce"]) as announced:
        assert list(announced) == ["bigcommerce"]


def test_a_world_that_is_kept_is_found_again(tmp_path):
    with serving(data=tmp_path, seed=5) as announced:
        before = counts(announced)
        orders = state(announced["bigcommerce"], "orders")
    with serving(data=tmp_path, seed=5, stop_by=signal.SIGINT) as announced:
        assert counts(announced) == before
        assert state(announced["bigcommerce"], "orders") == orders


def test_a_kept_world_keeps_its_seed_and_says_so(tmp_path):
    with serving(data=tmp_path, seed=5) as announced:
        orders = state(announced["bigcommerce"], "orders")
    with started(base_port=0, data=tmp_path, seed=6) as process:
        announced = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert state(announced[1], "orders") == orders
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert "was made with seed 5; it stays so" in errors


def test_real_order_lines_fill_the_shop_and_what_has_no_place_is_listed(tmp_path):
    file = tmp_path / "lines.csv"
    file.write_text(
        "InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,Country\n"
        "536365,85123A,HOLDER,6,2.55,17850,United Kingdom\n"
        "536366,22423,STAND,4,12.75,17850,United Kingdom\n"
        "C536367,85123a,HOLDER,-2,2.55,17850,United Kingdom\n"
        "536368,22423,damages,-3,0,,United Kingdom\n"
    )
    data = tmp_path / "kept"
    for _ in range(2):
        with serving(orders=file, data=data) as announced:
            orders = state(announced["bigcommerce"], "orders")
            assert [order["external_order_id"] for order in orders] == ["536365", "536366"]
            assert [order["total_inc_tax"] for order in orders] == ["18.3600", "61.2000"]
            assert len(state(announced["bigcommerce"], "refunds")) == 1
            (unplaced,) = state(announced["bigcommerce"], "loader_unplaced")
            assert (unplaced["invoice"], unplaced["line_number"], unplaced["code"]) == ("536368", 5, "22423")
            assert "correction of stock" in unplaced["reason"]
        file.unlink(missing_ok=True)


def test_a_port_that_is_taken_is_named_with_the_setting_that_changes_it():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, message = refused(base_port=port - 1)
    assert code == 2
    assert f"Port {port} is taken" in message
    assert "--base-port" in message
    assert "BPP_SANDBOX_BASE_PORT" in message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"only": ["salesforce"]}, "does not serve salesforce yet"),
        ({"only": ["shopify"]}, "knows no system 'shopify'"),
        ({"orders": "/nowhere/lines.csv"}, "order lines cannot be read"),
    ],
)
def test_what_cannot_be_served_is_said_in_words(options, expected):
    code, message = refused(base_port=0, **options)
    assert code == 2
    assert expected in message
