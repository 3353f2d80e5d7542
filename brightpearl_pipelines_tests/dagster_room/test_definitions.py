"""What Dagster loads."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from brightpearl_pipelines.assets.keys import PLURALS
from brightpearl_pipelines.configuration import load_configuration
from brightpearl_pipelines.definitions import build_defs
from brightpearl_pipelines.errors import ConfigurationError

PROJECT = Path(__file__).resolve().parents[2]

EXPECTED = {
    "bigcommerce/extracted_customers": [],
    "bigcommerce/extracted_orders": [],
    "bigcommerce/extracted_product_shelves": ["bigcommerce/extracted_products"],
    "bigcommerce/extracted_products": [],
    "bigcommerce/extracted_refunds": [],
    "bigcommerce/published_inventory": [
        "bigcommerce/published_products",
        "mapped_products",
        "reconciled_inventory",
    ],
    "bigcommerce/published_orders": ["mapped_orders", "mapped_products", "mapped_returns"],
    "bigcommerce/published_products": ["mapped_products"],
    "bigcommerce/published_shipments": ["mapped_shipments"],
    "brightpearl/extracted_credits": [],
    "brightpearl/extracted_customers": [],
    "brightpearl/extracted_inventory": [],
    "brightpearl/extracted_orders": [],
    "brightpearl/extracted_payments": [],
    "brightpearl/extracted_product_details": ["brightpearl/extracted_products"],
    "brightpearl/extracted_products": [],
    "brightpearl/extracted_purchase_orders": [],
    "brightpearl/extracted_shipments": [],
    "brightpearl/published_customers": ["mapped_customers"],
    "brightpearl/published_orders": [
        "brightpearl/published_customers",
        "mapped_orders",
        "mapped_products",
        "mapped_returns",
    ],
    "brightpearl/published_payments": [
        "brightpearl/published_orders",
        "brightpearl/published_returns",
        "mapped_payments",
    ],
    "brightpearl/published_returns": ["brightpearl/published_orders", "mapped_returns"],
    "mapped_customers": [
        "bigcommerce/extracted_customers",
        "bigcommerce/extracted_orders",
        "brightpearl/extracted_customers",
    ],
    "mapped_orders": ["bigcommerce/extracted_orders", "brightpearl/extracted_orders"],
    "mapped_payments": [
        "bigcommerce/extracted_orders",
        "bigcommerce/extracted_refunds",
        "brightpearl/extracted_payments",
    ],
    "mapped_products": [
        "bigcommerce/extracted_product_shelves",
        "bigcommerce/extracted_products",
        "brightpearl/extracted_product_details",
        "brightpearl/extracted_products",
    ],
    "mapped_purchase_orders": ["brightpearl/extracted_purchase_orders"],
    "mapped_returns": [
        "bigcommerce/extracted_orders",
        "bigcommerce/extracted_refunds",
        "brightpearl/extracted_credits",
        "brightpearl/extracted_orders",
    ],
    "mapped_shipments": ["brightpearl/extracted_shipments"],
    "reconciled_inventory": [
        "bigcommerce/published_orders",
        "brightpearl/extracted_inventory",
        "brightpearl/published_orders",
        "mapped_orders",
        "mapped_products",
        "mapped_purchase_orders",
    ],
}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_defs(load_configuration(PROJECT / "connections.yaml"))


def _specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    """Of what is kept in step; the reports on it have a test file of their own."""
    found = sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key)
    return [spec for spec in found if spec.group_name != "reports"]


def test_definitions_load_with_an_empty_environment_and_leave_nothing_behind(tmp_path):
    program = (
        "import warnings; warnings.simplefilter('error')\n"
        "import dagster as dg\n"
        "from brightpearl_pipelines.definitions import defs\n"
        "dg.Definitions.validate_loadable(defs())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_workspace_names_the_module_that_is_loaded():
    (location,) = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]
    assert location["python_module"]["module_name"] == "brightpearl_pipelines.definitions"
    assert location["python_module"]["location_name"] == "brightpearl_pipelines"


def test_the_assets_are_these_and_build_on_each_other_so(definitions):
    found = {
        spec.key.to_user_string(): sorted(dep.asset_key.to_user_string() for dep in spec.deps)
        for spec in _specs(definitions)
    }
    assert found == EXPECTED


def test_the_checks_are_these_and_only_those_of_orders_block(definitions):
    checks = [
        spec
        for check in definitions.asset_checks
        for spec in check.check_specs
        if spec.asset_key.path[0] != "reports" and spec.name != "fresh"
    ]
    assert sorted((spec.asset_key.to_user_string(), spec.name, spec.blocking) for spec in checks) == [
        ("mapped_customers", "customer_schema", False),
        ("mapped_orders", "order_line_schema", True),
        ("mapped_orders", "order_schema", True),
        ("mapped_payments", "payment_schema", False),
        ("mapped_products", "product_schema", False),
        ("mapped_purchase_orders", "purchase_order_schema", False),
        ("mapped_returns", "return_schema", False),
        ("mapped_shipments", "shipment_schema", False),
        ("reconciled_inventory", "stock_level_schema", False),
    ]


def test_the_jobs_sensors_and_schedules_are_these_and_run_by_default(definitions):
    repository = definitions.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert jobs == {
        "full_sync",
        "housekeeping",
        "keep_webhooks",
        "report",
        "sync_changes",
        "sync_inventory",
        "sync_orders",
        "sync_products",
        "sync_shipments",
    }
    assert {
        (each.name, each.job_name, each.cron_schedule, each.default_status.name) for each in repository.schedule_defs
    } == {
        ("sweep", "sync_changes", "*/5 * * * *", "RUNNING"),
        ("nightly", "full_sync", "0 2 * * *", "RUNNING"),
        ("report_today", "report", "20 * * * *", "RUNNING"),
        ("report_yesterday", "report", "0 4 * * *", "RUNNING"),
        ("housekeeping_nightly", "housekeeping", "30 3 * * *", "RUNNING"),
        ("keep_webhooks_alive", "keep_webhooks", "*/10 * * * *", "RUNNING"),
    }
    assert {
        (each.name, each.minimum_interval_seconds, each.default_status.name) for each in repository.sensor_defs
    } == {
        ("changes", 4, "RUNNING"),
        ("catch_up", 29, "RUNNING"),
        ("alerts", 30, "RUNNING"),
        ("alert_on_failure", 30, "RUNNING"),
        ("alert_over_on_success", 30, "RUNNING"),
    }


def test_every_asset_tells_its_reader_what_it_is_whose_and_of_which_system(definitions):
    for spec in _specs(definitions):
        name = spec.key.to_user_string()
        assert spec.group_name in PLURALS.values(), name
        assert spec.owners == ["team:integrations"], name
        assert spec.kinds == ({spec.key.path[0]} if len(spec.key.path) == 2 else {"postgres"}), name
        assert spec.description is not None and len(spec.description) > 40, name
        assert "{" not in spec.description, name
        assert spec.freshness_policy is not None, name


def test_everything_but_stock_is_by_day(definitions):
    without_days = {spec.key.to_user_string() for spec in _specs(definitions) if spec.partitions_def is None}
    assert without_days == {
        "brightpearl/extracted_inventory",
        "reconciled_inventory",
        "bigcommerce/published_inventory",
    }


def test_a_second_shop_brings_its_own_assets_and_shares_the_hub(tmp_path):
    text = (PROJECT / "connections.yaml").read_text()
    shop = text[text.index("  bigcommerce:") : text.index("# Whose word counts")]
    second = shop.replace("  bigcommerce:", "  outlet:", 1)
    (tmp_path / "connections.yaml").write_text(text.replace(shop, shop + second))
    specs = {
        spec.key.to_user_string(): spec
        for spec in _specs(build_defs(load_configuration(tmp_path / "connections.yaml")))
    }
    of_the_first = {name for name in EXPECTED if name.startswith("bigcommerce/")}
    assert {name for name in specs if name.startswith("outlet/")} == {
        name.replace("bigcommerce/", "outlet/") for name in of_the_first
    }
    assert {name for name in specs if "/" not in name} == {name for name in EXPECTED if "/" not in name}
    assert dg.AssetKey(["outlet", "extracted_orders"]) in {dep.asset_key for dep in specs["mapped_orders"].deps}


def test_a_mistake_in_the_connections_is_told_with_its_line_when_loading(tmp_path, monkeypatch):
    path = tmp_path / "connections.yaml"
    path.write_text("connections:\n  shop:\n    system: shopware\n")
    monkeypatch.setenv("BPP_CONNECTIONS", str(path))
    with pytest.raises(ConfigurationError, match=r"connections\.yaml:3: connections\.shop\.system: 'shopware'"):
        build_defs()
