from datetime import UTC, datetime
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from brightpearl_pipelines.commands.dead_letters import dotted, offending
from brightpearl_pipelines.store import dead_letters, deliveries
from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.types import DeadLetter, Delivery, DeliveryState
from brightpearl_pipelines_tests.clocks import TestClock


def letter(subject, **facts):
    given = {
        "connection": "brightpearl",
        "stage": "publish",
        "entity": "order",
        "reason": "reference_not_found",
        "sentence": f"order {subject}: no product has the SKU 'HAT-1'",
        "suggestion": "Create the product.",
    }
    return DeadLetter(subject=subject, **{**given, **facts})


@pytest.fixture
def held(environment, database_url):
    """A store beside the one that the commands open, with two letters in it."""
    environment["BPP_ENCRYPTION_KEY"] = key = Fernet.generate_key().decode()
    with Store(database_url, Cipher([key]), TestClock(datetime(2026, 11, 20, 9, tzinfo=UTC))) as store:
        with store.transaction() as tx:
            payload = {"number": "1", "lines": [{"sku": "MUG"}, {"sku": "HAT-1", "name": "HAT-1"}]}
            dead_letters.hold(tx, letter("1", field="sku", value="HAT-1", payload=payload))
            dead_letters.hold(tx, letter("2", entity="customer", reason="invalid_field", connection="bigcommerce"))
        yield store


def states(store):
    with store.transaction() as tx:
        return {each[:2]: each[3] for each in dead_letters.counts(tx)}


def test_what_is_held_is_listed_with_its_reason(held, bpp):
    result = bpp("dead-letters", "list")
    assert result.exit_code == 0
    assert "no product has the SKU 'HAT-1'" in result.stdout
    assert "2 held" in result.stdout


@pytest.mark.parametrize(
    "filters", [["--reason", "invalid_field"], ["--connection", "bigcommerce"], ["--entity", "customers"]]
)
def test_the_list_can_be_narrowed(held, bpp, filters):
    listed = bpp.json("dead-letters", "list", *filters)
    assert listed["total"] == 1
    assert [each["subject"] for each in listed["dead_letters"]] == ["2"]


def test_one_is_shown_with_the_offending_field_marked_and_its_history(held, bpp):
    result = bpp("dead-letters", "show", "1")
    assert result.exit_code == 0
    marked = [line for line in result.stdout.splitlines() if "◀" in line]
    assert [line.strip() for line in marked] == ['sku: "HAT-1"  ◀ reference_not_found']
    assert "Create the product." in result.stdout
    assert "2026-11-20 09:00:00  held" in result.stdout
    assert bpp.json("dead-letters", "show", "1")["marked"] == ["lines.1.sku"]


def test_one_that_does_not_exist_is_told(held, bpp):
    result = bpp("dead-letters", "show", "99")
    assert result.exit_code == 1
    assert "no dead letter 99" in result.stderr


def test_one_goes_again_by_its_id(held, bpp):
    assert bpp.json("dead-letters", "retry", "1") == {"released": 1}
    assert states(held) == {("brightpearl", "order"): "released", ("bigcommerce", "customer"): "open"}
    again = bpp("dead-letters", "retry", "1")
    assert again.exit_code == 1
    assert "not held" in again.stderr


def test_all_of_a_reason_go_again(held, bpp):
    assert bpp.json("dead-letters", "retry", "--reason", "invalid_field") == {"released": 1}
    assert states(held) == {("brightpearl", "order"): "open", ("bigcommerce", "customer"): "released"}


def test_all_go_again(held, bpp):
    assert bpp.json("dead-letters", "retry", "--all") == {"released": 2}


@pytest.mark.parametrize("arguments", [[], ["1", "--all"], ["--all", "--reason", "x"]])
def test_which_go_again_is_said_in_exactly_one_way(held, bpp, arguments):
    assert bpp("dead-letters", "retry", *arguments).exit_code == 2
    assert "released" not in states(held).values()


def test_one_is_given_up_with_a_note(held, bpp):
    assert bpp("dead-letters", "discard", "1", "--note", "a test order").exit_code == 0
    assert states(held)["brightpearl", "order"] == "discarded"
    assert bpp.json("dead-letters", "show", "1")["note"] == "a test order"
    again = bpp("dead-letters", "discard", "1", "--note", "once more")
    assert again.exit_code == 1
    assert "no dead letter 1" in again.stderr


def test_giving_up_a_refused_write_gives_up_the_write_itself(held, bpp):
    write = Delivery("brightpearl", "order", uuid4(), "create", "order:7", {"body": {}})
    with held.transaction() as tx:
        deliveries.plan(tx, [write])
        planned = deliveries.by_keys(tx, "brightpearl", ["order:7"])["order:7"]
        deliveries.kill(tx, planned.id, "refused")
        number = dead_letters.hold(tx, letter("order:7", stage="deliver", reason="refused"))
    assert bpp("dead-letters", "discard", str(number), "--note", "never mind").exit_code == 0
    with held.transaction() as tx:
        assert deliveries.by_keys(tx, "brightpearl", ["order:7"])["order:7"].state is DeliveryState.DISCARDED


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"field": "lines.1.net", "value": "x", "payload": {"lines": [{"net": "x"}, {"net": "x"}]}}, ["lines.1.net"]),
        ({"field": "lines.1.net", "value": "7", "payload": {"rows": [{"net": 7, "tax": 7}]}}, ["rows.0.net"]),
        ({"field": "lines.1.net", "value": "7", "payload": {"price_ex_tax": "7", "id": 1}}, ["price_ex_tax"]),
        ({"field": "gone", "value": None, "payload": {"id": 1}}, []),
        ({"field": None, "value": "1", "payload": None}, []),
    ],
)
def test_the_offending_field_is_found_by_path_else_by_name_and_value_else_by_value(facts, expected):
    assert [dotted(path) for path in offending(letter("1", **facts))] == expected
