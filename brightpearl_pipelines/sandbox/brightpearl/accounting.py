"""accounting-service: customer and supplier payments (brightpearl.md §9.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    DONE,
    ZERO,
    ApiError,
    Call,
    JsonObject,
    Reply,
    answer,
    decimal_of,
    decimals,
    fixed,
    instant_of,
    not_found,
    pennies,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

CUSTOMER_TYPES = ("RECEIPT", "PAYMENT", "AUTH", "CAPTURE", "VOID")
SUPPLIER_TYPES = ("RECEIPT", "PAYMENT")
_MOVES_MONEY = ("RECEIPT", "PAYMENT", "CAPTURE")
_LENGTHS = {"transactionRef": 64, "transactionCode": 64, "paymentMethodCode": 36}
# The numbers of the codes below are not documented; the rules are.
_CODE = "ACCC-020"


class Accounting:
    """Payments by id, with indexes by order and by the unique pair of reference and method."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator
        self.rebuild()

    def rebuild(self) -> None:
        self.by_order: dict[int, list[int]] = defaultdict(list)
        self._by_reference: dict[tuple[str, str, str], int] = {}
        for collection in ("customer_payments", "supplier_payments"):
            for payment in self.emulator.collection(collection).values():
                self._index(collection, payment)

    def _index(self, collection: str, payment: JsonObject) -> None:
        self.by_order[payment["orderId"]].append(payment["paymentId"])
        if payment.get("transactionRef"):
            key = (collection, payment["transactionRef"], payment["paymentMethodCode"])
            self._by_reference[key] = payment["paymentId"]

    def endpoints(self) -> list[Endpoint]:
        root = "accounting-service"
        return [
            Endpoint(
                "POST",
                f"{root}/customer-payment",
                self._poster("customer_payments", CUSTOMER_TYPES),
                "post-customer-payment",
            ),
            Endpoint("DELETE", f"{root}/customer-payment/{{id}}", self.delete, "delete-customer-payment"),
            Endpoint(
                "POST",
                f"{root}/supplier-payment",
                self._poster("supplier_payments", SUPPLIER_TYPES),
                "post-supplier-payment",
            ),
            Endpoint("GET", f"{root}/sale-payment-total/{{id}}", self.payment_total, "get-sale-payment-total"),
        ]

    # -- what orders ask ------------------------------------------------------------------------------------------

    def payments_of(self, order_id: int) -> list[JsonObject]:
        numbers = self.by_order.get(order_id, [])
        customers, suppliers = (self.emulator.collection(f"{who}_payments") for who in ("customer", "supplier"))
        return [customers.get(str(number)) or suppliers[str(number)] for number in numbers]

    def paid(self, order: JsonObject) -> tuple[Decimal, Decimal]:
        """What has been paid and what is authorised, in the order's currency; refunds count for credits."""
        paid = authorized = ZERO
        for payment in self.payments_of(order["id"]):
            amount = self._in_order_currency(order, payment, "amountPaid")
            match payment["paymentType"]:
                case "RECEIPT" | "CAPTURE":
                    paid += amount
                case "PAYMENT":
                    paid -= amount
                case "AUTH":
                    authorized += self._in_order_currency(order, payment, "amountAuthorized")
                case _:
                    authorized -= self._in_order_currency(order, payment, "amountAuthorized")
        outgoing = order["orderTypeCode"] in ("SC", "PO")
        return (-paid if outgoing else paid), authorized

    def _in_order_currency(self, order: JsonObject, payment: JsonObject, name: str) -> Decimal:
        amount = Decimal(payment[name])
        if payment["currencyCode"] == order["currency"]["orderCurrencyCode"]:
            return amount
        in_base = amount / Decimal(payment["exchangeRate"])
        return pennies(in_base * Decimal(order["currency"]["exchangeRate"]))

    # -- handlers -------------------------------------------------------------------------------------------------

    def _poster(self, collection: str, kinds: tuple[str, ...]) -> Callable[[Call], Reply]:
        def handler(call: Call) -> Reply:
            body = call.object()
            problems = self._problems(body, collection, kinds)
            if problems:
                raise ApiError(400, *((_CODE, problem) for problem in problems))
            return answer(self._add(collection, body))

        return handler

    def _problems(self, body: JsonObject, collection: str, kinds: tuple[str, ...]) -> list[str]:
        required = ("paymentMethodCode", "paymentType", "orderId", "currencyIsoCode", "paymentDate")
        problems = [f"{name} is required" for name in required if not body.get(name)]
        if body.get("paymentType") and body["paymentType"] not in kinds:
            problems.append(f"You have supplied an invalid payment type: {body['paymentType']}")
        if body.get("orderId") and self.emulator.orders.find(str(body["orderId"])) is None:
            problems.append(f"You have supplied an invalid order id: {body['orderId']}")
        if body.get("currencyIsoCode") and self.emulator.reference.currency(body["currencyIsoCode"]) is None:
            problems.append(f"You have supplied an invalid currency: {body['currencyIsoCode']}")
        if body.get("paymentDate") and instant_of(body["paymentDate"]) is None:
            problems.append(f"You have supplied an invalid payment date: {body['paymentDate']}")
        for name, longest in _LENGTHS.items():
            if len(str(body.get(name) or "")) > longest:
                problems.append(f"{name} may have at most {longest} characters")
        problems += self._amount_problems(body)
        key = (collection, str(body.get("transactionRef")), str(body.get("paymentMethodCode")))
        if body.get("transactionRef") and key in self._by_reference:
            problems.append(f"A payment with transactionRef {key[1]} and paymentMethodCode {key[2]} already exists")
        return problems

    def _amount_problems(self, body: JsonObject) -> list[str]:
        problems = []
        rate = decimal_of(body.get("exchangeRate", 1))
        if rate is None or rate <= 0 or decimals(rate) > 6:
            problems.append("exchangeRate must be greater than 0 with at most 6 decimals")
        for name in ("amountPaid", "amountAuthorized"):
            amount = decimal_of(body.get(name, 0))
            if amount is None or amount < 0:
                problems.append(f"You have supplied an invalid {name}")
        if body.get("paymentType") == "AUTH" and not body.get("authorizationExpiry"):
            problems.append("authorizationExpiry is required for AUTH")
        return problems

    def _add(self, collection: str, body: JsonObject) -> int:
        emulator = self.emulator
        number = emulator.next_id("payment", 901)
        paid_on = instant_of(body["paymentDate"], emulator.zone)
        payment: JsonObject = {
            "paymentId": number,
            "transactionRef": _text(body.get("transactionRef")),
            "transactionCode": _text(body.get("transactionCode")),
            "paymentMethodCode": str(body["paymentMethodCode"]),
            "paymentType": body["paymentType"],
            "orderId": int(body["orderId"]),
            "currencyCode": body["currencyIsoCode"],
            "exchangeRate": fixed(decimal_of(body.get("exchangeRate")) or Decimal(1), 6),
            "amountAuthorized": fixed(decimal_of(body.get("amountAuthorized")) or ZERO, 2),
            "amountPaid": fixed(decimal_of(body.get("amountPaid")) or ZERO, 2),
            "expires": body.get("authorizationExpiry"),
            "paymentDate": emulator.stamp(paid_on),
            "createdOn": emulator.stamp(),
            "journalId": body.get("journalId"),
            "journalRef": str(body.get("journalRef") or "")[:255],
        }
        if payment["journalId"] is None and payment["paymentType"] in _MOVES_MONEY:
            payment["journalId"] = self._receipt_journal(payment)
        emulator.put(collection, number, payment)
        self._index(collection, payment)
        self._order_changed(payment["orderId"])
        return number

    def _receipt_journal(self, payment: JsonObject) -> int | None:
        """Made when the payment method has a bank account for the currency, never afterwards (§9.2)."""
        method = self.emulator.reference.payment_method(payment["paymentMethodCode"])
        bank = method["bankAccounts"].get(payment["currencyCode"]) if method else None
        if bank is None:
            return None
        inwards = payment["paymentType"] != "PAYMENT"
        return self.emulator.journals.receipt(payment, bank, inwards=inwards)

    def _order_changed(self, order_id: int) -> None:
        order = self.emulator.orders.find(order_id)
        if order is not None:
            self.emulator.orders.changed(order)

    def delete(self, _call: Call, id: str) -> Reply:
        payments = self.emulator.collection("customer_payments")
        payment = payments.pop(id, None)
        if payment is None:
            raise not_found(f"Cannot find customer payment: {id}")
        self.by_order[payment["orderId"]].remove(payment["paymentId"])
        key = ("customer_payments", str(payment.get("transactionRef")), payment["paymentMethodCode"])
        self._by_reference.pop(key, None)
        self.emulator.touch()
        self._order_changed(payment["orderId"])
        return DONE

    def payment_total(self, _call: Call, id: str) -> Reply:
        """What an order has been paid; the real names of these fields were not captured."""
        order = self.emulator.orders.find(id)
        if order is None:
            raise not_found(f"Cannot find order: {id}")
        paid, authorized = self.paid(order)
        currency = order["currency"]["orderCurrencyCode"]
        figures = {"totalPaid": fixed(paid, 2), "totalAuthorized": fixed(authorized, 2)}
        return answer({"orderId": order["id"], "currencyCode": currency, **figures})


def _text(value: object) -> str | None:
    return str(value) if value not in (None, "") else None
