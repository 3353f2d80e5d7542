"""The partitions of the assets: one a day, by the date on which the source last changed a record, in UTC.

Here: partition definitions, and nothing that reads or writes. Stock levels have no partitions: they are figures of now.
https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import dagster as dg

FIRST_DAY = date(2025, 1, 1)
"""Records that changed last before it are kept in step like all others; only they have no partition to repair."""

# One more than the days that are over: today can be repaired too, and is what runs on changes are recorded under.
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), timezone="UTC", end_offset=1)


def today() -> str:
    """The key of the partition that runs on changes are recorded under."""
    return datetime.now(UTC).date().isoformat()


def yesterday() -> str:
    """The key of the last partition that is over."""
    return (datetime.now(UTC).date() - timedelta(days=1)).isoformat()


def keys_of(days: Iterable[date]) -> list[str]:
    """The partition keys of days, in their order; a day that has no partition has no key."""
    last = datetime.now(UTC).date()
    return [day.isoformat() for day in sorted(set(days)) if FIRST_DAY <= day <= last]
