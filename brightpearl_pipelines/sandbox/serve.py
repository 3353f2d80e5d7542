"""`bpp sandbox serve`: the emulators on their ports, a world in them, and what makes it move, until told to stop."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator
from brightpearl_pipelines.sandbox.generate import SPREAD, generate_orders
from brightpearl_pipelines.sandbox.hosting import PortTakenError, address_of, bind, hosted
from brightpearl_pipelines.sandbox.keeping import Keeper, Origin
from brightpearl_pipelines.sandbox.kernel import Emulator, SandboxClock
from brightpearl_pipelines.sandbox.online_retail import SPACING, RetailLoad, count_invoices
from brightpearl_pipelines.sandbox.replay import replay
from brightpearl_pipelines.sandbox.traffic import Traffic
from brightpearl_pipelines.sandbox.world import BASE_CURRENCY, World

BASE_PORT_VARIABLE = "BPP_SANDBOX_BASE_PORT"
PORT_OFFSETS = {"brightpearl": 1, "bigcommerce": 2, "salesforce": 3, "dynamics": 4, "syspro": 5}
HIGHEST_BASE_PORT = 65535 - max(PORT_OFFSETS.values())
SERVED = ("brightpearl", "bigcommerce")
FIRST_ORDERS = 120
BAD_USAGE = 2


class UsageError(Exception):
    """What was asked for cannot be done; the message is for the person who asked."""


@dataclass(frozen=True)
class Request:
    """What to serve. `rate` in events a minute; `base_port` 0 takes free ports; `data` keeps state across restarts."""

    base_port: int = 8900
    seed: int = 7
    orders: Path | None = None
    rate: float = 0.0
    only: Sequence[str] | None = None
    data: Path | None = None
    currency: str = BASE_CURRENCY


def run(
    *,
    base_port: int = 8900,
    seed: int = 7,
    orders: Path | None = None,
    rate: float = 0.0,
    only: Sequence[str] | None = None,
    data: Path | None = None,
    currency: str = BASE_CURRENCY,
    out: TextIO | None = None,
    log: TextIO | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM; the exit code: 0 when stopped so, 2 when the request cannot be met.

    Prints one JSON line per system to `out` (default stdout) once it accepts connections; everything meant for a person
    goes to `log` (default stderr).
    """
    request = Request(base_port, seed, orders, rate, only, data, currency.upper())
    log = log or sys.stderr
    try:
        asyncio.run(serve(request, out or sys.stdout, log))
    except UsageError as error:
        print(error, file=log, flush=True)
        return BAD_USAGE
    return 0


async def serve(request: Request, out: TextIO, log: TextIO) -> None:
    """As `run`, inside an event loop. Raises UsageError."""
    sockets = _bind(_systems(request.only), request.base_port)
    stop = _stopped_by_signals()
    clock = SandboxClock()
    keeper = Keeper(request.data)
    origin = _origin(request, keeper, clock, log)
    systems = _emulators(sockets, origin, clock)
    world = await _fill(systems, origin, clock, keeper, log)
    traffic = Traffic(
        systems.bigcommerce,
        systems.brightpearl,
        world,
        seed=origin.seed,
        rate_per_minute=request.rate,
        clock=clock,
    )
    emulators = systems.all()
    async with hosted([(emulator, sockets[emulator.name]) for emulator in emulators]) as tasks:
        for emulator in emulators:
            _announce(emulator, out)
        moving = [
            asyncio.create_task(traffic.run(), name="traffic"),
            asyncio.create_task(keeper.keep_saving(emulators), name="saving"),
        ]
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait([stopped, *tasks, *moving], return_when=asyncio.FIRST_COMPLETED)
            for task in [*tasks, *moving]:
                if task.done():
                    task.result()
        finally:
            for ending in [*moving, stopped]:
                ending.cancel()
            await asyncio.gather(*moving, stopped, return_exceptions=True)
    keeper.save(emulators)


def _systems(only: Sequence[str] | None) -> list[str]:
    asked = [name.strip().lower() for part in only or () for name in part.split(",") if name.strip()]
    for name in asked:
        if name not in PORT_OFFSETS:
            raise UsageError(f"the sandbox knows no system {name!r}; it serves {', '.join(SERVED)}")
        if name not in SERVED:
            raise UsageError(f"the sandbox does not serve {name} yet; it serves {', '.join(SERVED)}")
    return [name for name in SERVED if name in asked or not asked]


