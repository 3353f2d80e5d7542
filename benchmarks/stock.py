"""A full pass over the stock: every figure read, every level reckoned, every number written and read back.

The process that is measured does nothing else: another one has read the catalogue before, and everything was counted
anew in between, so that all figures and numbers change. `python -m benchmarks.stock`
prints this section alone.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet
from rich.console import Console
from rich.table import Table

from benchmarks.talking import Json, child

SIZES = (5_700, 57_000)
PRODUCTS_PER_READ = 200
"""field-lessons §5.2."""
NUMBERS_PER_WRITE = 2000
NUMBERS_PER_READ_BACK = 1000
"""bigcommerce.md §4.1, §4.2."""
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class StockPass:
    """One pass: what it was over, what it cost. Memory is the most that the process ever had."""

    products: int
    numbers: int
    calls: Json
    seconds: float
    processor: float
    peak: int

    @property
    def made_and_bound(self) -> Sequence[tuple[str, int, int]]:
        """What the calls were for, how many were made, and the fewest that the systems' rules allow."""
        shop = self.calls["bigcommerce"]
        return (
            ("Brightpearl: figures", self.calls["brightpearl"]["reads"], math.ceil(self.products / PRODUCTS_PER_READ)),
            ("BigCommerce: numbers", shop["writes"], math.ceil(self.numbers / NUMBERS_PER_WRITE)),
            ("BigCommerce: read back", shop["reads"], math.ceil(self.numbers / NUMBERS_PER_READ_BACK)),
        )


def stock_pass(database: str, products: int) -> StockPass:
    """Over a catalogue of about so many products; `database` is the address of a fresh, migrated one."""
    key = Fernet.generate_key().decode()
    with child("sandbox", products=products, known=0) as sandbox:
        urls = sandbox.ask("where")
        with child("pipeline", database=database, key=key, urls=urls) as catalogue:
            catalogue.ask("sync", reach="everything")
            catalogue.ask("sync", reach="everything", stock=True)
        sandbox.ask("stock_take")
        with child("pipeline", database=database, key=key, urls=urls) as measured:
            sandbox.ask("forget_calls")
            run = measured.ask("sync", reach="everything", stock=True)
            calls = sandbox.ask("calls")
        held = sandbox.ask("holds")
    numbers = sum(each["updated"] + each["created"] for each in run["steps"] if each["step"] == "published")
    return StockPass(held["products"], numbers, calls, run["seconds"], run["processor"], run["peak"])


def stock_passes(database: Callable[[], str], sizes: Sequence[int] = SIZES) -> Iterator[StockPass]:
    """One pass for each size, each on a database of its own."""
    for size in sizes:
        yield stock_pass(database(), size)


def tables(passes: Sequence[StockPass]) -> Iterator[Table]:
    """The calls beside their bounds; then what each pass cost."""
    calls = Table("products", "calls", "made", "bound", "above it", title="A full stock pass", title_justify="left")
    costs = Table(
        *("products", "numbers written", "pipeline CPU s", "wall s", "peak memory MB"),
        title="What a full stock pass costs",
        title_justify="left",
    )
    for each in passes:
        made, bound = 0, 0
        for what, here, fewest in each.made_and_bound:
            calls.add_row(f"{each.products:,}", what, *_beside(here, fewest))
            made, bound = made + here, bound + fewest
        calls.add_row(f"{each.products:,}", "all", *_beside(made, bound), end_section=True)
        memory = f"{each.peak / MEGABYTE:.0f}"
        figures = (f"{each.numbers:,}", f"{each.processor:.1f}", f"{each.seconds:.1f}", memory)
        costs.add_row(f"{each.products:,}", *figures)
    yield calls
    yield costs


def _beside(made: int, bound: int) -> tuple[str, str, str]:
    return f"{made:,}", f"{bound:,}", f"{(made / bound - 1) * 100:+.1f} %" if bound else "–"


def main() -> None:
    """Measure and print; sizes may be given as arguments."""
    import sys

    from benchmarks.__main__ import postgres  # not at the top: that module imports this one

    sizes = [int(each) for each in sys.argv[1:]] or SIZES
    console = Console()
    with postgres() as server:
        for each in stock_passes(server.database, sizes):
            for table in tables([each]):
                console.print(table)


if __name__ == "__main__":
    main()
