import threading
from datetime import UTC, date, datetime

import pytest

from brightpearl_pipelines.store import records
from brightpearl_pipelines.store.types import SourceRecord
from brightpearl_pipelines_tests.store.waiting import until_somebody_waits

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


def order(id, total="10.00", **more):
    return SourceRecord(str(id), {"id": id, "total": total}, more.pop("modified_at", MORNING), **more)


def upsert(store, *rows, stream="orders"):
    with store.transaction() as tx:
        return records.upsert(tx, "shop", stream, rows)


def after(store, version, limit=1000):
    with store.transaction() as tx:
        return records.after(tx, "shop", "orders", version, limit)


def test_a_record_comes_back_as_it_was_given(store, clock):
    result = upsert(store, order(1))
    assert (result.read, result.changed) == (1, ["1"])
    [record] = after(store, 0)
    assert (record.connection, record.stream, record.id) == ("shop", "orders", "1")
    assert record.payload == {"id": 1, "total": "10.00"}
    assert (record.modified_at, record.fetched_at, record.deleted) == (MORNING, clock.now(), False)


def test_an_unchanged_record_keeps_its_version_and_is_fetched_anew(store, clock):
    upsert(store, order(1), order(2))
    seen = after(store, 0)
    clock.advance(60)
    assert upsert(store, order(1), order(2)).changed == []
    assert after(store, seen[-1].version) == []
    again = after(store, 0)
    assert [record.version for record in again] == [record.version for record in seen]
    assert {record.fetched_at for record in again} == {clock.now()}


def test_only_what_really_changed_is_read_after_the_offset(store):
    upsert(store, order(1), order(2), order(3))
    offset = after(store, 0)[-1].version
    assert upsert(store, order(3, "9.00"), order(1), order(2, "8.00"), order(4)).changed == ["3", "2", "4"]
    assert [record.id for record in after(store, offset)] == ["3", "2", "4"]
    assert [record.id for record in after(store, offset, limit=2)] == ["3", "2"]


def test_of_equal_ids_in_one_call_the_last_counts(store):
    upsert(store, order(1, "1.00"))
    version = after(store, 0)[0].version
    result = upsert(store, order(1, "2.00"), order(1, "1.00"))
    assert (result.read, result.changed) == (1, [])
    assert after(store, 0)[0].version == version


def test_a_deletion_without_payload_keeps_what_was_known_and_is_news_once(store):
    upsert(store, order(1), order(2))
    offset = after(store, 0)[-1].version
    assert upsert(store, SourceRecord("1", {}, deleted=True)).changed == ["1"]
    [gone] = after(store, offset)
    assert (gone.deleted, gone.payload, gone.modified_at) == (True, {"id": 1, "total": "10.00"}, MORNING)
    assert upsert(store, SourceRecord("1", {}, deleted=True)).changed == []
    with store.transaction() as tx:
        assert records.all_ids(tx, "shop", "orders") == {"2"}
        assert records.count(tx, "shop", "orders") == 1
        assert [record.id for record in records.on_day(tx, "shop", "orders", MORNING.date(), limit=9)] == ["1", "2"]


def test_a_deleted_record_that_comes_back_is_news(store):
    upsert(store, order(1))
    upsert(store, SourceRecord("1", {}, deleted=True))
    assert upsert(store, order(1)).changed == ["1"]
    assert [record.deleted for record in after(store, 0)] == [False]


def test_a_deletion_of_something_never_seen_is_stored(store):
    assert upsert(store, SourceRecord("7", {}, deleted=True)).changed == ["7"]
    assert after(store, 0)[0].payload == {}


def test_a_record_lies_on_the_utc_day_of_its_change_unless_it_names_one(store):
    late = datetime.fromisoformat("2026-03-01T23:30:00-05:00")
    upsert(store, order(1), order(2, modified_at=late), order(3, day=date(2026, 3, 2)), order(4, modified_at=None))
    with store.transaction() as tx:
        assert [record.id for record in records.on_day(tx, "shop", "orders", date(2026, 3, 2), limit=9)] == ["2", "3"]


def test_an_equal_payload_with_a_newer_instant_moves_to_the_new_day_without_being_news(store):
    upsert(store, order(1))
    version = after(store, 0)[0].version
    later = datetime(2026, 3, 5, 8, tzinfo=UTC)
    assert upsert(store, order(1, modified_at=later)).changed == []
    with store.transaction() as tx:
        [record] = records.on_day(tx, "shop", "orders", later.date(), limit=9)
    assert (record.modified_at, record.version) == (later, version)


def test_a_day_is_read_page_by_page(store):
    upsert(store, *(order(n) for n in (3, 1, 20, 2)))
    with store.transaction() as tx:
        first = records.on_day(tx, "shop", "orders", MORNING.date(), limit=3)
        rest = records.on_day(tx, "shop", "orders", MORNING.date(), after_id=first[-1].id, limit=3)
    assert [[record.id for record in page] for page in (first, rest)] == [["1", "2", "20"], ["3"]]


def test_streams_do_not_see_each_other(store):
    upsert(store, order(1))
    assert upsert(store, order(1), stream="refunds").changed == ["1"]
    with store.transaction() as tx:
        assert set(records.by_ids(tx, "shop", "orders", ["1", "2"])) == {"1"}
        assert records.latest_version(tx, "shop", "nothing") == 0
        assert records.latest_version(tx, "shop", "refunds") > records.latest_version(tx, "shop", "orders")


def test_ten_thousand_records_go_in_at_once_in_their_order(store):
    rows = [order(n) for n in range(10_000)]
    assert upsert(store, *rows).changed == [row.id for row in rows]
    assert [record.id for record in after(store, 0, limit=20_000)] == [row.id for row in rows]
    assert upsert(store, *rows).changed == []


def test_nothing_is_stored_when_the_transaction_fails(store):
    with pytest.raises(RuntimeError, match="the watermark could not be moved"), store.transaction() as tx:
        records.upsert(tx, "shop", "orders", [order(1)])
        raise RuntimeError("the watermark could not be moved")
    assert after(store, 0) == []


def test_a_reader_misses_nothing_while_two_writers_write_one_stream(store, database_url):
    def write_second():
        upsert(store, order(2))

    other = threading.Thread(target=write_second)
    with store.transaction() as tx:
        records.upsert(tx, "shop", "orders", [order(1)])
        other.start()
        # The second writer waits, so its higher version cannot become visible first and carry the reader past this one.
        until_somebody_waits(database_url)
        assert after(store, 0) == []
    other.join()
    assert [record.id for record in after(store, 0)] == ["1", "2"]
