"""Runs of the jobs, judged by what is in the emulators."""

import json

from brightpearl_pipelines.partitions import today
from brightpearl_pipelines.sandbox.bigcommerce import stock
from brightpearl_pipelines.store import budget
from brightpearl_pipelines.sync.sessions import connect
from brightpearl_pipelines_tests.dagster_room.plant import failure_of, key_of, metadata_of, plain, retries_of
from brightpearl_pipelines_tests.sync.goods import ANNA, PRICES, person
from brightpearl_pipelines_tests.sync.harness import money


def test_a_run_on_changes_brings_a_new_order_all_the_way_once(plant):
    number = plant.world.place(("TRAY", 1), person=person("Otto One"))
    result = plant.job("sync_changes")
    order = plant.world.order(number)
    assert money(order["totalValue"]["total"]) == money(plant.world.shop_order(number)["total_inc_tax"])
    assert len(plant.world.payments_of(number)) == 1
    published = metadata_of(result, "brightpearl/published_orders")
    assert (published["created"], published["held"], published["failed"]) == (1, 0, 0)
    assert published["API calls"] > 0
    extracted = metadata_of(result, "bigcommerce/extracted_orders")
    assert extracted["changed"] == 1
    assert [row["id"] for row in extracted["sample"]] == [number]
    assert extracted["dagster/row_count"] == len(plant.world.bigcommerce.collection("orders"))
    mapped = metadata_of(result, "mapped_orders")
    assert (number, "bigcommerce") in [(row["number"], row["from"]) for row in mapped["sample"]]


def test_a_second_run_finds_nothing_to_write(plant):
    plant.job("sync_changes")
    plant.world.mark()
    plant.job("sync_changes")
    assert plant.world.writes() == []


def test_a_run_is_recorded_under_its_own_day_and_the_days_of_what_it_brought(plant):
    number = plant.world.place(("MUG", 1), person=person("Dora Days"))
    plant.world.edit_order(number, staff_notes="touched")
    record = plant.world.shop_order(number)
    # The shop says that it changed on a day long gone, as after an import.
    plant.world.in_world(lambda: record.update(date_modified="Mon, 03 Mar 2025 10:00:00 +0000"))
    result = plant.materialize(["bigcommerce/extracted_orders", "mapped_orders"], [today()], ids=[number])
    days = {(each.asset_key.to_user_string(), each.partition) for each in result.get_asset_materialization_events()}
    assert days == {
        ("bigcommerce/extracted_orders", today()),
        ("bigcommerce/extracted_orders", "2025-03-03"),
        ("mapped_orders", today()),
        ("mapped_orders", "2025-03-03"),
    }


def test_runs_can_be_searched_by_trigger_connection_and_entity(plant):
    by_hand = plant.run_of(plant.materialize(["bigcommerce/extracted_orders"], [today()], reach="changes"))
    assert by_hand.tags.items() >= {"trigger": "by hand", "connection": "bigcommerce", "entity": "order"}.items()
    swept = plant.run_of(plant.job("sync_changes", tags={"trigger": "sweep"}))
    assert swept.tags.items() >= {
        "trigger": "sweep", "connection": "all", "entity": "all", "bp/lane": "delta"
    }.items()  # fmt: skip
    assert plant.run_of(plant.first).tags["bp/lane"] == "full"


def test_a_run_is_marked_when_it_changed_something_and_only_then(plant):
    plant.job("sync_orders")
    assert "bp/changed" not in plant.run_of(plant.job("sync_orders")).tags
    plant.world.place(("MUG", 1), person=person("Mara Marked"))
    assert plant.run_of(plant.job("sync_orders")).tags["bp/changed"] == "yes"


def test_a_job_of_one_entity_takes_only_its_assets(plant):
    number = plant.world.place(("MUG", 1), person=person("Ottilie Only"))
    result = plant.job("sync_orders")
    groups = {each.asset_key.path[-1].partition("_")[2] for each in result.get_asset_materialization_events()}
    assert groups == {"customers", "orders", "payments"}
    assert plant.world.order(number)


def test_nothing_personal_is_told_to_the_history(plant):
    said = [each.user_message for each in plant.instance.all_logs(plant.first.run_id)]
    said += [
        json.dumps(plain(each.materialization.metadata)) for each in plant.first.get_asset_materialization_events()
    ]
    said += [json.dumps(plain(each.metadata)) for each in plant.first.get_asset_check_evaluations()]
    text = "\n".join(said).lower()
    assert "mug" in text, "there is nothing to search"
    for secret in (ANNA.email, ANNA.last_name, ANNA.street_1, ANNA.postcode, ANNA.phone):
        assert secret.lower() not in text


