"""Writing stock to BigCommerce: 2,000 numbers a call, one call at a time, read back because the write is asynchronous.

Calls of a pass over N SKUs: N/2,000 to write and N/1,000 to read back, for each location one more share of the former
(bigcommerce.md §4.1, §4.2).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import Delivery
from brightpearl_pipelines.systems.bigcommerce.client import BigCommerceClient
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.streams import client_of
from brightpearl_pipelines.systems.contract import Answer, Outcome, Session

SET_STOCK = "set_stock"
READ_BACK_PAUSES = (1.0, 1.5, 3.0, 5.0)
"""Seconds before each look at whether a write has arrived; the delay is "short" and undocumented (§4.1). Not to look at
once saves a call for each page in vain."""
NO_LOCATION = "location not found"
"""§4.1: what a refusal says that is about the location, and not about an item."""
LATER = timedelta(seconds=30)
"""Beyond what one run waits: by the next one the sale that may have come in between is known."""

Numbers = Mapping[int, Mapping[int, int]]
"""Variant id, location id: units on hand."""


def at(location: int) -> str:
    """The field that the number at a location is called by."""
    return f"quantity at {location}"


async def send(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Set the numbers, location by location, one call at a time (§1.3), and look until they show.

    A payload is refused whole for one bad item; it is halved until the bad one stands alone.
    """
    client = client_of(session)
    refused: dict[str, str] = {}
    for location in _locations(deliveries):
        here = [each for each in deliveries if str(location) in each.payload["body"]["numbers"]]
        refused |= await _set(client, location, here)
    sent = [each for each in deliveries if each.key not in refused]
    there = await _read_back(session, client, sent)
    return [
        *(Answer(each, Outcome.REFUSED, error=refused[each.key]) for each in deliveries if each.key in refused),
        *(_answer(each, there.get(each.payload["body"]["variant"], {})) for each in sent),
    ]


async def _set(client: BigCommerceClient, location: int, deliveries: Sequence[Delivery]) -> dict[str, str]:
    """What the shop refused, by delivery key."""
    items = [(each.payload["body"]["identity"], each.payload["body"]["numbers"][str(location)]) for each in deliveries]
    if not items:
        return {}
    try:
        await client.adjust_stock(location, items)
        return {}
    except RefusedError as error:
        if len(deliveries) == 1 or NO_LOCATION in str(error).lower():
            return {each.key: str(error) for each in deliveries}
    except AmbiguousError:
        # An absolute figure may be set again; whether it was, the read-back says.
        return {}
    half = len(deliveries) // 2
    first = await _set(client, location, deliveries[:half])
    return {**first, **await _set(client, location, deliveries[half:])}


async def _read_back(session: Session, client: BigCommerceClient, sent: Sequence[Delivery]) -> Numbers:
    """What the shop shows, once it shows what was written, or the pauses are used up."""
    waiting = {each.payload["body"]["variant"]: each for each in sent}
    there: dict[int, Mapping[int, int]] = {}
    for pause in READ_BACK_PAUSES:
        if not waiting:
            break
        await session.clock.sleep(pause)
        there |= await client.stock(_locations(waiting.values()), list(waiting))
        waiting = {variant: each for variant, each in waiting.items() if _missing(each, there.get(variant, {}))}
    return there


def _locations(deliveries: Iterable[Delivery]) -> list[int]:
    return sorted({int(location) for each in deliveries for location in each.payload["body"]["numbers"]})


def _missing(delivery: Delivery, there: Mapping[int, int]) -> list[str]:
    """The numbers that do not show, in words."""
    return [
        f"the shop shows {there.get(int(location), 'no number')} at location {location}"
        for location, units in delivery.payload["body"]["numbers"].items()
        if there.get(int(location)) != units
    ]


def _answer(delivery: Delivery, there: Mapping[int, int]) -> Answer:
    """Another number than was sent may mean a sale in between, or a write that is late or lost: it goes again in a
    later run, unless the plan of that run has a newer number. It never goes again at once: that would put back on sale
    what was just sold, before the order that took it is known (§8.8)."""
    missing = _missing(delivery, there)
    if missing:
        return Answer(delivery, Outcome.RETRY, error="; ".join(missing), retry_after=LATER)
    return Answer(delivery, Outcome.CONFIRMED)


async def find(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Numbers that show already."""
    variants = [each.payload["body"]["variant"] for each in deliveries]
    there = await client_of(session).stock(_locations(deliveries), variants)
    return {
        each.key: Answer(each, Outcome.CONFIRMED)
        for each in deliveries
        if not _missing(each, there.get(each.payload["body"]["variant"], {}))
    }


async def shown(session: Session, variants: Sequence[int]) -> Numbers:
    """What the shop's locations show of these variants."""
    settings = session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this writer belongs to this system
    return await client_of(session).stock([pool.location for pool in settings.pools], variants)
