"""What connections.yaml may say about alerts is checked when it is read, and every mistake is told with its line."""

from datetime import timedelta
from pathlib import Path

import pytest

from brightpearl_pipelines.alerts.budgets import Kind, budgets
from brightpearl_pipelines.configuration import load_configuration
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.store.alerts import Severity
from brightpearl_pipelines_tests.alerts.conftest import CONNECTIONS

ALERTS = """
alerts:
  channels:
    mail:
      kind: email
      host: smtp.shop.test
      from: bpp@shop.test
      to: [ops@shop.test]
      user: bpp
      password_env: SMTP_PASSWORD
    chat: {kind: slack, url_env: SLACK_WEBHOOK_URL}
    log: {kind: log}
  routes:
    - {channels: [log]}
    - {at_least: warning, channels: [chat]}
    - {at_least: error, connections: [brightpearl], entities: [order], channels: [mail]}
  repeat_every: 6h
  dagster_url: https://dagster.shop.test
"""


def written(folder: Path, alerts: str = ALERTS, freshness: str = "{orders: 20m, inventory_in_full: off}") -> Path:
    text = CONNECTIONS.read_text().replace("  brightpearl:\n", f"  brightpearl:\n    freshness: {freshness}\n", 1)
    path = folder / "connections.yaml"
    path.write_text(text + alerts)
    return path


def line_of(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_a_full_block_is_read(tmp_path):
    """X-53."""
    configuration = load_configuration(written(tmp_path))
    assert list(configuration.alerts.channels) == ["mail", "chat", "log"]
    assert configuration.alerts.repeat_every == timedelta(hours=6)
    found = {
        (each.kind, each.name): each.allowed for each in budgets(configuration) if each.connection == "brightpearl"
    }
    assert found[Kind.STREAM, "orders"] == found[Kind.FLOW, "orders"] == timedelta(minutes=20)
    assert found[Kind.STREAM, "inventory"] == timedelta(minutes=15)
    assert (Kind.IN_FULL, "inventory") not in found


def test_without_a_block_everything_goes_to_the_log():
    assert load_configuration(CONNECTIONS).alerts.channels_for(Severity.INFO, None, None) == ["log"]


def test_channels_without_routes_get_everything(tmp_path):
    path = written(tmp_path, "\nalerts:\n  channels:\n    a: {kind: log}\n    b: {kind: log}\n")
    assert load_configuration(path).alerts.channels_for(Severity.INFO, None, None) == ["a", "b"]


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("at_least: warning", "at_least: bad", "at_least: bad", "'info', 'warning', 'error' or 'critical'"),
        ("channels: [chat]", "channels: [pager]", "pager", "there is no channel 'pager'; there are: mail, chat, log"),
        ("connections: [brightpearl]", "connections: [uk]", "[uk]", "there is no connection 'uk'"),
        ("entities: [order]", "entities: [orders]", "[orders]", "there is no entity 'orders'"),
        ("6h", "6 hours", "6 hours", "a time is written like"),
        ("6h", "30s", "30s", "two minutes are the shortest"),
        ("host: smtp.shop.test", "host: smtp.shop.test\n      security: none", "mail:", "must be encrypted"),
        ("      user: bpp\n", "", "mail:", "`user` and `password_env` go together"),
        ("to: [ops@shop.test]", "to: [ops]", "to: [ops]", "@-sign"),
        ("kind: slack", "kind: teams", "teams", "'email', 'slack', 'log'"),
    ],
)
def test_every_mistake_is_told_with_its_line(tmp_path, old, new, line, told):
    assert old in ALERTS
    path = written(tmp_path, ALERTS.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    said, *_ = str(caught.value).splitlines()
    assert said.startswith(f"{path}:{line_of(path, line)}: alerts.")
    assert told in said


def test_a_secret_in_the_place_of_its_variables_name_is_not_repeated(tmp_path):
    """X-60."""
    path = written(tmp_path, ALERTS.replace("SLACK_WEBHOOK_URL", "https://hooks.test/hunter2"))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert "url_env" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("freshness", "told"),
    [
        ("{shoes: 10m}", "'shoes' is none of: "),
        ("{orders: soon}", "a time is written like"),
        ("{orders: 10}", "a time is written like"),
    ],
)
def test_a_budget_of_nothing_or_no_time_is_told_with_its_line(tmp_path, freshness, told):
    path = written(tmp_path, freshness=freshness)
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert f":{line_of(path, freshness)}: connections.brightpearl.freshness" in str(caught.value)
    assert told in str(caught.value)