def test_a_held_order_is_told_with_its_reason_and_its_letter(plant):
    number = plant.world.place(("LAMP", 1), person=person("Hedda Held"))
    published = metadata_of(plant.job("sync_changes"), "brightpearl/published_orders")
    letter = plant.world.held_order(number)
    assert published["held"] == 1
    assert published["open dead letters"] >= 1
    (row,) = (each for each in published["dead letters"] if each["id"] == letter.id)
    assert row["reason"] == "reference not found"
    assert "LAMP" in row["what happened"]
    assert row["waits for"] == "product:brightpearl:LAMP"


# -- a dry run --------------------------------------------------------------------------------------------------------


def test_a_dry_run_tells_what_it_would_write_and_writes_nothing_anywhere(plant):
    number = plant.world.place(("MUG", 1), person=person("Dirk Dry"))
    before = plant.world.row_counts()
    plant.world.mark()
    result = plant.job("sync_changes", run_config={"resources": {"scope": {"config": {"dry_run": True}}}})
    assert plant.world.writes() == []
    assert plant.world.row_counts() == before
    assert result.get_asset_materialization_events() == []
    observed = {
        each.asset_observation_data.asset_observation.asset_key: each.asset_observation_data.asset_observation
        for each in result.all_events
        if each.is_asset_observation
    }
    every = plant.definitions.resolve_asset_graph().get_all_asset_keys()
    assert observed.keys() == {key for key in every if key.path[0] != "reports"}
    orders = plain(observed[key_of("brightpearl/published_orders")].metadata)
    assert f"order:bigcommerce:{number}" in {row["key"] for row in orders["change set"]}
    plant.job("sync_changes")
    assert plant.world.order(number)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_a_connection_that_cannot_be_used_fails_its_step_and_is_tried_again(plant):
    plant.world.fault("bigcommerce", "status", "GET", "/v2/orders", status=401)
    result = plant.materialize(["bigcommerce/extracted_orders"], [today()], reach="changes", check=False)
    assert not result.success
    failed = failure_of(result, "bigcommerce/extracted_orders")
    assert "bigcommerce cannot be used now" in failed.user_failure_data.description
    assert "API calls" in failed.user_failure_data.metadata
    assert retries_of(result) == 2


def test_a_shop_that_cannot_be_used_holds_up_nobody_else_and_is_plainly_seen(plant):
    """BC-08, BC-34: one connection's trouble is its own; what it missed comes with the first run that reaches it."""
    number = plant.world.place(("MUG", 1), person=person("Pia Paused"))
    plant.world.fault("bigcommerce", "status", "GET", "/v2/orders", status=401)
    result = plant.job("sync_changes", tags={"trigger": "sweep"})
    assert result.success
    assert plant.run_of(result).tags["bp/paused"] == "bigcommerce"
    failed = {each.asset_key: each for each in result.get_asset_check_evaluations() if not each.passed}
    assert {each.check_name for each in failed.values()} == {"reachable"}
    assert "bigcommerce cannot be used now" in failed[key_of("bigcommerce/extracted_orders")].description
    done = {each.asset_key.to_user_string() for each in result.get_asset_materialization_events()}
    assert "bigcommerce/extracted_orders" not in done, "what was not read must not look fresh"
    assert {"mapped_orders", "brightpearl/extracted_shipments", "reconciled_inventory"} <= done
    assert retries_of(result) == 0, "a sweep does not wait for what is paused"
    plant.world.calm()
    with plant.world.store.transaction() as tx:
        budget.resume(tx, "bigcommerce")
    assert "bp/paused" not in plant.run_of(plant.job("sync_changes")).tags
    assert plant.world.order(number)


def test_a_mistake_in_the_set_up_is_told_in_one_sentence_and_not_tried_again(plant, monkeypatch):
    async def nowhere(engine, connection):
        return await connect(engine, connection, sandbox_url="http://127.0.0.1:9")

    monkeypatch.setattr(plant.world, "connector", nowhere)
    result = plant.materialize(["brightpearl/extracted_customers"], [today()], reach="changes", check=False)
    failed = failure_of(result, "brightpearl/extracted_customers")
    assert "no emulator answers at http://127.0.0.1:9" in failed.user_failure_data.description
    assert "bpp sandbox serve" in failed.user_failure_data.description
    assert retries_of(result) == 0


