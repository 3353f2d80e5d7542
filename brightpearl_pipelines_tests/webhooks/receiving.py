"""A receiver on a free port in a thread, the emulators that call it, and what it stored."""

import asyncio
import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from brightpearl_pipelines.configuration import Configuration, load_configuration
from brightpearl_pipelines.store import events
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.types import Event
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.sessions import connect
from brightpearl_pipelines.systems.brightpearl.webhooks import BODY_TEMPLATE
from brightpearl_pipelines.webhooks.app import build_app
from brightpearl_pipelines.webhooks.serve import listen, server_of
from brightpearl_pipelines.webhooks.shared_secret import shared_secret
from brightpearl_pipelines.webhooks.subscriptions import SubscriptionReport, ensure_subscriptions
from brightpearl_pipelines_tests.clocks import TestClock
from brightpearl_pipelines_tests.sandbox.serving import Sandbox

CONFIGURATION = load_configuration(Path(__file__).parents[2] / "connections.yaml")
PATIENCE_SECONDS = 30


@dataclass
class Receiver:
    """A served receiver. `told` gets (connection, topic) of each event that was stored."""

    url: str
    store: Store
    told: "queue.Queue[tuple[str, str]]" = field(default_factory=queue.Queue)

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """A call to `/webhooks/{path}`; anything but bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}/webhooks/{path}", content=content, headers=named, trust_env=False)

    def from_brightpearl(self, body: object) -> httpx.Response:
        return self.post(f"brightpearl/{shared_secret(self.store, 'brightpearl')}", body)

    def from_bigcommerce(self, body: object) -> httpx.Response:
        return self.post("bigcommerce", body, x_webhook_secret=shared_secret(self.store, "bigcommerce"))

    def counts(self) -> dict[str, dict[str, int]]:
        """By connection, how many calls ended how."""
        return httpx.get(f"{self.url}/health", trust_env=False).json()["received"]

    def wait_for(self, *wanted: tuple[str, str]) -> None:
        """Return once these (connection, topic) were stored, in any order, others between them or not."""
        missing = list(wanted)
        while missing:
            arrived = self.told.get(timeout=PATIENCE_SECONDS)
            if arrived in missing:
                missing.remove(arrived)


@contextmanager
def receiving(
    store: Store, clock: TestClock, *, configuration: Configuration = CONFIGURATION, **options: Any
) -> Iterator[Receiver]:
    """Serve a receiver; `options` are those of `build_app`."""
    listening = listen(0)
    receiver = Receiver(f"http://127.0.0.1:{listening.getsockname()[1]}", store)
    app = build_app(store, configuration, clock=clock, on_event=lambda *what: receiver.told.put(what), **options)
    server = server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="receiver", daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listening.close()
    assert not thread.is_alive()


def engine_on(sandbox: Sandbox, store: Store, clock: TestClock, configuration: Configuration = CONFIGURATION) -> Engine:
    """An engine whose connections are the served emulators."""

    async def connector(engine: Engine, connection: Any) -> Any:
        return await connect(engine, connection, sandbox_url=sandbox.urls[connection.name])

    return Engine(store, configuration, clock=clock, connector=connector)


def subscribe(
    sandbox: Sandbox, store: Store, clock: TestClock, url: str, configuration: Configuration = CONFIGURATION
) -> list[SubscriptionReport]:
    """Bring all subscriptions in order."""

    async def go() -> list[SubscriptionReport]:
        async with engine_on(sandbox, store, clock, configuration) as engine:
            return await ensure_subscriptions(engine, url)

    return asyncio.run(go())


def stored(store: Store, connection: str | None = None) -> list[Event]:
    """The events in the inbox."""
    with store.transaction() as tx:
        return [
            event
            for name in CONFIGURATION.connections
            if connection in (None, name)
            for event in events.pending(tx, name, None, 10_000)
        ]


def until(condition: Callable[[], object], what: str) -> None:
    """Look again and again until the other side got there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"it never happened that {what}"
        time.sleep(0.01)


def listening_port(process: "subprocess.Popen[Any]") -> int:
    """The port that a process listens on, once it does."""
    found: list[int] = []

    def looked() -> bool:
        assert process.poll() is None, "the process ended before it listened"
        lines = psutil.Process(process.pid).net_connections("tcp")
        found[:] = [line.laddr.port for line in lines if line.status == psutil.CONN_LISTEN]
        return bool(found)

    until(looked, "the process listens")
    return found[0]


def brightpearl_body(topic: str = "order.modified", ids: str = "62", raised: str = "2026-03-02T09:00:00Z") -> dict:
    """What Brightpearl makes of our template (brightpearl.md §10.2)."""
    resource, lifecycle = topic.split(".")[:2]
    values = {
        "account-code": "acme",
        "resource-type": resource,
        "resource-id": ids,
        "lifecycle-event": lifecycle,
        "full-event": topic,
        "raised-on": raised,
        "brightpearl-version": "4.95.1991",
    }
    text = BODY_TEMPLATE
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return json.loads(text)


def bigcommerce_body(
    topic: str = "store/order/created", number: int = 250, created: int = 1_772_442_000, digest: str = "3f9ea420af83"
) -> dict:
    """What BigCommerce sends (bigcommerce.md §7.2)."""
    return {
        "scope": topic,
        "store_id": "1025646",
        "data": {"type": "order", "id": number},
        "hash": digest,
        "created_at": created,
        "producer": "stores/abc123",
    }
