"""When more of a SKU is expected, told to the shop: a metafield of the variant, in a namespace of our own.

It changes nothing about how the shop sells: no pre-order, no availability text. A theme that wants to may show it:
`read_and_sf_access` lets the storefront read it (bigcommerce.md §2.9, §3.3). Written only when the date changes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from brightpearl_pipelines.http.client import read_json
from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import Delivery, Json
from brightpearl_pipelines.systems.bigcommerce.client import BigCommerceClient
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.streams import client_of
from brightpearl_pipelines.systems.contract import Answer, Outcome, Session

SET_RESTOCK = "set_restock"
BATCH = 200
METAFIELDS_PER_CALL = 10
"""No limit of the bulk endpoints is documented; ten is what the other catalogue batches take (§3.1)."""
KNOWN = "restock"
"""Kept among what is agreed: the date that the shop was told."""
NOTHING = ""
PLACE = {"namespace": "brightpearl", "key": "expected_restock"}
BULK = "v3/catalog/variants/metafields"


def promise(content: Json, settings: BigCommerceSettings) -> str:
    """The day on which a SKU is next expected in one of the shop's warehouses, e.g. `2026-12-01`; "" if none is known.

    The date is what the purchase order says, also when it has passed: Brightpearl's people know why it is late.
    """
    if settings.restock == "none":
        return NOTHING
    places = settings.sells_from()
    days = [each["at"] for each in content.get("expected") or () if each["at"] and each["warehouse"] in places]
    return datetime.fromisoformat(min(days)).date().isoformat() if days else NOTHING


async def send(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """New dates ten a call; what the bulk call did not take, and every change of one that is there, by itself."""
    client = client_of(session)
    answers: list[Answer] = []
    for start in range(0, len(deliveries), METAFIELDS_PER_CALL):
        some = deliveries[start : start + METAFIELDS_PER_CALL]
        try:
            made = await _create(client, [each for each in some if _value(each)])
        except AmbiguousError as error:
            answers += [Answer(each, Outcome.AMBIGUOUS, error=str(error)) for each in some]
            continue
        for each in some:
            answers.append(Answer(each, Outcome.CONFIRMED) if _variant(each) in made else await _alone(client, each))
    return answers


def _value(delivery: Delivery) -> str:
    return str(delivery.payload["body"]["value"])


def _variant(delivery: Delivery) -> int:
    return int(delivery.payload["body"]["variant"])


def _content(delivery: Delivery) -> dict[str, Any]:
    about = "When more is expected, by Brightpearl's purchase orders"
    return {**PLACE, "value": _value(delivery), "permission_set": "read_and_sf_access", "description": about}


async def _create(client: BigCommerceClient, deliveries: Sequence[Delivery]) -> set[int]:
    """The variants whose metafield was made; one that had it already is refused, alone or with the whole batch."""
    if not deliveries:
        return set()
    items = [{**_content(each), "resource_id": _variant(each)} for each in deliveries]
    try:
        answer = await client.api.request("POST", BULK, json=items)
    except RefusedError:
        return set()
    return {int(each["resource_id"]) for each in read_json(answer)["data"]}


async def _alone(client: BigCommerceClient, delivery: Delivery) -> Answer:
    """Change, make or take away one metafield, whatever is there."""
    try:
        there = await _there(client, delivery)
        path = _path(delivery)
        if there is None and _value(delivery):
            await client.api.request("POST", path, json=_content(delivery))
        elif there is not None and not _value(delivery):
            await client.api.request("DELETE", f"{path}/{there['id']}", idempotent=True, expected={404})
        elif there is not None and there["value"] != _value(delivery):
            await client.api.request("PUT", f"{path}/{there['id']}", json=_content(delivery), idempotent=True)
    except RefusedError as error:
        return Answer(delivery, Outcome.REFUSED, error=str(error))
    except AmbiguousError as error:
        return Answer(delivery, Outcome.AMBIGUOUS, error=str(error))
    return Answer(delivery, Outcome.CONFIRMED)


def _path(delivery: Delivery) -> str:
    return f"v3/catalog/products/{delivery.payload['body']['product']}/variants/{_variant(delivery)}/metafields"


async def _there(client: BigCommerceClient, delivery: Delivery) -> Mapping[str, Any] | None:
    """Our metafield of the variant; None if it has none, or is gone itself."""
    found = await client.get(_path(delivery), PLACE)
    return next(iter(found["data"]), None) if found else None


async def find(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Dates that show already."""
    client = client_of(session)
    found: dict[str, Answer] = {}
    for each in deliveries:
        there = await _there(client, each)
        if (there["value"] if there else NOTHING) == _value(each):
            found[each.key] = Answer(each, Outcome.CONFIRMED)
    return found
