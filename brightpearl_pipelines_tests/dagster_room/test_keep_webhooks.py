"""Webhooks that went dead come back by themselves, and what they did not tell is read (BP-05, BC-06, BC-07, BC-08)."""

import dagster as dg
import pytest

from brightpearl_pipelines.sync import catch_up
from brightpearl_pipelines.webhooks import heartbeat
from brightpearl_pipelines_tests.sync.goods import person
from brightpearl_pipelines_tests.webhooks.receiving import receiving

HOURS = 3600


@pytest.fixture
def receiver(plant, monkeypatch):
    """A receiver that the systems can reach, and hooks that call it."""
    with receiving(plant.world.store, plant.world.clock) as served:
        monkeypatch.setenv("BPP_WEBHOOK_URL", served.url)
        keep(plant)
        caught_up(plant)
        yield served


def keep(plant):
    """What the schedule starts every ten minutes."""
    job = plant.definitions.resolve_job_def("keep_webhooks")
    result = job.execute_in_process(instance=plant.instance)
    assert result.success
    return result


def look(plant):
    """What the sensor that catches up says now."""
    repository = plant.definitions.get_repository_def()
    with dg.build_sensor_context(
        instance=plant.instance, repository_def=repository, resources={"sync": plant.sync()}
    ) as context:
        data = repository.get_sensor_def("catch_up").evaluate_tick(context)
    return data.run_requests[0] if data.run_requests else data.skip_message


def caught_up(plant):
    """Do what the sensor asks for, if anything; what it asked for."""
    request = look(plant)
    if isinstance(request, str):
        return request
    plant.job("full_sync", asset_selection=request.asset_selection, run_config=request.run_config, tags=request.tags)
    return {key.to_user_string() for key in request.asset_selection}


def hooks(plant):
    return list(plant.world.bigcommerce.collections["hooks"].values())


def pass_hours(plant, hours):
    """From one thing that is due to the next, so that every retry of the shop comes in its time."""
    world, left = plant.world, float(hours * HOURS)
    while left > 0:
        due = world.in_world(world.bigcommerce.next_due)
        step = left if due is None else min(max((due - world.clock.now()).total_seconds(), 1.0), left)
        world.pass_time(step)
        left -= step


def test_a_receiver_that_was_down_for_two_days_has_its_hooks_back_and_nothing_is_lost_or_doubled(plant, receiver):
    """BC-06, BC-08: the shop gives a hook up after 48 hours of failures (bigcommerce.md §7.2)."""
    world = plant.world
    # A receiver that is down refuses the connection; an address where nobody listens does the same.
    before = [(hook, hook["destination"]) for hook in hooks(plant)]
    world.in_world(
        lambda: [hook.update(destination="http://127.0.0.1:9/webhooks/bigcommerce") for hook in hooks(plant)]
    )
    told = world.place(("MUG", 1), person=person("Hugo Hook"))
    pass_hours(plant, 49)
    dead = [hook for hook in hooks(plant) if not hook["is_active"]]
    assert "store/order/created" in {hook["scope"] for hook in dead}
    untold = world.place(("MUG", 2), person=person("Una Untold"))
    world.in_world(lambda: [hook.update(destination=url) for hook, url in before])
    result = keep(plant)
    assert all(hook["is_active"] for hook in hooks(plant))
    assert plant.run_of(result).tags["bp/changed"] == "yes"
    chosen = caught_up(plant)
    assert {"bigcommerce/extracted_orders", "brightpearl/published_orders"} <= chosen
    assert world.order(told)
    assert world.order(untold)  # and once: an AssertionError if there were two
    assert look(plant) == "nothing is owed a read"
    world.mark()
    plant.job("sync_changes")
    assert [each for each in world.writes() if "sales-order" in each] == []


def test_a_hook_that_somebody_deleted_in_brightpearl_comes_back_and_its_stream_is_read_in_full(plant, receiver):
    """BP-05: what a sweep cannot find, such as stock, is read because the hook was gone."""
    world = plant.world
    gone = world.brightpearl.collection("webhooks")
    numbers = [number for number, hook in gone.items() if hook["subscribeTo"] == "product.modified"]
    world.in_world(lambda: [gone.pop(number) for number in numbers])
    world.in_world(lambda: world.brightpearl.correct_stock("BOOK", 2, 7, "found"))
    shown = world.shop_stock("BOOK")
    plant.job("sync_changes")
    assert world.shop_stock("BOOK") == shown, "nothing told of it"
    keep(plant)
    assert {hook["subscribeTo"] for hook in gone.values()} >= {"product.modified"}
    caught_up(plant)
    assert world.shop_stock("BOOK") == shown + 7


def test_while_all_is_in_order_nothing_is_changed_and_nothing_owed(plant, receiver):
    """BP-05"""
    plant.world.mark()
    result = keep(plant)
    assert plant.world.writes() == []
    assert "bp/changed" not in plant.run_of(result).tags
    assert look(plant) == "nothing is owed a read"


def test_a_connection_that_cannot_be_used_does_not_keep_the_others_from_their_hooks(plant, receiver):
    """BC-34"""
    plant.world.fault("bigcommerce", "refuse")
    hooks_there = plant.world.brightpearl.collection("webhooks")
    number = next(iter(hooks_there))
    plant.world.in_world(lambda: hooks_there.pop(number))
    before = len(hooks_there)
    keep(plant)
    assert len(hooks_there) == before + 1


def test_where_no_receiver_is_hooks_are_left_as_they_are(plant, monkeypatch):
    monkeypatch.delenv("BPP_WEBHOOK_URL", raising=False)
    monkeypatch.setenv("BPP_WEBHOOK_PORT", "9")
    plant.world.mark()
    keep(plant)
    assert plant.world.calls("bigcommerce") == plant.world.calls("brightpearl") == []


def test_a_receiver_that_was_away_for_longer_than_systems_repeat_themselves_is_owed_a_read(plant):
    """BP-10: nobody says for how long Brightpearl repeats a webhook that was not taken."""
    world = plant.world
    heartbeat.alive(world.store)
    assert heartbeat.returned(world.store, world.configuration) is None
    world.pass_time(13 * HOURS)
    assert heartbeat.returned(world.store, world.configuration).total_seconds() >= 13 * HOURS
    with world.store.transaction() as tx:
        owed = catch_up.owed(tx, world.configuration)
    assert ("bigcommerce", "orders") in owed
    assert {name for name, _ in owed} == {"bigcommerce", "brightpearl"}
    plant.job("sync_changes")
    with world.store.transaction() as tx:
        left = catch_up.owed(tx, world.configuration)
    snapshots = {
        stream.name
        for each in world.configuration.connections.values()
        for stream in each.system.streams
        if stream.snapshot
    }
    assert {stream for _, stream in left} == snapshots & {stream for _, stream in owed}, "a sweep paid the others"
    caught_up(plant)
    assert look(plant) == "nothing is owed a read"


def test_a_debt_that_comes_up_while_a_stream_is_read_stays(plant):
    world = plant.world
    with world.store.transaction() as tx:
        catch_up.owe(tx, "bigcommerce", ["orders"])
        found = catch_up.debt(tx, "bigcommerce", "orders")
    world.pass_time(1)
    with world.store.transaction() as tx:
        catch_up.owe(tx, "bigcommerce", ["orders"])
        catch_up.pay(tx, "bigcommerce", "orders", found)
        assert ("bigcommerce", "orders") in catch_up.owed(tx, world.configuration)
    plant.job("sync_changes")
    assert look(plant) == "nothing is owed a read"
