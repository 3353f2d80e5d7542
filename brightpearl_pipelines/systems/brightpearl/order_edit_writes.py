"""Carries the shop's changes over to a sales order that is there already (brightpearl.md §5.3-5.5, §8.5).

There is no one call for it, so each step compares with what Brightpearl shows before it writes: cut off anywhere, the
whole may be repeated. Rows are found by the shop's line key, which they carry as externalRef. What must not stand half
done comes first: rows that go, then rows that change, then rows that come.

Brightpearl deletes no row of an order that is paid, even in part. Such a row is emptied instead: none of it is left to
pick, and nothing to pay. Where Brightpearl refuses that too, the edit is held before anything else of it was done.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from brightpearl_pipelines.http.client import read_json
from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import Delivery, Json
from brightpearl_pipelines.systems.brightpearl.client import BrightpearlClient
from brightpearl_pipelines.systems.brightpearl.streams import client_of
from brightpearl_pipelines.systems.contract import Answer, Outcome, Session

PAID = ("PAID", "PARTIALLY_PAID")
FREE_TEXT = 1000
"""The product of rows that are no product (§5.1)."""
BY_HAND = "Make the same change in Brightpearl by hand, then retry this letter; it goes once both show the same."


class _HeldError(Exception):
    """The edit has to wait for a person; `reason` is the code of the dead letter."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


