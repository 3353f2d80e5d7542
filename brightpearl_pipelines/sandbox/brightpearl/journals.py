"""accounting-service: journals, in base currency or multi-currency, always balanced (brightpearl.md §9.1)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    ZERO,
    ApiError,
    Call,
    IdSet,
    JsonObject,
    Reply,
    answer,
    decimal_of,
    fixed,
    is_date,
    midnight,
    not_found,
    pennies,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

JOURNAL_TYPES = ("SI", "SC", "SR", "SP", "PI", "PC", "PP", "PR", "BT", "BP", "BR", "GO", "GI", "GL")
DEBTORS = "1100"
_CODE = "ACCC-040"  # the number is not documented


class Journals:
    """Journals by id; the sides are `credits` and `debits`, amounts in base (`change`) and journal currency."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    def endpoints(self) -> list[Endpoint]:
        root = "accounting-service"
        return [
            Endpoint("GET", f"{root}/journal/{{ids}}", self.get, "get-journal"),
            Endpoint("POST", f"{root}/journal", self._poster(multi_currency=False), "post-journal"),
            Endpoint("POST", f"{root}/journal-entry", self._poster(multi_currency=True), "post-journal-entry"),
        ]

    def get(self, _call: Call, ids: str) -> Reply:
        journals = self.emulator.collection("journals")
        found = IdSet.parse(ids).among(journals)
        if not found:
            raise not_found(f"No journals found for ID Set {ids}")
        return answer({"journals": [journals[str(number)] for number in found]})

    def receipt(self, payment: JsonObject, bank: str, *, inwards: bool) -> int:
        """The sales receipt journal of a payment: bank against debtors."""
        amount = Decimal(payment["amountPaid"])
        order = self.emulator.orders.find(payment["orderId"])
        channel = order["assignment"]["current"]["channelId"] if order else 0
        sides = []
        for nominal in (bank, DEBTORS):
            line = self._line(nominal, amount, Decimal(payment["exchangeRate"]), {"channelId": channel})
            sides.append([{**line, "orderId": payment["orderId"]}])
        debits, credits = sides if inwards else reversed(sides)
        header = {"journalTypeCode": "SR", "taxDate": payment["paymentDate"], "description": payment["journalRef"]}
        currency = self.emulator.reference.currency(payment["currencyCode"])
        header |= {"currencyId": currency["id"] if currency else 1, "exchangeRate": payment["exchangeRate"]}
        return self._store(header, credits, debits)

    def _line(self, nominal: str, amount: Decimal, rate: Decimal, assignment: JsonObject) -> JsonObject:
        return {
            "nominalCode": nominal,
            "change": {"value": fixed(pennies(amount / rate), 2)},
            "transactionAmount": fixed(amount, 2),
            "assignment": assignment,
        }

    def _store(self, header: JsonObject, credits: list[JsonObject], debits: list[JsonObject]) -> int:
        number = self.emulator.next_id("journal", 16)
        made = {"createdOn": self.emulator.stamp(), "createdByContactId": 4}
        self.emulator.put("journals", number, {"id": number, **header, **made, "credits": credits, "debits": debits})
        return number

    def _poster(self, *, multi_currency: bool) -> Callable[[Call], Reply]:
        def handler(call: Call) -> Reply:
            body = call.object()
            problems = self._problems(body, multi_currency=multi_currency)
            if problems:
                raise ApiError(400, *((_CODE, problem) for problem in problems))
            rate = decimal_of(body.get("exchangeRate")) if multi_currency else None
            currency_id = int(body["currencyId"]) if multi_currency else 1
            return answer(self._post(body, rate or Decimal(1), currency_id))

        return handler

    def _post(self, body: JsonObject, rate: Decimal, currency_id: int) -> int:
        header: JsonObject = {
            "journalTypeCode": body["journalTypeCode"],
            "taxDate": self.emulator.stamp(midnight(body["taxDate"], self.emulator.zone)),
            "description": str(body.get("description", "")),
            "currencyId": currency_id,
            "exchangeRate": fixed(rate, 6),
        }
        if body.get("contactId"):
            header["contactId"] = int(body["contactId"])
        sides = [[self._posted_line(line, rate) for line in body[side]] for side in ("credits", "debits")]
        return self._store(header, *sides)

    def _posted_line(self, line: JsonObject, rate: Decimal) -> JsonObject:
        made = self._line(str(line["nominalCode"]), _amount(line) or ZERO, rate, line.get("assignment", {}))
        kept = ("orderId", "invoiceReference", "taxCode")
        return {**made, **{name: line[name] for name in kept if name in line}}

    def _problems(self, body: JsonObject, *, multi_currency: bool) -> list[str]:
        problems = []
        if body.get("journalTypeCode") not in JOURNAL_TYPES:
            problems.append(f"You have supplied an invalid journal type: {body.get('journalTypeCode')}")
        if not is_date(str(body.get("taxDate"))):
            problems.append("taxDate is required as yyyy-MM-dd")
        if multi_currency:
            problems += self._currency_problems(body)
        lines = [*_side(body, "credits"), *_side(body, "debits")]
        if not _side(body, "credits") or not _side(body, "debits"):
            return [*problems, "A journal needs at least one credit and one debit"]
        codes = {entry["code"] for entry in self.emulator.collection("nominal_codes").values() if entry["active"]}
        for line in lines:
            if str(line.get("nominalCode")) not in codes:
                problems.append(f"You have supplied an invalid nominal code: {line.get('nominalCode')}")
            if _amount(line) is None:
                problems.append("Each line needs an amount")
        sums = [sum((_amount(line) or ZERO for line in _side(body, side)), ZERO) for side in ("credits", "debits")]
        if sums[0] != sums[1]:
            problems.append(f"The credits {sums[0]} do not equal the debits {sums[1]}")
        return problems

    def _currency_problems(self, body: JsonObject) -> list[str]:
        currency = self.emulator.collection("currencies").get(str(body.get("currencyId")))
        if currency is None:
            return [f"You have supplied an invalid currency: {body.get('currencyId')}"]
        rate = decimal_of(body.get("exchangeRate", 1))
        if rate is None or rate <= 0 or (currency["isDefault"] and rate != 1):
            return ["exchangeRate must be positive, and 1.000000 for the base currency"]
        return []


def _side(body: JsonObject, name: str) -> list[JsonObject]:
    lines = body.get(name)
    return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def _amount(line: JsonObject) -> Decimal | None:
    """`change.value` of the deprecated form or `transactionAmount`: the keys of the newer one are unverified (§9.1)."""
    change = line.get("change")
    value = change.get("value") if isinstance(change, dict) else line.get("transactionAmount")
    amount = decimal_of(value)
    return amount if amount is not None and amount >= 0 else None
