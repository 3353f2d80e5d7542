"""Lays the two sides beside each other: pure, over entries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from brightpearl_pipelines.reports.entries import Document, Entry, Kind

Key = tuple[Kind, str, str, str]
MONEY = (Kind.RECEIVED, Kind.PAID_BACK)


def key_of(entry: Entry) -> Key:
    """What pairs an entry with one of the other side. The currency is part of it: pounds never make up for euros."""
    return entry.kind, entry.shop, entry.key, entry.currency


def pair(
    account: str, ours: Iterable[Entry], theirs: Iterable[Entry], channels: Mapping[str, Mapping[str, int]]
) -> list[Document]:
    """Every entry in exactly one document. `channels`: by shop, its channel id and Brightpearl's.

    Payments of one order by one method are one document, however many they are. A second sales order, or credit, of one
    name is a document of its own, and so is each side of what stands in the wrong channel: sums by channel would
    otherwise hide it.
    """
    ours = _added_up(ours)
    left = _by_key(_added_up(theirs))
    documents: list[Document] = []
    for entry in ours:
        match = left.pop(key_of(entry), [])
        first, rest = (match[0], match[1:]) if match else (None, [])
        if first is not None and str(channels[entry.shop].get(entry.channel, "")) != first.channel:
            first, rest = None, match
        documents.append(Document(account, entry.channel, entry, first))
        documents += _alone(account, rest, channels, doubled=first is not None)
    for some in left.values():
        documents += _alone(account, some[:1], channels)
        documents += _alone(account, some[1:], channels, doubled=True)
    return sorted(documents, key=_order)


def _added_up(entries: Iterable[Entry]) -> list[Entry]:
    """Payments of one key added up; they keep the record of the latest, in whose place they stand."""
    others: list[Entry] = []
    money: dict[tuple[Key, str], Entry] = {}
    for entry in entries:
        if entry.kind not in MONEY:
            others.append(entry)
            continue
        place = (key_of(entry), entry.channel)
        known = money.get(place)
        money[place] = entry if known is None else _sum(known, entry)
    return [*others, *money.values()]


def _sum(first: Entry, second: Entry) -> Entry:
    return replace(
        first,
        amount=first.amount + second.amount,
        stated=first.stated + second.stated,
        day=min(first.day, second.day),
        record=max(first.record, second.record, key=lambda each: (len(each), each)),
        fetched_at=max(first.fetched_at, second.fetched_at),
    )


def _by_key(entries: Iterable[Entry]) -> dict[Key, list[Entry]]:
    found: dict[Key, list[Entry]] = {}
    for entry in sorted(entries, key=lambda each: (len(each.record), each.record)):
        found.setdefault(key_of(entry), []).append(entry)
    return found


def _alone(
    account: str, entries: Sequence[Entry], channels: Mapping[str, Mapping[str, int]], *, doubled: bool = False
) -> list[Document]:
    return [
        Document(
            account,
            _channel(channels[entry.shop], entry.channel),
            None,
            replace(entry, key=f"{entry.key} ({account} {entry.record})") if doubled else entry,
        )
        for entry in entries
    ]


def _channel(channels: Mapping[str, int], theirs: str) -> str:
    """The shop's channel that is Brightpearl's, if it is one only."""
    mine = [name for name, number in channels.items() if str(number) == theirs]
    return mine[0] if len(mine) == 1 else f"Brightpearl's {theirs}"


def _order(document: Document) -> tuple[object, ...]:
    entry = document.entry
    return entry.day, entry.kind, entry.shop, len(entry.number), entry.key, document.channel, entry.currency
