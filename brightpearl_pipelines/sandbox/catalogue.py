"""What is sold in the generated world: simple products, families of variants, bundles, downloads, gifts, newcomers."""

import random
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice, product

from brightpearl_pipelines.sandbox.reference import MAIN_WAREHOUSE, RATE_BY_TAX_CODE, WAREHOUSES
from brightpearl_pipelines.sandbox.world import Product

BRANDS = ("Northwind", "Harbour & Lane", "Käthe & Co", "Fjällbo", "O'Malley's")
ADJECTIVES = ("Enamel", "Woven", "Rustic", "Striped", "Speckled", "Oak", "Linen", "Vintage", "Recycled", "Crème")
NOUNS = (
    ("Mug", "Kitchen", "T20"),
    ("Tray", "Kitchen", "T20"),
    ("Cushion", "Living", "T20"),
    ("Lantern", "Living", "T20"),
    ("Candle 20cm", "Living", "T20"),
    ("Recipe Book", "Books", "T0"),
    ("Children's Apron", "Children", "T0"),
    ("Draught Excluder", "Energy saving", "T5"),
    ('Picture Frame 8" × 10"', "Living", "T20"),
    ("First Aid Course Notes", "Books", "T1"),
)
FAMILIES = (
    ("Tee", ("Red", "Navy", "Off-White"), ("S", "M", "L", "XL")),
    ("Hooded Sweatshirt", ("Grey marl", "Forest"), ("S", "M", "L")),
    ("Throw", ("Mustard", "Slate", "Rosé"), ()),
    ("Wellington Boots", ("Green", "Black"), ("37", "38", "39½", "41")),
    ("Duvet Cover", ("White", "Sage"), ("Single", "Double", "King")),
    ("Dinner Plate", ("Blue", "Sand"), ("21 cm", "27 cm")),
)
DIGITAL = (
    "Knitting Pattern (PDF)",
    "Cookery Course",
    "Wallpaper Pack",
    "Gardening Calendar",
    "Audio Story",
    "Craft Video",
)
GIFTS = ("Gift Box", "Gift Wrap", "Greeting Card", "Ribbon", "Tote Bag", "Free Sample")
AWKWARD_SKUS = (
    "000123",
    "MUG/BLU 12",
    "A&B-1",
    "Ünïcode-7",
    "lower-case-1",
    "10%-OFF",
    "100",
    "TRAY#4",
    "A+B",
    "x_Y.z",
)
SHARE_OF_VARIANTS = Decimal("0.35")
BUNDLES = 10
UNKNOWN_TO_BRIGHTPEARL = 2
FEWEST_PRODUCTS = 60


def _price(rng: random.Random, low: int, high: int, tax_code: str) -> Decimal:
    """A net price that gives a shelf price of x.99 or x.50 with tax, rounded to the penny as catalogues keep it."""
    shelf = Decimal(rng.randint(low, high)) + rng.choice((Decimal("0.99"), Decimal("0.50"), Decimal("0.95")))
    return (shelf / (1 + RATE_BY_TAX_CODE[tax_code] / 100)).quantize(Decimal("0.01"))


def _cost(rng: random.Random, price: Decimal) -> Decimal:
    return (price * rng.randint(30, 60) / 100).quantize(Decimal("0.01"))


def _stock(rng: random.Random) -> dict[int, int]:
    """Most in the main warehouse; one product in twelve is nearly or wholly sold out."""
    if rng.random() < 1 / 12:
        return {MAIN_WAREHOUSE: rng.randint(0, 2)}
    stock = {MAIN_WAREHOUSE: rng.randint(40, 400)}
    for warehouse in WAREHOUSES:
        if warehouse.id != MAIN_WAREHOUSE and rng.random() < 0.5:
            stock[warehouse.id] = rng.randint(1, 60)
    return stock


def _simple(rng: random.Random) -> Iterator[Product]:
    for number, ((noun, category, tax_code), adjective) in enumerate(_endless(rng)):
        sku = AWKWARD_SKUS[number] if number < len(AWKWARD_SKUS) else f"NW-{number:05d}"
        price = _price(rng, 3, 60, tax_code)
        yield Product(
            sku=sku,
            name=f"{adjective} {noun} No. {number}",
            price=price,
            cost=_cost(rng, price),
            weight=Decimal(rng.randint(5, 400)) / 100,
            brand=rng.choice(BRANDS),
            category=category,
            tax_code=tax_code,
            stock=_stock(rng),
        )