def _bind(systems: Sequence[str], base_port: int) -> dict[str, socket.socket]:
    sockets: dict[str, socket.socket] = {}
    if not 0 <= base_port <= HIGHEST_BASE_PORT:
        raise UsageError(f"--base-port must lie between 0 and {HIGHEST_BASE_PORT}, not {base_port}")
    try:
        for system in systems:
            sockets[system] = bind(base_port + PORT_OFFSETS[system] if base_port else 0)
    except PortTakenError as error:
        for bound in sockets.values():
            bound.close()
        raise UsageError(
            f"{error}, so the sandbox cannot serve {system} there. Stop that program, or choose other ports with "
            f"--base-port (or {BASE_PORT_VARIABLE}); now it is {base_port}."
        ) from error
    return sockets


def _stopped_by_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


@dataclass(frozen=True)
class _Systems:
    """The emulators that are served; None for those that were not asked for."""

    brightpearl: BrightpearlEmulator | None
    bigcommerce: BigCommerceEmulator | None

    def all(self) -> list[Emulator]:
        return [emulator for emulator in (self.brightpearl, self.bigcommerce) if emulator]


def _emulators(sockets: dict[str, socket.socket], origin: Origin, clock: SandboxClock) -> _Systems:
    seed, account = origin.seed, {"base_currency": origin.currency}
    systems = _Systems(
        BrightpearlEmulator(seed=seed, clock=clock, settings=account) if "brightpearl" in sockets else None,
        BigCommerceEmulator(seed=seed, clock=clock) if "bigcommerce" in sockets else None,
    )
    for emulator in systems.all():
        emulator.base_url = address_of(sockets[emulator.name])
    return systems


def _announce(emulator: Emulator, out: TextIO) -> None:
    line = {
        "system": emulator.name,
        "base_url": emulator.base_url,
        "credentials": emulator.credentials(),
        "admin": f"{emulator.base_url}/_sandbox",
    }
    print(json.dumps(line), file=out, flush=True)


# -- the world --------------------------------------------------------------------------------------------------------


def _origin(request: Request, keeper: Keeper, clock: SandboxClock, log: TextIO) -> Origin:
    """What the world is made of: as it is kept, else as it is asked for."""
    remembered = keeper.remembered()
    if remembered:
        asked = (request.seed, request.orders is None, request.currency)
        if asked != (remembered.seed, remembered.orders is None, remembered.currency):
            kept = "real order lines" if remembered.orders else f"seed {remembered.seed}"
            print(f"The sandbox in {request.data} was made with {kept}; it stays so.", file=log, flush=True)
        return remembered
    if request.orders is None:
        return Origin(request.seed, None, clock.now() - SPREAD, request.currency)
    if request.currency != BASE_CURRENCY:
        raise UsageError(f"real order lines are in {BASE_CURRENCY}, not in {request.currency}")
    try:
        past = SPACING * count_invoices(request.orders)
    except (OSError, ValueError) as error:
        raise UsageError(f"The order lines cannot be read: {error}") from error
    return Origin(request.seed, request.orders.resolve(), (clock.now() - past).replace(microsecond=0))


async def _fill(systems: _Systems, origin: Origin, clock: SandboxClock, keeper: Keeper, log: TextIO) -> World:
    """Restore each emulator, or populate it where there is nothing to restore: with the catalogue older than orders."""
    try:
        world, load = origin.build()
    except (OSError, ValueError) as error:
        raise UsageError(f"The world cannot be made: {error}") from error
    brightpearl, bigcommerce = systems.brightpearl, systems.bigcommerce
    before_all = min(origin.start, clock.now()) - timedelta(minutes=1)
    if brightpearl and not keeper.restore(brightpearl):
        with clock.borrowed():
            clock.set(before_all)
            brightpearl.populate(world)
    if bigcommerce and not keeper.restore(bigcommerce):
        with clock.borrowed():
            clock.set(before_all)
            bigcommerce.populate(world)
        if load:
            await _place_real_orders(bigcommerce, clock, load, log)
        else:
            await replay(bigcommerce, clock, generate_orders(world, origin.seed, FIRST_ORDERS, clock.now()))
    keeper.save(systems.all())
    keeper.remember(origin)
    return world


async def _place_real_orders(
    bigcommerce: BigCommerceEmulator, clock: SandboxClock, load: RetailLoad, log: TextIO
) -> None:
    await replay(bigcommerce, clock, load.orders, load.refunds)
    print(load.summary() + ".", file=log)
    for line in load.unplaced:
        bigcommerce.put("loader_unplaced", line.line_number, {**vars(line)})
        print(f"Line {line.line_number}, invoice {line.invoice}, {line.code}: not placed, {line.reason}.", file=log)
    log.flush()
