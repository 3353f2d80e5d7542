"""Merge: records become golden records. Map, match, three-way merge, validate; a bad record is held, the others go on.

The base of the three-way merge is what the same connection said last time (`agreed`): a field that it did not change is
no reason to change ours, so that a value written by us and read back, or an old view read again, changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError

from brightpearl_pipelines.configuration import Configuration, Connection
from brightpearl_pipelines.entities.models import Customer, Order, Payment, Product, PurchaseOrder, Return, Shipment
from brightpearl_pipelines.mapping import MappingError, MappingErrors
from brightpearl_pipelines.store import (
    agreed,
    conflicts,
    crosswalk,
    dead_letters,
    goldens,
    positions,
    records,
)
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import DeadLetter, Golden, Json, Record
from brightpearl_pipelines.sync.beside import claim, completed, missing
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.hub import golden_id, token
from brightpearl_pipelines.sync.matching import EMPTY, ONLY_LINKED, link_mark, match
from brightpearl_pipelines.sync.promises import commit_orders, commit_returns, forget, rename
from brightpearl_pipelines.sync.scope import Counts, Scope
from brightpearl_pipelines.systems.contract import Ignored, Linked, Mapped, Source

RECORDS_A_TIME = 500
MODELS: Mapping[str, type[BaseModel]] = {
    "customer": Customer,
    "product": Product,
    "order": Order,
    "payment": Payment,
    "shipment": Shipment,
    "return": Return,
    "purchase_order": PurchaseOrder,
}
AS_OF = "_as_of"
"""Kept beside the agreed fields: when the connection last held them."""


async def merge(engine: Engine, entity: str, scope: Scope) -> Counts:
    """Bring the golden records of an entity up to date with all that was extracted."""
    counts = Counts()
    async with engine.alone(f"merge:{entity}"):
        sources = [
            (connection, source)
            for connection in engine.configuration.connections.values()
            for source in connection.system.sources
            if source.entity == entity
        ]
        # What only joins golden records comes after all that may begin them.
        met: dict[str, set[str]] = {}
        for connection, source in sorted(sources, key=lambda each: each[1].joins is not None):
            _merge_source(engine, connection, source, scope, counts, met.setdefault(connection.name, set()))
    return counts


def consumer(connection: str, source: Source) -> str:
    """The name under which the offset of a source is kept."""
    joining = ":joining" if source.joins else ""
    return f"merge:{source.entity}:{connection}:{source.stream}{joining}"


def _merge_source(
    engine: Engine, connection: Connection, source: Source, scope: Scope, counts: Counts, met: set[str]
) -> None:
    """`met`: external ids that this merge met for the first time; what joins them may have come before them."""

    def batch(tx: Transaction, rows: Sequence[Record]) -> None:
        made = _Batch(engine.configuration, connection, source, tx, counts)
        made.run(rows)
        met.update(made.met)
        engine.tell(f"mapped {source.entity}", len(rows))

    if scope.repair:
        _again(engine, connection.name, source, scope, batch)
    _retried(engine, connection.name, source, batch)
    name = consumer(connection.name, source)
    if source.joins is not None and met:
        with engine.transaction() as tx:
            passed = positions.get(tx, name).version
            early = records.by_ids(tx, connection.name, source.stream, met).values()
            batch(tx, [row for row in early if row.version <= passed])
    while True:
        with engine.transaction() as tx:
            offset = positions.get(tx, name).version
            rows = records.after(tx, connection.name, source.stream, offset, RECORDS_A_TIME)
            if not rows:
                return
            batch(tx, rows)
            positions.move(tx, name, version=rows[-1].version)


def _again(
    engine: Engine,
    connection: str,
    source: Source,
    scope: Scope,
    batch: Callable[[Transaction, Sequence[Record]], None],
) -> None:
    """Repair: map the records of a day, or given ids, even if they did not change."""
    if scope.ids:
        with engine.transaction() as tx:
            batch(tx, list(records.by_ids(tx, connection, source.stream, scope.ids).values()))
        return
    last = ""
    while scope.day is not None:
        with engine.transaction() as tx:
            rows = records.on_day(tx, connection, source.stream, scope.day, after_id=last, limit=RECORDS_A_TIME)
            if not rows:
                return
            batch(tx, rows)
            last = rows[-1].id


def _retried(
    engine: Engine, connection: str, source: Source, batch: Callable[[Transaction, Sequence[Record]], None]
) -> None:
    """Map again what was held and has been released, by a person or by the arrival of what it waited for."""
    with engine.transaction() as tx:
        letters = dead_letters.released(tx, connection, "merge", source.entity, RECORDS_A_TIME)
        ids = {letter.subject for letter in letters}
        if ids:
            batch(tx, list(records.by_ids(tx, connection, source.stream, ids).values()))


@dataclass
class _Batch:
    """The merge of some records of one source, in one transaction."""

    configuration: Configuration
    connection: Connection
    source: Source
    tx: Transaction
    counts: Counts
    fresh: dict[UUID, Golden] = field(default_factory=dict)
    begun: set[UUID] = field(default_factory=set)
    unstored: list[tuple[UUID, Mapped]] = field(default_factory=list)
    """New golden records that are not in the store yet, and what they begin with."""
    claims: list[Linked] = field(default_factory=list)
    as_of: datetime | None = None
    """When what is merged now was true at the source."""
    met: set[str] = field(default_factory=set)
    """External ids that were met for the first time."""
    linked_only: set[str] = field(default_factory=set)
    """External ids that are known to be a golden record, whose content they may not change."""

    def run(self, rows: Sequence[Record]) -> None:
        mapped = self._map(self._joining(rows))
        known = crosswalk.golden_ids(self.tx, self._entity, self._name, [each.external_id for each in mapped])
        only = self._only_linked_before(known)
        # Who only shares a mailbox may have one of their own by now: such a link is found anew each time.
        again = {each.external_id for each in mapped if each.shared} & only
        self.linked_only |= only - again
        unknown = [each for each in mapped if each.external_id not in known or each.external_id in again]
        links = {**known, **self._match(unknown)}
        self.met |= links.keys() - known.keys()
        mapped = [each for each in mapped if each.external_id in links]
        crosswalk.relink(self.tx, self._entity, [(self._name, each, links[each]) for each in sorted(again)])
        existing = goldens.by_ids(self.tx, self._entity, set(links.values()))
        # Who only joins is the only one to say what it adds: there is nothing to agree on, and `agreed` of that
        # connection is about what was written to it.
        joins = self.source.joins is not None
        bases = {} if joins else dict(agreed.get(self.tx, self._entity, self._view, set(links.values())))
        # What was made by a write of ours is linked, and still read for the first time now.
        unread = {key for key in links.values() if AS_OF not in bases.get(key, {})}
        for each in mapped:
            self._merge(each, links[each.external_id], existing, bases)
        changed = goldens.put(self.tx, self.fresh.values()) | self.begun
        if self._entity == "order" and self.connection.settings.brightpearl:
            news = [golden for key, golden in self.fresh.items() if key in changed]
            commit_orders(self.tx, self.connection.settings.brightpearl, self._name, news)
        if self._entity == "product":
            self._rename(existing)
        self.counts.changed += len(changed)
        self.counts.created += len(self.begun)
        self.counts.updated += len(changed - self.begun)
        self.counts.unchanged += len(mapped) - len(changed)
        if not joins:
            agreed.put(self.tx, self._entity, self._view, {key: bases[key] for key in self.fresh})
        self._link(mapped, links)
        if self._entity == "return" and self.connection.settings.brightpearl:
            # After the links: by them an order finds its returns.
            returns = [golden for key, golden in self.fresh.items() if key in changed]
            commit_returns(self.tx, self.connection.settings.brightpearl, self._name, returns)
        if self._entity == "product" and self.connection.settings.brightpearl:
            # What the shop has only now was never given its figure.
            new = {each.content["sku"] for each in mapped if links[each.external_id] in unread}
            forget(self.tx, self.connection.settings.brightpearl, self._name, new)
        claim(self.tx, self._entity, self._name, self.claims, self.counts)

    def _rename(self, existing: Mapping[UUID, Golden]) -> None:
        account = self.connection.settings.brightpearl or self._name
        for key, golden in self.fresh.items():
            before = existing[key].content.get("sku") if key in existing else None
            if before and before != golden.content.get("sku"):
                rename(self.tx, account, before, golden.content["sku"])

    @property
    def _name(self) -> str:
        return self.connection.name

    @property
    def _view(self) -> str:
        """The name under which is kept what this source said last."""
        return f"{self._name}#{self.source.view}" if self.source.view else self._name

    @property
    def _entity(self) -> str:
        return self.source.entity

    @property
    def _model(self) -> type[BaseModel]:
        return self.source.joins.fields if self.source.joins else MODELS[self._entity]

    def _joining(self, rows: Sequence[Record]) -> Sequence[Record]:
        """Where the source only joins golden records: the records that have one. The others are nobody's concern, so
        that nothing is held of them either."""
        joins = self.source.joins
        if joins is None:
            return rows
        linked = crosswalk.golden_ids(self.tx, self._entity, self._name, [row.id for row in rows])
        keys = {row.id: (key.kind, key.value) for row in rows if (key := joins.key(row)) is not None}
        known = {
            (kind, value)
            for kind in {kind for kind, _ in keys.values()}
            for value in crosswalk.find_by_keys(
                self.tx, self._entity, kind, {value for each, value in keys.values() if each == kind}
            )
        }
        mine = [row for row in rows if row.id in linked or keys.get(row.id) in known]
        self.counts.read += len(rows) - len(mine)
        for _ in range(len(rows) - len(mine)):
            self.counts.ignore(joins.rule)
        return mine

    def _map(self, rows: Sequence[Record]) -> list[Mapped]:
        mapped: list[Mapped] = []
        passed: list[str] = []
        whole = completed(self.tx, self._name, self.source, rows)
        for record in rows:
            self.counts.read += 1
            if record.id not in whole:
                self.counts.held += 1
                dead_letters.hold(self.tx, missing(self._name, self.source, record))
                continue
            try:
                parts = self.source.read(whole[record.id], self.connection.settings)
                # A record is taken as a whole or held as a whole.
                found = [
                    replace(part, content=_plain(self._model, part.content), came_from=(record.stream, record.id))
                    if isinstance(part, Mapped)
                    else part
                    for part in parts
                ]
            except (MappingErrors, MappingError, ValidationError) as error:
                self._hold(record, "invalid_field", _field_errors(error))
            except (LookupError, TypeError, ValueError, ArithmeticError) as error:
                # The record has not the shape that the fact sheet promises: it is held, the others go on.
                self._hold(record, "unexpected_shape", [_surprise(error)])
            else:
                passed.append(record.id)
                for part in found:
                    if isinstance(part, Ignored):
                        self.counts.ignore(part.rule)
                    elif isinstance(part, Linked):
                        self.claims.append(part)
                    else:
                        mapped.append(part)
        dead_letters.resolve(self.tx, self._name, "merge", self._entity, passed)
        return mapped

    def _hold(self, record: Record, reason: str, fields: "Sequence[_FieldError]") -> None:
        first = fields[0]
        letter = DeadLetter(
            connection=self._name,
            stage="merge",
            entity=self._entity,
            subject=record.id,
            reason=reason,
            sentence=f"{self._name} {self.source.stream} {record.id}: " + "; ".join(each.sentence for each in fields),
            suggestion=first.suggestion,
            field=first.field,
            value=first.value,
            payload=record.payload,
        )
        self.counts.held += 1
        dead_letters.hold(self.tx, letter)

    def _match(self, unknown: Sequence[Mapped]) -> dict[str, UUID]:
        """Golden ids for external ids met for the first time: matched to what is there, or new.

        The store is asked about a record only if one of its keys is known: most new things are new in every respect.
        """
        matched: dict[str, UUID] = {}
        known, met = self._known_keys(unknown), set[tuple[str, str]]()
        for each in unknown:
            if each.external_id in matched:
                continue
            keys = {(key.kind, key.value) for key in each.keys}
            if keys & met:
                # It may be the same thing as an earlier record of this batch.
                self._store_begun()
                known, met = known | met, set()
            taken, family = set(matched.values()), self.configuration.family(self._name)
            found = match(self.tx, self._entity, self._name, each, taken, family) if keys & known else None
            if found is None and self.source.joins is not None:
                # Theirs is known under another id here, e.g. a copy that somebody made of the order.
                self.counts.ignore(self.source.joins.rule)
                continue
            key = found.golden_id if found else golden_id(self._entity, self._name, each.external_id)
            matched[each.external_id] = key
            if found is None:
                self.unstored.append((key, each))
                self.begun.add(key)
                met |= {(key.kind, key.value) for key in (*each.keys, *each.index)}
            elif not found.merges:
                self.linked_only.add(each.external_id)
        self._store_begun()
        return matched

    def _only_linked_before(self, known: Iterable[str]) -> set[str]:
        """Those external ids whose link is all that was made of them: their records must never change the other's."""
        marks = {self._mark(external_id): external_id for external_id in known}
        return {marks[each] for each in crosswalk.find_by_keys(self.tx, self._entity, ONLY_LINKED, marks)}

    def _mark(self, external_id: str) -> str:
        return link_mark(self._name, external_id)

    def _known_keys(self, parts: Sequence[Mapped]) -> set[tuple[str, str]]:
        """Those keys of the records that a stored golden record has."""
        values: dict[str, set[str]] = {}
        for part in parts:
            for key in part.keys:
                values.setdefault(key.kind, set()).add(key.value)
        return {
            (kind, value)
            for kind, some in values.items()
            for value in crosswalk.find_by_keys(self.tx, self._entity, kind, some, most=1)
        }

    def _store_begun(self) -> None:
        rows = [
            Golden(self._entity, key, part.content, dict.fromkeys(part.content, self._name), part.day)
            for key, part in self.unstored
        ]
        goldens.put(self.tx, rows)
        self._put_keys(self.unstored)
        self.unstored.clear()

    def _put_keys(self, parts: Iterable[tuple[UUID, Mapped]]) -> None:
        keys = [(key.kind, key.value, golden) for golden, part in parts for key in (*part.keys, *part.index)]
        crosswalk.put_keys(self.tx, self._entity, keys)

    def _merge(self, part: Mapped, key: UUID, existing: Mapping[UUID, Golden], bases: dict[UUID, Json]) -> None:
        base = bases.get(key)
        if part.external_id in self.linked_only:
            self.counts.ignore("shares_an_email_address")
            return
        if base is not None and _older(part.as_of, base):
            self.counts.ignore("older_view")
            return
        self.as_of = part.as_of
        present = self.fresh.get(key) or existing.get(key)
        content, origin = dict(present.content if present else {}), dict(present.origin if present else {})
        if self.source.view and base is None:
            base = {name: part.content[name] for name in part.content if content.get(name) not in EMPTY}
        for name, value in part.content.items():
            self._field(key, name, value, base, content, origin)
        day = part.day or (present.day if present else None)
        self.fresh[key] = Golden(self._entity, key, content, origin, day)
        bases[key] = {**(base or {}), **part.content, AS_OF: part.as_of.isoformat() if part.as_of else None}

    def _field(
        self, key: UUID, name: str, value: Any, base: Json | None, content: dict[str, Any], origin: dict[str, str]
    ) -> None:
        """Three-way merge of one field: theirs against the base and ours."""
        ours = content.get(name)
        if name in content and (value == ours or (base is not None and value == base.get(name))):
            return
        rival = origin.get(name)
        empty = name not in content or ours in EMPTY
        others_changed_it = rival is not None and rival != self._name and (base is None or ours != base.get(name))
        if rival is not None and others_changed_it and not empty and value not in ("", None):
            if not self._wins(key, name, rival):
                conflicts.record(self.tx, self._entity, key, name, rival, ours, self._name, value)
                return
            conflicts.record(self.tx, self._entity, key, name, self._name, value, rival, ours)
        if value in ("", None) and base is None and not empty:
            return  # never having said anything is not the wish to blank a field
        content[name], origin[name] = value, self._name

    def _wins(self, key: UUID, name: str, rival: str) -> bool:
        ours = self.configuration.rank(self._entity, name, self._name)
        theirs = self.configuration.rank(self._entity, name, rival) if rival in self.configuration.connections else None
        if ours is None or theirs is None:
            return True
        if ours != theirs or rival == self._name:
            return ours < theirs
        # Two shops of the same authority: who saw it last knows best, whichever was read first.
        base = agreed.get(self.tx, self._entity, rival, [key]).get(key)
        return base is None or not _older(self.as_of, base)

    def _link(self, mapped: Sequence[Mapped], links: Mapping[str, UUID]) -> None:
        crosswalk.link(
            self.tx, self._entity, [(self._name, each.external_id, links[each.external_id]) for each in mapped]
        )
        own = [each for each in mapped if each.external_id not in self.linked_only]
        self._put_keys((links[each.external_id], each) for each in own)
        marks = [(ONLY_LINKED, self._mark(each), links[each]) for each in self.linked_only & links.keys()]
        crosswalk.put_keys(self.tx, self._entity, marks)
        arrived: set[str] = set()
        for each in mapped:
            arrived.add(token(self._entity, self._name, each.external_id))
            arrived.update(token(self._entity, self._name, key.value) for key in each.keys)
        dead_letters.release_waiting(self.tx, arrived)


