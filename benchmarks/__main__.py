"""`python -m benchmarks`: every figure is measured in this very run, on this very machine."""

import argparse
import os
import platform
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from cryptography.fernet import Fernet
from rich.console import Console
from rich.table import Table

from benchmarks import bounds
from benchmarks.pipeline import hot_spots
from benchmarks.stock import stock_passes, tables
from benchmarks.talking import Child, Json, child
from brightpearl_pipelines.store import embedded
from brightpearl_pipelines.store.database import migrate

MEGABYTE = 1_000_000
HOT_SPOTS = 25


@dataclass
class Server:
    """The embedded Postgres of this run."""

    address: str
    folder: Path
    made: int = 0

    def database(self) -> str:
        """A fresh, migrated database."""
        self.made += 1
        name = f"bench_{self.made}"
        with psycopg.connect(self.address % "postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        migrate(self.address % name)
        return self.address % name

    def processor(self) -> float:
        """Seconds of processor time that the server has used so far, ended backends included."""
        pid = int((self.folder / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
        main = psutil.Process(pid)
        spent = main.cpu_times()
        total = spent.user + spent.system + spent.children_user + spent.children_system
        for each in main.children():
            times = each.cpu_times()
            total += times.user + times.system
        return total


@dataclass
class Pair:
    """A sandbox and a pipeline that works on it."""

    sandbox: Child
    pipeline: Child
    server: Server

    def measured(self, **what: object) -> Json:
        """A run of the pipeline, with the calls that it made."""
        self.sandbox.ask("forget_calls")
        database = self.server.processor()
        result = self.pipeline.ask("sync", **what)
        return {**result, "database": self.server.processor() - database, "calls": self.sandbox.ask("calls")}


@contextmanager
def postgres() -> Iterator[Server]:
    """An embedded server in a folder of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bpp-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        os.environ["BPP_DATA_DIR"] = name
        os.environ.pop("DATABASE_URL", None)
        address = embedded.database_url().replace(f"/{embedded.DATABASE}?", "/%s?")
        try:
            yield Server(address, folder)
        finally:
            embedded.stop_embedded()


@contextmanager
def pair(server: Server, *, products: int, known: int) -> Iterator[Pair]:
    """A sandbox with a catalogue, and a pipeline that has read it already."""
    key = Fernet.generate_key().decode()
    with child("sandbox", products=products, known=known) as sandbox:
        urls = sandbox.ask("where")
        with child("pipeline", database=server.database(), key=key, urls=urls) as pipeline:
            pipeline.ask("sync", reach="everything")
            pipeline.ask("sync", reach="everything", stock=True)
            yield Pair(sandbox, pipeline, server)


@dataclass(frozen=True)
class Figure:
    """Calls that were made, beside the fewest possible."""

    what: str
    made: int
    bound: int

    def row(self, orders: int) -> Sequence[str]:
        per_thousand = self.made * 1000 / orders if orders else None
        above = f"{(self.made / self.bound - 1) * 100:+.0f} %" if self.bound else "–"
        share = f"{per_thousand:,.0f}" if per_thousand is not None else "–"
        return self.what, f"{self.made:,}", share, f"{self.bound:,}", above


def orders_in(server: Server, count: int, products: int, *, known: bool) -> tuple[Json, list[Figure]]:
    """Import `count` orders: the run; and its calls, those of the run after it, which reads them back, and of an idle
    one, which looks whether anything has changed and is taken off the others."""
    with pair(server, products=products, known=count if known else 0) as bench:
        idle = bench.measured(reach="changes")["calls"]
        before = bench.sandbox.ask("holds")
        bench.sandbox.ask("orders", count=count)
        run = bench.measured(reach="changes")
        after = bench.sandbox.ask("holds")
        again = bench.measured(reach="changes")
    made = {name: after.get(name, 0) - before.get(name, 0) for name in after}
    if made["orders"] != count:
        raise RuntimeError(f"{made['orders']} of {count} orders were imported")
    kinds = ("orders", "reservations", "customer_payments", "contacts", "postal_addresses")
    writes = sum(made[kind] for kind in kinds)
    calls, back = run["calls"], again["calls"]
    in_, sweep = calls["brightpearl"], {name: each["reads"] for name, each in idle.items()}
    figures = [
        Figure("Brightpearl, writes", in_["writes"], bounds.writes(writes)),
        Figure(
            "Brightpearl, reads",
            in_["reads"] - sweep["brightpearl"],
            bounds.rows_before_reserving(made["reservations"]),
        ),
        Figure(
            "Brightpearl, together",
            in_["writes"] + in_["reads"] - sweep["brightpearl"],
            bounds.orders_in(count, new_customers=not known),
        ),
        Figure("BigCommerce, reads", calls["bigcommerce"]["reads"] - sweep["bigcommerce"], bounds.shop_pages(count)),
        Figure("BigCommerce, writes", calls["bigcommerce"]["writes"], 0),
        Figure(
            "Brightpearl, reading them back",
            back["brightpearl"]["reads"] - sweep["brightpearl"],
            bounds.orders_read_back(count) + bounds.contacts_read_back(made["contacts"]),
        ),
        Figure("writes of the run after", sum(each["writes"] for each in back.values()), 0),
        Figure("beside these: a run that finds nothing", sum(sweep.values()), 0),
    ]
    return run, figures


def latencies(server: Server, events: int, products: int) -> list[float]:
    """Seconds from an order placed in the shop to the same order in Brightpearl, one after the other."""
    with pair(server, products=products, known=0) as bench:
        bench.pipeline.ask("listen")
        bench.sandbox.ask("order_seen")  # the first one opens connections
        return sorted(bench.sandbox.ask("order_seen")["seconds"] for _ in range(events))


def calls_table(title: str, figures: Sequence[Figure], orders: int) -> Table:
    table = Table("calls", "made", "per 1,000 orders", "bound", "above it", title=title, title_justify="left")
    for figure in figures:
        table.add_row(*figure.row(orders))
    return table


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--orders", default="1000,10000", help="sizes of the order runs, by comma (1000,10000)")
    options.add_argument("--stock", default="5700", help="sizes of the stock passes, by comma; empty for none (5700)")
    options.add_argument("--products", type=int, default=1000, help="size of the catalogue (1000)")
    options.add_argument("--events", type=int, default=30, help="orders whose latency is measured; 0 for none (30)")
    options.add_argument("--profile", action="store_true", help="also tell where the time of the first order run goes")
    given = options.parse_args()
    sizes = [int(each) for each in given.orders.split(",")]
    console = Console()
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} processors, limits of the APIs lifted")
    with postgres() as server:
        _orders(console, server, sizes, given.products)
        for each in stock_passes(server.database, [int(size) for size in given.stock.split(",") if size]):
            for table in tables([each]):
                console.print(table)
        if given.events:
            _latency(console, latencies(server, given.events, given.products))
        if given.profile:
            _profile(console, server, sizes[0], given.products)


def _orders(console: Console, server: Server, sizes: Sequence[int], products: int) -> None:
    costs = Table(
        *("orders", "customers", "pipeline CPU s", "orders a CPU s", "database CPU s", "wall s", "peak memory MB"),
        title="Orders in: processor time and memory of the pipeline's process",
        title_justify="left",
    )
    for size in sizes:
        for known in (True, False) if size == sizes[0] else (False,):
            run, figures = orders_in(server, size, products, known=known)
            who = "known" if known else "new"
            console.print(calls_table(f"{size:,} orders of {who} customers", figures, size))
            costs.add_row(
                f"{size:,}",
                who,
                f"{run['processor']:.1f}",
                f"{size / run['processor']:.0f}",
                f"{run['database']:.1f}",
                f"{run['seconds']:.1f}",
                f"{run['peak'] / MEGABYTE:.0f}",
            )
    console.print(costs)


def _latency(console: Console, seconds: Sequence[float]) -> None:
    table = Table(
        "orders", "median s", "95th s", "slowest s", title="From the shop to Brightpearl", title_justify="left"
    )
    tail = statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    table.add_row(str(len(seconds)), f"{statistics.median(seconds):.2f}", f"{tail:.2f}", f"{seconds[-1]:.2f}")
    console.print(table)
    console.print(
        "An order of a new customer is placed; its webhook is received, verified and stored; a run of the engine "
        "follows at once in the receiver's process; the clock stops when Brightpearl has the order. Not in it: the way "
        "through Dagster (a launched run starts a process, which takes seconds), the internet, the limits."
    )


def _profile(console: Console, server: Server, count: int, products: int) -> None:
    with tempfile.NamedTemporaryFile() as file, pair(server, products=products, known=0) as bench:
        bench.sandbox.ask("orders", count=count)
        bench.pipeline.ask("sync", reach="changes", profile=file.name)
        table = Table("function", "calls", "own s", "with all below s", title=f"Where the time goes ({count:,} orders)")
        for name, calls, own, total in hot_spots(file.name, HOT_SPOTS):
            table.add_row(name, f"{calls:,}", f"{own:.2f}", f"{total:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
