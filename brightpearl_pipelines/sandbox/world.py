"""The business that the emulators pretend to serve: what is sold, to whom, from where. Same seed, same world.

The dataclasses are the agreement between the world and the emulators: the world says what exists, each emulator's
`populate(world)` turns it into its own system's objects. Prices are net of tax, in the base currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

BASE_CURRENCY = "GBP"


@dataclass(frozen=True)
class TaxRate:
    """`code` is Brightpearl's tax code; `rate` in per cent."""

    code: str
    name: str
    rate: Decimal


@dataclass(frozen=True)
class Warehouse:
    """A place that holds stock; ids are Brightpearl's."""

    id: int
    name: str
    city: str


@dataclass(frozen=True)
class Currency:
    """`rate`: units of this currency for one unit of the base currency."""

    code: str
    symbol: str
    rate: Decimal


@dataclass(frozen=True)
class Channel:
    """A shop front; `bigcommerce_id` and `brightpearl_id` are what each side calls it."""

    name: str
    bigcommerce_id: int
    brightpearl_id: int
    currency: str


@dataclass(frozen=True)
class Product:
    """Something with a SKU. Products of one `family` are variants of one shop product, told apart by `options`."""

    sku: str
    name: str
    price: Decimal
    cost: Decimal = Decimal(0)
    weight: Decimal = Decimal("0.5")
    brand: str = "Northwind"
    category: str = "General"
    tax_code: str = "T20"
    family: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    stock: Mapping[int, int] = field(default_factory=dict)
    """Units on hand by warehouse id."""
    components: Mapping[str, int] = field(default_factory=dict)
    """For a bundle: SKU to units a bundle; a bundle has no stock of its own."""
    digital: bool = False
    in_brightpearl: bool = True
    """False for a product that the shop sells and Brightpearl does not know yet."""


@dataclass(frozen=True)
class Person:
    """A customer as typed at a checkout. `registered` ones have a shop account, the others are guests."""

    first_name: str
    last_name: str
    email: str
    phone: str
    street_1: str
    city: str
    postcode: str
    country_iso2: str
    country: str
    company: str = ""
    street_2: str = ""
    state: str = ""
    registered: bool = True


@dataclass(frozen=True)
class DraftLine:
    """A line of a basket. `sku` None is a custom line. `price` is per unit, net of tax, in the order's currency.

    `kind`: product, custom, gift_certificate.
    """

    name: str
    quantity: int
    price: Decimal
    sku: str | None = None
    kind: str = "product"
    tax_rate: Decimal = Decimal(20)
    ship_to: Person | None = None
    """Another recipient than the rest of the order's."""
    wrapping: str | None = None
    """The name of the gift wrapping, if any."""
    wrapping_price: Decimal = Decimal(0)
    """Of each unit, net of tax; taxed like the line."""
    wrapping_message: str = ""


@dataclass(frozen=True)
class DraftOrder:
    """A basket about to become a shop order."""

    person: Person
    lines: tuple[DraftLine, ...]
    placed_at: datetime
    channel_id: int = 1
    currency: str = BASE_CURRENCY
    shipping_method: str = "Standard"
    shipping_price: Decimal = Decimal(0)
    """Net of tax."""
    shipping_tax_rate: Decimal = Decimal(20)
    discount: Decimal = Decimal(0)
    """Order-level amount off, of the tax-inclusive total; spread over the lines by the shop."""
    coupon_code: str | None = None
    """With a code, `discount` is a coupon, else a manual discount."""
    fee_name: str | None = None
    fee_price: Decimal = Decimal(0)
    """A custom fee, untaxed."""
    tax_inclusive: bool = False
    status_id: int = 11
    payment_method: str = "Credit Card"
    external_id: str | None = None
    """What the order is called where it came from, e.g. an invoice number; lands in `external_order_id`."""
    ship_to: Person | None = None
    """Another recipient than the buyer."""
    pickup_at: str | None = None
    """The name of the place where the customer fetches it; nothing is shipped then."""
    gift_certificate: Decimal = Decimal(0)
    store_credit: Decimal = Decimal(0)
    """What is paid by gift certificate and store credit; the payment method pays the rest."""
    message: str = ""
    """What the customer wrote at the checkout."""
    source: str = "www"
    """`manual` for an order that a clerk typed in."""


@dataclass(frozen=True)
class World:
    """Everything that exists before the first order."""

    seed: int
    products: tuple[Product, ...]
    people: tuple[Person, ...]
    warehouses: tuple[Warehouse, ...]
    tax_rates: tuple[TaxRate, ...]
    currencies: tuple[Currency, ...]
    channels: tuple[Channel, ...]
    shipping_methods: tuple[tuple[int, str, str], ...]
    """Brightpearl's id, name and carrier."""
    base_currency: str = BASE_CURRENCY
    """Of the account and of the shop: prices are in it; the rates of other currencies are for one unit of it."""
