"""The whole engine between two served emulators: what a test needs to run it, disturb it and judge it.

The judge is always the emulators' own state. Time is the sandbox's clock: an engine that sleeps moves it on at once,
and the emulators' timers with it.
"""

import asyncio
import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg

import brightpearl_pipelines
from brightpearl_pipelines.configuration import Configuration, Connection, load_configuration
from brightpearl_pipelines.sandbox.bigcommerce import stock
from brightpearl_pipelines.sandbox.kernel import Emulator, Fault
from brightpearl_pipelines.sandbox.world import DraftLine, DraftOrder, World
from brightpearl_pipelines.store import dead_letters, events
from brightpearl_pipelines.store.crypto import Cipher
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.types import DeadLetter, Event
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.run import run
from brightpearl_pipelines.sync.scope import Reach, Scope, StepResult
from brightpearl_pipelines.sync.sessions import Connector
from brightpearl_pipelines.systems.contract import Session
from brightpearl_pipelines_tests.sandbox.serving import Sandbox, serving
from brightpearl_pipelines_tests.sync.goods import WHEN_PLACED, draft, small_world

CONNECTIONS = Path(brightpearl_pipelines.__file__).parents[1] / "connections.yaml"
TEMPLATE = "migrated"
UNLIMITED = {"brightpearl": {"requests_per_minute": 10_000_000}, "bigcommerce": {"requests_per_30_seconds": 10_000_000}}
READS = ("GET", "OPTIONS", "HEAD")
_ids = itertools.count(1)

Json = dict[str, Any]


