"""`bpp sync`: one run of the engine, without Dagster, and the table of what it did."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from brightpearl_pipelines.commands import common
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.commands.progress import watching
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.store import dead_letters, deliveries
from brightpearl_pipelines.store.database import Store, Transaction
from brightpearl_pipelines.store.types import DeliveryState
from brightpearl_pipelines.sync import run as engine_run
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.scope import Change, Counts, Reach, Scope, StepResult

FIGURES = tuple(Counts().as_row())
SHORT = {"changed": "chgd", "created": "new", "updated": "upd", "unchanged": "same", "failed": "fail"}
WIDE = 120
"""Columns from which on the table shows its headings in full."""
UNDER_WAY = (DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.FAILED)


@dataclass(frozen=True)
class Order:
    """What a person asked for: the scope, and which part of the steps."""

    scope: Scope
    connection: str | None = None
    entity: str | None = None


@dataclass(frozen=True)
class Report:
    """What came of it. `open_letters` and `waiting` count what is left behind in the store, of this run or before."""

    results: Sequence[StepResult]
    open_letters: int
    waiting: int
    """Writes that are intended and not yet confirmed: they go with a later run."""

    @property
    def totals(self) -> dict[str, int]:
        rows = [result.counts.as_row() for result in self.results]
        return {name: sum(row[name] for row in rows) for name in FIGURES}

    @property
    def exit_code(self) -> Exit:
        if self.totals["failed"] or any(result.counts.paused for result in self.results):
            return Exit.FAILURE
        return Exit.HELD if self.totals["held"] or self.open_letters or self.waiting else Exit.OK

    @property
    def changes(self) -> list[Change]:
        return [change for result in self.results for change in result.changes]


def sync(
    connection: Annotated[str | None, typer.Option(help="Only this connection.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only this entity: orders, customers, inventory …")] = None,
    changes_only: Annotated[
        bool, typer.Option("--changes-only", help="Only what changed since the last run; stock by webhook only.")
    ] = False,
    since: Annotated[str | None, typer.Option(help="Read again what changed since this instant (ISO 8601).")] = None,
    ids: Annotated[str | None, typer.Option(help="Repair these records of the source, separated by commas.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Bring everything, or a part of it, into step now. Exit 0: all applied; 3: something is held; 1: a failure."""
    scope = Scope(
        reach=Reach.CHANGES if changes_only else Reach.EVERYTHING,
        ids=tuple(each.strip() for each in (ids or "").split(",") if each.strip()),
        since=common.instant(since),
        dry_run=dry_run,
    )
    with common.configured_store("bpp sync") as (configuration, store):
        if connection is not None:
            configuration.connection(connection)
        order = Order(scope, connection, common.entity_name(entity, configuration))
        report = asyncio.run(perform(configuration, store, order))
    if as_json:
        common.print_json(as_object(report, dry_run=dry_run))
    else:
        show(common.out(), report, dry_run=dry_run)
    raise typer.Exit(report.exit_code)


async def perform(configuration: Configuration, store: Store, order: Order) -> Report:
    """Do it, with a progress display on a terminal. Raises ConfigurationError, ApiError, BusyError."""
    with watching(common.err()) as tell:
        async with Engine(store, configuration, run=store.run, progress=tell) as engine:
            results = await engine_run.run(engine, order.scope, connection=order.connection, entity=order.entity)
    with store.transaction() as tx:
        return Report(results, _open_letters(tx, order), _waiting(tx, order))


def _open_letters(tx: Transaction, order: Order) -> int:
    return sum(
        count
        for connection, entity, _, state, count in dead_letters.counts(tx)
        if state == "open" and order.connection in (None, connection) and order.entity in (None, entity)
    )


def _waiting(tx: Transaction, order: Order) -> int:
    return sum(
        count
        for connection, entity, state, count in deliveries.counts(tx)
        if state in UNDER_WAY and order.connection in (None, connection) and order.entity in (None, entity)
    )


# -- for programs -------------------------------------------------------------------------------------------------


