"""Close of books: what the shops sold, took and gave back, beside what Brightpearl books of it, as tables for analysts.

Here: the words and the making of the report assets, and their checks. What a document is, how the sides are paired and
what explains a difference: ../reports/. They are no part of the runs on changes, which must stay fast: jobs.py.
"""

import warnings
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pandas as pd

from brightpearl_pipelines import reports
from brightpearl_pipelines.assets.factory import OWNERS
from brightpearl_pipelines.assets.keys import HUB, extracted, published_to
from brightpearl_pipelines.assets.perform import days_of
from brightpearl_pipelines.assets.report_store import REPORTS_IO, stored, table_of
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.partitions import DAYS
from brightpearl_pipelines.reports.tables import (
    TOTALS,
    differences_frame,
    documents_frame,
    failures,
    rows_of,
    totals_frame,
    unexplained_rows,
    untied,
)
from brightpearl_pipelines.resources import Sync

GROUP = "reports"
DOCUMENTS = dg.AssetKey([GROUP, "documents"])
DIFFERENCES = dg.AssetKey([GROUP, "differences"])
TIE_OUT = "every_difference_is_explained"
SHOWN = 50
DAYS_A_RUN = 31
"""A backfill takes a month at a time: a run holds the documents of its days in memory."""
FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=3), fail_window=timedelta(hours=26))
"""Today's are made every hour, yesterday's every night."""
_STREAMS = ("orders", "refunds", "credits", "payments")
_MADE_FROM = ("order", "payment", "return")
_ABOUT = {
    "daily_orders": "What was sold, with tax",
    "daily_taxes": "The tax of orders and of refunds",
    "daily_payments": "Money received and paid back, by method",
    "daily_refunds": "What was refunded in the shop and credited in Brightpearl, with tax",
}


def report_assets(configuration: Configuration) -> list[dg.AssetsDefinition]:
    """The documents of a day, the totals made of them, and the differences."""
    return [_documents(configuration), *(_totals(table) for table in TOTALS), _differences()]


def report_checks() -> list[dg.AssetChecksDefinition]:
    """One for the schema of each table, and the tie-out."""
    return [*(_schema_check(dg.AssetKey([GROUP, table])) for table in (*_TABLES, *TOTALS)), _tie_out()]


_TABLES = ("documents", "differences")


