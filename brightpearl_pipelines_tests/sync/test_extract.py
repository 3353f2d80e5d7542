"""Nothing is missed while it is read (BC-07, BP-12, X-02, X-04): equal instants, moving pages, lost webhooks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from brightpearl_pipelines.http.errors import ApiError
from brightpearl_pipelines.store import positions, records
from brightpearl_pipelines.sync.extract import consumer, extract
from brightpearl_pipelines.sync.scope import Reach, Scope
from brightpearl_pipelines_tests.sync.goods import draft, person
from brightpearl_pipelines_tests.sync.harness import formatted


def read(harness, connection="bigcommerce", stream="orders", reach=Reach.CHANGES, **scope):
    """Extract one stream; what the step counted."""
    found = harness.configuration.connection(connection).system.stream(stream)
    return harness.with_engine(lambda engine: extract(engine, connection, found, Scope(reach=reach, **scope)))


def stored(harness, connection="bigcommerce", stream="orders"):
    with harness.store.transaction() as tx:
        return set(records.all_ids(tx, connection, stream))


def record(harness, record_id, connection="bigcommerce", stream="orders"):
    with harness.store.transaction() as tx:
        return records.by_ids(tx, connection, stream, [record_id])[record_id]


def watermark(harness, connection="bigcommerce", stream="orders"):
    found = harness.configuration.connection(connection).system.stream(stream)
    with harness.store.transaction() as tx:
        return positions.get(tx, consumer(connection, found)).watermark


class Interrupted:
    """An Api before which something happens once a call has been answered."""

    def __init__(self, api, after):
        self._api, self._after = api, after

    def __getattr__(self, name):
        return getattr(self._api, name)

    async def request(self, method, path, **more):
        answer = await self._api.request(method, path, **more)
        self._after(path)
        return answer


def interrupting(harness, after):
    """From now on `after(path)` happens after each answered call."""

    async def connector(engine, connection):
        session = await harness.connect(engine, connection)
        return replace(session, api=Interrupted(session.api, after))

    return replace(harness, connector=connector)


# -- paging -------------------------------------------------------------------------------------------------------


def test_more_than_a_page_of_orders_of_one_second_are_all_read(lone):
    """BP-09: a scalar cursor loses those behind the page's border for ever (field-lessons, peer 12a)."""
    numbers = [lone.place(("BOOK", 1)) for _ in range(7)]
    _many(lone, numbers[0], 270)
    read(lone)
    assert stored(lone) == set(lone.bigcommerce.collection("orders"))
    assert len(stored(lone)) == 277


def _many(lone, pattern, count):
    """Copies of an order, all modified in the same second."""

    def copy():
        order = lone.bigcommerce.need("orders", pattern)
        for _ in range(count):
            made = {**order, "id": lone.bigcommerce.next_id("orders")}
            lone.bigcommerce.put("orders", made["id"], made)
            lone.bigcommerce.index_new_order(made)

    lone.in_world(copy)


def test_more_than_a_page_of_contacts_of_one_second_are_all_read(lone):
    def enter():
        for i in range(520):
            lone.brightpearl.contacts.add({"firstName": "Many", "lastName": f"Number{i}", "postAddressIds": {}})

    lone.in_world(enter)
    read(lone, "brightpearl", "customers")
    assert stored(lone, "brightpearl", "customers") == set(lone.brightpearl.collection("contacts"))


def test_an_order_that_changes_while_pages_are_read_makes_nobody_be_skipped(lone):
    """It moves to the end and all behind it move up by one: the first of the next page would be lost."""
    numbers = [lone.place(("BOOK", 1)) for _ in range(2)]
    _spread(lone, numbers[0], 600)
    victims = iter(sorted(lone.bigcommerce.collection("orders"), key=int)[:40])
    done = []

    def move_some(path):
        if path == "v2/orders" and len(done) < 3:
            done.append(path)
            for victim in [next(victims) for _ in range(10)]:
                lone.edit_order(victim, staff_notes="moved")

    read(interrupting(lone, move_some))
    assert len(done) == 3
    assert stored(lone) == set(lone.bigcommerce.collection("orders"))
    # What moved after the last page was read is found by the next sweep, and not before.
    read(lone)
    newest = [record(lone, each).payload["staff_notes"] for each in sorted(stored(lone), key=int)[:30]]
    assert newest == ["moved"] * 30


