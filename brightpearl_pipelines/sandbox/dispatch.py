"""The warehouse that works by itself: it picks and ships open orders a little after their stock is allocated."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta

from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator
from brightpearl_pipelines.sandbox.kernel import SandboxClock

DEFAULTS = {"warehouse_enabled": True, "ship_after_seconds": 15}
"""Settings of the Brightpearl emulator that this reads, so that they can be changed while it is served."""
TWO_PARCELS = 0.2
"""Share of orders that leave in two parcels, where there is more than one unit."""
PARTLY_SHIPPED = "SPS"


class Dispatch:
    """Ships open orders; which go in two parcels, and all tracking numbers, follow from seed and order id."""

    def __init__(self, brightpearl: BrightpearlEmulator, seed: int, clock: SandboxClock) -> None:
        self.brightpearl = brightpearl
        self.seed = seed
        self.clock = clock
        for name, value in DEFAULTS.items():
            brightpearl.settings.setdefault(name, value)
        self._seen: dict[str, datetime] = {}
        """When each open order was first seen, or its first parcel left."""

    def work(self) -> list[str]:
        """Ship what has waited long enough; says what left."""
        settings = self.brightpearl.settings
        if not settings["warehouse_enabled"]:
            return []
        now = self.clock.now()
        patience = timedelta(seconds=float(settings["ship_after_seconds"]))
        open_orders = self.brightpearl.open_orders()
        self._seen = {order_id: self._seen.get(order_id, now) for order_id in open_orders}
        due = [order_id for order_id in open_orders if now - self._seen[order_id] >= patience]
        return [self._ship(order_id, now) for order_id in due]

    def _ship(self, order_id: str, now: datetime) -> str:
        rng = random.Random(f"dispatch:{self.seed}:{order_id}")
        allocated = self.brightpearl.reservations.reserved(int(order_id))
        begun = self.brightpearl.collection("orders")[order_id]["shippingStatusCode"] == PARTLY_SHIPPED
        in_two = rng.random() < TWO_PARCELS and sum(allocated.values()) > 1
        number = f"TRK{rng.randint(10_000_000, 99_999_999)}"
        tracking = f"{number}-2" if begun else number
        self._seen[order_id] = now
        note = self.brightpearl.ship(order_id, half_of(allocated) if in_two and not begun else None, tracking=tracking)
        return f"order {order_id} shipped: note {note}, {tracking}"


def half_of(allocated: Mapping[str, int]) -> dict[str, int]:
    """Half of the units (rounded up) of some rows, the first rows first."""
    wanted = (sum(allocated.values()) + 1) // 2
    parcel: dict[str, int] = {}
    for row_id, units in allocated.items():
        taken = min(units, wanted)
        if taken:
            parcel[row_id] = taken
            wanted -= taken
    return parcel
