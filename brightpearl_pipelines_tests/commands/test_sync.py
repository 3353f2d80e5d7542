import json

import pytest
import yaml

from brightpearl_pipelines.configuration import configuration_path
from brightpearl_pipelines_tests.commands.conftest import rows

FIGURES = {"read", "changed", "created", "updated", "unchanged", "held", "failed", "calls"}


def step(report, name, connection, entity):
    """The step of an entity; of an extracted one, of its main stream."""
    (found,) = [
        each
        for each in report["steps"]
        if (each["step"], each["connection"], each["entity"]) == (name, connection, entity)
        and each["stream"] in (None, f"{entity}s")
    ]
    return found


def test_a_dry_run_shows_what_would_be_written_and_writes_nothing_anywhere(bpp_sandbox, sandbox, database_url):
    before, known = sandbox.state(), rows(database_url)
    report = bpp_sandbox.json("sync", "--dry-run")
    assert report["dry_run"] is True
    orders = [change for change in report["changes"] if change["entity"] == "order" and change["kind"] == "create"]
    assert len(orders) == 3
    assert all({"field", "from", "to"} == set(field) for change in orders for field in change["fields"])
    money = {(line["entity"], line["currency"]): line for line in report["money"]}
    placed = sandbox.objects("bigcommerce", "orders")
    assert float(money["order", "GBP"]["total"]) == pytest.approx(sum(float(each["total_inc_tax"]) for each in placed))
    assert money["order", "GBP"]["documents"] == 3
    assert sandbox.state() == before
    assert sandbox.writes() == []
    assert rows(database_url) == known == dict.fromkeys(known, 0)


def test_a_sync_puts_everything_in_step_and_the_next_one_finds_nothing_to_do(bpp_sandbox, sandbox):
    report = bpp_sandbox.json("sync")
    assert {"steps", "totals"} <= set(report)
    assert all(set(each) >= FIGURES | {"step", "connection", "entity"} for each in report["steps"])
    assert step(report, "published", "brightpearl", "order")["created"] == 3
    assert report["totals"]["calls"] == sum(each["calls"] for each in report["steps"]) > 0
    assert len(sandbox.objects("brightpearl", "orders")) == 3
    assert sandbox.writes()

    again = bpp_sandbox("sync")
    assert again.exit_code == 0
    for heading in ("connection", "entity", *FIGURES):
        assert heading in again.stdout
    assert "brightpearl" in again.stdout
    assert len(sandbox.objects("brightpearl", "orders")) == 3

    number = next(each for each in sandbox.objects("bigcommerce", "orders"))["id"]
    traced = bpp_sandbox.json("trace", str(number))["events"]
    assert any(event["what"] == "order create confirmed" for event in traced)
    assert [event["at"] for event in traced if event["at"]] == sorted(event["at"] for event in traced if event["at"])
    assert not any(event["payload"] for event in traced)
    told = bpp_sandbox("trace", str(number), "--payloads").stdout  # BC-36: what was sent, people masked
    order = sandbox.objects("bigcommerce", "orders")[0]
    assert '"externalRef"' in told and f'"ref": "{number}"' in told
    assert order["billing_address"]["street_1"] not in told and order["billing_address"]["email"] not in told
    assert bpp_sandbox.json("why", "bigcommerce", "orders", str(number))["verdict"] == "in_step"
    compared = bpp_sandbox.json("reconcile")
    assert compared["unexplained"] == 0
    totals = {each["entity"]: each["totals"] for each in compared["entities"] if each["connection"] == "brightpearl"}
    assert totals["order"]["GBP"]["ours"] == totals["order"]["GBP"]["theirs"]


def test_what_is_held_is_counted_and_told_by_the_exit_code(bpp_sandbox, sandbox, tmp_path):
    configuration = yaml.safe_load(configuration_path().read_text())
    configuration["connections"]["bigcommerce"]["channels"] = {"2": 3}
    path = tmp_path / "connections.yaml"
    path.write_text(yaml.safe_dump(configuration))
    result = bpp_sandbox("sync", "--json", BPP_CONNECTIONS=str(path))
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert report["totals"]["held"] > 0
    assert report["totals"]["failed"] == 0
    assert sandbox.objects("brightpearl", "orders") == []

    listed = bpp_sandbox("dead-letters", "list", BPP_CONNECTIONS=str(path))
    assert "held" in listed.stdout
    # They stay held, and are told again, although the next run has nothing to do with them.
    assert bpp_sandbox("sync", "--entity", "orders", "--changes-only", BPP_CONNECTIONS=str(path)).exit_code == 3
    assert bpp_sandbox("sync", "--entity", "products", BPP_CONNECTIONS=str(path)).exit_code == 0


def test_a_connection_that_cannot_be_used_is_a_failure_with_its_reason(bpp_sandbox, sandbox):
    sandbox.fault("bigcommerce", kind="status", path="/v3/catalog", status=403, body={"status": 403, "title": "no"})
    result = bpp_sandbox("sync", "--entity", "product", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert "403" in step(report, "extracted", "bigcommerce", "product")["paused"]
    assert step(report, "extracted", "brightpearl", "product")["read"] > 0


def test_a_missing_emulator_is_told_with_the_ways_out(bpp):
    result = bpp("sync")
    assert result.exit_code == 2
    assert "no emulator answers" in result.stderr
    assert "bpp sandbox serve" in result.stderr
    assert "BPP_SANDBOX_BASE_PORT" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--entity", "spoons"], "no entity"),
        (["--since", "yesterday"], "no instant"),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_words(bpp, arguments, told):
    result = bpp("sync", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_an_unknown_connection_is_told_with_those_that_exist(bpp):
    result = bpp("sync", "--connection", "ebay")
    assert result.exit_code == 2
    assert "there is no connection 'ebay'" in result.stderr
    assert "brightpearl, bigcommerce" in result.stderr


def test_a_mistake_in_the_configuration_is_told_with_its_line(bpp, tmp_path):
    path = tmp_path / "connections.yaml"
    path.write_text("connections:\n  shop:\n    system: magento\n")
    result = bpp("sync", BPP_CONNECTIONS=str(path))
    assert result.exit_code == 2
    assert f"{path}:3" in result.stderr
    assert "Traceback" not in result.output
