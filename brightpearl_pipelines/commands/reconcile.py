"""`bpp reconcile`: both sides compared by key and mapped fields, money totals included."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from brightpearl_pipelines.commands import common
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.commands.progress import watching
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.reconcile import Difference, EntityReport
from brightpearl_pipelines.sync.reconcile import reconcile as compare

SHOWN = 50
"""Differences printed as a table; --json has them all."""


def reconcile(
    repair: Annotated[bool, typer.Option("--repair", help="Write what differs, then compare again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare every target with what it should hold. Exit 1: something differs and nothing explains it."""
    with common.configured_store("bpp reconcile") as (configuration, store):
        reports = asyncio.run(_reconcile(configuration, store, repair=repair))
    unexplained = sum(report.unexplained for report in reports)
    if as_json:
        common.print_json({"entities": [_object(report) for report in reports], "unexplained": unexplained})
    else:
        _show(common.out(), reports)
    raise typer.Exit(Exit.FAILURE if unexplained else Exit.OK)


async def _reconcile(configuration: Configuration, store: Store, *, repair: bool) -> list[EntityReport]:
    with watching(common.err()) as tell:
        async with Engine(store, configuration, run=store.run, progress=tell) as engine:
            return await compare(engine, repair=repair)


def _object(report: EntityReport) -> dict[str, Any]:
    totals = {currency: {"ours": ours, "theirs": theirs} for currency, (ours, theirs) in sorted(report.totals.items())}
    return {**asdict(report), "totals": totals, "unexplained": report.unexplained}


def _show(console: Console, reports: Sequence[EntityReport]) -> None:
    figures = ("compared", "equal", "differ", "unexplained", "repaired")
    made = common.table("connection", "entity", *figures, "money (ours = theirs)", numbers=figures)
    for report in reports:
        differ = len({difference.key for difference in report.differences})
        counts = (report.compared, report.equal, differ, report.unexplained, report.repaired)
        money = [_money(currency, *sides) for currency, sides in sorted(report.totals.items())]
        made.add_row(report.connection, report.entity, *map(str, counts), "\n".join(money))
    console.print(made)
    differences = [(report, difference) for report in reports for difference in report.differences]
    if differences:
        _show_differences(console, differences)


def _money(currency: str, ours: Any, theirs: Any) -> str:
    return f"{ours:,f} = {theirs:,f} {currency}" if ours == theirs else f"{ours:,f} ≠ {theirs:,f} {currency}"


def _show_differences(console: Console, differences: Sequence[tuple[EntityReport, Difference]]) -> None:
    made = common.table("connection", "entity", "key", "field", "ours", "theirs", "explained by")
    for report, each in differences[:SHOWN]:
        made.add_row(
            report.connection,
            report.entity,
            each.key,
            each.field,
            str(each.ours),
            str(each.theirs),
            each.explained or "nothing",
            style="" if each.explained else "red",
        )
    console.print(made)
    if len(differences) > SHOWN:
        console.print(f"{len(differences) - SHOWN} more; --json prints them all.")
