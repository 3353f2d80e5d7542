"""Payments into Brightpearl, once each: reference and method together are unique there (brightpearl.md §9.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from brightpearl_pipelines.entities.models import PaymentKind
from brightpearl_pipelines.mapping import MappingErrors
from brightpearl_pipelines.store.types import DeadLetter, Delivery, DeliveryState, Golden, Json
from brightpearl_pipelines.systems.brightpearl.client import IDS_PER_GET, Message
from brightpearl_pipelines.systems.brightpearl.credits import credit_key, left_out
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
    cancel_key,
)
from brightpearl_pipelines.systems.paging import chunks, whole_numbers

TYPES = {
    PaymentKind.RECEIPT: "RECEIPT",
    PaymentKind.REFUND: "PAYMENT",
    PaymentKind.AUTHORISATION: "AUTH",
    PaymentKind.CAPTURE: "CAPTURE",
    PaymentKind.VOID: "VOID",
}
PROMISES = (PaymentKind.AUTHORISATION, PaymentKind.VOID)
"""What moves no money: its amount is told as authorised."""
GONE = (DeliveryState.DEAD, DeliveryState.DISCARDED)
UNSENT = (DeliveryState.PENDING, DeliveryState.FAILED)


def payment_key(reference: str) -> str:
    """The delivery that records a payment."""
    return f"payment:{reference}"


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """One delivery per payment of our shops; it goes when its order, or its credit, is there."""
    return _Planner.of(context, [row for row in rows if row.origin.get("reference") in context.shops]).run()


class _HoldError(Exception):
    """This payment cannot go as it is: the code, then what happened."""

    def __init__(
        self,
        reason: str,
        sentence: str,
        suggestion: str,
        *,
        where: str | None = None,
        value: str | None = None,
        waiting_for: Sequence[str] = (),
    ) -> None:
        super().__init__(sentence)
        self.reason, self.sentence, self.suggestion = reason, sentence, suggestion
        self.where, self.value, self.waiting_for = where, value, waiting_for


@dataclass
class _Planner:
    context: PlanContext
    rows: Sequence[Golden]
    orders: Mapping[tuple[str, str], UUID]
    returns: Mapping[tuple[str, str], Golden]
    """By shop and the shop's name of the return."""
    rules: Mapping[UUID, str]
    """Returns that have no credit, by a rule."""
    made: Mapping[str, Delivery]
    agreed: Mapping[UUID, Json]
    ended: Mapping[str, str]
    """Authorisations that are taken or released by now: by their reference, the one that ended them."""
    deliveries: list[Delivery] = field(default_factory=list)
    held: list[DeadLetter] = field(default_factory=list)
    ignored: dict[UUID, str] = field(default_factory=dict)
    superseded: list[tuple[UUID, str]] = field(default_factory=list)

    @classmethod
    def of(cls, context: PlanContext, rows: Sequence[Golden]) -> "_Planner":
        hub, name = context.hub, context.connection
        orders = {
            (shop, number): each
            for shop in context.shops
            for number, each in hub.golden_ids("order", shop, _numbers(rows, shop)).items()
        }
        returns = {
            (shop, reference): each
            for shop in context.shops
            for reference, each in hub.golden_ids("return", shop, _returns(rows, shop)).items()
        }
        found = hub.goldens("return", set(returns.values()))
        keys = {payment_key(row.content[field]) for row in rows for field in ("reference", "authorisation")
                if row.content.get(field)}  # fmt: skip
        keys |= {make(shop, number) for shop, number in orders for make in (cancel_key, create_key)}
        keys |= {_credit_key(each) for each in found.values()}
        promised = [row for row in rows if row.content["kind"] == PaymentKind.AUTHORISATION]
        return cls(
            context,
            rows,
            orders,
            {key: found[each] for key, each in returns.items() if each in found},
            left_out(context, list(found.values())),
            hub.deliveries(name, keys),
            hub.agreed("payment", name, [row.id for row in rows]),
            _ended(context, promised),
        )

    def run(self) -> Plan:
        for row in self.rows:
            try:
                self._one(row)
            except _HoldError as hold:
                self.held.append(self._letter(row, hold))
        return Plan(self.deliveries, self.held, self.ignored, self.superseded)

    def _one(self, row: Golden) -> None:
        match row.content["kind"]:
            case PaymentKind.REFUND:
                self._refund(row)
            case PaymentKind.AUTHORISATION:
                if row.content["reference"] in self.ended:
                    self.ignored[row.id] = "authorisation_ended"
                else:
                    self._on_order(row, PaymentKind.AUTHORISATION)
            case PaymentKind.VOID:
                self._void(row)
            case _:
                self._receipt(row)

    def _receipt(self, row: Golden) -> None:
        """Money that came in: by itself, or as the capture of what was authorised before."""
        authorisation = self._recorded(row)
        kind = PaymentKind.RECEIPT if authorisation is None else PaymentKind.CAPTURE
        present = self.made.get(payment_key(row.content["reference"]))
        if present is not None and present.state not in GONE:
            before = Decimal(self.agreed.get(row.id, present.payload["agreed"])["amount"])
            self._changed(row, present, kind, Decimal(row.content["amount"]) - before)
            return
        self._on_order(row, kind)

    def _changed(self, row: Golden, present: Delivery, kind: PaymentKind, more: Decimal) -> None:
        """More was taken since, as by a second capture: the difference, under a reference of its own.

        When it is the order that grew or shrank, the shop does not say whether money moved for it.
        """
        if more == 0:
            return
        if present.state in UNSENT:
            self.superseded.append((row.id, "record"))
            self._on_order(row, kind)
        elif more < 0 or self._edited(row):
            raise _HoldError(
                "payment_changed",
                f"payment {row.content['reference']}: the shop now asks for {row.content['amount']}, "
                f"{abs(more)} {'more' if more > 0 else 'less'} than Brightpearl has as paid",
                "See in the shop whether the difference was paid or given back, record it in Brightpearl by hand, then "
                "discard this letter.",
                where="amount",
                value=row.content["amount"],
            )
        else:
            self._on_order(row, kind, amount=more, suffix=f"-to-{row.content['amount']}")

    def _edited(self, row: Golden) -> bool:
        """Whether the order has another total than the one that it was imported with."""
        shop, number = row.origin["reference"], row.content["order_number"]
        creation, order = self.made.get(create_key(shop, number)), self.orders.get((shop, number))
        known = self.context.hub.goldens("order", [order] if order else []).values()
        totals = {Decimal(each.content["total_net"]) + Decimal(each.content["total_tax"]) for each in known}
        return creation is None or Decimal(creation.payload["total"]["total"]) not in totals

    def _recorded(self, row: Golden) -> Delivery | None:
        """The authorisation that this ends, if Brightpearl knows it or may; one that is not sent yet goes no more."""
        reference = row.content.get("authorisation")
        known = self.made.get(payment_key(reference)) if reference else None
        if known is None or known.state in GONE:
            return None
        if known.state in UNSENT:
            self.superseded.append((known.golden_id, "record"))
            return None
        return known

    def _void(self, row: Golden) -> None:
        cancelled = self.made.get(cancel_key(row.origin["reference"], row.content["order_number"]))
        authorisation = self._recorded(row)
        if cancelled is not None and cancelled.state not in GONE:
            self.ignored[row.id] = "released_with_the_cancellation"
        elif authorisation is None:
            self.ignored[row.id] = "nothing_was_authorised"
        else:
            amount = Decimal(authorisation.payload["agreed"]["amount"])
            self._on_order(row, PaymentKind.VOID, amount=amount, method=authorisation.payload["agreed"]["method"])

    def _on_order(self, row: Golden, kind: PaymentKind, **how: Any) -> None:
        shop, number = row.origin["reference"], row.content["order_number"]
        order = self.orders.get((shop, number))
        if order is None:
            raise _HoldError(
                "reference_not_found",
                f"payment {row.content['reference']}: its order is held",
                "Mend the order's own dead letter, then retry this one.",
                waiting_for=[f"order:{shop}:{number}"],
            )
        after = [create_key(shop, number)]
        if kind in (PaymentKind.CAPTURE, PaymentKind.VOID):
            after.append(payment_key(row.content["authorisation"]))
        self._record(row, kind, ["order", str(order)], after, **how)

    def _refund(self, row: Golden) -> None:
        """Money that goes back, against the credit of its refund."""
        shop, name = row.origin["reference"], row.content["return_reference"]
        back = self.returns.get((shop, name))
        if back is not None and back.id in self.rules:
            self.ignored[row.id] = self.rules[back.id]
            return
        credit = self.made.get(_credit_key(back)) if back is not None else None
        if back is None or credit is None or credit.state in GONE:
            token = f"return:{shop}:{name}" if back is None else f"return:{self.context.connection}:{back.id}"
            raise _HoldError(
                "reference_not_found",
                f"payment {row.content['reference']}: the refund that it is for is held",
                "Mend the refund's own dead letter; the payment then goes by itself.",
                waiting_for=[token],
            )
        self._record(row, PaymentKind.REFUND, ["return", str(back.id)], [credit.key])

    def _record(
        self,
        row: Golden,
        kind: PaymentKind,
        document: Sequence[str],
        after: Sequence[str],
        *,
        amount: Decimal | None = None,
        suffix: str = "",
        method: str | None = None,
    ) -> None:
        content = row.content
        reference = f"{content['reference']}{suffix}"
        paid = Decimal(content["amount"]) if amount is None else amount
        body = {
            **self._mapped(row),
            "transactionRef": reference,
            # What ends an authorisation names it; everything else stands for itself (§9.2).
            "transactionCode": content.get("authorisation") if len(after) > 1 else content["reference"],
            "paymentMethodCode": self._method(row, method or content["method"]),
            "paymentType": TYPES[kind],
            "orderId": {"$ref": list(document)},
            "exchangeRate": content["exchange_rate"],
            "journalRef": f"{row.origin['reference']} order {content['order_number']}",
        }
        if kind in PROMISES:
            del body["amountPaid"]
            body["amountAuthorized"] = str(paid)
        else:
            body["amountPaid"] = str(paid)
        if kind is PaymentKind.AUTHORISATION:
            body["authorizationExpiry"] = content["expires_at"]
        sign = -1 if kind is PaymentKind.REFUND else 1
        total = {} if kind in PROMISES else {"currency": content["currency"], "total": str(sign * paid)}
        payload = {"body": body, "agreed": content, "total": total}
        key = payment_key(reference)
        delivery = Delivery(self.context.connection, "payment", row.id, "record", key, payload, tuple(after))
        self.deliveries.append(delivery)

    def _mapped(self, row: Golden) -> dict[str, Any]:
        try:
            return dict(MAPPINGS["payment"].write(row.content, self._settings.tables()))
        except MappingErrors as errors:
            raise _HoldError("invalid_field", str(errors), errors.errors[0].suggestion) from errors

    def _method(self, row: Golden, words: str) -> str:
        code = self._settings.payment_methods.get(words)
        if code is None:
            raise _HoldError(
                "unmapped_value",
                f"payment {row.content['reference']}: no payment method is mapped for {words!r}",
                f"Add {words!r} to payment_methods in connections.yaml, then retry this letter.",
                where="method",
                value=words,
            )
        return code

    @property
    def _settings(self) -> BrightpearlSettings:
        settings = self.context.settings
        assert isinstance(settings, BrightpearlSettings)  # noqa: S101 - this planner belongs to this system
        return settings

    def _letter(self, row: Golden, hold: _HoldError) -> DeadLetter:
        return DeadLetter(
            connection=self.context.connection,
            stage="publish",
            entity="payment",
            subject=str(row.id),
            reason=hold.reason,
            sentence=hold.sentence,
            suggestion=hold.suggestion,
            field=hold.where,
            value=hold.value,
            waiting_for=hold.waiting_for,
            payload=row.content,
            golden_id=row.id,
        )


