"""The generated world and the baskets bought in it: seeded, so that the same seed gives the same bytes."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from brightpearl_pipelines.sandbox.catalogue import invent_products
from brightpearl_pipelines.sandbox.customers import invent_people
from brightpearl_pipelines.sandbox.reference import (
    CHANNELS,
    CURRENCIES,
    RATE_BY_TAX_CODE,
    SHIPPING_METHODS,
    TAX_RATES,
    WAREHOUSES,
)
from brightpearl_pipelines.sandbox.world import DraftLine, DraftOrder, Person, Product, World

PENNY = Decimal("0.01")
SUB_PENNY = Decimal("0.0001")
AWAITING_FULFILMENT, AWAITING_PAYMENT, PENDING, INCOMPLETE, CANCELLED = 11, 7, 1, 0, 5
"""Statuses of a new shop order (bigcommerce.md §2.5)."""
STATUS_WEIGHTS = {AWAITING_FULFILMENT: 84, AWAITING_PAYMENT: 5, PENDING: 4, INCOMPLETE: 4, CANCELLED: 3}
UNKNOWN_PRODUCT_EVERY = 40
"""One basket in so many contains a product that Brightpearl does not know, so that an order is seen held."""
SPREAD = timedelta(days=6)
COUPONS = ("WELCOME10", "SPRING", "FRIENDS&FAMILY")


def generate_world(seed: int, *, products: int = 240, people: int = 300) -> World:
    """The business before its first order. ValueError when `products` is too small to have one of every kind."""
    return World(
        seed=seed,
        products=invent_products(random.Random(f"products:{seed}"), products),
        people=invent_people(random.Random(f"people:{seed}"), people),
        warehouses=WAREHOUSES,
        tax_rates=TAX_RATES,
        currencies=CURRENCIES,
        channels=CHANNELS,
        shipping_methods=SHIPPING_METHODS,
    )


def generate_orders(world: World, seed: int, count: int, until: datetime) -> Iterator[DraftOrder]:
    """`count` baskets in time order, spread over the days before `until`."""
    rng = random.Random(f"orders:{seed}")
    step = SPREAD / max(count, 1)
    for number in range(count):
        placed_at = until - step * (count - number) + step * rng.random()
        yield draft_order(
            world, rng, placed_at.replace(microsecond=0), with_unknown=number % UNKNOWN_PRODUCT_EVERY == 17
        )


@dataclass(frozen=True)
class _Terms:
    """What holds for a whole basket: `exchange` in units of the currency for a pound; tax only within the UK."""

    exchange: Decimal
    taxed: bool
    tax_inclusive: bool

    def net(self, price: Decimal, rate: Decimal) -> Decimal:
        """A catalogue price in this basket's currency; of a tax-inclusive shelf price, what is left without tax."""
        local = (price * self.exchange).quantize(PENNY)
        if not self.tax_inclusive:
            return local
        shelf = (local * (1 + rate / 100)).quantize(PENNY)
        return (shelf / (1 + rate / 100)).quantize(SUB_PENNY)

    def rate(self, tax_code: str) -> Decimal:
        return RATE_BY_TAX_CODE[tax_code] if self.taxed else Decimal(0)


def draft_order(world: World, rng: random.Random, placed_at: datetime, *, with_unknown: bool = False) -> DraftOrder:
    """One basket. The world must have products and people; everything else it lacks just does not occur."""
    buyer = rng.choice(world.people)
    ship_to = _recipient(rng, world.people) if rng.random() < 0.12 else None
    channel = rng.choice(world.channels) if buyer.country_iso2 != "GB" else world.channels[0]
    currency = "USD" if buyer.country_iso2 == "US" and rng.random() < 0.8 else channel.currency
    exchange = next(known.rate for known in world.currencies if known.code == currency)
    destination = (ship_to or buyer).country_iso2
    terms = _Terms(exchange, taxed=destination == "GB", tax_inclusive=rng.random() < 0.5)
    lines = tuple(_lines(world, rng, terms, with_unknown))
    method, shipping = _shipping(world, rng, lines, abroad=destination != "GB")
    shipping_rate = terms.rate("T20")
    order = DraftOrder(
        person=buyer,
        lines=lines,
        placed_at=placed_at,
        channel_id=channel.bigcommerce_id,
        currency=currency,
        shipping_method=method,
        shipping_price=terms.net(shipping, shipping_rate),
        shipping_tax_rate=shipping_rate,
        tax_inclusive=terms.tax_inclusive,
        status_id=rng.choices(list(STATUS_WEIGHTS), weights=list(STATUS_WEIGHTS.values()))[0],
        payment_method=rng.choice(("Credit Card", "Credit Card", "PayPal", "Bank Deposit")),
        ship_to=ship_to,
    )
    return _with_extras(rng, order)