async def send_edit(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Two reads for all of up to 200 orders, then the steps that each of them still needs."""
    client = client_of(session)
    ids = [str(each.payload["body"]["order"]) for each in deliveries]
    orders = {str(each["id"]): each for each in await client.get_many("order-service/order/{ids}", ids)}
    notes = await client.get_map("warehouse-service/order/{ids}/goods-note/goods-out", ids)
    started = {str(note["orderId"]) for note in notes.values()}
    cancelled = int(session.settings.model_dump()["order_statuses"]["cancelled"])
    answers = []
    for delivery, order_id in zip(deliveries, ids, strict=True):
        order = orders.get(order_id)
        if order is None:
            answers.append(Answer(delivery, Outcome.RETRY, error="the order cannot be read yet"))
            continue
        edit = _Edit(client, order, delivery.payload["body"])
        try:
            if edit.wanted:
                _may_be_changed(edit, started=order_id in started, cancelled=cancelled)
                await edit.apply()
            answers.append(Answer(delivery, Outcome.CONFIRMED))
        except AmbiguousError as error:
            answers.append(Answer(delivery, Outcome.RETRY, error=str(error)))
        except RefusedError as error:
            answers.append(_held(delivery, "edit_refused", str(error)))
        except _HeldError as error:
            answers.append(_held(delivery, error.reason, str(error)))
    return answers


def _held(delivery: Delivery, reason: str, error: str) -> Answer:
    return Answer(delivery, Outcome.REFUSED, error=error, reason=reason, suggestion=BY_HAND)


def _may_be_changed(edit: "_Edit", *, started: bool, cancelled: int) -> None:
    """An order can be changed until the warehouse has begun. Raises _HeldError."""
    fields = ", ".join(edit.body["changed"])
    order = edit.order
    if order["orderStatus"]["orderStatusId"] == cancelled:
        raise _HeldError("edited_after_cancellation", f"the order is cancelled; the shop changed: {fields}")
    if started:
        raise _HeldError("edited_after_dispatch", f"a goods-out note exists; the shop changed: {fields}")
    if (order.get("invoices") or [{}])[0].get("invoiceReference"):
        raise _HeldError("edited_after_invoicing", f"the order has been invoiced; the shop changed: {fields}")


@dataclass
class _Edit:
    """The change of one order, and the order as Brightpearl shows it."""

    client: BrightpearlClient
    order: Json
    body: Json

    @property
    def path(self) -> str:
        return f"order-service/order/{self.order['id']}"

    # -- what is still to be done ---------------------------------------------------------------------------------

    @property
    def wanted(self) -> bool:
        """Whether anything is left to do."""
        return bool(self._leaving() or self._changing() or self._coming() or self._patches())

    def _own(self) -> Iterator[tuple[str, Json]]:
        """Rows that stand for lines of the shop; components of bundles follow their bundle."""
        for row_id, row in self.order["orderRows"].items():
            if row.get("externalRef") and not (row.get("composition") or {}).get("bundleChild"):
                yield row_id, row

    def _rows(self) -> dict[str, tuple[str, Json]]:
        """The rows of the lines, by the line's key: of that key and that product.

        Whether a row that is added alone keeps its externalRef is not documented (§5.3). One without any that says just
        what a line says is therefore that line's row, once: else an edit that was cut off would add it again.
        """
        found = {
            line["externalRef"]: (row_id, row)
            for row_id, row in self._own()
            for line in self.body["set"]
            if row["externalRef"] == line["externalRef"] and int(row["productId"]) == _product(line)
        }
        nameless = {
            row_id: row
            for row_id, row in self.order["orderRows"].items()
            if not row.get("externalRef") and not (row.get("composition") or {}).get("bundleChild")
        }
        for line in self.body["set"]:
            same = [row_id for row_id, row in nameless.items() if _same(row, line)]
            if line["externalRef"] not in found and same:
                found[line["externalRef"]] = (same[0], nameless.pop(same[0]))
        return found

    def _leaving(self) -> list[str]:
        """Rows of lines that are gone, or that now hold another product, unless nothing is left in them."""
        products = {line["externalRef"]: _product(line) for line in self.body["set"]}
        gone = set(self.body["gone"])
        return [
            row_id
            for row_id, row in self._own()
            if not emptied(row)
            and (
                row["externalRef"] in gone
                or int(row["productId"]) != products.get(row["externalRef"], int(row["productId"]))
            )
        ]

    def _changing(self) -> list[tuple[str, Json]]:
        """(row id, line) where the row does not say what the line says."""
        rows = self._rows()
        found = [(rows[line["externalRef"]], line) for line in self.body["set"] if line["externalRef"] in rows]
        return [(row_id, line) for (row_id, row), line in found if not _same(row, line)]

    def _coming(self) -> list[Json]:
        rows = self._rows()
        return [line for line in self.body["set"] if line["externalRef"] not in rows]

    def _patches(self) -> list[dict[str, Any]]:
        """The operations on the header (§5.4)."""
        patches: list[dict[str, Any]] = []
        if self.body.get("shipping_method") not in (None, self.order["delivery"].get("shippingMethodId", 0)):
            path = "/delivery/shippingMethodId"
            patches.append({"op": "replace", "path": path, "value": self.body["shipping_method"]})
        if "customer" in self.body:
            contact = int(self.body["customer"])
            for role in ("customer", "billing"):
                if int(self.order["parties"][role]["contactId"]) != contact:
                    patches.append({"op": "replace", "path": f"/parties/{role}/contactId", "value": contact})
        return patches

    # -- doing it -------------------------------------------------------------------------------------------------

    async def apply(self) -> None:
        """All steps, then a look whether Brightpearl shows what was wanted."""
        for row_id in self._leaving():
            await self._remove(row_id)
        await self._change()
        for line in self._coming():
            await self.client.api.request("POST", f"{self.path}/row", json=_new_row(line))
        patches = self._patches()
        if patches:
            await self.client.api.request("PATCH", self.path, json=patches, idempotent=True)
        await self._look()
        if self.wanted:
            raise _HeldError("edit_not_taken", "Brightpearl took the change and does not show it")

    async def _look(self) -> None:
        (self.order,) = await self.client.get_many("order-service/order/{ids}", [str(self.order["id"])])

    async def _remove(self, row_id: str) -> None:
        """Delete the row; where that is refused, empty it. Raises _HeldError where neither is allowed."""
        if self.order["orderPaymentStatus"] not in PAID and await self._deleted(row_id):
            await self._look()
            return
        row = self.order["orderRows"][row_id]
        nothing = {"quantity": "0", "taxCode": row["rowValue"]["taxCode"], "net": "0.00", "tax": "0.00"}
        await self._lower_reservation({row_id: Fraction(0)})
        try:
            await self._put_rows({row_id: nothing})
        except RefusedError as error:
            name = row.get("productSku") or row.get("productName") or row_id
            raise _HeldError(
                "row_not_removable",
                f"the shop took out {name}, and Brightpearl neither deletes the row of a paid order nor empties it "
                f"({error}); nothing of the edit was carried over",
            ) from error
        await self._look()

    async def _deleted(self, row_id: str) -> bool:
        """Whether Brightpearl let the row go: it keeps those of an order that is a parent, as of a credit (§5.3)."""
        try:
            await self.client.api.request("DELETE", f"{self.path}/row/{row_id}", expected={404})
        except RefusedError:
            return False
        return True

    async def _change(self) -> None:
        changing = self._changing()
        if not changing:
            return
        shares = {}
        for row_id, line in changing:
            before = Decimal(self.order["orderRows"][row_id]["quantity"]["magnitude"])
            if before > Decimal(line["quantity"]):
                shares[row_id] = Fraction(Decimal(line["quantity"])) / Fraction(before)
        await self._lower_reservation(shares)
        values = ("quantity", "taxCode", "net", "tax")
        await self._put_rows({row_id: {name: line[name] for name in values} for row_id, line in changing}, changing)

    async def _put_rows(self, values: Mapping[str, Json], lines: Sequence[tuple[str, Json]] = ()) -> None:
        """Several rows in one call (§5.5). Raises RefusedError also where only some were refused."""
        names = {row_id: line["name"] for row_id, line in lines}
        body = []
        for row_id, value in values.items():
            row = self.order["orderRows"][row_id]
            product = int(row["productId"])
            what = {"name": names.get(row_id, row["productName"])} if product == FREE_TEXT else {"productId": product}
            body.append({"id": int(row_id), **what, **value})
        path = f"order-service/sales-order/{self.order['id']}/row/{','.join(values)}"
        answer = read_json(await self.client.api.request("PUT", path, json=body, idempotent=True))["response"]
        problems = {row_id: errors for row_id, errors in answer.get("resourceErrors", {}).items() if errors}
        if problems:
            raise _HeldError("edit_refused", f"Brightpearl refused some of the rows: {problems}")

    async def _lower_reservation(self, shares: Mapping[str, Fraction]) -> None:
        """A row's quantity cannot go below what is reserved of it (§5.3): set what is to stay, by row, first."""
        if not shares:
            return
        found = await self.client.get(f"warehouse-service/order/{self.order['id']}/reservation")
        if not found:
            return
        reservation = found[0]
        products, lowered = [], False
        for row_id, reserved in reservation["orderRows"].items():
            units, row = int(reserved["quantity"]), self.order["orderRows"].get(row_id)
            share = self._share(row_id, shares)
            if share is not None and row is not None:
                units = min(units, int(Fraction(Decimal(row["quantity"]["magnitude"])) * share))
            lowered = lowered or units != int(reserved["quantity"])
            products.append(
                {"productId": int(reserved["productId"]), "salesOrderRowId": int(row_id), "quantity": units}
            )
        if lowered:
            path = f"warehouse-service/order/{self.order['id']}/reservation/warehouse/{reservation['warehouseId']}"
            await self.client.api.request("PUT", path, json={"products": products}, idempotent=True)

    def _share(self, row_id: str, shares: Mapping[str, Fraction]) -> Fraction | None:
        """What is to stay of a row: its own share, or that of the bundle that it is part of, at any depth."""
        while row_id not in shares:
            row = self.order["orderRows"].get(row_id) or {}
            parent = (row.get("composition") or {}).get("parentOrderRowId")
            if not parent:
                return None
            row_id = str(parent)
        return shares[row_id]


def emptied(row: Json) -> bool:
    """Whether nothing is left in a row: no units and no money."""
    value = row["rowValue"]
    amounts = (row["quantity"]["magnitude"], value["rowNet"]["value"], value["rowTax"]["value"])
    return all(Decimal(amount) == 0 for amount in amounts)


def _product(line: Json) -> int:
    return int(line.get("productId") or FREE_TEXT)


def _same(row: Json, line: Json) -> bool:
    """Whether a row says what a line says. Of several tax codes with the same rate any will do."""
    value = row["rowValue"]
    shown = (row["quantity"]["magnitude"], value["rowNet"]["value"], value["rowTax"]["value"])
    product = _product(line)
    named = int(row["productId"]) == product and (product != FREE_TEXT or row["productName"] == line["name"])
    wanted = (line["quantity"], line["net"], line["tax"])
    return named and all(Decimal(ours) == Decimal(theirs) for ours, theirs in zip(shown, wanted, strict=True))


def _new_row(line: Json) -> dict[str, Any]:
    """The body of a row that is added (§5.3); a bundle brings its components along by itself."""
    product = _product(line)
    what = {"productName": line["name"]} if product == FREE_TEXT else {"productId": product}
    return {
        **what,
        "quantity": {"magnitude": line["quantity"]},
        "rowValue": {
            "taxCode": line["taxCode"],
            "rowNet": {"value": line["net"]},
            "rowTax": {"value": line["tax"]},
        },
        "nominalCode": line["nominalCode"],
        "externalRef": line["externalRef"],
    }
