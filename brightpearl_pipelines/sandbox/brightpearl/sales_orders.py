"""The sales-order and sales-credit resources: header and rows in one atomic call (brightpearl.md §5.5, §5.6)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl import order_parts
from brightpearl_pipelines.sandbox.brightpearl.drafts import Checker
from brightpearl_pipelines.sandbox.brightpearl.orders import OrderDraft, RowDraft, money_problem
from brightpearl_pipelines.sandbox.brightpearl.products import FREE_TEXT_PRODUCT
from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    ApiError,
    Call,
    IdSet,
    Json,
    JsonObject,
    Reply,
    answer,
    decimal_of,
    get_uris,
    int_of,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

MOST = 200
_ASSIGNMENT = {
    "staffOwnerContactId": "staffOwnerId",
    "projectId": "projectId",
    "channelId": "channelId",
    "leadSourceId": "leadSourceId",
    "teamId": "teamId",
}
_ROW_FIELDS = frozenset({"id", "productId", "name", "quantity", "taxCode", "net", "tax"})


class SalesOrders:
    """The same orders as `Orders` keeps, in the flatter form of these resources."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator

    def endpoints(self) -> list[Endpoint]:
        root = "order-service"
        return [
            Endpoint("POST", f"{root}/sales-order", self._poster("SO"), "post-sales-order"),
            Endpoint("GET", f"{root}/sales-order/{{ids}}", self._getter("SO"), "get-sales-order"),
            Endpoint("OPTIONS", f"{root}/sales-order/{{ids?}}", self.options, "options-sales-order"),
            Endpoint("PUT", f"{root}/sales-order/{{id}}/row/{{ids}}", self.put_rows, "put-sales-order-row"),
            Endpoint("POST", f"{root}/sales-credit", self._poster("SC"), "post-sales-credit"),
            Endpoint("GET", f"{root}/sales-credit/{{ids}}", self._getter("SC"), "get-sales-credit"),
        ]

    # -- creation -------------------------------------------------------------------------------------------------

    def _poster(self, kind: str) -> Callable[[Call], Reply]:
        def handler(call: Call) -> Reply:
            body = call.object()
            checker = Checker(self.emulator)
            draft = self._draft(checker, body, kind, call.staff_id)
            existing = self._existing(checker, draft)
            if existing is not None:
                return answer(existing)
            checker.done()
            order = self.emulator.orders.create(draft)
            if kind == "SO":
                self.emulator.webhooks.raise_event("sales-order.created", order["id"])
            return answer(order["id"])

        return handler

    def _existing(self, checker: Checker, draft: OrderDraft) -> int | None:
        """The unique compound key: a second order with it is an error, or gets the first one's id (§5.5, §13)."""
        if draft.external_ref is None or draft.instance_id is None:
            return None
        key = (draft.kind, draft.external_ref, draft.instance_id)
        existing = self.emulator.orders.by_key.get(key)
        if existing is None or self.emulator.settings["duplicate_external_ref"] == "existing":
            return existing
        checker.fail(
            "ORDC-050",
            f"An order with externalRef {key[1]} and installedIntegrationInstanceId {key[2]} already exists",
        )
        return None

    def _draft(self, checker: Checker, body: JsonObject, kind: str, staff_id: int) -> OrderDraft:
        customer, billing, delivery, currency = (
            _object(checker, body, name) for name in ("customer", "billing", "delivery", "currency")
        )
        addresses = {
            role: checker.address(part.get("address"))
            for role, part in (("customer", customer), ("billing", billing), ("delivery", delivery))
        }
        instance = int_of(body.get("installedIntegrationInstanceId"))
        if body.get("installedIntegrationInstanceId") not in (None, "") and instance is None:
            checker.fail("ORDC-051", "You have supplied an invalid installedIntegrationInstanceId")
        return OrderDraft(
            kind=kind,
            contact_id=checker.contact(customer.get("id") or body.get("customerId"), "customer"),
            staff_id=staff_id,
            reference=checker.reference(body.get("ref")),
            external_ref=str(body["externalRef"]) if body.get("externalRef") else None,
            instance_id=instance,
            parent_id=checker.parent(body.get("parentId")),
            price_list_id=checker.entry("price_lists", body.get("priceListId"), "price list", 2),
            price_mode=checker.price_mode(body.get("priceModeCode")),
            status_id=checker.status(body.get("statusId"), kind),
            placed_on=checker.instant(body.get("placedOn"), "placedOn"),
            tax_date=checker.instant(body.get("taxDate"), "taxDate"),
            delivery_date=checker.instant(delivery.get("date"), "delivery date"),
            shipping_method_id=checker.shipping_method(delivery.get("shippingMethodId")),
            currency=checker.currency(currency.get("code")),
            exchange_rate=checker.rate(currency.get("exchangeRate")),
            fixed_exchange_rate=bool(currency.get("fixedExchangeRate", True)),
            warehouse_id=checker.entry("warehouses", body.get("warehouseId"), "warehouse", 2),
            assignment=self._assignment(checker, body),
            addresses={role: address for role, address in addresses.items() if address is not None},
            rows=self._rows(checker, body.get("rows"), kind),
        )

    def _assignment(self, checker: Checker, body: JsonObject) -> dict[str, int]:
        checker.entry("channels", body.get("channelId") or None, "channel", 0)
        checker.entry("lead_sources", body.get("leadSourceId") or None, "lead source", 0)
        return {ours: int_of(body.get(theirs)) or 0 for ours, theirs in _ASSIGNMENT.items()}

    def _rows(self, checker: Checker, sent: Json, kind: str) -> list[RowDraft]:
        if sent is None:
            return []
        if not isinstance(sent, list) or not all(isinstance(row, dict) for row in sent):
            checker.fail("ORDC-052", "rows must be a list of rows")
            return []
        rows = [
            checker.row(
                position,
                kind,
                product_id=row.get("productId"),
                name=row.get("name"),
                quantity=row.get("quantity"),
                tax_code=row.get("taxCode"),
                net=row.get("net"),
                tax=row.get("tax"),
                nominal_code=row.get("nominalCode"),
                external_ref=row.get("externalRef"),
            )
            for position, row in enumerate(sent)
        ]
        return [row for row in rows if row is not None]

    # -- reading --------------------------------------------------------------------------------------------------

    def _getter(self, kind: str) -> Callable[..., Reply]:
        def handler(call: Call, ids: str) -> Reply:
            """Always 2xx: 207 when only some of the ids were found (§2.4)."""
            wanted = IdSet.parse(ids).limited(MOST)
            orders = self.emulator.collection("orders")
            found = [number for number in wanted.among(orders) if orders[str(number)]["orderTypeCode"] == kind]
            shown = [self._shown(call, orders[str(number)]) for number in found]
            return answer(shown, 200 if len(found) == len(wanted.ids()) else 207)

        return handler

    def _shown(self, call: Call, order: JsonObject) -> JsonObject:
        total, parties = order["totalValue"], order["parties"]
        current, delivery = order["assignment"]["current"], order["delivery"]
        currency = order["currency"]
        view: JsonObject = {
            "id": order["id"],
            "customer": {"id": parties["customer"]["contactId"], "address": _address(parties["customer"])},
            "billing": {"contactId": parties["billing"]["contactId"], "address": _address(parties["billing"])},
            "ref": order["reference"], "placedOn": order["placedOn"], "taxDate": order["invoices"][0].get("taxDate"),
            "parentId": order["parentOrderId"] or None, "statusId": order["orderStatus"]["orderStatusId"],
            "warehouseId": order["warehouseId"], "staffOwnerId": current["staffOwnerContactId"],
            "projectId": current["projectId"], "channelId": current["channelId"],
            "externalRef": order.get("externalRef"),
            "installedIntegrationInstanceId": order.get("installedIntegrationInstanceId"),
            "leadSourceId": current["leadSourceId"], "teamId": current["teamId"], "priceListId": order["priceListId"],
            "priceModeCode": order["priceModeCode"],
            "currency": {
                "code": currency["orderCurrencyCode"], "fixedExchangeRate": currency["fixedExchangeRate"],
                "exchangeRate": currency["exchangeRate"],
            },
            "delivery": _present({
                "date": delivery.get("deliveryDate"), "address": _address(parties["delivery"]),
                "shippingMethodId": delivery["shippingMethodId"],
            }),
            "rows": [self._row(number, row) for number, row in order["orderRows"].items()],
            "createdOn": order["createdOn"], "createdBy": order["createdById"], "updatedOn": order.get("updatedOn"),
            "total": {
                "net": total["net"], "tax": total["taxAmount"], "gross": total["total"], "baseNet": total["baseNet"],
                "baseTax": total["baseTaxAmount"], "baseGross": total["baseTotal"],
            },
            "isCanceled": self.emulator.orders.is_cancelled(order),
            "orderPaymentStatus": order["orderPaymentStatus"], "allocationStatusCode": order["allocationStatusCode"],
            "stockStatusCode": order["stockStatusCode"], "shippingStatusCode": order["shippingStatusCode"],
            "invoice": order["invoices"][0], "version": order["version"], "orderWeighting": order["orderWeighting"],
            "costPriceListId": order["costPriceListId"],
            **self.emulator.custom_fields.shown(call, order, "sale"),
        }  # fmt: skip
        return _present(view)

    def _row(self, number: str, row: JsonObject) -> JsonObject:
        value, composition = row["rowValue"], row["composition"]
        return _present({
            "id": int(number), "productId": row["productId"], "name": row["productName"],
            "sku": row.get("productSku"), "quantity": row["quantity"]["magnitude"], "taxCode": value["taxCode"],
            "net": value["rowNet"]["value"], "tax": value["rowTax"]["value"], "nominalCode": row["nominalCode"],
            "externalRef": row.get("externalRef"), "productPrice": row["productPrice"]["value"],
            "discountPercentage": row["discountPercentage"], "sequence": row["orderRowSequence"],
            "bundleChild": composition["bundleChild"], "bundleParent": composition["bundleParent"],
            "parentRowId": composition["parentOrderRowId"] or None, "taxClassId": value["taxClassId"],
            "taxCalculator": value["taxCalculator"], "clonedFromId": row["clonedFromId"],
        })  # fmt: skip

    def options(self, _call: Call, ids: str | None) -> Reply:
        orders = self.emulator.collection("orders")
        found = IdSet.parse(ids).among(orders) if ids else map(int, orders)
        sales = (number for number in found if orders[str(number)]["orderTypeCode"] == "SO")
        return answer(get_uris("/sales-order", sales))

    # -- rows -----------------------------------------------------------------------------------------------------

    def put_rows(self, call: Call, id: str, ids: str) -> Reply:
        """Several rows of one order; a multi-resource reply, or 400 when none could be changed (§5.5)."""
        order = self.emulator.orders.find(id)
        if order is None or order["orderTypeCode"] != "SO":
            raise ApiError(400, ("ORDC-003", f"You have supplied an invalid order id: {id}"))
        self.emulator.order_api.not_invoiced(order)
        sent = call.json()
        entries = [entry for entry in sent if isinstance(entry, dict)] if isinstance(sent, list) else []
        by_row = {int_of(entry.get("id")): entry for entry in entries}
        errors: dict[str, list[JsonObject]] = {}
        changes: list[tuple[JsonObject, JsonObject]] = []
        for number in IdSet.parse(ids).limited(MOST).ids():
            problem = self._row_problem(order, number, by_row.get(number))
            errors[str(number)] = [{"code": "ORDC-053", "message": problem}] if problem else []
            if not problem:
                changes.append((order["orderRows"][str(number)], by_row[number]))
        if not changes:
            problems = (entry for entries in errors.values() for entry in entries)
            raise ApiError(400, *((entry["code"], entry["message"]) for entry in problems))
        for row, entry in changes:
            self._change_row(row, entry)
        for row_id, found in errors.items():
            if not found:
                self.emulator.orders.rescale(order, int(row_id))
        self.emulator.orders.changed(order)
        statuses = {number: 400 if problems else 200 for number, problems in errors.items()}
        status = 207 if any(errors.values()) else 200
        return answer({"resourceStatuses": statuses, "resourceErrors": errors}, status)

    def _row_problem(self, order: JsonObject, number: int, entry: JsonObject | None) -> str | None:
        row = order["orderRows"].get(str(number))
        if row is None or entry is None:
            return f"Row {number} does not exist or was not sent"
        unknown = sorted(set(entry) - _ROW_FIELDS)
        if unknown:
            return f"Row {number} has unknown fields: {', '.join(unknown)}"
        if any(name in entry and money_problem(entry[name], 4) for name in ("net", "tax")):
            return f"Row {number} has an invalid net or tax"
        if "taxCode" in entry and self.emulator.reference.tax_code(entry["taxCode"]) is None:
            return f"Row {number} has an invalid tax code: {entry['taxCode']}"
        if int_of(entry.get("productId", row["productId"])) != row["productId"]:
            return f"Row {number} holds product {row['productId']}, which cannot be changed"
        quantity = entry.get("quantity", row["quantity"]["magnitude"])
        return self.emulator.order_api.quantity_problem(order, str(number), quantity)

    def _change_row(self, row: JsonObject, entry: JsonObject) -> None:
        if entry.get("name") and row["productId"] == FREE_TEXT_PRODUCT:
            row["productName"] = str(entry["name"])
        if "quantity" in entry:
            row["quantity"] = order_parts.quantity(decimal_of(entry["quantity"]) or Decimal(0))
        tax_code = self.emulator.reference.tax_code(entry.get("taxCode"))
        net, tax = (decimal_of(entry.get(name)) for name in ("net", "tax"))
        row["rowValue"] = order_parts.changed_value(row["rowValue"], net=net, tax=tax, tax_code=tax_code)


def _object(checker: Checker, body: JsonObject, name: str) -> JsonObject:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        checker.fail("ORDC-054", f"{name} must be an object")
    return value if isinstance(value, dict) else {}


def _address(party: JsonObject) -> JsonObject:
    """The flat address; its country is shown with three letters."""
    address = {name: party[name] for name in order_parts.PARTY_FIELDS}
    return {**address, "countryIsoCode": party["countryIsoCode3"]} if "countryIsoCode3" in party else address


def _present(values: JsonObject) -> JsonObject:
    """Unset properties are omitted (§2.1)."""
    return {name: value for name, value in values.items() if value is not None}
