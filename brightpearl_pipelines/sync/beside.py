"""Records that are understood only beside another one, and records that are what we wrote ourselves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from brightpearl_pipelines.store import crosswalk, records
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import DeadLetter, Record
from brightpearl_pipelines.sync.hub import token
from brightpearl_pipelines.sync.scope import Counts
from brightpearl_pipelines.systems.contract import Linked, Source


def completed(tx: Transaction, connection: str, source: Source, rows: Sequence[Record]) -> Mapping[str, Record]:
    """The records with the ones they need laid into their payload, by id; those whose other one is unread are left out.

    A record that is gone needs nothing beside it.
    """
    beside = source.beside
    if beside is None:
        return {row.id: row for row in rows}
    wanted = {row.id: beside.id_of(row.payload) for row in rows if not row.deleted}
    others = records.by_ids(tx, connection, beside.stream, set(wanted.values()))
    found = {row.id: row for row in rows if row.deleted}
    for row in rows:
        if not row.deleted and wanted[row.id] in others:
            payload = {**row.payload, beside.stream: others[wanted[row.id]].payload}
            found[row.id] = replace(row, payload=payload)
    return found


def missing(connection: str, source: Source, record: Record) -> DeadLetter:
    """Holds a record until the one that it needs has been read and understood."""
    assert source.beside is not None  # noqa: S101 - only such records can lack another one
    other = source.beside.id_of(record.payload)
    name = source.beside.stream
    return DeadLetter(
        connection=connection,
        stage="merge",
        entity=source.entity,
        subject=record.id,
        reason="reference_not_found",
        sentence=f"{connection} {source.stream} {record.id}: {other} of {name}, which it belongs to, is not read yet",
        suggestion=f"It goes by itself once {other} is read; if that never comes, read it: bpp sync --ids {other}.",
        field=name,
        value=other,
        waiting_for=[token(source.beside.entity, connection, other)],
        payload=record.payload,
    )


def claim(tx: Transaction, entity: str, connection: str, claims: Sequence[Linked], counts: Counts) -> None:
    """Remember what our own writes are called, should the answer to one of them have been lost with its delivery."""
    by_kind: dict[str, list[str]] = {}
    for each in claims:
        by_kind.setdefault(each.key.kind, []).append(each.key.value)
    known = {
        (kind, value): ids
        for kind, values in by_kind.items()
        for value, ids in crosswalk.find_by_keys(tx, entity, kind, values).items()
    }
    here = crosswalk.golden_ids(tx, entity, connection, [each.external_id for each in claims])
    links = []
    for each in claims:
        ids = known.get((each.key.kind, each.key.value), [])
        if len(ids) != 1:
            counts.ignore(each.otherwise)
        elif here.get(each.external_id, ids[0]) == ids[0]:
            counts.unchanged += 1
            links.append((connection, each.external_id, ids[0]))
        else:
            counts.ignore("known_as_something_else")
    crosswalk.link(tx, entity, links)
