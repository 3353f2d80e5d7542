"""The example of two regions, served: two Brightpearl accounts, three shops, and what a test asks of them."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import brightpearl_pipelines
from brightpearl_pipelines.configuration import Configuration, Connection, load_configuration
from brightpearl_pipelines.sandbox.bigcommerce import stock
from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator
from brightpearl_pipelines.sandbox.hosting import address_of, bind, hosted
from brightpearl_pipelines.sandbox.kernel import Emulator, Fault, SandboxClock
from brightpearl_pipelines.sandbox.regions import in_currency
from brightpearl_pipelines.sandbox.world import DraftLine
from brightpearl_pipelines.store import dead_letters
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.run import run
from brightpearl_pipelines.sync.scope import Reach, Scope, StepResult
from brightpearl_pipelines.systems.contract import Session
from brightpearl_pipelines_tests.sync.goods import draft, small_world
from brightpearl_pipelines_tests.sync.harness import configured, fresh_store

EXAMPLE = Path(brightpearl_pipelines.__file__).parents[1] / "docs" / "connections-two-regions.yaml"
LIMITS = {"brightpearl": {"requests_per_minute": 10_000_000}, "bigcommerce": {"requests_per_30_seconds": 10_000_000}}
PATIENCE_SECONDS = 60

Json = dict[str, Any]


@dataclass
class Served:
    """The emulators by connection, and the thread that serves them. Change them only through `call`."""

    emulators: Mapping[str, Any]
    clock: SandboxClock
    loop: asyncio.AbstractEventLoop

    def call(self, function: Callable[[], Any]) -> Any:
        async def go() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(go(), self.loop).result(PATIENCE_SECONDS)


class RegionsTime:
    """The emulators' common clock, for the engine: a sleep is over at once, and what was due has happened."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._slept = 0.0

    def now(self) -> Any:
        return self._served.clock.now()

    def monotonic(self) -> float:
        return self._slept

    async def sleep(self, seconds: float) -> None:
        self._slept += max(seconds, 0.0)

        async def passes() -> None:
            self._served.clock.advance(max(seconds, 0.0))
            for emulator in self._served.emulators.values():
                await emulator.tick()

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(passes(), self._served.loop))


@dataclass
class Regions:
    """Everything between the shops and the accounts."""

    served: Served
    store: Store
    configuration: Configuration
    clock: RegionsTime
    connector: None = None

    def emulator(self, connection: str) -> Any:
        return self.served.emulators[connection]

    def run(self, reach: Reach = Reach.CHANGES, **more: Any) -> list[StepResult]:
        async def go() -> list[StepResult]:
            async with Engine(self.store, self.configuration, clock=self.clock, connector=self.connect) as engine:
                return await run(engine, Scope(reach=reach), **more)

        return asyncio.run(go())

    async def connect(self, engine: Engine, connection: Connection) -> Session:
        api, facts = connection.system.connect(
            connection=connection.name,
            settings=connection.settings,
            credentials=self.emulator(connection.name).credentials(),
            store=engine.store,
            clock=engine.clock,
            lane=engine.lane,
            run=engine.run,
        )
        return Session(connection.name, connection.settings, api, engine.clock, facts)

    def place(self, shop: str, *lines: tuple[str, int] | DraftLine, **changes: Any) -> str:
        """A shopper buys in a shop; the order's number there."""
        made = replace(draft(*lines, **changes), placed_at=self.clock.now().replace(microsecond=0))
        return str(self.served.call(lambda: self.emulator(shop).place_order(made)))

    def pass_time(self, seconds: float) -> None:
        self.served.call(lambda: self.served.clock.advance(seconds))

    def fault(self, connection: str, kind: str, method: str = "*", path: str = ".*", **more: Any) -> None:
        self.served.call(lambda: self.emulator(connection).faults.append(Fault(kind, method, path, **more)))

    def calm(self) -> None:
        for emulator in self.served.emulators.values():
            self.served.call(emulator.faults.clear)

    def orders(self, account: str) -> dict[str, Json]:
        """The sales orders of an account by what they are called there: `shop:number`."""
        found: dict[str, Json] = {}
        for order in list(self.emulator(account).collection("orders").values()):
            name = str(order.get("externalRef") or "")
            assert name not in found, f"{name} is in {account} twice"
            found[name] = order
        return found

    def contacts(self, account: str, email: str) -> list[Json]:
        """The contacts of an account that have this e-mail address."""
        everybody = list(self.emulator(account).collection("contacts").values())
        return [each for each in everybody if each["communication"]["emails"]["PRI"]["email"].lower() == email.lower()]

    def stock(self, shop: str, sku: str) -> int:
        """On hand in the shop's location 1."""
        emulator = self.emulator(shop)
        levels = stock.record_of(emulator, stock.key_of(emulator, emulator.variant_of_sku(sku)))["levels"]
        return int(levels["1"]["on_hand"])

    def letters(self) -> list[str]:
        with self.store.transaction() as tx:
            return [each.sentence for each in dead_letters.open_letters(tx, limit=100)]


@contextmanager
def two_regions(server: str, key: str) -> Iterator[Regions]:
    """Serve the example; each connection has the emulator of its own that the example says. Limits are off."""
    example = load_configuration(EXAMPLE)
    limits = {each.name: LIMITS[each.system.name] for each in example.connections.values()}
    with _served(example) as served:
        clock = RegionsTime(served)
        with fresh_store(server, key, clock) as store:  # type: ignore[arg-type]
            yield Regions(served, store, configured(example, limits), clock)


def _emulator(connection: Connection, configuration: Configuration, clock: SandboxClock) -> Emulator:
    account = configuration.connection(connection.settings.brightpearl or connection.name)
    currency = account.settings.base_currency  # type: ignore[attr-defined]
    limits: Json = dict(LIMITS[connection.system.name])
    made: Emulator = (
        BrightpearlEmulator(clock=clock, settings={**limits, "base_currency": currency})
        if connection.system.name == "brightpearl"
        else BigCommerceEmulator(clock=clock, settings=limits)
    )
    made.populate(in_currency(small_world(), currency))  # type: ignore[attr-defined]
    return made


@contextmanager
def _served(configuration: Configuration) -> Iterator[Served]:
    ready: Future[tuple[Served, asyncio.Event]] = Future()

    async def main() -> None:
        clock = SandboxClock()
        emulators = {each.name: _emulator(each, configuration, clock) for each in configuration.connections.values()}
        places = [(emulator, bind(0)) for emulator in emulators.values()]
        for emulator, listening in places:
            emulator.base_url = address_of(listening)
        stop = asyncio.Event()
        async with hosted(places):
            ready.set_result((Served(emulators, clock, asyncio.get_running_loop()), stop))
            await stop.wait()

    def go() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=go, name="regions", daemon=True)
    thread.start()
    served, stop = ready.result(PATIENCE_SECONDS)
    try:
        yield served
    finally:
        served.loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_SECONDS)
