"""Checks what is sent for orders and turns it into drafts; problems are collected (brightpearl.md §2.3)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.order_parts import known_country
from brightpearl_pipelines.sandbox.brightpearl.orders import RowDraft, money_problem
from brightpearl_pipelines.sandbox.brightpearl.products import FREE_TEXT_PRODUCT
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    ApiError,
    JsonObject,
    decimal_of,
    decimals,
    instant_of,
    int_of,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

LONGEST_REFERENCE = 64


class Checker:
    """Reads sent values one by one and remembers what is wrong. Of the codes, only those of §2.3 are documented."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator
        self.problems: list[tuple[str, str]] = []

    def fail(self, code: str, message: str) -> None:
        self.problems.append((code, message))

    def done(self) -> None:
        """Raise what was found, all of it."""
        if self.problems:
            raise ApiError(400, *self.problems)

    # -- header values --------------------------------------------------------------------------------------------

    def contact(self, number: object, role: str) -> int:
        if not number:
            # The misspelling is the service's own.
            self.fail("ORDC-022", "Suppllier ID Required." if role == "supplier" else "Customer ID Required.")
            return 0
        if str(number) not in self.emulator.collection("contacts"):
            self.fail("ORDC-023", f"You have supplied an invalid contact id: {number}")
            return 0
        return int(str(number))

    def entry(self, collection: str, number: object, what: str, default: int) -> int:
        """An id that has to be in a reference list; the default when it is not sent."""
        if number in (None, ""):
            return default
        if str(number) not in self.emulator.collection(collection):
            self.fail("ORDC-040", f"You have supplied an invalid {what}: {number}")
            return default
        return int(str(number))

    def status(self, number: object, kind: str) -> int | None:
        if number in (None, ""):
            return None
        status = self.emulator.collection("order_statuses").get(str(number))
        if status is None or status["orderTypeCode"] != kind or not status["visible"]:
            self.fail("ORDC-041", f"You have supplied an invalid order status id: {number}")
            return None
        return int(str(number))

    def shipping_method(self, number: object) -> int:
        if not self.emulator.warehouses.known_method(number):
            self.fail("ORDC-040", f"You have supplied an invalid shipping method: {number}")
        return int_of(number) or 0

    def instant(self, value: object, what: str) -> datetime | None:
        if value in (None, ""):
            return None
        instant = instant_of(value, self.emulator.zone)
        if instant is None:
            self.fail("ORDC-042", f"You have supplied an invalid {what}: {value}")
        return instant

    def currency(self, code: object) -> str:
        if code and self.emulator.reference.currency(str(code)) is None:
            self.fail("ORDC-043", f"You have supplied an invalid currency code: {code}")
        return str(code or "")

    def rate(self, value: object) -> Decimal | None:
        if value in (None, ""):
            return None
        rate = decimal_of(value)
        if rate is None or rate <= 0 or decimals(rate) > 6:
            self.fail("ORDC-044", f"You have supplied an invalid exchange rate: {value}")
            return None
        return rate

    def price_mode(self, value: object) -> str:
        if value not in (None, "INC", "EXC"):
            self.fail("ORDC-045", f"You have supplied an invalid price mode code: {value}")
        return str(value or "EXC")

    def reference(self, value: object) -> str:
        if len(str(value or "")) > LONGEST_REFERENCE:
            self.fail("ORDC-046", f"The reference may have at most {LONGEST_REFERENCE} characters")
        return str(value or "")

    def parent(self, number: object) -> int:
        if number and self.emulator.orders.find(str(number)) is None:
            self.fail("ORDC-003", f"You have supplied an invalid order id: {number}")
        return int_of(number) or 0

    def address(self, value: object) -> JsonObject | None:
        if value is None:
            return None
        if not isinstance(value, dict) or not known_country(value):
            self.fail("ORDC-047", "You have supplied an invalid address")
            return None
        return value

    # -- rows -----------------------------------------------------------------------------------------------------

    def row(
        self,
        position: int,
        kind: str,
        *,
        product_id: object,
        name: object,
        quantity: object,
        tax_code: object,
        net: object,
        tax: object,
        nominal_code: object,
        external_ref: object,
    ) -> RowDraft | None:
        """A row draft, or None when something is wrong with it."""
        before = len(self.problems)
        product = self._product(position, product_id, name, kind)
        magnitude = self._quantity(position, quantity, product)
        if self.emulator.reference.tax_code(tax_code) is None:
            self.fail("ORDC-027", f"You have supplied an invalid tax code: {tax_code} for row {position}")
        most = int(self.emulator.settings["row_money_decimals_on_post"])
        for what, value in (("net", net), ("tax", tax)):
            if money_problem(value, most):
                self.fail("ORDC-028", f"You have supplied an invalid {what} value: {value} for row {position}")
        codes = self.emulator.collection("nominal_codes").values()
        if nominal_code and str(nominal_code) not in {entry["code"] for entry in codes}:
            self.fail("ORDC-029", f"You have supplied an invalid nominal code: {nominal_code} for row {position}")
        if len(self.problems) > before or magnitude is None:
            return None
        return RowDraft(
            product_id=product,
            name=str(name) if name else None,
            quantity=magnitude,
            tax_code=str(tax_code),
            net=decimal_of(net) or Decimal(0),
            tax=decimal_of(tax) or Decimal(0),
            nominal_code=str(nominal_code) if nominal_code else None,
            external_ref=str(external_ref) if external_ref else None,
        )

    def _product(self, position: int, product_id: object, name: object, kind: str) -> int:
        if product_id in (None, "", 0, FREE_TEXT_PRODUCT, str(FREE_TEXT_PRODUCT)):
            if not name:
                self.fail(
                    "ORDC-026", "You have not supplied a product name, which is required for all free text items."
                )
            return FREE_TEXT_PRODUCT
        number = int_of(product_id)
        if number is None or self.emulator.products.find(number) is None:
            self.fail("ORDC-025", f"You have supplied an invalid product id: {product_id} for row {position}")
            return FREE_TEXT_PRODUCT
        if kind in ("PO", "PC") and self.emulator.products.components(number):
            self.fail("ORDC-030", f"Product {number} is a bundle, which cannot be purchased")
        return number

    def _quantity(self, position: int, value: object, product_id: int) -> Decimal | None:
        """Whole for what is kept in stock and for bundles, else up to 4 decimals (§5.3)."""
        quantity = decimal_of(value)
        products = self.emulator.products
        whole = products.stock_tracked(product_id) or bool(products.components(product_id))
        if quantity is None or quantity <= 0 or decimals(quantity) > (0 if whole else 4):
            self.fail("ORDC-024", f"You have supplied an invalid quantity: {value} for row {position}")
            return None
        return quantity
