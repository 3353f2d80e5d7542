"""`bpp report`: the books of a day or a period tied out, from what the store has read; nothing is called or written."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from brightpearl_pipelines import reports
from brightpearl_pipelines.commands import common
from brightpearl_pipelines.commands.common import Exit

SHOWN = 50
"""Differences printed as a table; --json and --csv have them all."""
Row = Mapping[str, Any]


def report(
    day: Annotated[str | None, typer.Option(help="A day, in UTC; yesterday if nothing is said.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="The first day of a period.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="The last day of the period.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write each table into this folder, too, as a CSV file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What the shops sold, took and gave back, beside Brightpearl's books. Exit 1: a difference is unexplained."""
    # pandas and pandera take a second to import, which no other command has to wait for.
    from brightpearl_pipelines.reports import tables  # noqa: PLC0415

    with common.configured_store("bpp report") as (configuration, store):
        today = store.clock.now().astimezone(UTC).date()
        day_from, day_to = _period(day, first, last, today)
        documents = tables.documents_frame(reports.documents(store, configuration, day_from, day_to))
    frames = {
        "documents": documents,
        "differences": tables.differences_frame(documents),
        **{table: tables.totals_frame(table, documents) for table in tables.TOTALS},
    }
    if csv is not None:
        csv.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            frame.to_csv(csv / f"{name}.csv", index=False)
    rows = {name: tables.rows_of(frame) for name, frame in frames.items()}
    bad = tables.unexplained_rows(rows["documents"])
    if as_json:
        told = {name: some for name, some in rows.items() if name != "documents"}
        common.print_json({"from": day_from, "to": day_to, **told, "unexplained": len(bad)})
    else:
        _show_totals(common.out(), f"{day_from} to {day_to}, UTC", rows)
        _show_differences(common.out(), [*bad, *(row for row in rows["differences"] if row not in bad)])
    raise typer.Exit(Exit.FAILURE if bad else Exit.OK)


def _period(day: str | None, first: str | None, last: str | None, today: date) -> tuple[date, date]:
    """Raises typer.BadParameter for what is no day, and for a day beside a period."""
    if day is not None and (first is not None or last is not None):
        raise typer.BadParameter("say either a day, or the first and the last of a period", param_hint="--day")
    if day is not None:
        one = _date(day, "--day")
        return one, one
    yesterday = today - timedelta(days=1)
    day_from = _date(first, "--from") if first is not None else None
    day_to = _date(last, "--to") if last is not None else yesterday
    if day_from is not None and day_from > day_to:
        raise typer.BadParameter(f"{day_from} is after {day_to}", param_hint="--from")
    return day_from or day_to, day_to


def _date(given: str, option: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is no day; write it like 2026-11-20", param_hint=option) from None


def _show_totals(console: Console, period: str, rows: Mapping[str, Sequence[Row]]) -> None:
    money = ("shop", "Brightpearl", "difference", "explained", "unexplained")
    counts = ("documents", "there", "unexplained documents")
    columns = ("of", "day", "shop", "channel", "currency")
    made = common.table(*columns, *counts[:2], *money, counts[2], numbers=(*money, *counts), title=period)
    for table in (name for name in rows if name.startswith("daily_")):
        for row in rows[table]:
            what = " ".join(str(row[name]) for name in ("kind", "method") if row.get(name))
            made.add_row(
                f"{table.removeprefix('daily_')} {what.replace('_', ' ')}".strip(),
                *(str(row[name]) for name in columns[1:]),
                *(str(row[name]) for name in ("shop_documents", "brightpearl_documents")),
                *(f"{row[name]:,f}" for name in ("shop_amount", "brightpearl_amount", *money[2:])),
                str(row["unexplained_documents"]),
                style="red" if row["unexplained_documents"] else "",
            )
    console.print(made)


def _show_differences(console: Console, differences: Sequence[Row]) -> None:
    if not differences:
        console.print("Both sides have the same documents, to the penny.")
        return
    made = common.table("day", "document", "shop", "Brightpearl", "tax differs by", "explained by", "why")
    for row in differences[:SHOWN]:
        bad = not row["explained_by"]
        made.add_row(
            str(row["day"]),
            f"{row['kind'].replace('_', ' ')} {row['key']} of {row['shop']}",
            _side(row, "shop"),
            _side(row, "brightpearl"),
            f"{row['tax_difference']:,f}" if row["tax_difference"] else "",
            row["explained_by"].replace("_", " ") or "nothing",
            row["explanation"],
            style="red" if bad else "",
        )
    console.print(made)
    if len(differences) > SHOWN:
        console.print(f"{len(differences) - SHOWN} more; --csv and --json have them all.")


def _side(row: Row, side: str) -> str:
    amount = row[f"{side}_amount"]
    return "nothing" if amount is None else f"{amount:,f} {row['currency']}"