class SandboxTime:
    """The sandbox's clock, for the engine: a sleep is over at once, and what was due in the emulators has happened."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._slept = 0.0

    def now(self) -> datetime:
        return self._sandbox.clock.now()

    def monotonic(self) -> float:
        return time.monotonic() + self._slept

    async def sleep(self, seconds: float) -> None:
        self._slept += max(seconds, 0.0)
        future = asyncio.run_coroutine_threadsafe(_pass(self._sandbox, max(seconds, 0.0)), self._sandbox.loop)
        await asyncio.wrap_future(future)


async def _pass(sandbox: Sandbox, seconds: float) -> None:
    sandbox.clock.advance(seconds)
    await sandbox.brightpearl.tick()
    await sandbox.bigcommerce.tick()


@dataclass
class Harness:
    """One sandbox, one store, one configuration. `run` is one whole run, as `bpp sync` makes it."""

    sandbox: Sandbox
    store: Store
    configuration: Configuration
    clock: SandboxTime
    marks: dict[str, int] = field(default_factory=dict)
    connector: Connector | None = None
    """How sessions are opened, if not over the network to the sandbox."""

    # -- doing ----------------------------------------------------------------------------------------------------

    def run(
        self,
        reach: Reach = Reach.EVERYTHING,
        *,
        connection: str | None = None,
        entity: str | None = None,
        **scope: Any,
    ) -> list[StepResult]:
        """A whole run with an engine of its own; `scope`: day, ids, since, dry_run, compare_all."""
        return self.with_engine(
            lambda engine: run(engine, Scope(reach=reach, **scope), connection=connection, entity=entity)
        )

    def with_engine(self, work: Callable[[Engine], Any]) -> Any:
        """The result of an async function that gets an engine."""

        async def go() -> Any:
            async with self.engine() as engine:
                return await work(engine)

        return asyncio.run(go())

    def engine(self) -> Engine:
        return Engine(self.store, self.configuration, clock=self.clock, connector=self.connector or self.connect)

    async def connect(self, engine: Engine, connection: Connection) -> Session:
        """A session to the sandbox's emulator, as `sync.sessions.connect` opens it; only faster, since it is asked
        for its credentials here and not over the network."""
        api, facts = connection.system.connect(
            connection=connection.name,
            settings=connection.settings,
            credentials=self.emulator(connection.system.name).credentials(),
            store=engine.store,
            clock=engine.clock,
            lane=engine.lane,
            run=engine.run,
        )
        return Session(connection.name, connection.settings, api, engine.clock, facts)

    def in_world(self, function: Callable[[], Any]) -> Any:
        """Do something in the emulators, in the thread that serves them."""
        return self.sandbox.call(function)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in both emulators and for the engine."""
        self.in_world(lambda: _pass(self.sandbox, seconds))

    def place(self, *lines: tuple[str, int] | DraftLine | DraftOrder, **changes: Any) -> str:
        """A shopper buys; the order's id. Takes a ready DraftOrder, or what `goods.draft` takes."""
        made = lines[0] if lines and isinstance(lines[0], DraftOrder) else draft(*lines, **changes)
        if made.placed_at == WHEN_PLACED:
            made = replace(made, placed_at=self.sandbox.clock.now().replace(microsecond=0))
        return str(self.in_world(lambda: self.bigcommerce.place_order(made)))

    def edit_order(self, number: str, **changes: Any) -> None:
        """A clerk, or a payment provider, changes fields of a shop order; its modified date goes on."""

        def edit() -> None:
            order = self.bigcommerce.need("orders", number)
            order |= changes
            order["date_modified"] = formatted(self.sandbox.clock.now())
            self.bigcommerce.index_order(order)
            self.bigcommerce.touch()

        self.pass_time(1)
        self.in_world(edit)

    def post_to_brightpearl(self, path: str, body: Json) -> Any:
        """Somebody else writes to Brightpearl by its API; the response."""
        login = self.brightpearl.credentials()
        headers = {"brightpearl-app-ref": login["app_ref"], "brightpearl-account-token": login["account_token"]}
        answer = httpx.post(f"{login['base_url']}/{path}", json=body, headers=headers, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()["response"] if "response" in answer.json() else answer.json()

    def post_to_shop(self, path: str, body: Json) -> Any:
        """Somebody else writes to the shop by its API; the answer."""
        login = self.bigcommerce.credentials()
        headers = {"X-Auth-Token": login["access_token"], "Accept": "application/json"}
        answer = httpx.post(f"{login['base_url']}/{path}", json=body, headers=headers, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()

    def notify(self, connection: str, topic: str, payload: Json) -> None:
        """A webhook arrives and is stored, as the receiver does it."""
        with self.store.transaction() as tx:
            events.add(tx, Event(connection, f"test-{next(_ids)}", topic, payload))

    # -- disturbing -----------------------------------------------------------------------------------------------

    def fault(self, system: str, kind: str, method: str = "*", path: str = ".*", **more: Any) -> Fault:
        """Add a fault rule to an emulator: see `sandbox.kernel.Fault`."""
        made = Fault(kind, method, path, **more)
        self.emulator(system).faults.append(made)
        return made

    def calm(self) -> bool:
        """Take all fault rules away; whether there were any."""
        found = False
        for system in ("brightpearl", "bigcommerce"):
            found = found or bool(self.emulator(system).faults)
            self.emulator(system).faults.clear()
        return found

    # -- judging: what is in Brightpearl ----------------------------------------------------------------------------

    @property
    def brightpearl(self) -> Any:
        return self.sandbox.brightpearl

    @property
    def bigcommerce(self) -> Any:
        return self.sandbox.bigcommerce

    def emulator(self, system: str) -> Emulator:
        return self.brightpearl if system == "brightpearl" else self.bigcommerce

    def orders_in_brightpearl(self) -> dict[str, Json]:
        """Sales orders by the shop's number; an AssertionError if one number has two."""
        found: dict[str, Json] = {}
        for order in list(self.brightpearl.collection("orders").values()):
            _, _, number = str(order.get("externalRef") or "").partition(":")
            if number and order["orderTypeCode"] == "SO":
                assert number not in found, f"shop order {number} is in Brightpearl twice"
                found[number] = order
        return found

    def order(self, number: str) -> Json:
        """The sales order of a shop order; an AssertionError, naming what is held, if there is none."""
        found = self.orders_in_brightpearl()
        assert number in found, f"order {number} is not in Brightpearl; held: {[x.sentence for x in self.letters()]}"
        return found[number]

    def rows(self, number: str) -> dict[str, Json]:
        """The rows of a sales order by the shop's line key; components of bundles are left out."""
        rows = self.order(number)["orderRows"].values()
        return {row["externalRef"]: row for row in rows if not (row.get("composition") or {}).get("bundleChild")}

    def contact_of(self, number: str) -> Json:
        """The contact that a sales order belongs to."""
        contact_id = self.order(number)["parties"]["customer"]["contactId"]
        return self.brightpearl.collection("contacts")[str(contact_id)]

    def contacts(self) -> list[Json]:
        """All contacts that are customers."""
        everybody = list(self.brightpearl.collection("contacts").values())
        return [each for each in everybody if not each["relationshipToAccount"]["isStaff"]]

    def payments_of(self, number: str) -> list[Json]:
        """The payments on a sales order, as they were made."""
        order_id = self.order(number)["id"]
        return [
            each for each in self.brightpearl.collection("customer_payments").values() if each["orderId"] == order_id
        ]

    def credits_of(self, number: str) -> dict[str, Json]:
        """The sales credits of a shop order by the shop's refund id; an AssertionError if one refund has two."""
        found: dict[str, Json] = {}
        for credit in list(self.brightpearl.collection("orders").values()):
            _, order, refund = [*str(credit.get("externalRef") or "").split(":"), "", ""][:3]
            if credit["orderTypeCode"] == "SC" and order == number:
                assert refund not in found, f"refund {refund} of order {number} is in Brightpearl twice"
                found[refund] = credit
        return found

    def paid_back(self, credit: Json) -> list[Json]:
        """The payments against a sales credit."""
        payments = self.brightpearl.collection("customer_payments").values()
        return [each for each in payments if each["orderId"] == credit["id"]]

    def reserved(self, number: str) -> dict[str, int]:
        """Units reserved for a sales order, by SKU."""
        reservation = self.brightpearl.collection("reservations").get(str(self.order(number)["id"]))
        units: dict[str, int] = {}
        for row in reservation["orderRows"].values() if reservation else ():
            sku = self.sku_of(row["productId"])
            units[sku] = units.get(sku, 0) + row["quantity"]
        return units

    def sku_of(self, product_id: int) -> str:
        return str(self.brightpearl.collection("products")[str(product_id)]["identity"]["sku"])

    def on_hand(self, sku: str, *warehouses: int) -> int:
        """What Brightpearl can still sell of a SKU in these warehouses."""
        product = self.brightpearl.products.by_sku[sku]
        return sum(self.brightpearl.stock.on_hand(product, each) for each in warehouses or (2, 3))

    # -- judging: what is in the shop -------------------------------------------------------------------------------

    def shop_order(self, number: str) -> Json:
        return self.bigcommerce.need("orders", number)

    def shop_lines(self, number: str) -> list[Json]:
        return self.bigcommerce.children("order_products", int(number))

    def shipments(self, number: str) -> list[Json]:
        return self.bigcommerce.children("shipments", int(number))

    def shop_stock(self, sku: str) -> int | None:
        """On hand in the shop's location 1, None where the shop does not count it."""
        key = stock.key_of(self.bigcommerce, self.bigcommerce.variant_of_sku(sku))
        if key is None:
            return None
        levels = stock.record_of(self.bigcommerce, key)["levels"]
        return int(levels["1"]["on_hand"]) if "1" in levels else 0

    def set_row_net(self, number: str, line: str, net: str) -> str:
        """Somebody changes the net amount of a sales order's row, by the shop's line key; what it was before."""
        order = json.loads(json.dumps(self.order(number)))
        value: Json = next(row for row in order["orderRows"].values() if row.get("externalRef") == line)["rowValue"]
        before, value["rowNet"]["value"] = str(value["rowNet"]["value"]), net
        self.in_world(lambda: self.brightpearl.put("orders", order["id"], order))
        return before

    def set_shop_stock(self, sku: str, quantity: int) -> None:
        """Somebody types another number into the shop."""
        key = stock.key_of(self.bigcommerce, self.bigcommerce.variant_of_sku(sku))
        self.in_world(lambda: stock.set_absolute(self.bigcommerce, key, 1, quantity))

    def state(self, system: str) -> dict[str, Json]:
        """Everything that a system holds, tokens left out, as it is now: compare two of them."""
        kept = {name: items for name, items in self.emulator(system).collections.items() if name != "tokens"}
        copied: dict[str, Json] = self.in_world(lambda: json.loads(json.dumps(kept)))
        return copied

    def held_order(self, number: str) -> DeadLetter:
        """The open dead letter that holds a shop order; an AssertionError if there is none."""
        found = [each for each in self.letters(entity="order") if about(each, number)]
        assert len(found) == 1, f"order {number} is held by {[each.sentence for each in found]}"
        return found[0]

    # -- judging: calls -------------------------------------------------------------------------------------------

    def mark(self) -> None:
        """From here on `calls` counts anew."""
        self.marks = {system: len(self.emulator(system).calls) for system in ("brightpearl", "bigcommerce")}

    def calls(self, system: str, method: str | None = None, path: str = "") -> list[Json]:
        """The API calls that an emulator got since `mark`, fetching of tokens left out."""
        all_calls = list(self.emulator(system).calls)[self.marks.get(system, 0) :]
        return [
            each
            for each in all_calls
            if "token" not in each["path"] and path in each["path"] and method in (None, each["method"])
        ]

    def writes(self) -> list[str]:
        """Every write that either emulator got since `mark`, as `METHOD path`."""
        return [
            f"{each['method']} {each['path']}"
            for system in ("brightpearl", "bigcommerce")
            for each in self.calls(system)
            if each["method"] not in READS
        ]

    # -- what the engine says -----------------------------------------------------------------------------------------

    def letters(self, **filters: Any) -> list[DeadLetter]:
        """Open dead letters: connection, entity, reason."""
        with self.store.transaction() as tx:
            return dead_letters.open_letters(tx, **filters, limit=1000)

    def letter(self, **filters: Any) -> DeadLetter:
        """The only open dead letter of these."""
        found = self.letters(**filters)
        assert len(found) == 1, [(each.reason, each.sentence) for each in found]
        return found[0]

    def retry_letters(self) -> None:
        """A person lets everything that is held go again."""
        with self.store.transaction() as tx:
            dead_letters.retry(tx, [each.id for each in dead_letters.open_letters(tx, limit=1000)])

    def row_counts(self) -> dict[str, int]:
        """Rows in each table of the store, but for the audit of calls, tokens and permits."""
        beside = {"api_call", "api_permit", "api_budget", "vault", "alembic_version"}
        with self.store.transaction() as tx:
            names = [
                row[0]
                for row in tx.connection.execute(
                    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'sync' ORDER BY 1"
                )
            ]
            counts = {}
            for name in names:
                if name not in beside:
                    row = tx.connection.execute(f"SELECT count(*) FROM sync.{name}").fetchone()
                    counts[name] = row[0] if row else 0
            return counts

    def configure(self, connection: str, **changes: Any) -> None:
        """Change settings of a connection, as an edit of connections.yaml would."""
        self.configuration = configured(self.configuration, {connection: changes})


def about(letter: DeadLetter, number: str) -> bool:
    """Whether a letter about an order is about that shop order: held unread, unplanned or undelivered."""
    by_stage = {
        "merge": letter.subject,
        "publish": (letter.payload or {}).get("number"),
        "deliver": letter.subject.rpartition(":")[2],
    }
    return by_stage.get(letter.stage) == number


def formatted(instant: datetime) -> str:
    """An instant as V2 orders carry it (RFC 2822)."""
    return instant.strftime("%a, %d %b %Y %H:%M:%S +0000")


def configured(configuration: Configuration, changes: Mapping[str, Mapping[str, Any]]) -> Configuration:
    """A configuration whose connections have other settings."""
    connections = {
        name: replace(each, settings=each.settings.model_copy(update=dict(changes.get(name, {}))))
        for name, each in configuration.connections.items()
    }
    return replace(configuration, connections=connections)


@contextmanager
def fresh_store(server: str, key: str, clock: SandboxTime) -> Iterator[Store]:
    """A store on a database of its own; `server` and `key` are the fixtures embedded_server and encryption_key."""
    name = f"sync_{uuid.uuid4().hex}"
    with psycopg.connect(server % "postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        with Store(server % name, Cipher([key]), clock) as store:
            yield store
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def harnessed(
    server: str,
    key: str,
    *,
    world: World | None = None,
    orders: Sequence[DraftOrder] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Harness]:
    """Serve a world (by default the small one of `goods`) and give a harness on a fresh store.

    `settings`: of the emulators, by system; limits are off unless said otherwise.
    """
    given = {name: {**unlimited, **(settings or {}).get(name, {})} for name, unlimited in UNLIMITED.items()}
    with serving(world=world or small_world(), orders=orders, settings=given) as sandbox:
        clock = SandboxTime(sandbox)
        with fresh_store(server, key, clock) as store:
            yield Harness(sandbox, store, configured(load_configuration(CONNECTIONS), UNLIMITED), clock)


def money(value: object) -> Decimal:
    """An amount as two decimals, whatever form it comes in."""
    return Decimal(str(value)).quantize(Decimal("0.01"))


def total_of(results: Sequence[StepResult], figure: str, step: str | None = None) -> int:
    """A figure of a run's results added up: `created`, `held`, `calls` …"""
    return sum(getattr(each.counts, figure) for each in results if step in (None, each.step))