# -- repair -----------------------------------------------------------------------------------------------------------


def test_a_backfill_of_a_day_repairs_contacts_that_were_damaged_at_the_target(plant):
    plant.job("sync_orders")
    contact = plant.world.contact_of(plant.number)
    plant.world.in_world(lambda: contact.update(firstName="Damaged"))
    result = plant.materialize(["brightpearl/published_customers"], [today()])
    assert plant.world.contact_of(plant.number)["firstName"] == "Anna"
    assert metadata_of(result, "brightpearl/published_customers")["updated"] == 1


def test_a_backfill_of_a_day_names_the_orders_that_were_damaged_at_the_target(plant):
    """A sales order is never overwritten: somebody may have meant it. It is held, and the letter says what differs."""
    plant.job("sync_orders")
    order = plant.world.order(plant.number)
    right = order["reference"]
    plant.world.in_world(lambda: order.update(reference="damaged"))
    published = metadata_of(
        plant.materialize(["brightpearl/published_orders"], [today()]), "brightpearl/published_orders"
    )
    assert [row["what happened"] for row in published["dead letters"] if row["reason"] == "target differs"] == [
        f"order bigcommerce:{plant.number} differs in brightpearl: number is damaged, should be {plant.number}"
    ]
    plant.world.in_world(lambda: order.update(reference=right))
    plant.materialize(["brightpearl/published_orders"], [today()])
    assert not plant.world.letters(reason="target_differs")


def test_a_number_that_somebody_overwrote_in_the_shop_is_set_right_by_materialising_inventory(plant):
    plant.job("sync_inventory", partition_key=None)
    before = plant.world.shop_stock("BOOK")
    _set_shop_stock(plant, "BOOK", 9999)
    plant.job("sync_inventory", partition_key=None)
    assert plant.world.shop_stock("BOOK") == 9999, "a run on changes has nothing to go by"
    plant.materialize(["brightpearl/extracted_inventory", "reconciled_inventory", "bigcommerce/published_inventory"])
    assert plant.world.shop_stock("BOOK") == before


def test_a_range_of_days_is_one_run_that_reads_each_of_them(plant):
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    result = plant.materialize(["bigcommerce/extracted_orders"], days)
    assert [each.partition for each in result.get_asset_materialization_events()] == days
    asked = [call["path"] for call in plant.world.calls("bigcommerce", path="/v2/orders")]
    assert len(asked) == 3
    assert ["max_date_modified=2026-01-02" in path for path in asked] == [True, False, False]


def test_a_record_that_our_store_lost_comes_back_with_its_day(plant):
    plant.job("sync_orders")
    with plant.world.store.transaction() as tx:
        tx.connection.execute("DELETE FROM sync.record WHERE stream = 'orders' AND id = %s", (plant.number,))
    result = plant.materialize(["bigcommerce/extracted_orders", "mapped_orders"], [today()])
    assert metadata_of(result, "bigcommerce/extracted_orders")["changed"] == 1
    before = plant.world.state("brightpearl")
    plant.job("sync_orders")
    assert plant.world.state("brightpearl") == before


def test_a_day_that_is_repaired_again_changes_nothing_more(plant):
    everything = [key.to_user_string() for key in plant.definitions.resolve_asset_graph().get_all_asset_keys()]
    plant.materialize(everything, [today()])
    before, shown = plant.world.state("brightpearl"), [plant.world.shop_stock(sku) for sku in PRICES]
    plant.materialize(everything, [today()])
    assert plant.world.state("brightpearl") == before
    assert [plant.world.shop_stock(sku) for sku in PRICES] == shown


def test_given_ids_are_read_and_mapped_again_and_nothing_else(plant):
    result = plant.materialize(["bigcommerce/extracted_orders", "mapped_orders"], [today()], ids=[plant.number])
    assert metadata_of(result, "bigcommerce/extracted_orders")["read"] == 1
    assert metadata_of(result, "mapped_orders")["read"] == 1


def _set_shop_stock(plant, sku, quantity):
    shop = plant.world.bigcommerce

    def change() -> None:
        key = stock.key_of(shop, shop.variant_of_sku(sku))
        stock.record_of(shop, key)["levels"]["1"]["on_hand"] = quantity

    plant.world.in_world(change)
