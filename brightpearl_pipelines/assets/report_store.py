"""The IO manager of the reports: frames to schema `reports` and back, day by day.

Here: which rows a run replaces and what is handed on. The SQL stands in store/reports.py.
https://docs.dagster.io/guides/build/io-managers
"""

from collections.abc import Iterable
from datetime import date

import dagster as dg
import pandas as pd

from brightpearl_pipelines.reports.tables import SCHEMAS, frame_of, rows_of
from brightpearl_pipelines.resources import Sync
from brightpearl_pipelines.store import reports
from brightpearl_pipelines.store.database import Store

REPORTS_IO = "reports_io"
"""The key under which it is found among the resources."""


class ReportsIOManager(dg.IOManager):
    """Writes a frame in place of all rows of the run's days, in one transaction; other days stay as they are."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame) -> None:
        table = table_of(context.asset_key)
        columns = list(SCHEMAS[table].columns)
        rows = [[row[name] for name in columns] for row in rows_of(obj)]
        with self._store.transaction() as tx:
            reports.replace_days(tx, table, columns, _days(context.asset_partition_keys), rows)

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        return stored(self._store, table_of(context.asset_key), _days(context.asset_partition_keys))


def table_of(key: dg.AssetKey) -> str:
    """The table of a report asset: `reports/daily_orders` is reports.daily_orders."""
    return key.path[-1]


def stored(store: Store, table: str, days: Iterable[date]) -> pd.DataFrame:
    """The frame of what a report table holds of some days."""
    columns = list(SCHEMAS[table].columns)
    with store.transaction() as tx:
        rows = reports.rows_of(tx, table, columns, list(days))
    return frame_of(table, [dict(zip(columns, row, strict=True)) for row in rows])


def _days(keys: Iterable[str]) -> list[date]:
    return [date.fromisoformat(key) for key in keys]


@dg.io_manager(required_resource_keys={"sync"}, description="Pandas frames in schema `reports`, replaced day by day.")
def reports_io_manager(context: dg.InitResourceContext) -> ReportsIOManager:
    """On the store of the run's own `sync`."""
    sync = context.resources.sync
    assert isinstance(sync, Sync)  # noqa: S101 - that is what the resource is
    return ReportsIOManager(sync.store)
