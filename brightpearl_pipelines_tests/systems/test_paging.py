"""Reading a moving collection by instants: whatever moves meanwhile, nothing is skipped (X-03)."""

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from brightpearl_pipelines.systems.bigcommerce.streams import RANGE_SPAN, _ranges
from brightpearl_pipelines.systems.brightpearl.streams import ids_in_set
from brightpearl_pipelines.systems.paging import by_instant, chunks

START = datetime(2026, 3, 1, tzinfo=UTC)
SIZE = 5


class Moving:
    """Rows by instant, served in pages; between two pages some rows are touched and so move to the end."""

    def __init__(self, seconds, touches):
        self.rows = {key: START + timedelta(seconds=each) for key, each in enumerate(seconds)}
        self.touches = iter(touches)
        self.end = START + timedelta(seconds=max(seconds, default=0) + 1)
        self.pages = 0

    async def fetch(self, since, page):
        wanted = sorted((at, key) for key, at in self.rows.items() if since is None or at >= since)
        found = [(key, at) for at, key in wanted[(page - 1) * SIZE : page * SIZE]]
        self.pages += 1
        for key in next(self.touches, ()):
            if key in self.rows:
                self.end += timedelta(seconds=1)
                self.rows[key] = self.end
        return found

    def read(self, since=None):
        async def go():
            rows = by_instant(
                self.fetch, key=lambda row: str(row[0]), instant=lambda row: row[1], page_size=SIZE, since=since
            )
            return [row async for batch in rows for row in batch]

        return asyncio.run(go())


class Early(Moving):
    """Asked from a second earlier, as where nobody knows whether a filter includes its own instant."""

    async def fetch(self, since, page):
        assert self.pages < 400, "it goes round in circles"
        return await super().fetch(since and since - timedelta(seconds=1), page)


instants = st.lists(st.integers(0, 6), max_size=40)


@given(instants)
@settings(max_examples=100, deadline=None)
def test_every_row_is_read_once_when_nothing_moves_however_many_share_an_instant(seconds):
    found = Moving(seconds, ()).read()
    assert sorted(key for key, _ in found) == list(range(len(seconds)))


@given(instants)
@settings(max_examples=100, deadline=None)
def test_more_than_a_page_in_the_second_before_is_no_reason_to_begin_there_again(seconds):
    """A catalogue that was imported in bulk: hundreds of products to the second."""
    found = Early(seconds, ()).read()
    assert {key for key, _ in found} == set(range(len(seconds)))


@given(instants, st.lists(st.lists(st.integers(0, 39), max_size=4), max_size=6))
@settings(max_examples=300, deadline=None)
def test_a_row_that_moves_is_read_again_and_makes_no_other_be_skipped(seconds, touches):
    moving = Moving(seconds, touches)
    found = moving.read()
    assert {key for key, _ in found} == set(moving.rows)
    # What moved before the last page was asked for is read in its newest form, or by the next sweep from there.
    last = max((at for _, at in found), default=START)
    newest = {key for key, at in moving.rows.items() if (key, at) in set(found)}
    later = {key for key, at in moving.rows.items() if at > last}
    assert newest | later == set(moving.rows)


@given(instants, st.integers(0, 7))
@settings(max_examples=50, deadline=None)
def test_reading_from_an_instant_reads_what_happened_at_it_and_after(seconds, first):
    since = START + timedelta(seconds=first)
    found = Moving(seconds, ()).read(since)
    assert sorted(key for key, _ in found) == [key for key, each in enumerate(seconds) if each >= first]


@given(st.lists(st.integers(1, 10_000), max_size=60, unique=True))
def test_ranges_of_ids_cover_all_of_them_and_are_short(ids):
    ranges = _ranges(sorted(ids))
    assert all(any(first <= each <= last for first, last in ranges) for each in ids)
    assert all(last - first < RANGE_SPAN for first, last in ranges)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20))
def test_an_id_set_of_a_webhook_is_read_back_to_its_ids(ids):
    """brightpearl.md §2.5, §10.2: commas, dots, ranges."""
    for separator in ",.":
        assert ids_in_set(separator.join(str(each) for each in ids)) == [str(each) for each in ids]


def test_a_range_in_an_id_set_is_all_ids_from_first_to_last():
    assert ids_in_set("3,5-7.9") == ["3", "5", "6", "7", "9"]


@given(st.lists(st.text(max_size=3)), st.integers(1, 7))
def test_chunks_keep_everything_in_order(items, size):
    found = chunks(items, size)
    assert [each for chunk in found for each in chunk] == items
    assert all(0 < len(chunk) <= size for chunk in found)
