"""Which sandboxes `bpp run` starts for the connections that there are (BC-34, X-71)."""

from pathlib import Path

import pytest

from brightpearl_pipelines.commands.sandboxes import sandboxes
from brightpearl_pipelines.configuration import load_configuration
from brightpearl_pipelines.errors import ConfigurationError

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLE = PROJECT / "docs" / "connections-two-regions.yaml"


def test_each_region_has_a_sandbox_in_its_own_currency(monkeypatch):
    monkeypatch.setenv("BPP_SANDBOX_BASE_PORT", "8900")
    found = sandboxes(load_configuration(EXAMPLE))
    assert [(each.name, each.ports, each.currency) for each in found] == [
        ("sandbox", {"brightpearl": 8901, "bigcommerce": 8902}, "GBP"),
        ("sandbox-8920", {"brightpearl": 8921, "bigcommerce": 8922}, "USD"),
        ("sandbox-8930", {"bigcommerce": 8932}, "GBP"),
    ]
    assert found[1].arguments(Path("/data"), 12, Path("orders.csv")) == [
        *("--data", "/data/sandbox-8920", "--rate", "12", "--base-port", "8920"),
        *("--only", "brightpearl,bigcommerce", "--currency", "USD"),
    ]


def test_the_shipped_file_has_one_sandbox():
    (only,) = sandboxes(load_configuration(PROJECT / "connections.yaml"))
    assert only.systems == ["brightpearl", "bigcommerce"]


def test_two_shops_cannot_be_one_emulator(tmp_path):
    path = tmp_path / "connections.yaml"
    path.write_text(EXAMPLE.read_text().replace("sandbox: 8930", "sandbox: true"))
    with pytest.raises(ConfigurationError, match=r"give each a sandbox of its own, e\.g\. `sandbox: \d+`"):
        sandboxes(load_configuration(path))
