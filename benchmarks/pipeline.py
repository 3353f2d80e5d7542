"""The pipeline in a process of its own: what that process costs is what the pipeline costs."""

import asyncio
import cProfile
import json
import pstats
import resource
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import uvicorn

from benchmarks.talking import Json, answer
from brightpearl_pipelines.clock import SystemClock
from brightpearl_pipelines.configuration import Configuration, Connection, load_configuration
from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.run import perform, run, steps
from brightpearl_pipelines.sync.scope import Reach, Scope
from brightpearl_pipelines.sync.sessions import connect
from brightpearl_pipelines.systems.contract import Session
from brightpearl_pipelines.webhooks.app import build_app
from brightpearl_pipelines.webhooks.subscriptions import ensure_subscriptions

LIMITS = {"brightpearl": {"requests_per_minute": 10_000_000}, "bigcommerce": {"requests_per_30_seconds": 10_000_000}}
STOCK = "stock_level"


def _configuration() -> Configuration:
    """As in the project, but without waiting for limits: they bound the speed, and are reckoned with apart."""
    found = load_configuration()
    connections = {
        name: replace(each, settings=each.settings.model_copy(update=LIMITS[each.system.name]))
        for name, each in found.connections.items()
    }
    return replace(found, connections=connections)


class _Deeds:
    def __init__(self, store: Store, urls: dict[str, str]) -> None:
        self.store = store
        self.urls = urls
        self.configuration = _configuration()

    def engine(self) -> Engine:
        async def connector(engine: Engine, connection: Connection) -> Session:
            return await connect(engine, connection, sandbox_url=self.urls[connection.system.name])

        return Engine(self.store, self.configuration, connector=connector)

    def sync(self, request: Json) -> Json:
        """The steps without stock, or with nothing but `stock`; `profile` names a file for what took the time."""
        profile = cProfile.Profile() if request.get("profile") else None
        began, processor = time.monotonic(), time.process_time()
        if profile:
            profile.enable()
        rows = asyncio.run(self._sync(Reach(request["reach"]), bool(request.get("stock"))))
        if profile:
            profile.disable()
            profile.dump_stats(request["profile"])
        return {
            "seconds": time.monotonic() - began,
            "processor": time.process_time() - processor,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "steps": rows,
        }

    async def _sync(self, reach: Reach, stock: bool) -> list[Json]:
        chosen = [step for step in steps(self.configuration) if (step.entity == STOCK) == stock]
        async with self.engine() as engine:
            results = [await perform(engine, step, Scope(reach=reach)) for step in chosen]
        stopped = [each.counts.paused for each in results if each.counts.paused]
        if stopped:
            raise RuntimeError(f"a step could not use its connection: {stopped}")
        return [{"step": each.step, "entity": each.entity, **each.counts.as_row()} for each in results]

    def listen(self, _: Json) -> Json:
        """Start the receiver, subscribe it, and let a run follow on each event. Goes on beside what is asked next."""
        listening = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._listen(listening, ready)), daemon=True).start()
        ready.wait()

        async def subscribe() -> Sequence[object]:
            async with self.engine() as engine:
                return await ensure_subscriptions(engine, url)

        return {"subscriptions": len(asyncio.run(subscribe()))}

    async def _listen(self, listening: socket.socket, ready: threading.Event) -> None:
        event = asyncio.Event()
        app = build_app(
            self.store, self.configuration, clock=SystemClock(), on_event=lambda _connection, _topic: event.set()
        )
        config = uvicorn.Config(app, log_config=None, log_level="warning", access_log=False, lifespan="off")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(uvicorn.Server(config).serve(sockets=[listening]))
            tasks.create_task(self._follow(event))
            ready.set()

    async def _follow(self, event: asyncio.Event) -> None:
        async with self.engine() as engine:
            while True:
                await event.wait()
                event.clear()
                await run(engine, Scope(reach=Reach.EVENTS))


def hot_spots(path: str, count: int) -> list[tuple[str, int, float, float]]:
    """The functions of a profile that took most time themselves: name, calls, own seconds, seconds with all below."""
    found = pstats.Stats(path).stats  # type: ignore[attr-defined]
    rows = [
        (f"{'/'.join(file.split('/')[-2:])}:{line} {name}", calls, own, total)
        for (file, line, name), (_, calls, own, total, _) in found.items()
    ]
    return sorted(rows, key=lambda row: -row[2])[:count]


def main() -> None:
    """Facts: database, key, urls."""
    start = json.loads(sys.argv[1])
    with Store(start["database"], Cipher([start["key"]]), SystemClock()) as store:
        deeds = _Deeds(store, start["urls"])
        answer({"sync": deeds.sync, "listen": deeds.listen})


if __name__ == "__main__":
    main()