def _endless(rng: random.Random) -> Iterator[tuple[tuple[str, str, str], str]]:
    while True:
        yield rng.choice(NOUNS), rng.choice(ADJECTIVES)


def _variants(rng: random.Random) -> Iterator[Product]:
    """Variants without end: when every family has been used, it comes again as the next season's."""
    season = 0
    while True:
        season += 1
        for noun, colours, sizes in FAMILIES:
            family = f"{noun} {season}"
            price = _price(rng, 9, 80, "T20")
            for colour, size in product(colours, sizes or ("",)):
                options = {"Colour": colour} | ({"Size": size} if size else {})
                yield Product(
                    sku="-".join([noun[:3].upper() + str(season), *(value.upper()[:6] for value in options.values())]),
                    name=" ".join([family, *options.values()]),
                    price=price + (Decimal(2) if size in ("XL", "King", "27 cm") else Decimal(0)),
                    cost=_cost(rng, price),
                    brand="Northwind",
                    category="Clothing and textiles",
                    family=family,
                    options=options,
                    stock=_stock(rng),
                )


def _digital(rng: random.Random) -> list[Product]:
    return [
        Product(
            sku=f"DL-{number}",
            name=name,
            price=_price(rng, 2, 20, "T20"),
            weight=Decimal(0),
            category="Downloads",
            digital=True,
        )
        for number, name in enumerate(DIGITAL, start=1)
    ]


def _gifts(rng: random.Random) -> list[Product]:
    return [
        Product(
            sku=f"GIFT-{number}",
            name=name,
            price=Decimal(0) if name == "Free Sample" else _price(rng, 0, 6, "T20"),
            cost=Decimal("0.40"),
            category="Gifts",
            stock={MAIN_WAREHOUSE: 5000},
        )
        for number, name in enumerate(GIFTS, start=1)
    ]


def _bundles(rng: random.Random, parts: list[Product], gifts: list[Product]) -> list[Product]:
    """Sets of two or three stocked products; the last one contains the first bundle and a gift box."""
    by_sku = {part.sku: part for part in [*parts, *gifts]}
    bundles: list[Product] = []
    for number in range(1, BUNDLES + 1):
        if number == BUNDLES:
            components = {bundles[0].sku: 1, gifts[0].sku: 1}
            by_sku[bundles[0].sku] = bundles[0]
        else:
            chosen = rng.sample([part for part in parts if part.tax_code == "T20"], rng.randint(2, 3))
            components = {part.sku: rng.choice((1, 1, 2, 6)) for part in chosen}
        full = sum((by_sku[sku].price * units for sku, units in components.items()), Decimal(0))
        bundles.append(
            Product(
                sku=f"SET-{number:02d}",
                name=f"Gift Set No. {number}",
                price=(full * 9 / 10).quantize(Decimal("0.01")),
                category="Gifts",
                components=components,
            )
        )
    return bundles


def _newcomers(rng: random.Random) -> list[Product]:
    """Sold by the shop before anybody has set them up in Brightpearl."""
    return [
        Product(
            sku=f"NEW-{number}",
            name=f"Newcomer No. {number}",
            price=_price(rng, 5, 30, "T20"),
            cost=Decimal("2.00"),
            stock={MAIN_WAREHOUSE: 100},
            in_brightpearl=False,
        )
        for number in range(1, UNKNOWN_TO_BRIGHTPEARL + 1)
    ]


def invent_products(rng: random.Random, count: int) -> tuple[Product, ...]:
    """`count` products; components come before the bundles made of them. ValueError below `FEWEST_PRODUCTS`."""
    if count < FEWEST_PRODUCTS:
        raise ValueError(f"a generated world needs at least {FEWEST_PRODUCTS} products, not {count}")
    variants = list(islice(_variants(rng), int(count * SHARE_OF_VARIANTS)))
    digital, gifts, newcomers = _digital(rng), _gifts(rng), _newcomers(rng)
    rest = count - len(variants) - len(digital) - len(gifts) - len(newcomers) - BUNDLES
    simple = list(islice(_simple(rng), rest))
    bundles = _bundles(rng, [*simple, *variants], gifts)
    return (*simple, *variants, *digital, *gifts, *bundles, *newcomers)
