"""Money of random baskets (BC-02, BC-03, BC-21, I3, I4): from the shop's arithmetic to Brightpearl's totals.

Each basket is placed in the shop's emulator, read, mapped and planned by the real code, and the planned sales order is
given to Brightpearl's emulator. The judge adds up what the two emulators hold, in whole pennies. Between them stands no
network and no database, so that a hundred thousand baskets take minutes: `BASKETS=100000 pytest -m long` on this file.
"""

import asyncio
import dataclasses
import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from itertools import islice
from uuid import UUID

import httpx
import pytest

from brightpearl_pipelines.configuration import load_configuration
from brightpearl_pipelines.entities.models import Order
from brightpearl_pipelines.sandbox.bigcommerce.checkout import place
from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.bigcommerce.orders import shown
from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator
from brightpearl_pipelines.sandbox.world import DraftLine, DraftOrder
from brightpearl_pipelines.store.types import Golden, Record
from brightpearl_pipelines.sync.hub import golden_id
from brightpearl_pipelines.systems.contract import Plan, PlanContext
from brightpearl_pipelines_tests.sync.goods import ANNA, KNOWN, PRODUCTS, RATES, small_world
from brightpearl_pipelines_tests.sync.harness import CONNECTIONS

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
BATCH = 250
FEW = 1_000
MANY = int(os.environ.get("BASKETS", "20000"))
PENNY = Decimal("0.01")
ROUNDINGS = ("line", "total", "none")
"""How the shop rounds tax: each line's, the whole order's, or not at all (four decimals are kept)."""
SOLD = tuple(product for product in PRODUCTS if product.in_brightpearl)


@dataclasses.dataclass(frozen=True)
class Basket:
    draft: DraftOrder
    rounding: str


def baskets(seed: int) -> Iterator[Basket]:
    """For ever: everything that moves a penny is drawn anew for each."""
    rng = random.Random(seed)
    while True:
        inclusive = rng.random() < 0.5
        taxed = rng.random() < 0.85
        lines = [_line(rng, taxed=taxed) for _ in range(rng.choice((1, 1, 2, 3, 5, 9, 24)))]
        draft = DraftOrder(
            person=rng.choice((ANNA, KNOWN)),
            lines=tuple(lines),
            placed_at=NOW,
            currency=rng.choice(("GBP", "EUR", "USD")),
            shipping_price=Decimal(rng.choice((0, 0, 299, 495, 1333))).scaleb(-2),
            shipping_tax_rate=Decimal(20) if taxed else Decimal(0),
            tax_inclusive=inclusive,
            discount=_discount(rng, lines),
            coupon_code=rng.choice((None, "SPRING")),
            fee_name=rng.choice((None, None, None, "Gift card handling")),
            fee_price=Decimal(rng.randint(1, 999)).scaleb(-2),
        )
        yield Basket(draft, rng.choice(ROUNDINGS))


def _line(rng: random.Random, *, taxed: bool) -> DraftLine:
    product = rng.choice(SOLD)
    # From pennies to thousands; now and then with the four decimals that a net price of a gross shop has.
    places = rng.choice((2, 2, 2, 4))
    price = Decimal(rng.randint(1, 10 ** rng.randint(2, 6))).scaleb(-places)
    kind = rng.choices(("product", "custom", "gift_certificate"), weights=(20, 2, 1))[0]
    rate = RATES[product.tax_code] if taxed and kind == "product" else Decimal(0)
    quantity = 1 if kind == "gift_certificate" else rng.choice((1, 1, 1, 2, 3, 7, 12, 144))
    return DraftLine(product.name, quantity, price, product.sku if kind == "product" else None, kind, rate)


def _discount(rng: random.Random, lines: Sequence[DraftLine]) -> Decimal:
    # The shop may round each unit down to whole pennies before it multiplies.
    priced = [line for line in lines if line.kind != "gift_certificate"]
    worth = sum((line.price.quantize(PENNY, ROUND_FLOOR) * line.quantity for line in priced), Decimal(0))
    if worth < 1 or rng.random() < 0.5:
        return Decimal(0)
    return (worth * Decimal(rng.random())).quantize(PENNY)


