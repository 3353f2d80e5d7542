"""Reading a moving collection without skipping: by instants in ascending order, never by page numbers alone."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from brightpearl_pipelines.errors import ConfigurationError

Row = TypeVar("Row")


async def by_instant(
    fetch: Callable[[datetime | None, int], Awaitable[Sequence[Row]]],
    *,
    key: Callable[[Row], str],
    instant: Callable[[Row], datetime],
    page_size: int,
    since: datetime | None,
) -> AsyncIterator[list[Row]]:
    """Yield the rows that `fetch(since, page)` gives in ascending order of their instant.

    A row that changes while we read moves to the end and shifts the others: a page number would then skip one. So each
    page starts again from the last instant seen, and only when a whole page shares one instant is the next page of that
    instant asked for. Rows met twice (those of equal instant) are yielded once.
    """
    seen: set[tuple[str, datetime]] = set()
    page = 1
    while True:
        rows = await fetch(since, page)
        fresh = [row for row in rows if (key(row), instant(row)) not in seen]
        seen = {(key(row), instant(row)) for row in rows} if page == 1 else seen | {(key(r), instant(r)) for r in rows}
        if fresh:
            yield fresh
        if len(rows) < page_size:
            return
        last = instant(rows[-1])
        page = page + 1 if last == since else 1
        since = last


def whole_numbers(ids: Iterable[str], connection: str) -> list[str]:
    """Ids in ascending order, each once. Raises ConfigurationError, naming it, for one that is no whole number."""
    unique = set(ids)
    wrong = sorted(each for each in unique if not each.isdecimal())
    if wrong:
        raise ConfigurationError(f"connection {connection}: {wrong[0]!r} is no id there; ids are whole numbers")
    return sorted(unique, key=int)


def chunks(items: Iterable[str], size: int) -> list[list[str]]:
    """The items in lists of at most `size`."""
    everything = list(items)
    return [everything[i : i + size] for i in range(0, len(everything), size)]