def _numbers(rows: Sequence[Golden], shop: str) -> set[str]:
    return {row.content["order_number"] for row in rows if row.origin["reference"] == shop}


def _returns(rows: Sequence[Golden], shop: str) -> set[str]:
    names = {row.content.get("return_reference") for row in rows if row.origin["reference"] == shop}
    return {name for name in names if name}


def _credit_key(back: Golden) -> str:
    return credit_key(back.origin["reference"], back.content["order_number"], back.content["reference"])


def _ended(context: PlanContext, promised: Sequence[Golden]) -> dict[str, str]:
    names = {f"{row.origin['reference']}:{row.content['order_number']}" for row in promised}
    found = context.hub.by_keys("payment", "order", names)
    others = context.hub.goldens("payment", {each for ids in found.values() for each in ids})
    return {
        each.content["authorisation"]: each.content["reference"]
        for each in others.values()
        if each.content.get("authorisation")
    }


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
    """The payments that Brightpearl has taken, with the document that each of them stands on."""
    mine = [row for row in rows if row.origin.get("reference") in context.shops]
    known = context.hub.external_ids("payment", context.connection, [row.id for row in mine])
    documents: dict[tuple[str, str], str] = {}
    for shop in context.shops:
        for entity, names in (("order", _numbers(mine, shop)), ("return", _returns(mine, shop))):
            found = context.hub.golden_ids(entity, shop, names)
            ids = context.hub.external_ids(entity, context.connection, found.values())
            documents |= {(shop, name): ids[each][0] for name, each in found.items() if each in ids}
    expected: dict[UUID, Expected] = {}
    for row in mine:
        name = row.content.get("return_reference") or row.content["order_number"]
        document = documents.get((row.origin["reference"], name))
        if row.id not in known or document is None:
            continue
        promise = row.content["kind"] in PROMISES
        amount, currency = Decimal(row.content["amount"]), row.content["currency"]
        expected[row.id] = Expected(
            row.content["reference"],
            {"order": document, "promise": promise},
            {"currency": currency, "amount": amount},
            None if promise else currency,
            None if promise else amount,
        )
    return expected


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """The payments as they are now, by their reference, later parts of them added; 200 orders a search."""
    client = client_of(session)
    found: dict[str, dict[str, Any]] = {}
    for chunk in chunks(
        whole_numbers((each.lookup["order"] for each in expected.values()), session.connection), IDS_PER_GET
    ):
        for row in await client.search(
            "accounting-service/customer-payment-search", {"orderId": ",".join(chunk), "sort": "paymentId.ASC"}
        ):
            reference = str(row["transactionRef"]).partition("-to-")[0]
            both = found.setdefault(reference, {"currency": row["currencyCode"], "paid": Decimal(0), "due": Decimal(0)})
            both["paid"] += Decimal(row["amountPaid"])
            both["due"] += Decimal(row["amountAuthorized"])
    return {
        golden: {
            "currency": found[each.key]["currency"],
            "amount": found[each.key]["due" if each.lookup["promise"] else "paid"],
        }
        for golden, each in expected.items()
        if each.key in found
    }


TARGET = Target("payment", plan, (Write("record", send, find, links=True),), Comparison(expect, observe))