def as_object(report: Report, *, dry_run: bool) -> dict[str, Any]:
    """The report as JSON: `steps`, `totals`, and for a dry run `changes` and `money`."""
    steps = [
        {
            "step": result.step,
            "connection": result.connection,
            "entity": result.entity,
            "stream": result.stream,
            **result.counts.as_row(),
            "ignored": result.counts.ignored,
            "paused": result.counts.paused,
        }
        for result in report.results
    ]
    left = {"open_dead_letters": report.open_letters, "waiting": report.waiting, "exit_code": int(report.exit_code)}
    made: dict[str, Any] = {"dry_run": dry_run, "steps": steps, "totals": report.totals, **left}
    if dry_run:
        made["changes"] = [
            {
                **asdict(change),
                "fields": [{"field": name, "from": before, "to": after} for name, before, after in change.fields],
            }
            for change in report.changes
        ]
        made["money"] = [asdict(line) for line in money(report.changes)]
    return made


@dataclass(frozen=True)
class Money:
    """What the documents of a dry run come to in one currency."""

    connection: str
    entity: str
    currency: str
    documents: int
    total: Decimal


def money(changes: Sequence[Change]) -> list[Money]:
    """The sums per connection, entity and currency, sorted."""
    sums: dict[tuple[str, str, str], list[Decimal]] = {}
    for change in changes:
        if change.total:
            key = (change.connection, change.entity, str(change.total["currency"]))
            sums.setdefault(key, []).append(Decimal(str(change.total["total"])))
    return [Money(*key, len(amounts), sum(amounts, Decimal())) for key, amounts in sorted(sums.items())]


# -- for people ---------------------------------------------------------------------------------------------------


def show(console: Console, report: Report, *, dry_run: bool) -> None:
    """The table, what was left out and why, what stopped, and what to do next."""
    if dry_run:
        _show_changes(console, report.changes)
    console.print(_table(report, narrow=console.width < WIDE))
    for result in report.results:
        where = f"{result.step} {result.connection or 'hub'} {result.about}"
        for rule, count in sorted(result.counts.ignored.items()):
            console.print(f"  {where}: {count} left out by the rule {rule}")
    for result in report.results:
        if result.counts.paused:
            where = f"{result.step} {result.connection} {result.about}"
            console.print(f"  {where} stopped: {result.counts.paused}", style="red", soft_wrap=True)
    if dry_run:
        _show_money(console, report.changes)
        console.print("Dry run: nothing was written.")
    if report.open_letters:
        console.print(f"{report.open_letters} held. See `bpp dead-letters list`.", style="yellow")
    if report.waiting:
        console.print(f"{report.waiting} intended write(s) wait for their turn; the next run goes on with them.")


def _table(report: Report, *, narrow: bool) -> Table:
    figures = tuple(SHORT.get(name, name) for name in FIGURES) if narrow else FIGURES
    made = common.table("step", "connection", "entity or stream", *figures, numbers=figures)
    if narrow:
        made.box, made.padding, made.pad_edge, made.show_edge = box.SIMPLE_HEAD, (0, 0, 0, 0), False, False
    for result in report.results:
        row = [str(count) if count else "·" for count in result.counts.as_row().values()]
        made.add_row(result.step, result.connection or "hub", result.about, *row)
    made.add_section()
    made.add_row("total", "", "", *map(str, report.totals.values()), style="bold")
    return made


def _show_changes(console: Console, changes: Sequence[Change]) -> None:
    for change in changes:
        amount = f", {change.total['total']} {change.total['currency']}" if change.total else ""
        console.print(f"{change.connection}: {change.kind} {change.entity} {change.key}{amount}", style="bold")
        for name, before, after in change.fields:
            was = "" if before is None else f"{before} "
            console.print(f"    {name}: {was}→ {after}", soft_wrap=True)


def _show_money(console: Console, changes: Sequence[Change]) -> None:
    lines = money(changes)
    if not lines:
        return
    made = common.table("connection", "entity", "currency", "documents", "total", numbers=("documents", "total"))
    for line in lines:
        made.add_row(line.connection, line.entity, line.currency, str(line.documents), f"{line.total:,f}")
    console.print(made)