def _spread(lone, pattern, count):
    """Copies of an order, each modified a second after the one before, the last one now."""

    def copy():
        order = lone.bigcommerce.need("orders", pattern)
        now = lone.sandbox.clock.now()
        for i in range(count):
            made = {**order, "id": lone.bigcommerce.next_id("orders")}
            made["date_modified"] = formatted(now - timedelta(seconds=count - i))
            lone.bigcommerce.put("orders", made["id"], made)
            lone.bigcommerce.index_new_order(made)

    lone.in_world(copy)


def test_a_reading_that_is_cut_off_keeps_what_it_had_and_goes_on_from_there(lone):
    """A backfill that dies does not start from nought (field-lessons, peer 9)."""
    number = lone.place(("BOOK", 1))
    _spread(lone, number, 510)
    lone.fault("bigcommerce", "status", "GET", "v2/orders", status=401, skip=1)
    with pytest.raises(ApiError):
        read(lone)
    assert len(stored(lone)) == 250
    assert watermark(lone) is not None
    lone.calm()
    lone.pass_time(400)
    lone.mark()
    read(lone)
    assert stored(lone) == set(lone.bigcommerce.collection("orders"))


# -- watermark ----------------------------------------------------------------------------------------------------


def test_an_order_that_became_visible_late_is_found_by_the_overlap(harness):
    """BP-09: Airbyte lost records whose instant lay below the saved cursor when they appeared (#27146)."""
    harness.place(("BOOK", 1))
    read(harness)
    late = harness.place(("BOOK", 1))

    def backdate():
        order = harness.bigcommerce.need("orders", late)
        order["date_modified"] = formatted(watermark(harness) - timedelta(minutes=8))
        harness.bigcommerce.index_order(order)

    harness.in_world(backdate)
    read(harness)
    assert late in stored(harness)


def test_the_watermark_never_goes_back(harness):
    harness.place(("BOOK", 1))
    read(harness)
    reached = watermark(harness)
    read(harness)
    assert watermark(harness) >= reached


def test_the_watermark_is_what_the_shop_said_and_not_our_clock(harness):
    """Our clock may be an hour ahead: nothing may be skipped by it."""
    number = harness.place(("BOOK", 1))
    harness.pass_time(3600)
    read(harness)
    assert formatted(watermark(harness)) == harness.shop_order(number)["date_modified"]


def test_what_did_not_change_gets_no_new_version(harness):
    number = harness.place(("BOOK", 1))
    read(harness)
    version = record(harness, number).version
    counts = read(harness)
    assert counts.changed == 0
    assert counts.unchanged >= 1
    assert record(harness, number).version == version


def test_a_since_in_the_past_reads_again_from_there(harness):
    old = harness.place(("BOOK", 1))
    for _ in range(2):
        harness.pass_time(3600)
        harness.place(("BOOK", 1))
        read(harness)
    assert read(harness).read < read(harness, since=harness.clock.now() - timedelta(days=1)).read
    assert old in stored(harness)


# -- webhooks -----------------------------------------------------------------------------------------------------


def test_an_order_whose_webhook_was_lost_is_found_by_the_next_sweep(harness):
    """BC-07: webhooks are hints; Brightpearl's own connector may wait a day for it."""
    harness.run()
    number = harness.place(("BOOK", 1))
    harness.run(Reach.EVENTS)
    assert number not in harness.orders_in_brightpearl()
    harness.run(Reach.CHANGES)
    assert number in harness.orders_in_brightpearl()


def test_events_read_only_what_they_name(harness):
    """A webhook about one order costs one read at the shop, and the writes it leads to."""
    who = person("Evan Event")
    harness.place(draft(("MUG", 1), person=who))
    harness.run()
    number = harness.place(draft(("MUG", 1), person=who))
    other = harness.place(draft(("MUG", 1), person=who))
    harness.notify("bigcommerce", "store/order/created", {"data": {"type": "order", "id": int(number)}})
    harness.mark()
    harness.run(Reach.EVENTS)
    assert number in harness.orders_in_brightpearl()
    assert other not in harness.orders_in_brightpearl()
    reads = [each["path"].split("?")[0] for each in harness.calls("bigcommerce", "GET")]
    assert [each for each in reads if "orders" in each] == [f"/stores/{harness.bigcommerce.hash}/v2/orders"]
    assert [each for each in reads if "catalog" in each] == []
    assert [each for each in harness.calls("brightpearl", "GET") if "search" in each["path"]] == []


