"""Brightpearl's stock figures: 200 products a call, so that a pass over 57,000 takes 285 calls and one to know which
there are (field-lessons.md §5.2).

The address of a set must be short: integrators met 414 with long comma lists and keep to 100 ids (brightpearl.md §2.5).
Neighbouring ids are therefore written as a range, which fits 200 of them into a few characters. Only ids that are known
to exist go into one, since one unknown id spoils the whole set (§2.4).
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

from brightpearl_pipelines.http.client import read_json
from brightpearl_pipelines.http.errors import RefusedError
from brightpearl_pipelines.store.types import SourceRecord
from brightpearl_pipelines.systems.brightpearl.client import BrightpearlClient
from brightpearl_pipelines.systems.brightpearl.streams import client_of, event_ids, ids_in_set
from brightpearl_pipelines.systems.contract import Page, Session, Stream, Window
from brightpearl_pipelines.systems.paging import whole_numbers

IDS_PER_READ = 200
LONGEST_SET = 800
"""Characters: what the hundred ids take that are known to pass, at seven digits each."""
SPOILT_OR_TOO_LONG = (400, 414)


def id_set(ids: Iterable[int]) -> str:
    """Ascending ids as Brightpearl writes sets: `3,5-7` (§2.5)."""
    runs: list[tuple[int, int]] = []
    for each in ids:
        if runs and runs[-1][1] == each - 1:
            runs[-1] = (runs[-1][0], each)
        else:
            runs.append((each, each))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def id_sets(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Ascending ids, at most as many at a time as one call may name."""
    for start in range(0, len(ids), IDS_PER_READ):
        yield from _short(ids[start : start + IDS_PER_READ])


def _short(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    if len(id_set(ids)) <= LONGEST_SET:
        yield ids
        return
    half = len(ids) // 2
    yield from _short(ids[:half])
    yield from _short(ids[half:])


async def read_figures(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    """Stock of products by warehouse; what is not stock tracked is left out by the server, not gone (§8.1)."""
    wanted = [int(each) for each in whole_numbers(ids, session.connection)]
    records: list[SourceRecord] = []
    for some in id_sets(wanted):
        found = await _figures(client_of(session), some)
        records += [SourceRecord(key, {"productId": key, **value}) for key, value in found.items()]
    return records


async def _figures(client: BrightpearlClient, ids: Sequence[int]) -> dict[str, Any]:
    """The figures by product id. A set that is refused is halved until the id that spoils it stands alone and is left
    out: a product that was deleted since we heard of it."""
    try:
        found = await client.get(f"warehouse-service/product-availability/{id_set(ids)}")
        return found if isinstance(found, dict) else {}
    except RefusedError as error:
        if error.status not in SPOILT_OR_TOO_LONG:
            raise
        if len(ids) == 1:
            return {}
    half = len(ids) // 2
    return {**await _figures(client, ids[:half]), **await _figures(client, ids[half:])}


async def _everything(session: Session, window: Window) -> AsyncIterator[Page]:
    """There is no search for stock that changed: everything is read. `window` does not apply.

    One OPTIONS call names all products, in sets that exist (§2.6); a search would take a page for each 500.
    """
    del window
    answer = await session.api.request("OPTIONS", "product-service/product")
    for uri in read_json(answer)["response"]["getUris"]:
        yield Page(await read_figures(session, ids_in_set(uri.rpartition("/")[2])))


STREAM = Stream(
    "inventory",
    "stock_level",
    _everything,
    read_figures,
    topics={"product.modified.on-hand-modified": event_ids},
    snapshot=True,
)
