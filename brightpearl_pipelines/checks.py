"""Checks: one per pandera schema, on the hub asset that the schema is about.

Here: which rows are checked and how a failure is shown. What a good frame is say the schemas (entities/frames.py).
A run on changes checks the rows that changed since they were last found good, so that a bad row is shown until it is
mended; a repair checks the rows of its days.
https://docs.dagster.io/guides/test/asset-checks
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import dagster as dg
import pandas as pd

from brightpearl_pipelines.assets.keys import HUB
from brightpearl_pipelines.assets.privacy import shown_value
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.entities.frames import SCHEMAS, failing_rows, to_frame
from brightpearl_pipelines.resources import ScopeConfig, Sync
from brightpearl_pipelines.store import goldens, positions
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import Golden

ROWS_A_TIME = 2_000
FAILURES_SHOWN = 50
ENTITY_OF = {"order_line": "order"}
"""The entity behind a schema, where it has another name."""
BLOCKING = frozenset({"order", "order_line"})
"""Schemas of what must not go on when wrong: an order with wrong money is worse than a late one."""


def schema_checks() -> list[dg.AssetChecksDefinition]:
    """A check for every schema."""
    return [_check(name) for name in SCHEMAS]


def consumer(schema: str) -> str:
    """The name under which is kept up to which version the rows were found good."""
    return f"check:{schema}"


def _check(schema: str) -> dg.AssetChecksDefinition:
    entity = ENTITY_OF.get(schema, schema)
    words = schema.replace("_", " ")

    @dg.asset_check(
        asset=HUB[entity],
        name=f"{schema}_schema",
        blocking=schema in BLOCKING,
        description=f"Every {words} has all that it must have, in the form that it must have."
        + (" While one has not, no order is published." if schema in BLOCKING else ""),
    )
    def fits(
        context: dg.AssetCheckExecutionContext, sync: dg.ResourceParam[Sync], scope: ScopeConfig
    ) -> dg.AssetCheckResult:
        days = _days(context) if scope.repairs else []
        finding = _days_checked(sync, schema, days) if days else _changes_checked(sync, schema)
        return finding.result()

    return fits


def _days(context: dg.AssetCheckExecutionContext) -> list[date]:
    run = context.op_execution_context
    keys = run.partition_keys if run.has_partition_key or run.has_partition_key_range else []
    return [date.fromisoformat(key) for key in keys]


@dataclass
class Finding:
    """What a check found."""

    schema: str
    configuration: Configuration
    rows: int = 0
    failures: int = 0
    shown: list[dict[str, str]] = field(default_factory=list)

    def look(self, page: Sequence[Golden]) -> bool:
        """Check some rows; True if all are good. What must be unique must be so within an account."""
        accounts: dict[str | None, list[Golden]] = {}
        for row in page:
            accounts.setdefault(self.configuration.account_of(row.origin.values()), []).append(row)
        good = [self._look(rows) for rows in accounts.values()]
        return all(good)

    def _look(self, page: Sequence[Golden]) -> bool:
        frame: pd.DataFrame = to_frame(self.schema, [(row.id, row.content) for row in page])
        bad = failing_rows(SCHEMAS[self.schema], frame)
        self.rows += len(frame)
        self.failures += len(bad)
        for golden_id, column, check, value in bad.head(FAILURES_SHOWN - len(self.shown)).itertuples(index=False):
            row = {"golden id": golden_id, "field": column, "rule": check, "value": shown_value(column, value)}
            self.shown.append(row)
        return bad.empty

    def result(self) -> dg.AssetCheckResult:
        """In Dagster's terms."""
        metadata: dict[str, dg.TableMetadataValue | int] = {"rows": self.rows, "failures": self.failures}
        if self.shown:
            metadata["failing rows"] = dg.MetadataValue.table([dg.TableRecord(row) for row in self.shown])
        first = self.shown[0] if self.shown else None
        return dg.AssetCheckResult(
            passed=self.failures == 0,
            severity=dg.AssetCheckSeverity.ERROR,
            description=None
            if first is None
            else f"{self.failures} of {self.rows} rows; first: {first['golden id']}: {first['field']} {first['rule']}",
            metadata=metadata,
        )


def _changes_checked(sync: Sync, schema: str) -> Finding:
    """All rows that changed since they were last found good; the offset stays before the first bad one."""
    finding, store = Finding(schema, sync.configuration), sync.store
    entity, name = ENTITY_OF.get(schema, schema), consumer(schema)
    with store.transaction() as tx:
        offset = positions.get(tx, name).version
    good = True
    while True:
        with store.transaction() as tx:
            page = goldens.after(tx, entity, offset, ROWS_A_TIME)
            if not page:
                return finding
            good = finding.look(page) and good
            offset = page[-1].version
            if good:
                positions.move(tx, name, version=offset)


def _days_checked(sync: Sync, schema: str, days: Iterable[date]) -> Finding:
    """All rows of the days."""
    finding, store = Finding(schema, sync.configuration), sync.store
    entity = ENTITY_OF.get(schema, schema)
    for day in days:
        with store.transaction() as tx:
            for page in _pages(tx, entity, day):
                finding.look(page)
    return finding


def _pages(tx: Transaction, entity: str, day: date) -> Iterator[Sequence[Golden]]:
    last = None
    while page := goldens.on_day(tx, entity, day, after_id=last, limit=ROWS_A_TIME):
        yield page
        last = page[-1].id
