"""Customers' accounts in the shop (bigcommerce.md §5): what can be read of them and what they mean.

Who buys is known from the orders; an account adds to that what no checkout says, its group, and what was changed in it
since. An account that never bought anything makes nobody in Brightpearl.

A changed address moves neither the account's `date_modified` nor its `updated` event (§7.3): it is noticed by events of
its own, and, should one be lost, with the next change of the account or a repair of its day.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from brightpearl_pipelines.entities.models import Customer
from brightpearl_pipelines.matching import all_keys
from brightpearl_pipelines.store.types import Json, Record, SourceRecord
from brightpearl_pipelines.systems.bigcommerce.client import ROWS_PER_PAGE, instant
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.sources import MAPPINGS
from brightpearl_pipelines.systems.bigcommerce.streams import changed, client_of, event_id
from brightpearl_pipelines.systems.contract import Ignored, Mapped, Session, Settings, Source, Stream
from brightpearl_pipelines.systems.paging import chunks, whole_numbers

WITH_ADDRESSES = {"include": "addresses"}
"""At most ten of them come along (§5): enough to tell one from several."""


def _account(row: dict[str, Any]) -> SourceRecord:
    return SourceRecord(str(row["id"]), row, instant(row["date_modified"]))


async def _read(session: Session, ids: Sequence[str]) -> list[SourceRecord]:
    client = client_of(session)
    found: dict[str, SourceRecord] = {}
    for chunk in chunks(whole_numbers(ids, session.connection), ROWS_PER_PAGE):
        rows = await client.all("v3/customers", {"id:in": ",".join(chunk), **WITH_ADDRESSES})
        found |= {str(row["id"]): _account(row) for row in rows}
    return [found.get(each) or SourceRecord(each, {}, deleted=True) for each in ids]


def _owner(payload: Json) -> Sequence[str]:
    """The account that an address event is about; its own `id` is the address's (§7.3)."""
    return [str(payload["data"]["address"]["customer_id"])]


STREAM = Stream(
    "customers",
    "customer",
    changed(
        "v3/customers",
        {"sort": "date_modified:asc", **WITH_ADDRESSES},
        ("date_modified:min", "date_modified:max"),
        _account,
    ),
    _read,
    topics={
        **{f"store/customer/{what}": event_id for what in ("created", "updated", "deleted")},
        **{f"store/customer/address/{what}": _owner for what in ("created", "updated", "deleted")},
    },
)


def _customer(record: Record, settings: Settings) -> Sequence[Mapped | Ignored]:
    """A person with an account. A deleted one goes on as Brightpearl's contact, whose orders stay."""
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this source belongs to this system
    if record.deleted:
        return [Ignored(record.id, "gone_from_the_shop")]
    account = record.payload
    addresses = account.get("addresses") or []
    beside: dict[str, Any] = {"account": account}
    if len(addresses) == 1:
        beside["address"] = addresses[0]
    content = MAPPINGS["account"].read(beside, settings.tables())
    if settings.customer_groups:
        # A group that is not mapped is none of Brightpearl's: the customer goes without.
        content["group"] = settings.customer_groups.get(str(account.get("customer_group_id") or 0), "")
    keys = all_keys(Customer.model_validate(content))
    return [Mapped(record.id, content, keys=keys, day=_day(record), as_of=record.modified_at, shared=True)]


def _day(record: Record) -> date | None:
    return record.modified_at.date() if record.modified_at else None


SOURCES = (Source("customers", "customer", _customer, view="account"),)
