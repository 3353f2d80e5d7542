"""Examines a BigCommerce store. Facts: bigcommerce.md, cited by section."""

from datetime import UTC, datetime

import httpx

from brightpearl_pipelines.http.client import read_json
from brightpearl_pipelines.systems.bigcommerce.catalogue_reference import StoreFacts
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.examination import Examination

SCOPES = {
    "v2/orders?limit=1": "Orders (modify)",
    "v3/orders/payment_actions/refunds?limit=1": "Order transactions (read-only)",
    "v3/catalog/products?limit=1": "Products (read-only)",
    "v3/customers?limit=1": "Customers (read-only)",
    "v3/inventory/items?limit=1": "Store inventory (modify)",
}
"""What is read, and the OAuth scope, by its name in the control panel, that allows it (§1.4)."""
LIVE_CHANNELS = ("active", "prelaunch", "connected")
WINDOW_MS = 30_000


async def examine(examination: Examination) -> None:
    """Credential, clock, limit, scopes, and every code of connections.yaml. Raises UnusableError."""
    settings = examination.session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this examiner is only asked about BigCommerce
    answer = await examination.ask("credential", "v2/time")
    if answer.status_code != 200:
        todo = "Check the store hash and the access token."
        examination.fail("credential", f"GET v2/time: {answer.status_code}", todo)
        return
    examination.ok("credential", "accepted")
    examination.clock(datetime.fromtimestamp(int(read_json(answer)["time"]), UTC))
    _limit(examination, answer, settings.requests_per_30_seconds)
    await _scopes(examination)
    await _order_statuses(examination, settings)
    await _location(examination, settings)
    await _channels(examination, settings)
    await _catalogue(examination, settings)


async def _catalogue(examination: Examination, settings: BigCommerceSettings) -> None:
    """How the store enters prices and weights, and the price lists that are filled."""
    if settings.catalogue.publish == "none":
        return
    store = await examination.read("catalogue", "v2/store", permission="Information & settings (read-only)")
    if store is None:
        return
    wrong = StoreFacts.of(store).contradicts(settings)
    if wrong is None:
        examination.ok("catalogue", "prices and weights are entered as the settings say")
    else:
        examination.fail("catalogue", wrong, "Correct the block `catalogue`; until then no price or weight is sent.")
    if settings.catalogue.price_lists:
        body = await examination.read("price lists", "v3/pricelists?limit=250", permission="Products (modify)")
        known = {str(each["id"]): str(each["name"]) for each in body["data"]} if body else {}
        wanted = {f"price list {each}": str(each) for each in settings.catalogue.price_lists}
        examination.codes("price lists", wanted, known, where="catalogue.price_lists")


def _limit(examination: Examination, answer: httpx.Response, configured: int) -> None:
    """The quota is this client's share and moves; it is never more than a hint (§1.3)."""
    quota = answer.headers.get("X-Rate-Limit-Requests-Quota")
    window = int(answer.headers.get("X-Rate-Limit-Time-Window-Ms", WINDOW_MS)) / WINDOW_MS
    if quota is None:
        examination.warn("limit", "the answer names no limit", "Nothing, unless calls are refused as too many.")
        return
    allowed = round(int(quota) / (window or 1))
    if allowed < configured:
        examination.warn(
            "limit",
            f"this client may make {allowed} requests in 30 s, configured are {configured}",
            f"Set requests_per_30_seconds to {allowed}; other apps of the store share its quota.",
        )
    elif allowed > configured:
        examination.warn(
            "limit",
            f"this client may make {allowed} requests in 30 s, configured are only {configured}",
            f"Raise requests_per_30_seconds to {allowed} to run as fast as the store allows.",
        )
    else:
        examination.ok("limit", f"{allowed} requests in 30 s, as configured")


async def _scopes(examination: Examination) -> None:
    store = await examination.read("store", "v2/store", permission="Information & settings (read-only)")
    if store is not None:
        examination.ok("store", f"{store.get('name') or store.get('domain')}, sells in {store.get('currency')}")
    read = [
        await examination.read("scope", path, permission=permission) is not None for path, permission in SCOPES.items()
    ]
    if all(read):
        examination.ok("scope", "everything that is read may be read (what may be written shows with the first write)")


async def _order_statuses(examination: Examination, settings: BigCommerceSettings) -> None:
    """Each status that an order may have must be mapped: an order with another is held."""
    statuses = await examination.read("order statuses", "v2/order_statuses", permission=SCOPES["v2/orders?limit=1"])
    if statuses is None:
        return
    known = {str(status["id"]): str(status["name"]) for status in statuses}
    unmapped = {number: name for number, name in known.items() if number not in settings.order_statuses}
    for number, name in unmapped.items():
        what = f"order_statuses does not map {number} ({name}): an order with it is held"
        examination.warn("order statuses", what, f'Add "{number}": and our word for it.')
    for number in settings.order_statuses:
        if number not in known:
            what = f"order_statuses maps {number}, which the store does not have"
            examination.warn("order statuses", what, "Take it out, or check the number.")
    written = {word.value: str(number) for word, number in settings.progress_statuses.items()}
    if written:
        examination.codes("statuses written", written, known, where="progress_statuses")
    if known and not unmapped:
        examination.ok("order statuses", f"all {len(known)} of the store are mapped")


async def _location(examination: Examination, settings: BigCommerceSettings) -> None:
    body = await examination.read(
        "location", "v3/inventory/locations", permission="Store locations and inventory (read-only)"
    )
    if body is not None:
        known = {str(place["id"]): str(place.get("label", "")) for place in body["data"]}
        wanted = {f"stock of warehouses {_listed(pool.warehouses)}": str(pool.location) for pool in settings.pools}
        where = "locations" if settings.locations else "location"
        examination.codes("location", wanted, known, where=where)


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(str(each) for each in numbers)


async def _channels(examination: Examination, settings: BigCommerceSettings) -> None:
    body = await examination.read("channels", "v3/channels", permission="Channel settings (read-only)")
    if body is None:
        return
    known = {str(channel["id"]): channel for channel in body["data"]}
    names = {number: str(channel.get("name", "")) for number, channel in known.items()}
    mapped = {f"Brightpearl channel {ours}": theirs for theirs, ours in settings.channels.items()}
    examination.codes("channels", mapped, names, where="channels")
    for number, channel in known.items():
        if number not in settings.channels and channel.get("status") in LIVE_CHANNELS:
            what = f"channels does not map {number} ({names[number]}): its orders are held"
            examination.warn("channels", what, f'Add "{number}": and the Brightpearl channel that its orders go to.')
