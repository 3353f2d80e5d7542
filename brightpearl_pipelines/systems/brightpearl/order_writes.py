"""The writes of an order's life in Brightpearl: create and cancel here, others beside (brightpearl.md §5.4, §5.5)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import Delivery, Golden, Json
from brightpearl_pipelines.systems.brightpearl.client import BrightpearlClient, Message, wire_instant
from brightpearl_pipelines.systems.brightpearl.customers import answer_for, find_nothing
from brightpearl_pipelines.systems.brightpearl.order_edit_writes import emptied, send_edit
from brightpearl_pipelines.systems.brightpearl.order_note_writes import find_note, send_note
from brightpearl_pipelines.systems.brightpearl.order_stop_writes import send_stop
from brightpearl_pipelines.systems.brightpearl.orders import plan
from brightpearl_pipelines.systems.brightpearl.reservations import WRITE as RESERVE
from brightpearl_pipelines.systems.brightpearl.streams import client_of
from brightpearl_pipelines.systems.contract import (
    Answer,
    Comparison,
    Expected,
    Outcome,
    PlanContext,
    Session,
    Target,
    Write,
)


def _body(session: Session, delivery: Delivery) -> dict[str, Any]:
    return {**delivery.payload["body"], "installedIntegrationInstanceId": session.facts["integration_instance_id"]}


async def send_create(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Post the orders. The server's own key makes a repeated post harmless: it is refused, and the order is found."""
    client = client_of(session)
    replies = await client.write(
        [Message("POST", "order-service/sales-order", _body(session, each)) for each in deliveries]
    )
    answers = [answer_for(each, reply, created=True) for each, reply in zip(deliveries, replies, strict=True)]
    refused = [answer.delivery for answer in answers if answer.outcome is Outcome.REFUSED]
    known = await find_create(session, refused)
    return [known.get(answer.delivery.key, answer) for answer in answers]


