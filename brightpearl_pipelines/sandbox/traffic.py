"""What makes the world move: shoppers, clerks and the warehouse, each seeded."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator
from brightpearl_pipelines.sandbox.dispatch import Dispatch
from brightpearl_pipelines.sandbox.generate import AWAITING_FULFILMENT, AWAITING_PAYMENT, PENDING, draft_order
from brightpearl_pipelines.sandbox.kernel import SandboxClock
from brightpearl_pipelines.sandbox.world import World

LOOK_EVERY_SECONDS = 0.5
MOST_BEHIND = timedelta(minutes=1)
"""A clock that jumps ahead brings at most the events of so long a time at once."""
RECENT_ORDERS = 50
"""Shoppers cancel one of so many latest orders."""
CANCELLABLE = frozenset({AWAITING_FULFILMENT, AWAITING_PAYMENT, PENDING})
SURNAMES_AFTER_A_WEDDING = ("Sample-Jones", "O'Hara", "Grünwald", "Nowak")

Event = Callable[[], str | None]
"""Does one thing and says what, or None when there was nothing to do it to."""


class Traffic:
    """Moves the emulators that are there: `rate_per_minute` events a minute on average, and the warehouse at any rate.

    What happens depends on the seed and on the number of orders at the start, so that a restarted world goes on and
    does not repeat itself.
    """

    def __init__(
        self,
        bigcommerce: BigCommerceEmulator | None,
        brightpearl: BrightpearlEmulator | None,
        world: World,
        *,
        seed: int,
        rate_per_minute: float,
        clock: SandboxClock,
    ) -> None:
        self.bigcommerce = bigcommerce
        self.brightpearl = brightpearl
        self.world = world
        self.rate_per_minute = rate_per_minute
        self.clock = clock
        placed = len(bigcommerce.collection("orders")) if bigcommerce else 0
        self.rng = random.Random(f"traffic:{seed}:{placed}")
        self.dispatch = Dispatch(brightpearl, seed, clock) if brightpearl else None
        self._kinds, self._weights = self._possible_events()
        self._next: datetime | None = None

    def _possible_events(self) -> tuple[list[Event], list[int]]:
        at_the_shop: list[tuple[Event, int]] = [
            (self._place_order, 70),
            (self._cancel_order, 8),
            (self._edit_customer, 8),
        ]
        at_brightpearl: list[tuple[Event, int]] = [(self._correct_stock, 10), (self._edit_contact, 4)]
        events = (at_the_shop if self.bigcommerce else []) + (at_brightpearl if self.brightpearl else [])
        return [event for event, _ in events], [weight for _, weight in events]

    async def run(self) -> None:
        """Keep the world moving until cancelled."""
        while True:
            self.catch_up()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    def catch_up(self) -> list[str]:
        """Let happen what is due by the clock, the warehouse's work included; says what did."""
        happened = []
        now = self.clock.now()
        if self.rate_per_minute > 0:
            if self._next is None:
                self._next = now + self._pause()
            self._next = max(self._next, now - MOST_BEHIND)
            while self._next <= now:
                happened.append(self.step())
                self._next += self._pause()
        if self.dispatch:
            happened.extend(self.dispatch.work())
        return happened

    def _pause(self) -> timedelta:
        return timedelta(minutes=self.rng.expovariate(self.rate_per_minute))

    def step(self) -> str:
        """One event; says what it was. Where a kind of event finds nothing to happen to, an order is placed instead."""
        (event,) = self.rng.choices(self._kinds, weights=self._weights)
        return event() or self._fallback()

    def _fallback(self) -> str:
        event = self._place_order if self.bigcommerce else self._correct_stock
        return event() or "nothing could happen"

    # -- at the shop ----------------------------------------------------------------------------------------------

    def _place_order(self) -> str | None:
        if not self.bigcommerce:
            return None
        order = draft_order(self.world, self.rng, self.clock.now().replace(microsecond=0))
        try:
            return f"order {self.bigcommerce.place_order(order)} placed"
        except ValueError as error:  # a shop that is set to insist on stock
            return f"basket refused: {error}"

    def _cancel_order(self) -> str | None:
        if not self.bigcommerce:
            return None
        latest = list(self.bigcommerce.collection("orders").values())[-RECENT_ORDERS:]
        open_orders = [order for order in latest if order["status_id"] in CANCELLABLE]
        if not open_orders:
            return None
        order_id = int(self.rng.choice(open_orders)["id"])
        self.bigcommerce.cancel_order(order_id)
        return f"order {order_id} cancelled"

    def _edit_customer(self) -> str | None:
        customers = list(self.bigcommerce.collection("customers").values()) if self.bigcommerce else []
        if not self.bigcommerce or not customers:
            return None
        customer = self.rng.choice(customers)
        changes = self.rng.choice(
            (
                {"phone": f"+44 {self.rng.randint(1000, 9999)} {self.rng.randint(100000, 999999)}"},
                {"last_name": self.rng.choice(SURNAMES_AFTER_A_WEDDING)},
                {"company": f"Sample Trading {self.rng.randint(1, 99)} Ltd"},
            )
        )
        self.bigcommerce.update_customer(customer["id"], **changes)
        return f"customer {customer['id']} edited: {', '.join(changes)}"

    # -- at Brightpearl -------------------------------------------------------------------------------------------

    def _correct_stock(self) -> str | None:
        stocked = [product for product in self.world.products if product.stock and product.in_brightpearl]
        if not self.brightpearl or not stocked:
            return None
        product = self.rng.choice(stocked)
        warehouse_id = self.rng.choice(sorted(product.stock))
        change = self.rng.choice((-2, -1, 1, 2, 5, 12, 24))
        try:
            self.brightpearl.correct_stock(product.sku, warehouse_id, change, "Stock take")
        except ValueError:
            # Nobody can lose what is not there; the stock take finds some instead.
            change = abs(change)
            self.brightpearl.correct_stock(product.sku, warehouse_id, change, "Stock take")
        return f"stock of {product.sku} in warehouse {warehouse_id} corrected by {change:+d}"

    def _edit_contact(self) -> str | None:
        contacts = list(self.brightpearl.collection("contacts")) if self.brightpearl else []
        if not self.brightpearl or not contacts:
            return None
        contact_id = self.rng.choice(contacts)
        self.brightpearl.edit_contact(contact_id, telephone=f"+44 {self.rng.randint(1000, 9999)} 000000")
        return f"contact {contact_id} edited: telephone"
