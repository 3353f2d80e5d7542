"""The checks of frames: what fails is named, what would do harm is stopped, what is personal is withheld."""

from uuid import uuid4

import pytest

from brightpearl_pipelines.partitions import today
from brightpearl_pipelines.store import goldens
from brightpearl_pipelines.store.types import Golden
from brightpearl_pipelines_tests.dagster_room.plant import plain
from brightpearl_pipelines_tests.sync.goods import person


def _checked(result, name):
    (found,) = (each for each in result.get_asset_check_evaluations() if each.check_name == name)
    return found


def _spoil(plant, entity, **changes):
    """Put wrong values into a golden record behind the merge, which would have held them; returns it as it was."""
    with plant.world.store.transaction() as tx:
        right = goldens.after(tx, entity, 0, 1)[0]
        goldens.put(tx, [Golden(entity, right.id, {**right.content, **changes}, right.origin, right.day)])
    return right


def _mend(plant, right):
    with plant.world.store.transaction() as tx:
        goldens.put(tx, [right])


def test_every_check_passes_after_a_run_and_says_how_many_rows_it_saw(served):
    found = {each.check_name: plain(each.metadata) for each in served.first.get_asset_check_evaluations()}
    assert all(each.passed for each in served.first.get_asset_check_evaluations())
    assert found["order_schema"] == {"rows": 1, "failures": 0}
    assert found["order_line_schema"] == {"rows": 2, "failures": 0}
    assert found["product_schema"]["rows"] == 12


def test_a_wrong_order_is_named_and_no_order_is_published_until_it_is_mended(plant):
    right = _spoil(plant, "order", total_net="1.00")
    number = plant.world.place(("MUG", 1), person=person("Wanda Waits"))
    result = plant.job("sync_orders", check=False)
    failed = _checked(result, "order_schema")
    assert not result.success
    assert not failed.passed
    assert failed.severity.name == "ERROR"
    assert str(right.id) in failed.description
    assert plain(failed.metadata)["failing rows"] == [
        {"golden id": str(right.id), "field": "total_net", "rule": "is the sum of its lines", "value": "1.00"}
    ]
    assert number not in plant.world.orders_in_brightpearl()
    assert not _checked(plant.job("sync_orders", check=False), "order_schema").passed, "it is shown until it is mended"
    _mend(plant, right)
    assert _checked(plant.job("sync_orders"), "order_schema").passed
    assert plant.world.order(number)


def test_a_wrong_customer_is_named_without_what_is_personal_and_stops_nothing(plant):
    right = _spoil(plant, "customer", email="no address at all")
    result = plant.job("sync_orders", check=False)
    _mend(plant, right)
    failed = _checked(result, "customer_schema")
    assert result.success
    assert not failed.passed
    assert plain(failed.metadata)["failing rows"] == [
        {"golden id": str(right.id), "field": "email", "rule": "is empty or has an @", "value": "withheld"}
    ]


def test_a_run_on_changes_checks_only_what_changed_since_it_was_found_good(plant):
    plant.job("sync_orders")
    plant.world.place(("MUG", 1), person=person("Nina New"))
    assert plain(_checked(plant.job("sync_orders"), "order_schema").metadata)["rows"] == 1
    plant.job("sync_orders")  # what Brightpearl made of it is read back once
    assert plain(_checked(plant.job("sync_orders"), "order_schema").metadata)["rows"] == 0


@pytest.mark.parametrize("days", [[today()], ["2026-01-05"], ["2026-01-05", "2026-01-06"]])
def test_a_repair_checks_the_rows_of_its_days(plant, days):
    with plant.world.store.transaction() as tx:
        expected = sum(len(goldens.on_day(tx, "order", day, limit=1000)) for day in days)
    result = plant.materialize(["mapped_orders"], days)
    assert plain(_checked(result, "order_schema").metadata)["rows"] == expected


def test_a_table_of_many_failures_is_cut_but_all_are_counted(plant):
    wrong = [Golden("shipment", uuid4(), {"order_number": "", "reference": str(n)}, {}, None) for n in range(30)]
    with plant.world.store.transaction() as tx:
        goldens.put(tx, wrong)
    result = plant.job("sync_shipments", check=False)
    with plant.world.store.transaction() as tx:
        tx.connection.execute("DELETE FROM sync.golden WHERE id = ANY(%s)", ([each.id for each in wrong],))
    said = plain(_checked(result, "shipment_schema").metadata)
    assert said["rows"] == 30
    assert said["failures"] > 50
    assert len(said["failing rows"]) == 50