class Shelf:
    """A hub in which every product, customer and contact is known, and nothing was sent yet."""

    def external_ids(self, entity: str, connection: str, golden_ids: Iterable[UUID]) -> Mapping[UUID, Sequence[str]]:
        return {each: [str(each)] for each in golden_ids if entity in ("product", "customer")}

    def golden_ids(self, entity: str, connection: str, external_ids: Iterable[str]) -> Mapping[str, UUID]:
        return {each: golden_id(entity, connection, each) for each in external_ids}

    def goldens(self, entity: str, golden_ids: Iterable[UUID]) -> Mapping[UUID, Golden]:
        return {each: Golden(entity, each, {"sku": str(each), "stock_tracked": False}, {}) for each in golden_ids}

    def records(self, connection: str, stream: str, ids: Iterable[str]) -> Mapping[str, Record]:
        return {}

    def deliveries(self, connection: str, keys: Iterable[str]) -> Mapping[str, object]:
        return {}

    def agreed(self, entity: str, connection: str, golden_ids: Iterable[UUID]) -> Mapping[UUID, object]:
        return {}

    def by_keys(self, entity: str, kind: str, values: Iterable[str]) -> Mapping[str, Sequence[UUID]]:
        return {each: [golden_id(entity, "brightpearl", each)] for each in values} if entity == "product" else {}


class Wall:
    """The two emulators and the real code between them, for one batch of baskets."""

    def __init__(self) -> None:
        self.configuration = load_configuration(CONNECTIONS)
        self.shop = BigCommerceEmulator(settings={"requests_per_30_seconds": 0})
        self.books = BrightpearlEmulator(settings={"requests_per_minute": 10_000_000})
        for emulator in (self.shop, self.books):
            emulator.base_url = "http://emulator.test"
            emulator.populate(small_world())

    def place(self, basket: Basket) -> dict[str, object]:
        """The order as the shop's API shows it."""
        self.shop.settings["rounding_strategy"] = "NO_ROUNDING" if basket.rounding == "none" else "RATE_ROUNDING"
        order = self.shop.collections["orders"][str(place(self.shop, basket.draft))]
        if basket.rounding == "total":
            _round_once(self.shop, order)
        return shown(self.shop, order, {"consignments.line_items", "fees"})

    def plan(self, orders: Sequence[Mapping[str, object]]) -> Plan:
        connection = self.configuration.connection("bigcommerce")
        [source] = [s for s in connection.system.sources if (s.stream, s.entity) == ("orders", "order")]
        rows = []
        for order in orders:
            record = Record("bigcommerce", "orders", str(order["id"]), 1, order, NOW, NOW, False)
            [mapped] = source.read(record, connection.settings)
            content = Order.model_validate(mapped.content).model_dump(mode="json")
            key = golden_id("order", "bigcommerce", mapped.external_id)
            rows.append(Golden("order", key, content, dict.fromkeys(content, "bigcommerce"), version=1))
        account = self.configuration.connection("brightpearl")
        shops = {"bigcommerce": connection.settings}
        context = PlanContext("brightpearl", account.settings, shops, Shelf(), NOW)
        return account.system.target("order").plan(context, rows)

    async def book(self, plan: Plan) -> None:
        """Post the planned orders, ten a call; what they refer to is named by its id over there."""
        ids = self._ids()
        bodies = [_known(each.payload["body"], ids) for each in plan.deliveries if each.kind == "create"]
        messages = [
            {"label": str(n), "uri": "/order-service/sales-order", "httpMethod": "POST", "body": body}
            for n, body in enumerate(bodies)
        ]
        # An order of one would be refused as a multi-message (brightpearl.md §4.2): a batch is a multiple of ten.
        transport = httpx.ASGITransport(self.books.app())
        keys = self.books.credentials()
        headers = {"brightpearl-app-ref": keys["app_ref"], "brightpearl-account-token": keys["account_token"]}
        path = f"/public-api/{keys['account']}/multi-message"
        async with httpx.AsyncClient(transport=transport, base_url="http://emulator.test", headers=headers) as client:
            for start in range(0, len(messages), 10):
                some = {"processingMode": "SEQUENTIAL", "onFail": "CONTINUE", "messages": messages[start : start + 10]}
                response = await client.post(path, json=some)
                assert response.status_code == 200, response.text

    def _ids(self) -> dict[str, int]:
        contacts = self.books.collection("contacts").values()
        buyer = next(each["contactId"] for each in contacts if not each["relationshipToAccount"]["isStaff"])
        products = {
            str(golden_id("product", "brightpearl", each["identity"]["sku"])): each["id"]
            for each in self.books.collection("products").values()
            if each.get("identity", {}).get("sku")
        }
        return {**products, "buyer": buyer}

    def differences(self, basket: Basket, order: Mapping[str, object]) -> Iterator[str]:
        """What the books have otherwise than the shop: the judge, in pennies."""
        [booked] = [each for each in self.books.collection("orders").values() if each["reference"] == str(order["id"])]
        asked, tax = _pennies(order["total_inc_tax"]), _pennies(order["total_tax"])
        total = booked["totalValue"]
        rows = booked["orderRows"].values()
        net = sum(_pennies(row["rowValue"]["rowNet"]["value"]) for row in rows)
        taxes = sum(_pennies(row["rowValue"]["rowTax"]["value"]) for row in rows)
        yield from (
            f"{what}: {one} is not {other}"
            for what, one, other in (
                ("total", _pennies(total["total"]), asked),
                ("tax", _pennies(total["taxAmount"]), tax),
                ("rows' net and tax", net + taxes, asked),
                ("rows' tax", taxes, tax),
                ("currency", booked["currency"]["orderCurrencyCode"], order["default_currency_code"]),
            )
            if one != other
        )
        for row in rows:
            if row["productName"] == "Rounding":
                off = max(abs(_pennies(row["rowValue"][each]["value"])) for each in ("rowNet", "rowTax"))
                if off > 2 * len(rows):
                    yield f"a rounding row of {off} pennies on {len(rows)} rows"
        sold = sum(line.quantity for line in basket.draft.lines if line.kind == "product")
        bought = sum(
            int(Decimal(row["quantity"]["magnitude"]))
            for row in rows
            if row["productId"] != 1000 and not row["composition"]["bundleChild"]
        )
        if sold != bought:
            yield f"{bought} units instead of {sold}"


