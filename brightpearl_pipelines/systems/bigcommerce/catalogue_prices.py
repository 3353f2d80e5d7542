"""Records of the shop's price lists: a price per variant and currency, filled from Brightpearl's lists (§6).

Which list fills which, the settings say. Brightpearl alone decides on these: what somebody types into such a list in
the shop is found, and mended, by `bpp reconcile`.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import Delivery, Json
from brightpearl_pipelines.systems.bigcommerce.catalogue_fields import amount_text, currency_of, price
from brightpearl_pipelines.systems.bigcommerce.catalogue_reference import store_facts
from brightpearl_pipelines.systems.bigcommerce.catalogue_settings import Catalogue
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.streams import client_of
from brightpearl_pipelines.systems.contract import Answer, Outcome, Session, Write
from brightpearl_pipelines.systems.paging import chunks

RECORDS_PER_CALL = 1000
"""§6."""
SKUS_PER_READ = 100
PREFIX = "price:"


def field_name(price_list: int, currency: str) -> str:
    """What the price of a list and currency is called among a product's fields."""
    return f"{PREFIX}{price_list}:{currency}"


def wanted(content: Json, base: Json, catalogue: Catalogue) -> Iterator[tuple[int, str, str | None]]:
    """(shop's price list, currency, price): None for one that Brightpearl has no more. Raises UnpricedError."""
    for price_list, sources in catalogue.price_lists.items():
        present: set[str] = set()
        for source in sources:
            currency, amount = currency_of(content, source), price(content, source, catalogue)
            if currency is not None and amount is not None:
                present.add(currency)
                yield price_list, currency, amount
        for name, amount in base.items():
            listed, _, currency = name.removeprefix(PREFIX).partition(":")
            if name.startswith(PREFIX) and listed == str(price_list) and amount is not None and currency not in present:
                yield price_list, currency, None


async def send(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Upsert the records, 1,000 a call and list; the good ones are saved beside those that are refused (§6)."""
    settings = session.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this writer belongs to this system
    wrong = (await store_facts(session)).contradicts(settings)
    if wrong is not None:
        return [contradicted(each, wrong) for each in deliveries]
    answers: list[Answer] = []
    by_list: dict[int, list[Delivery]] = {}
    for each in deliveries:
        if _amount(each) is None:
            answers.append(await _clear(session, each))
        else:
            by_list.setdefault(each.payload["body"]["list"], []).append(each)
    for price_list, some in by_list.items():
        for start in range(0, len(some), RECORDS_PER_CALL):
            answers += await _upsert(session, price_list, some[start : start + RECORDS_PER_CALL])
    return answers


def contradicted(delivery: Delivery, wrong: str) -> Answer:
    """The answer for what is not sent because the settings do not fit the store: it goes once they do."""
    return Answer(
        delivery,
        Outcome.RETRY,
        error=wrong,
        reason="store_settings_differ",
        suggestion="Correct the block `catalogue` of the connection in connections.yaml; it then goes by itself.",
    )


def _amount(delivery: Delivery) -> str | None:
    found: str | None = next(iter(delivery.payload["body"]["values"].values()))
    return found


async def _upsert(session: Session, price_list: int, deliveries: Sequence[Delivery]) -> list[Answer]:
    records = [_record(each) for each in deliveries]
    path = f"v3/pricelists/{price_list}/records"
    try:
        await client_of(session).api.request("PUT", path, json=records, idempotent=True)
    except AmbiguousError as error:
        return [Answer(each, Outcome.AMBIGUOUS, error=str(error)) for each in deliveries]
    except RefusedError as error:
        return _refused(deliveries, error)
    return [Answer(each, Outcome.CONFIRMED) for each in deliveries]


def _record(delivery: Delivery) -> dict[str, Any]:
    body = delivery.payload["body"]
    return {"sku": body["sku"], "currency": body["currency"].lower(), "price": Decimal(str(_amount(delivery)))}


def _refused(deliveries: Sequence[Delivery], error: RefusedError) -> list[Answer]:
    """Who was refused, by SKU and currency; the whole call, if the answer does not name any."""
    listed = error.body.get("batch_errors") if isinstance(error.body, dict) else None
    if not listed:
        return [Answer(each, Outcome.REFUSED, error=str(error)) for each in deliveries]
    named = {
        (str(each["data"].get("sku") or "").lower(), str(each["data"].get("currency") or "").lower()): each
        for each in listed
    }
    answers = []
    for each in deliveries:
        record = _record(each)
        found = named.get((record["sku"].lower(), record["currency"]))
        if found is None:
            answers.append(Answer(each, Outcome.CONFIRMED))
        else:
            told = "; ".join(f"{name} {what}" for name, what in found.get("field_errors", {}).items())
            answers.append(Answer(each, Outcome.REFUSED, error=told or str(error)))
    return answers


async def _clear(session: Session, delivery: Delivery) -> Answer:
    body = delivery.payload["body"]
    client = client_of(session)
    path = f"v3/pricelists/{body['list']}/records"
    for row in await client.all(path, {"sku:in": body["sku"], "currency:in": body["currency"].lower()}):
        target = f"{path}/{row['variant_id']}/{body['currency'].lower()}"
        await client.api.request("DELETE", target, expected={404}, idempotent=True)
    return Answer(delivery, Outcome.CONFIRMED)


async def shown(session: Session, price_list: int, skus: Sequence[str]) -> dict[tuple[str, str], str]:
    """The prices in a list by SKU (folded) and currency."""
    found: dict[tuple[str, str], str] = {}
    for some in chunks(skus, SKUS_PER_READ):
        params = {"sku:in": ",".join(some), "include": "sku"}
        for row in await client_of(session).all(f"v3/pricelists/{price_list}/records", params):
            if row.get("price") is not None:
                found[str(row["sku"]).casefold(), str(row["currency"]).upper()] = amount_text(row["price"])
    return found


async def find(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Those prices that the lists show already."""
    by_list: dict[int, list[Delivery]] = {}
    for each in deliveries:
        by_list.setdefault(each.payload["body"]["list"], []).append(each)
    answers: dict[str, Answer] = {}
    for price_list, some in by_list.items():
        there = await shown(session, price_list, [each.payload["body"]["sku"] for each in some])
        for each in some:
            body = each.payload["body"]
            if there.get((body["sku"].casefold(), body["currency"])) == _amount(each):
                answers[each.key] = Answer(each, Outcome.CONFIRMED)
    return answers


WRITE = Write("set_price", send, find, batch=RECORDS_PER_CALL)
