"""Real order lines ("Online Retail", UCI) turned into a world, orders and refunds; what cannot be placed is listed.

The file knows neither instants nor names nor taxes, so these are supplied by rule: invoices follow each other at equal
distances, people are invented from the customer number, British orders carry 20% VAT on net prices and others none.
Every line of the file ends in exactly one place: in an order, in a refund, or in `unplaced` with its reason.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path

from brightpearl_pipelines.sandbox.online_retail_people import (
    UnknownCountryError,
    country_named,
    customer,
    guest,
    moved,
)
from brightpearl_pipelines.sandbox.online_retail_refunds import Refund, RefundMatcher
from brightpearl_pipelines.sandbox.reference import (
    CHANNELS,
    CURRENCIES,
    MAIN_WAREHOUSE,
    SHIPPING_METHODS,
    TAX_RATES,
    WAREHOUSES,
)
from brightpearl_pipelines.sandbox.world import DraftLine, DraftOrder, Person, Product, World

SPACING = timedelta(minutes=10)
"""Between two invoices; orders and refunds alike."""
POSTAGE_CODES = frozenset({"POST", "DOT", "C2", "C3"})
FEE_CODES = frozenset({"BANK CHARGES", "AMAZONFEE", "CRUK"})
CUSTOM_CODES = frozenset({"M", "S", "B", "PADS"})
"""Manual entries, samples, bad-debt adjustments, pads: lines without a product."""
DISCOUNT_CODE = "D"
GIFT_PREFIX = "GIFT_"
SCARCE_EVERY = 300
"""One product in so many has too little stock for what is ordered of it."""
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "UnitPrice", "CustomerID", "Country")


@dataclass(frozen=True)
class SourceLine:
    """A line of the file as it can be used: code in capitals, text trimmed. `line_number` counts the file's lines."""

    line_number: int
    invoice: str
    code: str
    description: str
    quantity: int
    price: Decimal
    customer_id: str
    country: str


@dataclass(frozen=True)
class Unplaced:
    """A line of the file that became neither part of an order nor of a refund, and why."""

    invoice: str
    line_number: int
    """Line of the file; the header is line 1."""
    code: str
    reason: str


@dataclass(frozen=True)
class RetailLoad:
    """What the file became. `orders` and `refunds` are in the order of the file, that is in time order."""

    world: World
    orders: list[DraftOrder]
    refunds: list[Refund]
    unplaced: list[Unplaced]
    lines_read: int
    lines_ordered: int
    lines_refunded: int

    def summary(self) -> str:
        """One sentence for a person."""
        return (
            f"{self.lines_read:,} lines read: {self.lines_ordered:,} in {len(self.orders):,} orders, "
            f"{self.lines_refunded:,} in {len(self.refunds):,} refunds, {len(self.unplaced):,} not placed; "
            f"{len(self.world.products):,} products and {len(self.world.people):,} customers made"
        )


