"""Close of books: what the shops sold, took and gave back beside what Brightpearl books of it, day by day.

Each side is read from its own raw records, as its API gave them; what differs or stands alone is explained by what the
engine has on record about it, or it is not explained, and then it is the thing to look at. No SQL (store/reports.py),
no Dagster (assets/reports.py).

The day of a document is the day of the shop's document in UTC: orders by when they were placed, payments with their
order, refunds by when they were made. UTC, because it is what all instants are kept in, every account shares it, and no
hour of it comes twice; the other side's document goes by the shop's day, so that midnight between two clocks is no
difference.
"""

from datetime import date

from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.reports.entries import Document
from brightpearl_pipelines.reports.explain import explained
from brightpearl_pipelines.reports.gather import paired
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.sync.engine import Engine

__all__ = ["Document", "documents", "unexplained"]


def documents(store: Store, configuration: Configuration, day_from: date, day_to: date) -> list[Document]:
    """Every document of these days, the last one included, as the store's records show them now; explained."""
    engine = Engine(store, configuration, clock=store.clock)
    with engine.transaction() as tx:
        return explained(engine, tx, paired(tx, configuration, day_from, day_to))


def unexplained(store: Store, configuration: Configuration, day_from: date, day_to: date) -> list[Document]:
    """The documents of these days that differ, or stand on one side only, without anything that says why."""
    return [each for each in documents(store, configuration, day_from, day_to) if each.unexplained]
