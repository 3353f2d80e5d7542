"""Our own models of business things, as held in the hub. No I/O.

Money is decimal, in the currency of its document; instants are aware and UTC; ids of other systems are strings.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(strip_whitespace=True)]
Required = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
CountryCode = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$")]


class Entity(BaseModel):
    """A thing in the hub. An unknown field is a mistake of a mapping, not something to carry along."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Address(Entity):
    """A postal address with the person who receives there; `country` is ISO 3166 alpha-2 or empty."""

    name: Text = ""
    company: Text = ""
    line1: Text = ""
    line2: Text = ""
    city: Text = ""
    region: Text = ""
    postcode: Text = ""
    country: CountryCode = ""
    phone: Text = ""
    email: Text = ""


class Customer(Entity):
    """A person or company who buys."""

    first_name: Text = ""
    last_name: Text = ""
    company: Text = ""
    email: Text = ""
    phone: Text = ""
    group: Text = ""
    website: Text = ""
    buyer: bool = False
    """An order of theirs stands; who only has an account is nobody's customer yet."""
    billing: Address = Address()
    shipping: Address = Address()

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.email or self.last_name or self.first_name or self.company):
            raise ValueError("a customer needs at least an e-mail, a name or a company")
        return self


class Component(Entity):
    """What a bundle is made of."""

    sku: Required
    quantity: Annotated[int, Field(gt=0)]


class Price(Entity):
    """What one unit costs in a price list; `gross` says that tax is in it."""

    currency: CurrencyCode
    amount: Annotated[Decimal, Field(ge=0)]
    gross: bool = False


class ProductDetails(Entity):
    """What a system tells of a product beside it: prices by price list, the names of its brand and categories."""

    prices: dict[str, Price] = {}
    brand: Text = ""
    categories: tuple[Text, ...] = ()


class Product(Entity):
    """Something sold under a SKU. Those of one `group` are variants of one thing, told apart by their `options`."""

    sku: Required
    name: Text = ""
    title: Text = ""
    """The name without the values of the options: what all variants of one thing are called."""
    description: Text = ""
    """HTML."""
    group: Text = ""
    weight: Annotated[Decimal, Field(ge=0)] | None = None
    """In kilograms."""
    tax_rate: Annotated[Decimal, Field(ge=0)] | None = None
    """In per cent; None where the account's tax codes do not say it."""
    ean: Text = ""
    upc: Text = ""
    mpn: Text = ""
    isbn: Text = ""
    categories: tuple[Text, ...] = ()
    prices: dict[str, Price] = {}
    """By price list."""
    custom_fields: dict[str, str] = {}
    """By code, in words."""
    live: bool = True
    stock_tracked: bool = True
    components: tuple[Component, ...] = ()
    tax_code: Text = ""
    brand: Text = ""
    options: dict[str, str] = {}
    barcode: Text = ""

    @property
    def is_bundle(self) -> bool:
        return bool(self.components)


class Arrival(Entity):
    """Units on their way from a supplier to a warehouse; `at` is None where the purchase order names no day."""

    warehouse: Text
    at: AwareDatetime | None = None
    quantity: Annotated[int, Field(gt=0)]


class StockLevel(Entity):
    """What the warehouses of one Brightpearl account can still sell of one SKU.

    `on_hand` is by warehouse id and already net of allocations (brightpearl.md §8.1); `committed` are units on shop
    orders that Brightpearl's figures do not show yet, by the shop that took them; `expected` is what open purchase
    orders bring, earliest first. A bundle is reckoned from its components: `committed` and `expected` are theirs.
    """

    sku: Required
    on_hand: dict[str, int]
    committed: dict[str, Annotated[int, Field(ge=0)]] = {}
    expected: tuple[Arrival, ...] = ()


class OrderStatus(StrEnum):
    """Where an order stands, in our words; each system's own statuses map to these."""

    INCOMPLETE = "incomplete"
    AWAITING_PAYMENT = "awaiting_payment"
    OPEN = "open"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
    PARTIALLY_REFUNDED = "partially_refunded"
    """Not shipped yet; what is left of it still goes."""
    REFUNDED = "refunded"


class LineKind(StrEnum):
    """What a line of an order stands for."""

    PRODUCT = "product"
    CUSTOM = "custom"
    GIFT_CERTIFICATE = "gift_certificate"
    SHIPPING = "shipping"
    HANDLING = "handling"
    WRAPPING = "wrapping"
    FEE = "fee"
    ROUNDING = "rounding"


class OrderLine(Entity):
    """A line with its own absolute amounts: `net` and `tax` are for the whole quantity, after every discount.

    `discount` is what was taken off (net, zero or more) and informs only; it is already subtracted.
    """

    key: Required
    kind: LineKind
    name: Text
    quantity: Annotated[int, Field(gt=0)]
    net: Decimal
    tax: Decimal
    sku: Text = ""
    discount: Decimal = Decimal(0)

    @model_validator(mode="after")
    def _product_lines_have_a_sku(self) -> Self:
        if self.kind is LineKind.PRODUCT and not self.sku:
            raise ValueError(f"line {self.key} ({self.name}) is a product line without a SKU")
        return self


