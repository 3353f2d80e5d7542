"""Both emulators in a process of their own, so that what they cost is not taken for what the pipeline costs."""

import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from benchmarks.talking import Json, answer
from brightpearl_pipelines.sandbox.generate import draft_order, generate_world
from brightpearl_pipelines.sandbox.replay import replay
from brightpearl_pipelines.sandbox.world import DraftOrder, Person, World
from brightpearl_pipelines_tests.sandbox.serving import Sandbox, serving

SEED = 7
PLENTY = 1_000_000
"""Units on every shelf, so that every order can be reserved."""
AWAITING_FULFILMENT = 11
SPREAD = timedelta(days=7)
NO_LIMITS = {
    "brightpearl": {"requests_per_minute": 10_000_000},
    "bigcommerce": {"requests_per_30_seconds": 10_000_000},
}
PATIENCE_SECONDS = 60.0
MAIN = "2"


def buyer(number: int, *, registered: bool) -> Person:
    """Somebody whom no other resembles."""
    return Person(
        first_name="Buyer",
        last_name=f"Number{number}",
        email=f"buyer{number}@customers.example",
        phone=f"+44 20 {number:08}",
        street_1=f"{number} Market Street",
        city="Leeds",
        postcode="LS1 4AP",
        country_iso2="GB",
        country="United Kingdom",
        registered=registered,
    )


def world_of(products: int, known: int) -> World:
    """The generated catalogue with full shelves, and so many customers whom Brightpearl knows."""
    world = generate_world(SEED, products=products)
    shelves = [
        replace(each, stock=dict.fromkeys(each.stock, PLENTY), in_brightpearl=True) if each.stock else each
        for each in world.products
    ]
    people = tuple(buyer(number, registered=True) for number in range(known))
    return replace(world, products=tuple(shelves), people=people or world.people[:1])


def orders_of(world: World, count: int, *, known: bool, first: int = 0) -> Iterator[DraftOrder]:
    """Baskets of the generated kind, each of another customer; all of them paid and waiting to be sent."""
    rng = random.Random(f"orders:{SEED}:{first}")
    begin = datetime.now(UTC).replace(microsecond=0) - SPREAD
    for number in range(first, first + count):
        basket = draft_order(world, rng, begin + SPREAD * ((number - first) / count))
        person = buyer(number, registered=known)
        yield replace(basket, person=person, ship_to=None, status_id=AWAITING_FULFILMENT, payment_method="Credit Card")


class _Deeds:
    def __init__(self, sandbox: Sandbox, known: bool) -> None:
        self.sandbox = sandbox
        self.known = known
        self.placed = 0

    def where(self, _: Json) -> Json:
        return self.sandbox.urls

    def orders(self, request: Json) -> Json:
        """Let `count` orders happen in the past week."""
        drafts = list(orders_of(self.sandbox.world, request["count"], known=self.known, first=self.placed))
        self.placed += len(drafts)
        self.sandbox.call(lambda: replay(self.sandbox.bigcommerce, self.sandbox.clock, drafts))
        return {"placed": len(drafts)}

    def forget_calls(self, _: Json) -> Json:
        for emulator in (self.sandbox.brightpearl, self.sandbox.bigcommerce):
            emulator.calls.clear()
        return {}

    def calls(self, _: Json) -> Json:
        """The calls since they were forgotten, by system and path, reads and writes apart; tokens left out."""
        counted: dict[str, dict[str, int]] = {}
        for emulator in (self.sandbox.brightpearl, self.sandbox.bigcommerce):
            counts = counted.setdefault(emulator.name, {"reads": 0, "writes": 0})
            for call in list(emulator.calls):
                if "token" not in call["path"]:
                    counts["reads" if call["method"] in ("GET", "OPTIONS") else "writes"] += 1
        return counted

    def holds(self, _: Json) -> Json:
        """How many objects of each kind Brightpearl has."""
        return {name: len(items) for name, items in self.sandbox.brightpearl.collections.items()}

    def stock_take(self, _: Json) -> Json:
        """Somebody finds one unit more of everything that has a shelf in the main warehouse; of how many things."""
        brightpearl = self.sandbox.brightpearl

        def count() -> int:
            shelves = [
                key for key, each in brightpearl.collection("availability").items() if MAIN in each["warehouses"]
            ]
            for key in shelves:
                brightpearl.stock.receive(int(key), int(MAIN), 1)
            return len(shelves)

        return {"counted": self.sandbox.call(count)}

    def order_seen(self, _: Json) -> Json:
        """Place one order; how many seconds later Brightpearl has it."""
        (draft,) = orders_of(self.sandbox.world, 1, known=self.known, first=self.placed)
        self.placed += 1
        now = datetime.now(UTC).replace(microsecond=0)
        before = time.monotonic()
        number = self.sandbox.call(lambda: self.sandbox.bigcommerce.place_order(replace(draft, placed_at=now)))
        wanted = f"bigcommerce:{number}"
        while time.monotonic() < before + PATIENCE_SECONDS:
            if any(each.get("externalRef") == wanted for each in self._sales_orders()):
                return {"seconds": time.monotonic() - before}
            time.sleep(0.002)
        raise RuntimeError(f"order {number} was not in Brightpearl after {PATIENCE_SECONDS:.0f} s")

    def _sales_orders(self) -> list[Json]:
        return list(self.sandbox.brightpearl.collection("orders").values())


def main() -> None:
    """Facts: products, known (how many customers Brightpearl knows)."""
    start = json.loads(sys.argv[1])
    settings = {name: dict(limits) for name, limits in NO_LIMITS.items()}
    settings["brightpearl"]["known_people_every"] = 1 if start["known"] else 0
    with serving(world=world_of(start["products"], start["known"]), settings=settings) as sandbox:
        deeds = _Deeds(sandbox, bool(start["known"]))
        names = ("where", "orders", "forget_calls", "calls", "holds", "order_seen", "stock_take")
        answer({name: getattr(deeds, name) for name in names})


if __name__ == "__main__":
    main()