def _pennies(amount: object) -> int:
    return int((Decimal(str(amount)) * 100).to_integral_value(ROUND_HALF_UP))


def _known(value: object, ids: Mapping[str, int]) -> object:
    if isinstance(value, dict):
        if "$ref" in value:
            entity, key = value["$ref"]
            return ids[key] if entity == "product" else ids["buyer"]
        return {name: _known(each, ids) for name, each in value.items()}
    return [_known(each, ids) for each in value] if isinstance(value, list) else value


def _round_once(shop: BigCommerceEmulator, order: dict[str, object]) -> None:
    """What a shop that rounds the order's tax as a whole shows: the lines' taxes rounded, the total's apart."""
    lines = [each for each in shop.collections["order_products"].values() if each["order_id"] == order["id"]]
    exact = Decimal(0)
    for line in lines:
        gross = Decimal(line["discounted_total_inc_tax"])
        net, inc = Decimal(line["total_ex_tax"]), Decimal(line["total_inc_tax"])
        exact += gross - gross * net / inc if inc else Decimal(0)
    others = Decimal(order["total_tax"]) - Decimal(order["subtotal_tax"])
    tax = exact.quantize(PENNY, ROUND_HALF_UP)
    moved = tax + others - Decimal(order["total_tax"])
    order["subtotal_tax"], order["total_tax"] = str(tax), str(tax + others)
    if order["is_tax_inclusive_pricing"]:
        order["total_ex_tax"] = str(Decimal(order["total_ex_tax"]) - moved)
    else:
        order["total_inc_tax"] = str(Decimal(order["total_inc_tax"]) + moved)


def wrong(seed: int, count: int) -> tuple[Counter[str], list[str]]:
    """How often each kind of basket was booked, and every difference with the basket that shows it."""
    booked, problems = Counter[str](), []
    stream = baskets(seed)
    for start in range(0, count, BATCH):
        wall = Wall()
        some = list(islice(stream, min(BATCH, count - start)))
        orders = [wall.place(basket) for basket in some]
        plan = wall.plan(orders)
        problems += [f"held: {letter.sentence}" for letter in plan.held]
        held = {letter.payload["number"] for letter in plan.held}
        asyncio.run(wall.book(plan))
        for basket, order in zip(some, orders, strict=True):
            if str(order["id"]) in held:
                continue
            side = "inclusive" if basket.draft.tax_inclusive else "exclusive"
            booked[f"{basket.draft.currency} {side} {basket.rounding}"] += 1
            problems += [f"{each}; {basket}" for each in wall.differences(basket, order)]
    return booked, problems


def test_random_baskets_are_booked_to_the_penny():
    booked, problems = wrong(11, FEW)
    assert problems == []
    assert sum(booked.values()) == FEW
    assert len(booked) == 3 * 2 * len(ROUNDINGS)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_very_many_random_baskets_are_booked_to_the_penny():
    booked, problems = wrong(12, MANY)
    assert problems == []
    assert sum(booked.values()) == MANY