async def find_create(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Orders that are there already, by their externalRef and our integration instance."""
    client = client_of(session)
    found: dict[str, Answer] = {}
    for delivery in deliveries:
        filters = {
            "externalRef": delivery.payload["body"]["externalRef"],
            "installedIntegrationInstanceId": str(session.facts["integration_instance_id"]),
            "columns": "orderId",
        }
        rows = await client.search("order-service/order-search", filters)
        if rows:
            found[delivery.key] = Answer(delivery, Outcome.CONFIRMED, external_id=str(rows[0]["orderId"]))
    return found


# -- cancellation -------------------------------------------------------------------------------------------------


async def send_cancel(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Cancel what has not left. Each step may be repeated: a reversal has a reference of its own."""
    client = client_of(session)
    wanted = [str(each.payload["body"]["order"]) for each in deliveries]
    orders = {str(each["id"]): each for each in await client.get_many("order-service/order/{ids}", wanted)}
    notes = await client.get_map("warehouse-service/order/{ids}/goods-note/goods-out", wanted)
    leaving = {str(note["orderId"]) for note in notes.values()}
    answers = []
    for delivery, order_id in zip(deliveries, wanted, strict=True):
        if order_id in leaving:
            answers.append(_dispatched(delivery))
            continue
        try:
            await _cancel_one(client, delivery, orders[order_id], session)
            answers.append(Answer(delivery, Outcome.CONFIRMED))
        except AmbiguousError as error:
            answers.append(Answer(delivery, Outcome.RETRY, error=str(error)))
        except RefusedError as error:
            answers.append(Answer(delivery, Outcome.REFUSED, error=str(error), reason="cancel_refused"))
    return answers


def _dispatched(delivery: Delivery) -> Answer:
    return Answer(
        delivery,
        Outcome.REFUSED,
        error="a goods-out note exists: the goods are being picked, or have left",
        reason="cancelled_after_dispatch",
        suggestion="Stop the parcel or arrange its return, correct the order in Brightpearl, then discard this letter.",
    )


async def _cancel_one(client: BrightpearlClient, delivery: Delivery, order: Json, session: Session) -> None:
    body = delivery.payload["body"]
    order_id = str(order["id"])
    if (order.get("orderStatus") or {}).get("orderStatusId") == body["status"]:
        return
    await _reverse_payments(client, delivery, order, session)
    note = {"text": "Cancelled in the shop", "isPublic": False}
    status = {"orderStatusId": body["status"], "orderNote": note}
    await client.api.request("PUT", f"order-service/order/{order_id}/status", json=status, idempotent=True)


async def _reverse_payments(client: BrightpearlClient, delivery: Delivery, order: Json, session: Session) -> None:
    """Brightpearl cancels only what nothing is paid on (§5.4): what came in goes back, what was promised is released,
    once each."""
    order_id = str(order["id"])
    payments = await client.search("accounting-service/customer-payment-search", {"orderId": order_id})
    references = {str(each["transactionRef"]) for each in payments}
    ended = {str(each["transactionCode"]) for each in payments if each["paymentType"] in ("CAPTURE", "VOID")}
    for payment in payments:
        reference, kind = f"{payment['transactionRef']}-back", payment["paymentType"]
        if reference in references or (kind == "AUTH" and str(payment["transactionCode"]) in ended):
            continue
        if kind in ("RECEIPT", "CAPTURE"):
            how = {"paymentType": "PAYMENT", "amountPaid": str(payment["amountPaid"])}
        elif kind == "AUTH":
            how = {"paymentType": "VOID", "amountAuthorized": str(payment["amountAuthorized"])}
        else:
            continue
        back = {
            "transactionRef": reference,
            "transactionCode": payment.get("transactionCode") or payment["transactionRef"],
            "paymentMethodCode": payment["paymentMethodCode"],
            "orderId": int(order_id),
            "currencyIsoCode": delivery.payload["body"]["currency"],
            "exchangeRate": order["currency"]["exchangeRate"],
            "paymentDate": wire_instant(session.clock.now()),
            "journalRef": f"Cancelled in the shop: {delivery.payload['body']['external_ref']}",
            **how,
        }
        await client.post("accounting-service/customer-payment", back)


# -- comparing ----------------------------------------------------------------------------------------------------


def expect(context: PlanContext, rows: Sequence[Golden]) -> Mapping[UUID, Expected]:
    """The sales orders of those shop orders that Brightpearl should have as they are."""
    known = context.hub.external_ids("order", context.connection, [row.id for row in rows])
    return {
        row.id: Expected(
            f"{row.origin['number']}:{row.content['number']}",
            {"id": known[row.id][0]},
            _expected_fields(row),
            row.content["currency"],
            Decimal(row.content["total_net"]) + Decimal(row.content["total_tax"]),
        )
        for row in rows
        if row.id in known and row.origin.get("number") in context.shops
    }


def _expected_fields(row: Golden) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "number": row.content["number"],
        "currency": row.content["currency"],
        "total_net": Decimal(row.content["total_net"]),
        "total_tax": Decimal(row.content["total_tax"]),
    }
    if row.content["status"] != "refunded":
        # An order may be cancelled first, and its money be given back in the shop afterwards.
        fields["cancelled"] = row.content["status"] == "cancelled"
    for line in row.content["lines"]:
        fields[f"line {line['key']}"] = (int(line["quantity"]), Decimal(line["net"]), Decimal(line["tax"]))
    return fields


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """The sales orders as they are now; a row that a shop line does not explain shows as a line of its own."""
    ids = {each.lookup["id"]: golden for golden, each in expected.items()}
    cancelled = int(session.settings.model_dump()["order_statuses"]["cancelled"])
    found: dict[UUID, Json] = {}
    for order in await client_of(session).get_many("order-service/order/{ids}", ids):
        total = order["totalValue"]
        fields: dict[str, Any] = {
            "number": order["reference"],
            "currency": order["currency"]["orderCurrencyCode"],
            "cancelled": order["orderStatus"]["orderStatusId"] == cancelled,
            "total_net": Decimal(total["net"]),
            "total_tax": Decimal(total["taxAmount"]),
            "amount": Decimal(total["total"]),
        }
        for row_id, row in order["orderRows"].items():
            if (row.get("composition") or {}).get("bundleChild") or emptied(row):
                continue
            value = row["rowValue"]
            amounts = (Decimal(value["rowNet"]["value"]), Decimal(value["rowTax"]["value"]))
            fields[f"line {row.get('externalRef') or f'row {row_id}'}"] = (
                int(Decimal(row["quantity"]["magnitude"])),
                *amounts,
            )
        found[ids[str(order["id"])]] = fields
    return found


TARGET = Target(
    "order",
    plan,
    (
        Write("create", send_create, find_create, links=True),
        RESERVE,
        Write("cancel", send_cancel, find_nothing),
        Write("stop", send_stop, find_nothing),
        Write("edit", send_edit, find_nothing),
        Write("note", send_note, find_note),
    ),
    Comparison(expect, observe),
)