def test_an_event_is_done_with_when_what_it_named_is_stored(harness):
    harness.run()
    number = harness.place(("MUG", 1))
    harness.notify("bigcommerce", "store/order/created", {"data": {"type": "order", "id": int(number)}})
    harness.fault("bigcommerce", "status", "GET", "v2/orders", status=503)
    harness.run(Reach.EVENTS)
    assert number not in stored(harness)
    harness.calm()
    harness.pass_time(400)
    harness.run(Reach.EVENTS)
    assert number in harness.orders_in_brightpearl()
    harness.mark()
    harness.run(Reach.EVENTS)
    assert [each for each in harness.calls("bigcommerce", "GET") if "orders" in each["path"]] == []


def test_many_events_about_one_order_read_it_once(harness):
    harness.run()
    number = harness.place(("MUG", 1))
    for topic in ("created", "updated", "statusUpdated"):
        harness.notify("bigcommerce", f"store/order/{topic}", {"data": {"type": "order", "id": int(number)}})
    harness.mark()
    harness.run(Reach.EVENTS)
    assert len([each for each in harness.calls("bigcommerce", "GET") if "v2/orders" in each["path"]]) == 1


def test_a_stock_event_reads_the_named_products_and_sends_their_numbers(harness):
    """X-04: ids come as sets with ranges; the whole stock is not read for it."""
    harness.run()
    harness.in_world(lambda: harness.brightpearl.correct_stock("BOOK", 2, 5, "found"))
    harness.in_world(lambda: harness.brightpearl.correct_stock("TRAY", 2, 5, "found"))
    book = harness.brightpearl.products.by_sku["BOOK"]
    before = harness.shop_stock("TRAY")
    harness.notify("brightpearl", "product.modified.on-hand-modified", {"id": f"{book}-{book}"})
    harness.mark()
    harness.run(Reach.EVENTS)
    assert harness.shop_stock("BOOK") == harness.on_hand("BOOK")
    assert harness.shop_stock("TRAY") == before
    (call,) = harness.calls("brightpearl", "GET", "product-availability")
    assert call["path"].endswith(f"/{book}")


def test_an_event_with_an_id_that_nobody_knows_spoils_nothing_for_the_others(harness):
    """§8.1: one unknown id refuses the whole set; it is halved until that one stands alone."""
    harness.run()
    skus = ("BOOK", "TRAY", "SEAT", "MUG")
    ids = [harness.brightpearl.products.by_sku[sku] for sku in skus]
    for sku in skus:
        harness.in_world(lambda sku=sku: harness.brightpearl.correct_stock(sku, 2, 1, "found"))
    harness.notify("brightpearl", "product.modified.on-hand-modified", {"id": f"{ids[0]},99999,{ids[1]}"})
    harness.notify("brightpearl", "product.modified.on-hand-modified", {"id": f"{ids[2]}.{ids[3]}"})
    harness.run(Reach.EVENTS)
    assert [harness.shop_stock(sku) for sku in skus] == [harness.on_hand(sku) for sku in skus]


def test_an_order_that_is_gone_is_marked_gone_and_its_last_form_is_kept(harness):
    """X-04: only a 404 says that something is gone, never that a list leaves it out."""
    number = harness.place(("MUG", 1))
    read(harness)

    def delete():
        harness.bigcommerce.collections["orders"].pop(number)
        harness.bigcommerce.rebuild_indexes()

    harness.in_world(delete)
    read(harness)
    assert record(harness, number).deleted is False
    harness.notify("bigcommerce", "store/order/archived", {"data": {"type": "order", "id": int(number)}})
    read(harness, reach=Reach.EVENTS)
    assert record(harness, number).deleted is True
    assert record(harness, number).payload["id"] == int(number)


def test_an_archived_order_that_lists_leave_out_is_still_there(harness):
    number = harness.place(("MUG", 1))
    harness.edit_order(number, is_deleted=True)
    counts = read(harness, ids=(number,))
    assert counts.read == 1
    assert record(harness, number).deleted is False


def test_given_ids_are_read_in_few_calls(harness):
    """Ids that are close together are one range."""
    numbers = [harness.place(("BOOK", 1)) for _ in range(6)]
    harness.mark()
    read(harness, ids=tuple(numbers))
    assert len(harness.calls("bigcommerce", "GET")) == 1
    assert set(numbers) <= stored(harness)


def test_a_stream_that_cannot_say_what_changed_is_read_whole_only_when_everything_is_asked_for(harness):
    harness.run()
    harness.mark()
    harness.run(Reach.CHANGES)
    assert harness.calls("brightpearl", "GET", "product-availability") == []
    harness.run(Reach.EVERYTHING)
    assert harness.calls("brightpearl", "GET", "product-availability") != []