def _recipient(rng: random.Random, people: Sequence[Person]) -> Person:
    """Somebody else, whose e-mail the buyer does not give."""
    return replace(rng.choice(people), email="", registered=False)


def _lines(world: World, rng: random.Random, terms: _Terms, with_unknown: bool) -> Iterator[DraftLine]:
    digital = [product for product in world.products if product.digital]
    known = [product for product in world.products if product.in_brightpearl and not product.digital]
    unknown = [product for product in world.products if not product.in_brightpearl]
    if digital and rng.random() < 0.05:
        yield _product_line(rng, terms, rng.choice(digital))
        return
    for product in rng.sample(known, min(len(known), rng.choice((1, 1, 1, 2, 2, 3, 4, 7)))):
        yield _product_line(rng, terms, product)
    if with_unknown and unknown:
        yield _product_line(rng, terms, rng.choice(unknown))
    if digital and rng.random() < 0.06:
        yield _product_line(rng, terms, rng.choice(digital))
    if rng.random() < 0.04:
        yield DraftLine(
            "Gift Certificate", 1, Decimal(rng.choice((10, 25, 50))), kind="gift_certificate", tax_rate=Decimal(0)
        )
    if rng.random() < 0.05:
        rate = terms.rate("T20")
        yield DraftLine("Engraving", rng.randint(1, 3), terms.net(Decimal("7.50"), rate), kind="custom", tax_rate=rate)


def _product_line(rng: random.Random, terms: _Terms, product: Product) -> DraftLine:
    rate = terms.rate(product.tax_code)
    return DraftLine(
        name=product.name,
        quantity=rng.choice((1, 1, 1, 2, 2, 3, 6)),
        price=terms.net(product.price, rate),
        sku=product.sku,
        tax_rate=rate,
    )


def _shipping(world: World, rng: random.Random, lines: Sequence[DraftLine], *, abroad: bool) -> tuple[str, Decimal]:
    """The method's name and its catalogue price in pounds; nothing to ship costs nothing."""
    digital = {product.sku for product in world.products if product.digital}
    names = [name for _, name, _ in world.shipping_methods]
    if all(line.sku in digital or line.kind == "gift_certificate" for line in lines):
        return names[0], Decimal(0)
    if abroad and "International" in names:
        return "International", Decimal("14.50")
    method = rng.choice([name for name in names if name != "International"])
    prices = {"Standard": Decimal("3.29"), "Express": Decimal("6.66")}
    return method, prices.get(method, Decimal(0))


def _with_extras(rng: random.Random, order: DraftOrder) -> DraftOrder:
    """Now and then a discount, a coupon or a fee; never more off than a fifth of the goods."""
    goods = sum((line.price * line.quantity for line in order.lines if line.kind != "gift_certificate"), Decimal(0))
    chance = rng.random()
    if chance < 0.22 and goods >= 1:
        share = Decimal(rng.choice((5, 10, 15, 20)))
        coupon = rng.choice(COUPONS) if chance < 0.12 else None
        order = replace(order, discount=(goods * share / 100).quantize(PENNY), coupon_code=coupon)
    if rng.random() < 0.05:
        order = replace(order, fee_name="Oversize surcharge", fee_price=Decimal("4.95"))
    return order
