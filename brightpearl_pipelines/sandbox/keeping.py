"""What a served sandbox remembers across restarts: the state of its emulators, and what their world was made of."""

import asyncio
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from brightpearl_pipelines.sandbox.generate import generate_world
from brightpearl_pipelines.sandbox.kernel import Emulator
from brightpearl_pipelines.sandbox.online_retail import RetailLoad, load_online_retail
from brightpearl_pipelines.sandbox.regions import in_currency
from brightpearl_pipelines.sandbox.world import BASE_CURRENCY, World

SAVE_SECONDS = 2.0
SAVE_SHARE = 20
"""Saving takes at most one part in so many of the time: a big world is saved less often."""
MANIFEST = "sandbox.json"
KEPT_ORDERS = "orders.csv"


@dataclass(frozen=True)
class Origin:
    """What a world was made of, so that a second start finds the same one."""

    seed: int
    orders: Path | None
    start: datetime
    """When the first real order happens."""
    currency: str = BASE_CURRENCY
    """What the account and the shop reckon in; real order lines are in pounds."""

    def build(self) -> tuple[World, RetailLoad | None]:
        if self.orders is None:
            return in_currency(generate_world(self.seed), self.currency), None
        load = load_online_retail(self.orders, start=self.start)
        return load.world, load


class Keeper:
    """Keeps the state of emulators in a folder; without a folder it does nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def remembered(self) -> Origin | None:
        """What the kept world was made of; None when there is none, or its making was cut short."""
        if self.folder is None or not (self.folder / MANIFEST).exists():
            return None
        manifest = json.loads((self.folder / MANIFEST).read_text())
        orders = self.folder / KEPT_ORDERS if manifest["orders"] else None
        start = datetime.fromisoformat(manifest["start"])
        return Origin(manifest["seed"], orders, start, manifest.get("currency", BASE_CURRENCY))

    def remember(self, origin: Origin) -> None:
        """Written last, after the first save, so that a folder with a manifest is whole; never written twice."""
        if self.folder is None or (self.folder / MANIFEST).exists():
            return
        if origin.orders:
            shutil.copyfile(origin.orders, self.folder / KEPT_ORDERS)
        manifest = {
            "seed": origin.seed,
            "orders": bool(origin.orders),
            "start": origin.start.isoformat(),
            "currency": origin.currency,
        }
        temporary = self.folder / f"{MANIFEST}.tmp"
        temporary.write_text(json.dumps(manifest))
        temporary.replace(self.folder / MANIFEST)

    def restore(self, emulator: Emulator) -> bool:
        """Bring an emulator's state back; False when it has none here."""
        return self.folder is not None and self.remembered() is not None and emulator.restore(self.folder)

    def save(self, emulators: Sequence[Emulator]) -> None:
        """Write what changed."""
        if self.folder is not None:
            for emulator in emulators:
                emulator.save(self.folder)

    async def keep_saving(self, emulators: Sequence[Emulator]) -> None:
        """Save every two seconds, less often where saving takes long."""
        pause = SAVE_SECONDS
        while True:
            await asyncio.sleep(pause)
            began = time.perf_counter()
            self.save(emulators)
            pause = max(SAVE_SECONDS, SAVE_SHARE * (time.perf_counter() - began))
