"""A small business whose every product and person stands for one kind of trouble."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from brightpearl_pipelines.sandbox.reference import CHANNELS, CURRENCIES, SHIPPING_METHODS, TAX_RATES, WAREHOUSES
from brightpearl_pipelines.sandbox.world import DraftLine, DraftOrder, Person, Product, World

WHEN_PLACED = datetime.min.replace(tzinfo=UTC)
"""Stands for the instant at which the harness places the order."""
UK = {"country_iso2": "GB", "country": "United Kingdom"}

KNOWN = Person("Carla", "Known", "carla@known.example", "+44 1", "1 Old Street", "Leeds", "LS1 4AP", **UK)
"""Brightpearl has a contact of hers from the start."""
ANNA = Person("Anna", "Ashby", "Anna@Example.com", "+44 20 7946 0001", "1 High Street", "Leeds", "LS1 4AQ", **UK)
GUEST = Person("Gus", "Guest", "gus@guest.example", "", "9 Side Road", "York", "YO1 7HH", registered=False, **UK)

PRODUCTS = (
    Product("MUG", "Enamel mug", Decimal("8.33"), stock={2: 400, 3: 100}),
    Product("TRAY", "Oak tray", Decimal("24.99"), stock={2: 120}),
    Product("TEE-S", "Tee S", Decimal("15.00"), family="Tee", options={"Size": "S"}, stock={2: 70}),
    Product("TEE-M", "Tee M", Decimal("16.50"), family="Tee", options={"Size": "M"}, stock={3: 50}),
    Product("BOOK", "Recipe book", Decimal("12.00"), tax_code="T0", stock={2: 100}),
    Product("SEAT", "Child seat", Decimal("60.01"), tax_code="T5", stock={2: 30}),
    Product("NORTH", "Northern lamp", Decimal("45.00"), stock={3: 20}),
    Product("DUBLIN", "Irish scarf", Decimal("30.00"), stock={5: 20}),
    Product("PDF", "Pattern", Decimal("4.00"), digital=True),
    Product("SET", "Mug and tray", Decimal("30.00"), components={"MUG": 1, "TRAY": 1}),
    Product("HAMPER", "Hamper", Decimal("55.00"), components={"SET": 1, "MUG": 2, "SEAT": 1}),
    Product("LAMP", "Lamp that Brightpearl does not know", Decimal("19.99"), in_brightpearl=False, stock={2: 5}),
)
PRICES = {product.sku: product for product in PRODUCTS}
RATES = {rate.code: rate.rate for rate in TAX_RATES}


def small_world(*more: Product) -> World:
    """The products above and more, one customer whom Brightpearl knows."""
    return World(
        seed=1,
        products=(*PRODUCTS, *more),
        people=(KNOWN,),
        warehouses=WAREHOUSES,
        tax_rates=TAX_RATES,
        currencies=CURRENCIES,
        channels=CHANNELS,
        shipping_methods=SHIPPING_METHODS,
    )


def person(name: str, **changes: str | bool) -> Person:
    """Somebody new, with an address and an e-mail of their own."""
    first, _, last = name.partition(" ")
    made = replace(
        GUEST,
        first_name=first,
        last_name=last,
        email=f"{first}.{last}@people.example".lower(),
        street_1=f"1 {last} Street",
    )
    return replace(made, **changes)


def draft(*lines: tuple[str, int] | DraftLine, **changes: object) -> DraftOrder:
    """A basket of (SKU, quantity) at catalogue prices, or of ready lines; Anna buys unless said otherwise."""
    made = [line if isinstance(line, DraftLine) else product_line(*line) for line in lines or (("MUG", 2), ("BOOK", 1))]
    fields = {"person": ANNA, "lines": tuple(made), "placed_at": WHEN_PLACED, **changes}
    return DraftOrder(**fields)


def product_line(sku: str, quantity: int, **changes: object) -> DraftLine:
    """A line at the catalogue's price and tax rate."""
    product = PRICES.get(sku)
    made = DraftLine(
        name=product.name if product else sku,
        quantity=quantity,
        price=product.price if product else Decimal(10),
        sku=sku,
        tax_rate=RATES[product.tax_code] if product else Decimal(20),
    )
    return replace(made, **changes)