@dataclass(frozen=True)
class _FieldError:
    field: str
    value: str | None
    sentence: str
    suggestion: str


def _surprise(error: Exception) -> _FieldError:
    sentence = f"not the shape that was expected: {type(error).__name__}: {error}"
    return _FieldError("the record", None, sentence, "Look at the record; the mapping or the system's API has changed.")


def _field_errors(error: MappingErrors | MappingError | ValidationError) -> list[_FieldError]:
    if isinstance(error, MappingError):
        error = MappingErrors([error])
    if isinstance(error, MappingErrors):
        return [
            _FieldError(each.field, str(each.value), f"{each.field} is {each.value!r}: {each.rule}", each.suggestion)
            for each in error.errors
        ]
    suggestion = "Correct the field in the source, or its mapping, then retry the dead letter."
    found = []
    for each in error.errors():
        place = ".".join(str(part) for part in each["loc"]) or "the record"
        value = None if isinstance(each["input"], Mapping) else str(each["input"])
        found.append(
            _FieldError(place, value, f"{place} is {value!r}: {each['msg']}" if value else each["msg"], suggestion)
        )
    return found


def _plain(fields: type[BaseModel], content: Json) -> dict[str, Any]:
    """The fields that the source gave, in the form in which golden records are kept (JSON, canonical amounts).

    Raises pydantic's ValidationError.
    """
    model = fields.model_validate(content)
    return {name: value for name, value in model.model_dump(mode="json").items() if name in content}


def _older(as_of: datetime | None, base: Json) -> bool:
    reached = base.get(AS_OF)
    return as_of is not None and reached is not None and as_of < datetime.fromisoformat(reached)
