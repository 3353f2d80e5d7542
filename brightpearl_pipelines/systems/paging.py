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
    page starts again from the last instant seen. Only where more than a page share one instant are pages of that
    instant asked for by number, and then once more backwards: what shifts, shifts towards the pages still to come.
    Rows met twice (those of equal instant) are yielded once. `fetch` may begin earlier than `since`.
    """
    seen: set[tuple[str, datetime]] = set()

    def fresh(rows: Sequence[Row]) -> list[Row]:
        new = [row for row in rows if (key(row), instant(row)) not in seen]
        seen.update((key(row), instant(row)) for row in rows)
        return new

    page = 1
    while True:
        rows = await fetch(since, page)
        if new := fresh(rows):
            yield new
        full = len(rows) >= page_size
        # Not even at `since` yet: where a filter is asked for a little earlier, more than a page may lie before it.
        if full and since is not None and instant(rows[-1]) <= since:
            page += 1
            continue
        for earlier in range(page - 1, 0, -1):
            if new := fresh(await fetch(since, earlier)):
                yield new
        if not full:
            return
        since, page = instant(rows[-1]), 1
        seen = {(key(row), instant(row)) for row in rows}


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