def count_invoices(path: Path) -> int:
    """How many invoices the file has, cancellations included: `load_online_retail` spaces so many."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return len({row["InvoiceNo"].strip() for row in _rows(file, path)})


def load_online_retail(path: Path, *, start: datetime) -> RetailLoad:
    """Read the file; the first invoice happens at `start`, each further one `SPACING` later.

    Raises ValueError when columns are missing, OSError when the file cannot be read.
    """
    unplaced: list[Unplaced] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(_usable_lines(file, path, unplaced))
    lines_read = len(lines) + len(unplaced)
    products = _products(lines)
    loader = _Loader(unplaced=unplaced, names={product.sku: product.name for product in products})
    for number, (invoice, of_invoice) in enumerate(_by_invoice(lines).items()):
        loader.take(invoice, of_invoice, start + SPACING * number)
    world = World(
        seed=0,
        products=products,
        people=tuple(loader.customers.values()),
        warehouses=WAREHOUSES,
        tax_rates=TAX_RATES,
        currencies=CURRENCIES,
        channels=CHANNELS,
        shipping_methods=SHIPPING_METHODS,
    )
    return RetailLoad(
        world=world,
        orders=loader.orders,
        refunds=loader.refunds,
        unplaced=sorted(unplaced, key=lambda line: line.line_number),
        lines_read=lines_read,
        lines_ordered=loader.lines_ordered,
        lines_refunded=loader.lines_refunded,
    )


def _rows(file: Iterable[str], path: Path) -> "csv.DictReader[str]":
    reader = csv.DictReader(file)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"{path} is not a file of order lines: no column {', '.join(missing)}")
    return reader


def _usable_lines(file: Iterable[str], path: Path, unplaced: list[Unplaced]) -> Iterator[SourceLine]:
    reader = _rows(file, path)
    for row in reader:
        text = {name: (row[name] or "").strip() for name in COLUMNS}
        try:
            quantity, price = int(text["Quantity"]), Decimal(text["UnitPrice"])
        except (ValueError, InvalidOperation):
            reason = f"quantity {text['Quantity']!r} or price {text['UnitPrice']!r} is not a number"
            unplaced.append(Unplaced(text["InvoiceNo"], reader.line_num, text["StockCode"], reason))
            continue
        yield SourceLine(
            line_number=reader.line_num,
            invoice=text["InvoiceNo"],
            code=text["StockCode"].upper(),
            description=text["Description"],
            quantity=quantity,
            price=price,
            customer_id=text["CustomerID"].removesuffix(".0"),
            country=text["Country"],
        )


def _by_invoice(lines: Iterable[SourceLine]) -> dict[str, list[SourceLine]]:
    invoices: dict[str, list[SourceLine]] = {}
    for line in lines:
        invoices.setdefault(line.invoice, []).append(line)
    return invoices


def is_product(code: str) -> bool:
    """Whether a stock code (in capitals) is something kept in stock, and not a charge, a voucher or a note."""
    special = POSTAGE_CODES | FEE_CODES | CUSTOM_CODES | {DISCOUNT_CODE, ""}
    return code not in special and not code.startswith(GIFT_PREFIX)


def _products(lines: Iterable[SourceLine]) -> tuple[Product, ...]:
    """One product a stock code, named and priced as most lines have it.

    Texts on unpriced lines are a stock-keeper's notes ("check", "damages", "amazon"), so they name a product only if
    the line was sold: quantity above zero, written in capitals as the catalogue does, and no priced line has a text.
    """
    names: dict[str, Counter[str]] = defaultdict(Counter)
    spare_names: dict[str, Counter[str]] = defaultdict(Counter)
    prices: dict[str, Counter[Decimal]] = defaultdict(Counter)
    ordered: Counter[str] = Counter()
    for line in lines:
        if not is_product(line.code):
            continue
        ordered[line.code] += max(line.quantity, 0)
        if line.price > 0:
            prices[line.code][line.price] += 1
            names[line.code][line.description] += 1 if line.description else 0
        elif line.quantity > 0 and line.description.isupper():
            spare_names[line.code][line.description] += 1
    best = {code: _most_frequent(names[code]) or _most_frequent(spare_names[code]) for code in ordered}
    bearers = Counter(best.values())
    return tuple(
        Product(
            sku=code,
            # A shop refuses two products of one name (bigcommerce.md §3.6).
            name=best[code] if best[code] and bearers[best[code]] == 1 else f"{best[code] or 'Item'} {code}",
            price=prices[code].most_common(1)[0][0] if prices[code] else Decimal(0),
            brand="Unbranded",
            category="Gifts",
            stock=_stock(number, ordered[code]),
        )
        for number, code in enumerate(sorted(ordered))
    )


def _most_frequent(texts: "Counter[str]") -> str:
    """The first of the most frequent ones; empty when there is none."""
    return next((text for text, count in texts.most_common(1) if count), "")


def _stock(number: int, ordered: int) -> dict[int, int]:
    """Enough for every order and some more in the main warehouse; a few products have only a third of it."""
    if number % SCARCE_EVERY == SCARCE_EVERY - 1:
        return {MAIN_WAREHOUSE: ordered // 3}
    return {MAIN_WAREHOUSE: ordered + 20 + number % 50, WAREHOUSES[1].id: number % 7}


@dataclass
class _Loader:
    """Takes invoice after invoice and remembers what has been ordered, so that cancellations find it."""

    unplaced: list[Unplaced]
    names: dict[str, str]
    orders: list[DraftOrder] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    customers: dict[str, Person] = field(default_factory=dict)
    matcher: RefundMatcher = field(default_factory=RefundMatcher)
    lines_ordered: int = 0
    lines_refunded: int = 0

    def take(self, invoice: str, lines: list[SourceLine], instant: datetime) -> None:
        if invoice.upper().startswith("C"):
            self._take_cancellation(invoice, lines, instant)
        elif invoice.isdigit():
            self._take_sale(invoice, lines, instant)
        else:
            self._refuse(lines, f"invoice {invoice!r} is neither a sale (a number) nor a cancellation (C and a number)")

    def _refuse(self, lines: Iterable[SourceLine], reason: str) -> None:
        self.unplaced.extend(Unplaced(line.invoice, line.line_number, line.code, reason) for line in lines)

    def _take_sale(self, invoice: str, lines: list[SourceLine], instant: datetime) -> None:
        sold = []
        for line in lines:
            reason = _why_not_sold(line)
            if reason:
                self._refuse([line], reason)
            else:
                sold.append(line)
        if not sold:
            return
        try:
            person = self._person(sold[0])
        except UnknownCountryError as error:
            self._refuse(sold, str(error))
            return
        rate = Decimal(20) if person.country_iso2 == "GB" else Decimal(0)
        basket = _Basket(rate, self.names)
        for line in sold:
            basket.add(line)
        order = basket.order(person, invoice, instant)
        if not order.lines or order.discount > _worth(order):
            self._refuse(sold, "the discount is more than the goods that it could be taken from")
            return
        self.orders.append(order)
        self.lines_ordered += len(sold)
        if person.registered:
            self.matcher.remember(sold[0].customer_id, order, basket.codes)

    def _person(self, line: SourceLine) -> Person:
        if not line.customer_id:
            return guest(line.invoice, line.country)
        if line.customer_id not in self.customers:
            self.customers[line.customer_id] = customer(line.customer_id, line.country)
        known = self.customers[line.customer_id]
        return known if country_named(line.country)[0] == known.country_iso2 else moved(known, line.country)

    def _take_cancellation(self, invoice: str, lines: list[SourceLine], instant: datetime) -> None:
        refundable = []
        for line in lines:
            reason = _why_not_refundable(line)
            if reason:
                self._refuse([line], reason)
            else:
                refundable.append(line)
        wanted = [(line.line_number, line.code, -line.quantity, line.price) for line in refundable]
        by_number = {line.line_number: line for line in refundable}
        customer_id = lines[0].customer_id
        found = self.matcher.match(customer_id, invoice, wanted, instant)
        self.refunds.extend(found.refunds)
        self.lines_refunded += len(refundable) - len(found.reasons)
        for line_number, reason in found.reasons.items():
            self._refuse([by_number[line_number]], reason)


def _worth(order: DraftOrder) -> Decimal:
    """What a discount can be taken from: the goods with their tax, without vouchers."""
    goods = (line for line in order.lines if line.kind != "gift_certificate")
    return sum((line.quantity * line.price * (1 + line.tax_rate / 100) for line in goods), Decimal(0))


def _why_not_sold(line: SourceLine) -> str | None:
    if line.price < 0:
        return "a price below zero is an adjustment of the books and no sale"
    if line.quantity == 0:
        return "the quantity is zero"
    if line.quantity < 0 and line.code != DISCOUNT_CODE:
        return "a quantity below zero on a sales invoice is a correction of stock and no sale"
    if not line.code:
        return "the line has no stock code"
    return None


def _why_not_refundable(line: SourceLine) -> str | None:
    if line.quantity >= 0:
        return "the quantity on a cancellation is not below zero"
    if line.price <= 0:
        return "there is no money to give back: the price is not above zero"
    if not line.customer_id:
        return "the cancellation names no customer, so nobody can say whose order it was"
    if line.code == DISCOUNT_CODE:
        return "a discount given afterwards belongs to no single line of an order"
    if line.code in POSTAGE_CODES or line.code in FEE_CODES:
        return "postage and fees are no order lines, so no line can be refunded"
    return None


@dataclass
class _Basket:
    """The lines of one sales invoice on their way into a shop order."""

    rate: Decimal
    names: dict[str, str]
    lines: list[DraftLine] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    """The stock code of each order line, at the same index."""
    charges: list[SourceLine] = field(default_factory=list)
    discount: Decimal = Decimal(0)
    """Net of tax."""

    def add(self, line: SourceLine) -> None:
        if line.code in POSTAGE_CODES or line.code in FEE_CODES:
            self.charges.append(line)
        elif line.code == DISCOUNT_CODE:
            self.discount += abs(line.quantity) * line.price
        else:
            self._append(self._draft(line), line.code)

    def _append(self, draft: DraftLine, code: str) -> None:
        self.lines.append(draft)
        self.codes.append(code)

    def _draft(self, line: SourceLine) -> DraftLine:
        if line.code.startswith(GIFT_PREFIX):
            # A voucher is money, not goods: its tax is due when it is redeemed.
            return DraftLine(
                line.description or "Gift voucher",
                line.quantity,
                line.price,
                kind="gift_certificate",
                tax_rate=Decimal(0),
            )
        if line.code in CUSTOM_CODES:
            return DraftLine(
                line.description or line.code, line.quantity, line.price, kind="custom", tax_rate=self.rate
            )
        return DraftLine(self.names[line.code], line.quantity, line.price, sku=line.code, tax_rate=self.rate)

    def order(self, person: Person, invoice: str, instant: datetime) -> DraftOrder:
        """The order. Where an invoice has nothing but charges they become lines: a shop order needs at least one.

        A shop order has one fee, so that the second and further ones become lines too.
        """
        only_charges = not self.lines
        shipping, fee = Decimal(0), None
        for charge in self.charges:
            is_fee = charge.code in FEE_CODES
            if only_charges or (is_fee and fee is not None):
                rate = Decimal(0) if is_fee else self.rate
                name = charge.description or charge.code
                self._append(DraftLine(name, charge.quantity, charge.price, kind="custom", tax_rate=rate), charge.code)
            elif is_fee:
                fee = charge
            else:
                shipping += charge.quantity * charge.price
        return DraftOrder(
            person=person,
            lines=tuple(self.lines),
            placed_at=instant,
            shipping_method="Standard" if person.country_iso2 == "GB" else "International",
            shipping_price=shipping,
            shipping_tax_rate=self.rate,
            discount=(self.discount * (1 + self.rate / 100)).quantize(Decimal("0.01"), ROUND_HALF_UP),
            fee_name=(fee.description or fee.code) if fee else None,
            fee_price=fee.quantity * fee.price if fee else Decimal(0),
            external_id=invoice,
        )
