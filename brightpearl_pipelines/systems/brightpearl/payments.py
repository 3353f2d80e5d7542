"""Payments into Brightpearl, once each: reference and method together are unique there (brightpearl.md §9.2)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from brightpearl_pipelines.mapping import MappingErrors
from brightpearl_pipelines.store.types import DeadLetter, Delivery, Golden, Json
from brightpearl_pipelines.systems.brightpearl.client import IDS_PER_GET, Message
from brightpearl_pipelines.systems.brightpearl.customers import answer_for
from brightpearl_pipelines.systems.brightpearl.order_parts import create_key
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.brightpearl.sources import MAPPINGS
from brightpearl_pipelines.systems.brightpearl.streams import client_of
from brightpearl_pipelines.systems.contract import (
    Answer,
    Comparison,
    Expected,
    Outcome,
    Plan,
    PlanContext,
    Session,
    Target,
    Write,
)
from brightpearl_pipelines.systems.paging import chunks, whole_numbers

TYPES = {"receipt": "RECEIPT", "refund": "PAYMENT"}


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """One delivery per payment of our shops; it goes when its order is there."""
    settings = context.settings
    assert isinstance(settings, BrightpearlSettings)  # noqa: S101 - this planner belongs to this system
    mine = [row for row in rows if row.origin.get("reference") in context.shops]
    orders = {
        shop: context.hub.golden_ids(
            "order", shop, [row.content["order_number"] for row in mine if row.origin["reference"] == shop]
        )
        for shop in context.shops
    }
    deliveries: list[Delivery] = []
    held: list[DeadLetter] = []
    ignored: dict[UUID, str] = {}
    for row in mine:
        shop, number = row.origin["reference"], row.content["order_number"]
        method = settings.payment_methods.get(row.content["method"])
        order = orders[shop].get(number)
        if method is None or order is None:
            held.append(_letter(context.connection, row, unmapped=method is None))
            continue
        try:
            body = MAPPINGS["payment"].write(row.content, settings.tables())
        except MappingErrors as errors:
            held.append(_letter(context.connection, row, errors=errors))
            continue
        body |= {
            "transactionCode": row.content["reference"],
            "paymentMethodCode": method,
            "paymentType": TYPES[row.content["kind"]],
            "orderId": {"$ref": ["order", str(order)]},
            "exchangeRate": row.content["exchange_rate"],
            "journalRef": f"{shop} order {number}",
        }
        payload = {"body": body, "agreed": row.content}
        total = {"currency": row.content["currency"], "total": row.content["amount"]}
        key = f"payment:{row.content['reference']}"
        deliveries.append(
            Delivery(
                context.connection,
                "payment",
                row.id,
                "record",
                key,
                {**payload, "total": total},
                after=(create_key(shop, number),),
            )
        )
    return Plan(deliveries, held, ignored)


def _letter(connection: str, row: Golden, *, unmapped: bool = False, errors: MappingErrors | None = None) -> DeadLetter:
    reference = row.content["reference"]
    if errors is not None:
        reason, sentence, suggestion = "invalid_field", str(errors), errors.errors[0].suggestion
    elif unmapped:
        reason = "unmapped_value"
        sentence = f"payment {reference}: no payment method is mapped for {row.content['method']!r}"
        suggestion = f"Add {row.content['method']!r} to payment_methods in connections.yaml, then retry this letter."
    else:
        reason = "reference_not_found"
        sentence = f"payment {reference}: its order is held"
        suggestion = "Mend the order's own dead letter, then retry this one."
    return DeadLetter(
        connection=connection,
        stage="publish",
        entity="payment",
        subject=str(row.id),
        reason=reason,
        sentence=sentence,
        suggestion=suggestion,
        field="method" if unmapped else None,
        value=row.content["method"] if unmapped else None,
        payload=row.content,
        golden_id=row.id,
    )


async def send(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Record the payments. A refusal may mean that a cut-off attempt went through: the reference is looked up."""
    client = client_of(session)
    replies = await client.write(
        [Message("POST", "accounting-service/customer-payment", _body(each)) for each in deliveries]
    )
    answers = [answer_for(each, reply, created=True) for each, reply in zip(deliveries, replies, strict=True)]
    refused = [answer.delivery for answer in answers if answer.outcome is Outcome.REFUSED]
    known = await find(session, refused)
    return [known.get(answer.delivery.key, answer) for answer in answers]


def _body(delivery: Delivery) -> dict[str, object]:
    body = dict(delivery.payload["body"])
    return {**body, "orderId": int(body["orderId"])}


async def find(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Payments that are there already, by reference and method."""
    client = client_of(session)
    found: dict[str, Answer] = {}
    for delivery in deliveries:
        body = delivery.payload["body"]
        rows = await client.search(
            "accounting-service/customer-payment-search", {"transactionRef": body["transactionRef"]}
        )
        mine = [row for row in rows if row["paymentMethodCode"] == body["paymentMethodCode"]]
        if mine:
            found[delivery.key] = Answer(delivery, Outcome.CONFIRMED, external_id=str(mine[0]["paymentId"]))
    return found


def expect(context: PlanContext, rows: Sequence[Golden]) -> Mapping[UUID, Expected]:
    """The payments that Brightpearl has taken."""
    known = context.hub.external_ids("payment", context.connection, [row.id for row in rows])
    orders = {
        shop: context.hub.golden_ids("order", shop, {row.content["order_number"] for row in rows})
        for shop in context.shops
    }
    ids = context.hub.external_ids(
        "order", context.connection, {each for found in orders.values() for each in found.values()}
    )
    expected: dict[UUID, Expected] = {}
    for row in rows:
        order = orders.get(row.origin.get("reference", ""), {}).get(row.content["order_number"])
        if row.id in known and order is not None and order in ids:
            amount = Decimal(row.content["amount"])
            expected[row.id] = Expected(
                row.content["reference"],
                {"order": ids[order][0]},
                {"currency": row.content["currency"], "amount": amount},
                row.content["currency"],
                amount,
            )
    return expected


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """The payments as they are now, by their reference; 200 orders a search."""
    client = client_of(session)
    by_reference: dict[str, Json] = {}
    for chunk in chunks(
        whole_numbers((each.lookup["order"] for each in expected.values()), session.connection), IDS_PER_GET
    ):
        for row in await client.search(
            "accounting-service/customer-payment-search", {"orderId": ",".join(chunk), "sort": "paymentId.ASC"}
        ):
            amount = Decimal(row["amountPaid"])
            by_reference[str(row["transactionRef"])] = {"currency": row["currencyCode"], "amount": amount}
    return {golden: by_reference[each.key] for golden, each in expected.items() if each.key in by_reference}


TARGET = Target("payment", plan, (Write("record", send, find, links=True),), Comparison(expect, observe))