def _asset(key: dg.AssetKey, about: str, **more: Any) -> Any:
    """What all report assets share."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # of backfill_policy, beta for years
        return dg.asset(
            key=key,
            group_name=GROUP,
            kinds={"pandas", "postgres"},
            owners=OWNERS,
            description=about,
            partitions_def=DAYS,
            backfill_policy=dg.BackfillPolicy.multi_run(DAYS_A_RUN),
            freshness_policy=FRESHNESS,
            io_manager_key=REPORTS_IO,
            **more,
        )


def _documents(configuration: Configuration) -> dg.AssetsDefinition:
    made: dg.AssetsDefinition

    def documents(context: dg.AssetExecutionContext, sync: dg.ResourceParam[Sync]) -> pd.DataFrame:
        found = [
            document
            for first, last in _spans(days_of(context))
            for document in reports.documents(sync.store, sync.configuration, first, last)
        ]
        alone = sum(each.differs for each in found)
        bad = sum(each.unexplained for each in found)
        context.log.info(f"{len(found):,} documents, {alone:,} differ or stand alone, {bad:,} of them unexplained")
        context.add_output_metadata({"dagster/row_count": len(found), "differ": alone, "unexplained": bad})
        return documents_frame(found)

    about = (
        "Every order, refund and payment of a day, the shop's beside Brightpearl's, each as its own API gave it: none "
        "of the mappings stands in between. What differs or stands alone says what explains it.\n\n"
        "The day is that of the shop's document, in UTC."
    )
    made = _asset(DOCUMENTS, about, deps=list(_sources(configuration)))(documents)
    return made


def _totals(table: str) -> dg.AssetsDefinition:
    made: dg.AssetsDefinition

    def totals(context: dg.AssetExecutionContext, documents: pd.DataFrame) -> pd.DataFrame:
        frame = totals_frame(table, documents)
        context.add_output_metadata({"dagster/row_count": len(frame), **_tabled("totals", rows_of(frame))})
        return frame

    about = (
        f"{_ABOUT[table]}, by day, shop, channel and currency on both sides, with what of the difference is explained."
    )
    made = _asset(dg.AssetKey([GROUP, table]), about, ins={"documents": dg.AssetIn(DOCUMENTS)})(totals)
    return made


def _differences() -> dg.AssetsDefinition:
    made: dg.AssetsDefinition

    def differences(context: dg.AssetExecutionContext, documents: pd.DataFrame) -> pd.DataFrame:
        frame = differences_frame(documents)
        context.add_output_metadata({"dagster/row_count": len(frame), **_tabled("differences", rows_of(frame))})
        return frame

    about = (
        "The documents that differ, stand on one side only, or have a row for rounding, each with what explains it: "
        "held, pending, left out by a rule, or written and not read back yet. What nothing explains turns the check "
        "red."
    )
    made = _asset(DIFFERENCES, about, ins={"documents": dg.AssetIn(DOCUMENTS)})(differences)
    return made


def _sources(configuration: Configuration) -> Iterator[dg.AssetKey]:
    """What the documents and their explanations are read from."""
    for connection in configuration.connections.values():
        for stream in connection.system.streams:
            if stream.name in _STREAMS:
                yield extracted(connection.name, stream.name)
    for entity in _MADE_FROM:
        yield HUB[entity]
        yield from published_to(configuration, entity)


def _spans(days: Sequence[str]) -> Iterator[tuple[date, date]]:
    """Days in a row as (first, last): one reading serves them all."""
    wanted = sorted(date.fromisoformat(day) for day in days)
    while wanted:
        first = last = wanted.pop(0)
        while wanted and wanted[0] == last + timedelta(days=1):
            last = wanted.pop(0)
        yield first, last


# -- checks -------------------------------------------------------------------------------------------------------


def _schema_check(key: dg.AssetKey) -> dg.AssetChecksDefinition:
    table = table_of(key)

    @dg.asset_check(
        asset=key,
        name=f"{table}_schema",
        description=f"Every row of {table.replace('_', ' ')} has all that it must have, and adds up.",
    )
    def fits(context: dg.AssetCheckExecutionContext, sync: dg.ResourceParam[Sync]) -> dg.AssetCheckResult:
        frame = stored(sync.store, table, _days(context))
        wrong = failures(table, frame)
        return dg.AssetCheckResult(
            passed=not wrong,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(wrong[:3]) or None,
            metadata={"rows": len(frame), "failures": len(wrong)},
        )

    return fits


def _tie_out() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=DIFFERENCES,
        name=TIE_OUT,
        additional_deps=[DOCUMENTS, *(dg.AssetKey([GROUP, table]) for table in TOTALS)],
        description=(
            "Whatever differs between the shops and Brightpearl is explained, and every total is the sum of the "
            "documents that are listed under it."
        ),
    )
    def tied(context: dg.AssetCheckExecutionContext, sync: dg.ResourceParam[Sync]) -> dg.AssetCheckResult:
        days = _days(context)
        documents, differences = (rows_of(stored(sync.store, table, days)) for table in _TABLES)
        totals = {table: rows_of(stored(sync.store, table, days)) for table in TOTALS}
        loose, bad = untied(documents, differences, totals), unexplained_rows(documents)
        told = [*(f"{row['kind']} {row['key']} of {row['shop']}: {_sides(row)}" for row in bad), *loose]
        return dg.AssetCheckResult(
            passed=not told,
            severity=dg.AssetCheckSeverity.ERROR,
            description=_first(told),
            metadata={
                "documents": len(documents),
                "differences": len(differences),
                "unexplained": len(bad),
                "totals that do not add up": len(loose),
                **{name: table for each, rows in totals.items() for name, table in _tabled(each, rows).items()},
                # What nothing explains comes first: the table is cut.
                **_tabled("differing documents", [*bad, *(row for row in differences if row not in bad)]),
            },
        )

    return tied


def _sides(row: dict[str, Any]) -> str:
    ours, theirs = (
        "nothing" if row[f"{side}_amount"] is None else f"{row[f'{side}_amount']} ({row[f'{side}_tax']} tax)"
        for side in ("shop", "brightpearl")
    )
    return f"{ours} in the shop, {theirs} in Brightpearl, {row['currency']}"


def _first(told: Sequence[str]) -> str | None:
    if not told:
        return None
    more = f"; and {len(told) - 3} more" if len(told) > 3 else ""
    return "; ".join(told[:3]) + more


def _days(context: dg.AssetCheckExecutionContext) -> list[date]:
    run = context.op_execution_context
    keys = run.partition_keys if run.has_partition_key or run.has_partition_key_range else []
    return [date.fromisoformat(key) for key in keys]


def _tabled(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A table of the first rows, money as text; none if there are none."""
    if not rows:
        return {}
    return {
        name: dg.MetadataValue.table(
            [dg.TableRecord({column: _cell(value) for column, value in row.items()}) for row in rows[:SHOWN]]
        )
    }


def _cell(value: Any) -> str | int | None:
    return value if isinstance(value, str | int | None) else str(value)
