from datetime import date
from decimal import Decimal
from uuid import UUID

from brightpearl_pipelines.store import goldens
from brightpearl_pipelines.store.types import Golden

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
DAY = date(2026, 3, 1)


def product(id, name="Hat", **more):
    return Golden("product", id, {"sku": "HAT-1", "name": name, "price": Decimal("9.90")}, **more)


def put(store, *rows):
    with store.transaction() as tx:
        return goldens.put(tx, rows)


def after(store, version, entity="product"):
    with store.transaction() as tx:
        return goldens.after(tx, entity, version, 100)


def test_a_golden_record_comes_back_with_its_origin_and_day(store):
    assert put(store, product(A, origin={"name": "shop", "price": "brightpearl"}, day=DAY)) == {A}
    [golden] = after(store, 0)
    assert golden.content == {"sku": "HAT-1", "name": "Hat", "price": "9.90"}
    assert (golden.origin, golden.day) == ({"name": "shop", "price": "brightpearl"}, DAY)


def test_only_changed_content_gets_a_new_version(store):
    put(store, product(A), product(B))
    offset = after(store, 0)[-1].version
    assert put(store, product(A), product(B, "Cap"), product(C)) == {B, C}
    assert [golden.id for golden in after(store, offset)] == [B, C]


def test_a_stored_row_put_back_as_it_was_read_is_unchanged(store):
    put(store, product(A))
    assert put(store, *after(store, 0)) == set()


def test_a_new_origin_or_day_is_kept_without_being_news(store):
    put(store, product(A, origin={"name": "shop"}, day=DAY))
    offset = after(store, 0)[-1].version
    assert put(store, product(A, origin={"name": "brightpearl"}, day=date(2026, 3, 2))) == set()
    assert after(store, offset) == []
    [golden] = after(store, 0)
    assert (golden.origin, golden.day) == ({"name": "brightpearl"}, date(2026, 3, 2))


def test_entities_are_apart_even_with_one_id(store):
    assert put(store, product(A), Golden("customer", A, {"email": "a@example.com"})) == {A}
    with store.transaction() as tx:
        assert (goldens.count(tx, "product"), goldens.count(tx, "customer")) == (1, 1)
        assert goldens.by_ids(tx, "customer", [A, B])[A].content == {"email": "a@example.com"}
        assert goldens.latest_version(tx, "order") == 0


def test_a_day_is_read_page_by_page(store):
    put(store, *(product(id, day=DAY) for id in (C, A, B)), product(UUID(int=9)))
    with store.transaction() as tx:
        first = goldens.on_day(tx, "product", DAY, limit=2)
        rest = goldens.on_day(tx, "product", DAY, after_id=first[-1].id, limit=2)
    assert [[golden.id for golden in page] for page in (first, rest)] == [[A, B], [C]]


def test_more_rows_than_one_chunk_keep_their_order(store):
    rows = [product(UUID(int=n)) for n in range(2_500, 0, -1)]
    assert len(put(store, *rows)) == 2_500
    with store.transaction() as tx:
        assert [golden.id for golden in goldens.after(tx, "product", 0, 9_999)] == [row.id for row in rows]
