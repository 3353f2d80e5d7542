"""Reads both sides of some days out of the store's raw records.

Records are kept by the day on which they changed last; a document of a day changed on that day or later. So the reading
goes from the first day on, and what belongs to other days is dropped page by page.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta

from brightpearl_pipelines.configuration import Configuration, Connection
from brightpearl_pipelines.reports.bigcommerce import order_entries, refund_entries
from brightpearl_pipelines.reports.brightpearl import Belongs, belongs, payment_entry, sale_entry
from brightpearl_pipelines.reports.entries import Document, Entry
from brightpearl_pipelines.reports.pairing import Key, key_of, pair
from brightpearl_pipelines.store import records
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.reports import records_since
from brightpearl_pipelines.store.types import Record
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings

CLOCKS_APART = timedelta(days=1)
"""Brightpearl may date by its own clock what the shop dates by another: its records are read from a day earlier."""


def paired(tx: Transaction, configuration: Configuration, first: date, last: date) -> list[Document]:
    """All documents of these days, of every shop and its Brightpearl account; nothing is explained yet."""
    documents: list[Document] = []
    for account in configuration.accounts:
        shops = {each.name: each for each in shops_of(configuration, account.name)}
        if shops:
            documents += _of_account(tx, account, shops, first, last)
    return documents


def shops_of(configuration: Configuration, account: str) -> list[Connection]:
    """The connections with orders of their own that are kept in step with an account."""
    return [each for each in configuration.shops_of(account) if isinstance(each.settings, BigCommerceSettings)]


def _of_account(
    tx: Transaction, account: Connection, shops: Mapping[str, Connection], first: date, last: date
) -> list[Document]:
    settings = account.settings
    assert isinstance(settings, BrightpearlSettings)  # noqa: S101 - the configuration says so
    channels = {name: _shop_settings(shop).channels for name, shop in shops.items()}
    ours = [
        entry
        for shop in shops.values()
        for entry in _shop_entries(tx, shop, settings.payment_methods, first)
        if first <= entry.day <= last
    ]
    wanted = {key_of(entry) for entry in ours}
    theirs = [
        entry
        for entry in _account_entries(tx, account.name, settings, shops, first - CLOCKS_APART)
        if key_of(entry) in wanted or first <= entry.day <= last
    ]
    alone = [entry for entry in theirs if key_of(entry) not in wanted]
    elsewhere = _known_elsewhere(tx, shops, settings.payment_methods, alone)
    return pair(account.name, ours, [each for each in theirs if key_of(each) not in elsewhere], channels)


def _shop_settings(shop: Connection) -> BigCommerceSettings:
    assert isinstance(shop.settings, BigCommerceSettings)  # noqa: S101 - shops_of takes no others
    return shop.settings


# -- the shop's side ----------------------------------------------------------------------------------------------


def _shop_entries(tx: Transaction, shop: Connection, methods: Mapping[str, str], first: date) -> Iterator[Entry]:
    settings = _shop_settings(shop)
    for page in records_since(tx, shop.name, "orders", first):
        for record in page:
            yield from order_entries(record, settings, methods)
    for page in records_since(tx, shop.name, "refunds", first):
        yield from _of_refunds(tx, shop.name, page, methods)


def _of_refunds(tx: Transaction, shop: str, refunds: Collection[Record], methods: Mapping[str, str]) -> Iterator[Entry]:
    orders = records.by_ids(tx, shop, "orders", {each.id.partition("-")[0] for each in refunds})
    for record in refunds:
        yield from refund_entries(record, orders.get(record.id.partition("-")[0]), methods)


def _known_elsewhere(
    tx: Transaction, shops: Mapping[str, Connection], methods: Mapping[str, str], alone: Collection[Entry]
) -> set[Key]:
    """Those entries of Brightpearl's that the shop has too, on another day: they belong to that day."""
    keys: set[Key] = set()
    for name, shop in shops.items():
        mine = [each for each in alone if each.shop == name]
        for record in records.by_ids(tx, name, "orders", {each.number for each in mine}).values():
            keys |= {key_of(entry) for entry in order_entries(record, _shop_settings(shop), methods)}
        found = records.by_ids(tx, name, "refunds", {each.refund for each in mine}).values()
        keys |= {key_of(entry) for entry in _of_refunds(tx, name, found, methods)}
    return {key_of(each) for each in alone} & keys


# -- Brightpearl's side -------------------------------------------------------------------------------------------


def _account_entries(
    tx: Transaction, account: str, settings: BrightpearlSettings, shops: Collection[str], since: date
) -> Iterator[Entry]:
    whose: dict[str, Belongs | None] = {}
    for stream in ("orders", "credits"):
        for page in records_since(tx, account, stream, since):
            for record in page:
                mine = whose[record.id] = belongs(record, shops)
                if mine is not None:
                    yield sale_entry(record, mine, settings)
    for page in records_since(tx, account, "payments", since):
        _look_up(tx, account, shops, {str(each.payload.get("orderId")) for each in page}, whose)
        for record in page:
            mine = whose.get(str(record.payload.get("orderId")))
            entry = payment_entry(record, mine) if mine is not None else None
            if entry is not None:
                yield entry


def _look_up(
    tx: Transaction, account: str, shops: Collection[str], ids: set[str], whose: dict[str, Belongs | None]
) -> None:
    """Whose the orders and credits are that payments name and that did not change since."""
    for stream in ("orders", "credits"):
        unknown = ids - whose.keys()
        found = records.by_ids(tx, account, stream, unknown) if unknown else {}
        whose |= {each.id: belongs(each, shops) for each in found.values()}