class Order(Entity):
    """A sale. The lines, shipping and rounding included, add up to the totals to the penny."""

    number: Required
    placed_at: AwareDatetime
    channel: Required
    currency: CurrencyCode
    exchange_rate: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    tax_inclusive: bool
    status: OrderStatus
    customer_key: Required
    """What the shop calls the customer; a guest is only known through the order."""
    customer: Customer
    billing: Address
    delivery: Address
    shipping_method: Text = ""
    lines: tuple[OrderLine, ...]
    total_net: Decimal
    total_tax: Decimal
    note: Text = ""
    archived: bool = False
    """Put away in the shop."""
    progress: OrderStatus | None = None
    """Where the order stands in Brightpearl; None before it is there."""

    @property
    def total(self) -> Decimal:
        return self.total_net + self.total_tax

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        for what, total, lines in (
            ("net", self.total_net, sum((line.net for line in self.lines), Decimal(0))),
            ("tax", self.total_tax, sum((line.tax for line in self.lines), Decimal(0))),
        ):
            if total != lines:
                raise ValueError(f"the lines add up to {what} {lines}, the order says {total}")
        return self


class OrderProgress(Entity):
    """What Brightpearl adds to an order that a shop began."""

    progress: OrderStatus


class PaymentKind(StrEnum):
    """Brightpearl's own distinction (brightpearl.md §9.2)."""

    RECEIPT = "receipt"
    REFUND = "refund"
    AUTHORISATION = "authorisation"
    CAPTURE = "capture"
    VOID = "void"
    """The authorisation is released: nothing of it will be taken any more."""


class Payment(Entity):
    """Money that moved, or was promised, for an order; `reference` is unique per movement."""

    order_number: Required
    reference: Required
    kind: PaymentKind
    method: Required
    currency: CurrencyCode
    exchange_rate: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    amount: Annotated[Decimal, Field(ge=0)]
    paid_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    """Of an authorisation: when it lapses by itself."""
    authorisation: Text = ""
    """Of a receipt or a void: the reference of the authorisation that it ends, if there ever was one."""
    return_reference: Text = ""
    """Of a refund: the return that the money goes back for."""


class ShipmentLine(Entity):
    """How many of an order's line left; `line` is the order line's key."""

    line: Required
    quantity: Annotated[int, Field(gt=0)]


class Shipment(Entity):
    """A parcel, or several, that left a warehouse together."""

    order_number: Required
    reference: Required
    """The warehouse's own number of it, e.g. the goods-out note id."""
    shipped_at: AwareDatetime
    method: Text = ""
    tracking: Text = ""
    warehouse: Text = ""
    lines: Annotated[tuple[ShipmentLine, ...], Field(min_length=1)]
    undone: bool = False
    """The warehouse took it back: it counts as never having left."""


class ShipmentState(Entity):
    """What is said of a shipment again each time its note is read."""

    undone: bool


class ReturnLine(Entity):
    """What was taken back of an order's line, or paid back without goods; absolute amounts.

    They are zero or more, save for tax alone that is put right (`adjustment`). `line` is the order line's key, empty
    where the shop names none. `restock` says that the goods came back.
    """

    key: Required
    kind: LineKind
    name: Text
    quantity: Annotated[int, Field(gt=0)]
    net: Decimal
    tax: Decimal
    line: Text = ""
    sku: Text = ""
    restock: bool = False


class Return(Entity):
    """A refund with the goods that came back for it, if any; several per order are normal.

    `order_number` is the shop's own; which shop, says the origin of `reference`.
    """

    order_number: Required
    reference: Required
    returned_at: AwareDatetime
    currency: CurrencyCode
    exchange_rate: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    reason: Text = ""
    lines: Annotated[tuple[ReturnLine, ...], Field(min_length=1)]
    total_net: Decimal
    total_tax: Decimal

    @property
    def total(self) -> Decimal:
        return self.total_net + self.total_tax

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        for what, total, lines in (
            ("net", self.total_net, sum((line.net for line in self.lines), Decimal(0))),
            ("tax", self.total_tax, sum((line.tax for line in self.lines), Decimal(0))),
        ):
            if total != lines:
                raise ValueError(f"the lines add up to {what} {lines}, the return says {total}")
        return self


class PurchaseOrderLine(Entity):
    """What was ordered of a SKU from a supplier, and how much of it has been received."""

    key: Required
    sku: Required
    product: Text = ""
    """Brightpearl's id of the product: a line keeps it when the SKU is renamed."""
    quantity: Annotated[int, Field(gt=0)]
    received: Annotated[int, Field(ge=0)] = 0


class PurchaseOrder(Entity):
    """An order to a supplier; what is not received yet comes to `warehouse` at about `expected_at`."""

    reference: Required
    supplier: Text = ""
    placed_at: AwareDatetime
    expected_at: AwareDatetime | None = None
    warehouse: Text = ""
    open: bool = True
    lines: tuple[PurchaseOrderLine, ...]
