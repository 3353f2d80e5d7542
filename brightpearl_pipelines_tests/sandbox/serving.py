"""Both emulators on real ports within the test process, for tests that speak HTTP to them."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator
from brightpearl_pipelines.sandbox.generate import generate_world
from brightpearl_pipelines.sandbox.hosting import address_of, bind, hosted
from brightpearl_pipelines.sandbox.kernel import SandboxClock
from brightpearl_pipelines.sandbox.replay import replay
from brightpearl_pipelines.sandbox.world import DraftOrder, World

PATIENCE_SECONDS = 120


@dataclass
class Sandbox:
    """The served emulators. Read them as you like; change them only through `call`."""

    brightpearl: BrightpearlEmulator
    bigcommerce: BigCommerceEmulator
    clock: SandboxClock
    world: World
    urls: dict[str, str]
    loop: asyncio.AbstractEventLoop

    def call(self, function: Callable[[], Any]) -> Any:
        """Run `function` in the servers' event loop and return its result; awaits it if it is a coroutine."""

        async def run() -> Any:
            result = function()
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE_SECONDS)


@contextmanager
def serving(
    *,
    world: World | None = None,
    orders: Sequence[DraftOrder] = (),
    seed: int = 7,
    settings: dict[str, dict[str, Any]] | None = None,
) -> Iterator[Sandbox]:
    """Serve both emulators on free ports from a thread, timers running, on one shared clock.

    `settings` by system: `{"brightpearl": {...}, "bigcommerce": {...}}`. `orders` are placed before anybody can look.
    No traffic and no warehouse: what moves, the test moves.
    """
    ready: Future[tuple[Sandbox, asyncio.Event]] = Future()
    world = world or generate_world(seed)

    async def main() -> None:
        clock, given = SandboxClock(), settings or {}
        brightpearl = BrightpearlEmulator(seed=seed, clock=clock, settings=given.get("brightpearl"))
        bigcommerce = BigCommerceEmulator(seed=seed, clock=clock, settings=given.get("bigcommerce"))
        places = [(emulator, bind(0)) for emulator in (brightpearl, bigcommerce)]
        for emulator, listening in places:
            emulator.base_url = address_of(listening)
            emulator.populate(world)
        await replay(bigcommerce, clock, orders)
        stop = asyncio.Event()
        urls = {emulator.name: emulator.base_url for emulator, _ in places}
        async with hosted(places) as tasks:
            loop = asyncio.get_running_loop()
            ready.set_result((Sandbox(brightpearl, bigcommerce, clock, world, urls, loop), stop))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            await stopped

    ended: Future[None] = Future()

    def run() -> None:
        try:
            asyncio.run(main())
            ended.set_result(None)
        except BaseException as error:  # noqa: BLE001 - handed on to the thread that asked
            ended.set_exception(error)
            if not ready.done():
                ready.set_exception(error)

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    sandbox, stop = ready.result(PATIENCE_SECONDS)
    try:
        yield sandbox
    finally:
        if thread.is_alive():
            sandbox.loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_SECONDS)
    ended.result(0)
