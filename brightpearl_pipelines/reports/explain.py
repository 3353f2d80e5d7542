"""Why a document differs or stands on one side only: what the engine itself has on record about it.

An explanation has to fit the difference. What differs in amount is explained only while Brightpearl still holds what
was last written there: then the shop has moved on, and what holds or delays the change says why. Once Brightpearl
holds something else, nothing that we know explains it. A letter that only says that the two differ explains nothing,
and neither does one about stock that could not be reserved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from brightpearl_pipelines.configuration import Connection
from brightpearl_pipelines.entities.models import OrderStatus
from brightpearl_pipelines.mapping import MappingError, MappingErrors
from brightpearl_pipelines.privacy import shown_sentence
from brightpearl_pipelines.reports.entries import ZERO, By, Document, Explanation, Kind
from brightpearl_pipelines.store import agreed, crosswalk, dead_letters, deliveries, goldens, positions, records
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.reports import last_read
from brightpearl_pipelines.store.types import DeadLetter, Delivery, DeliveryState, Golden, Record
from brightpearl_pipelines.sync.beside import completed
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.sync.extract import consumer as extract_consumer
from brightpearl_pipelines.sync.merge import consumer as merge_consumer
from brightpearl_pipelines.sync.publish import consumer as publish_consumer
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.contract import Ignored

ENTITY: Mapping[Kind, str] = {
    Kind.ORDER: "order",
    Kind.RECEIVED: "payment",
    Kind.REFUND: "return",
    Kind.PAID_BACK: "payment",
}
"""What a document is in the hub."""
SHOP_STREAM: Mapping[Kind, str] = {
    Kind.ORDER: "orders",
    Kind.RECEIVED: "orders",
    Kind.REFUND: "refunds",
    Kind.PAID_BACK: "refunds",
}
ACCOUNT_STREAM: Mapping[Kind, str] = {
    Kind.ORDER: "orders",
    Kind.RECEIVED: "payments",
    Kind.REFUND: "credits",
    Kind.PAID_BACK: "payments",
}
UNFINISHED = (DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.DEAD)
BESIDE_MONEY = ("reserve",)
"""Kinds of writes that change no amount: that one of them is late explains nothing here."""
READ_BACK = timedelta(minutes=15)
"""How long after a write it may still be missing from what was read: a search goes back ten minutes (§5.1)."""
LETTERS = 10_000


def explained(engine: Engine, tx: Transaction, documents: Iterable[Document]) -> list[Document]:
    """The documents with what explains them, where something has to be explained."""
    documents = list(documents)
    return [
        document
        for account in dict.fromkeys(each.account for each in documents)
        for document in _Explainer(engine, tx, engine.configuration.connection(account)).run(
            [each for each in documents if each.account == account]
        )
    ]


@dataclass
class _Explainer:
    engine: Engine
    tx: Transaction
    account: Connection
    merge_letters: dict[tuple[str, str], dict[str, DeadLetter]] = field(default_factory=dict)
    """Letters about records that never became golden records, by connection and entity, by record id."""
    goldens: dict[tuple[str, str, str], list[Golden]] = field(default_factory=dict)
    """By entity, shop and order number."""

    def run(self, documents: Sequence[Document]) -> list[Document]:
        self._look_up(each for each in documents if each.differs)
        found = [self._with(document) for document in documents]
        for entity in ("order", "return", "payment"):
            # What is left out of the orders is left out with its refunds and its money.
            open_ones = [
                each
                for each in found
                if each.unexplained and each.theirs is None and entity in ("order", ENTITY[each.entry.kind])
            ]
            rules = self._planned_out(entity, open_ones) if open_ones else {}
            found = [replace(each, explanation=rules[each]) if each in rules else each for each in found]
        return found

    def _with(self, document: Document) -> Document:
        theirs = document.theirs
        if not document.differs:
            if theirs is None or not (theirs.rounding or theirs.rounding_tax):
                return document
            sentence = f"a row named Rounding takes up {theirs.rounding} net and {theirs.rounding_tax} tax"
            return replace(document, explanation=Explanation(By.ROUNDING_ROW, sentence))
        if document.ours is None:
            found = self._only_theirs(document)
        elif theirs is None:
            found = self._only_ours(document)
        else:
            found = self._differing(document)
        return document if found is None else replace(document, explanation=found)

    # -- by what is on which side -----------------------------------------------------------------------------------

    def _only_theirs(self, document: Document) -> Explanation | None:
        entry = document.entry
        record = records.by_ids(self.tx, entry.shop, "orders", [entry.number]).get(entry.number)
        if record is not None and record.deleted:
            return Explanation(By.IGNORED, "gone_from_the_shop", since=record.fetched_at)
        money = entry.kind in (Kind.RECEIVED, Kind.PAID_BACK)
        if money and record is not None and self._cancelled(record) and entry.stated == self._written(document):
            # Brightpearl cancels only what nothing is paid on any more (§5.4).
            sentence = f"order {entry.number} was cancelled, and what had been received for it was paid back"
            return Explanation(By.CANCELLED, sentence)
        return None

    def _cancelled(self, order: Record) -> bool:
        """Whether an order of a shop is cancelled there and in Brightpearl."""
        shop, account = self.engine.configuration.connection(order.connection).settings, self.account.settings
        assert isinstance(shop, BigCommerceSettings)  # noqa: S101 - only such shops have documents
        assert isinstance(account, BrightpearlSettings)  # noqa: S101 - only such accounts have documents
        if shop.order_statuses.get(str(order.payload.get("status_id"))) is not OrderStatus.CANCELLED:
            return False
        golden = crosswalk.golden_ids(self.tx, "order", order.connection, [order.id]).values()
        named = crosswalk.external_ids(self.tx, "order", self.account.name, golden)
        found = records.by_ids(self.tx, self.account.name, "orders", {each for ids in named.values() for each in ids})
        status = account.order_statuses[OrderStatus.CANCELLED]
        return any(each.payload["orderStatus"]["orderStatusId"] == status for each in found.values())

    def _only_ours(self, document: Document) -> Explanation | None:
        if self._is_linked(document):
            # It was there once: that something else about it is held or late does not explain that it is missing.
            return self._not_read_back(document)
        record = self._record(document)
        return (
            self._left_out(document, record)
            or self._held(document)
            or self._pending(document)
            or self._behind(document, record)
            or self._not_read_back(document)
        )

    def _is_linked(self, document: Document) -> bool:
        entity = ENTITY[document.entry.kind]
        ids = [golden.id for golden in self._goldens(document, entity)]
        return bool(crosswalk.external_ids(self.tx, entity, self.account.name, ids))

    def _differing(self, document: Document) -> Explanation | None:
        theirs = document.theirs
        assert theirs is not None  # noqa: S101 - the caller has looked
        late = self._not_read_back(document)
        if late is not None:
            return late
        written = self._written(document)
        if written is None or written != theirs.stated:
            what = "nothing is known to have been written" if written is None else f"{written} was written"
            return Explanation(By.NOTHING, f"Brightpearl holds {theirs.stated} {theirs.currency}; {what} there")
        return self._held(document) or self._pending(document) or self._behind(document, self._record(document))

    # -- what is on record --------------------------------------------------------------------------------------------

    def _record(self, document: Document) -> Record | None:
        entry = document.entry
        stream = SHOP_STREAM[entry.kind]
        return records.by_ids(self.tx, entry.shop, stream, [entry.record]).get(entry.record)

    def _goldens(self, document: Document, entity: str) -> list[Golden]:
        """The golden records of a document: those of its order that are about the same method, or refund."""
        found = self.goldens.get((entity, document.entry.shop, document.entry.number), [])
        return found if entity == "order" else [each for each in found if self._about(document, each)]

    def _look_up(self, documents: Iterable[Document]) -> None:
        """All golden records of the documents' orders, in a few queries."""
        places: dict[str, set[str]] = {}
        for document in documents:
            places.setdefault(document.entry.shop, set()).add(document.entry.number)
        for shop, numbers in places.items():
            orders = crosswalk.golden_ids(self.tx, "order", shop, numbers)
            self._keep("order", shop, {number: [golden] for number, golden in orders.items()})
            for entity in ("payment", "return"):
                found = crosswalk.find_by_keys(self.tx, entity, "order", [f"{shop}:{number}" for number in numbers])
                self._keep(entity, shop, {name.partition(":")[2]: ids for name, ids in found.items()})

    def _keep(self, entity: str, shop: str, ids: Mapping[str, Sequence[UUID]]) -> None:
        rows = goldens.by_ids(self.tx, entity, {each for some in ids.values() for each in some})
        for number, some in ids.items():
            self.goldens[entity, shop, number] = [rows[each] for each in some if each in rows]

    def _about(self, document: Document, golden: Golden) -> bool:
        entry, content = document.entry, golden.content
        if golden.entity == "return":
            return f"{entry.number}-{content['reference']}" == entry.refund
        # What is paid back without a refund is what had been received.
        kinds = ("refund",) if entry.refund else ("receipt", "capture")
        if content["kind"] not in kinds or (content.get("return_reference") or "") not in ("", entry.refund):
            return False
        methods: Mapping[str, str] = getattr(self.account.settings, "payment_methods", {})
        return entry.kind is Kind.REFUND or methods.get(content["method"], content["method"]) == entry.method

    def _concerned(self, document: Document) -> list[Golden]:
        """The document's own golden records, and those that it waits for: its refund's, its order's."""
        entities = dict.fromkeys([ENTITY[document.entry.kind], "order"])
        if document.entry.kind is Kind.PAID_BACK:
            entities = dict.fromkeys(["payment", "return", "order"])
        return [golden for entity in entities for golden in self._goldens(document, entity)]

    def _left_out(self, document: Document, record: Record | None) -> Explanation | None:
        """By a rule of what a record means. A record that says several things is left out only if all of them are."""
        entry = document.entry
        if record is None or record.deleted:
            return None
        shop = self.engine.configuration.connection(entry.shop)
        rules: set[str] = set()
        for source in shop.system.sources:
            if (source.stream, source.entity) != (SHOP_STREAM[entry.kind], ENTITY[entry.kind]):
                continue
            whole = completed(self.tx, entry.shop, source, [record]).get(record.id)
            if whole is None:
                return None
            try:
                parts = source.read(whole, shop.settings)
            except (MappingErrors, MappingError, LookupError, TypeError, ValueError, ArithmeticError):
                return None  # then it is held, and the letter says why
            if not all(isinstance(part, Ignored) for part in parts):
                return None
            rules |= {part.rule for part in parts if isinstance(part, Ignored)}
        return Explanation(By.IGNORED, ", ".join(sorted(rules)), since=record.modified_at) if rules else None

    def _held(self, document: Document) -> Explanation | None:
        entry = document.entry
        letters = [self._merge_letters(entry.shop, ENTITY[entry.kind]).get(entry.record)]
        if entry.kind is not Kind.ORDER:
            letters.append(self._merge_letters(entry.shop, "order").get(entry.number))
        for golden in self._concerned(document):
            letters += [each for each in dead_letters.of_golden(self.tx, golden.id) if _tells(each)]
        for letter in letters:
            if letter is not None:
                sentence = f"{letter.reason}: {shown_sentence(letter)}"
                return Explanation(By.HELD, sentence, letter.id, letter.first_seen)
        return None

    def _merge_letters(self, connection: str, entity: str) -> Mapping[str, DeadLetter]:
        if (connection, entity) not in self.merge_letters:
            waiting = dead_letters.open_letters(self.tx, connection=connection, entity=entity, limit=LETTERS)
            again = dead_letters.released(self.tx, connection, "merge", entity, LETTERS)
            found = {each.subject: each for each in [*waiting, *again] if each.stage == "merge"}
            self.merge_letters[connection, entity] = found
        return self.merge_letters[connection, entity]

    def _pending(self, document: Document) -> Explanation | None:
        for golden in self._concerned(document):
            for each in deliveries.by_golden(self.tx, golden.id):
                if each.state in UNFINISHED and each.kind not in BESIDE_MONEY:
                    return Explanation(By.PENDING, self._waiting(each), since=each.created_at)
        return None

    def _waiting(self, delivery: Delivery) -> str:
        """Without the target's own words, which may quote a person."""
        told = f"{delivery.entity} {delivery.kind} {delivery.key} is {delivery.state} after {delivery.attempts} tries"
        before = deliveries.by_keys(self.tx, delivery.connection, delivery.after).values()
        waits = [f"{each.key} ({each.state})" for each in before if each.state is not DeliveryState.CONFIRMED]
        return f"{told}; it waits for {', '.join(sorted(waits))}" if waits else told

    def _behind(self, document: Document, record: Record | None) -> Explanation | None:
        """What changed since the engine last looked at it."""
        entry = document.entry
        shop = self.engine.configuration.connection(entry.shop)
        for source in shop.system.sources:
            if record is not None and (source.stream, source.entity) == (SHOP_STREAM[entry.kind], ENTITY[entry.kind]):
                reached = positions.get(self.tx, merge_consumer(entry.shop, source)).version
                if reached < record.version:
                    return Explanation(By.TIMING, "read, and mapped by the next run", since=record.fetched_at)
        for golden in self._concerned(document):
            reached = positions.get(self.tx, publish_consumer(self.account.name, golden.entity)).version
            if reached < golden.version:
                sentence = f"{golden.entity} changed; the next run compares it with {self.account.name}"
                return Explanation(By.TIMING, sentence, since=record.fetched_at if record else None)
        return None

    def _not_read_back(self, document: Document) -> Explanation | None:
        """Written since Brightpearl's side was last read."""
        stream = next(
            (each for each in self.account.system.streams if each.name == ACCOUNT_STREAM[document.entry.kind]), None
        )
        read = last_read(self.tx, extract_consumer(self.account.name, stream)) if stream else None
        for golden in self._goldens(document, ENTITY[document.entry.kind]):
            for each in deliveries.by_golden(self.tx, golden.id):
                if each.connection != self.account.name or each.kind in BESIDE_MONEY or each.confirmed_at is None:
                    continue
                seen = document.theirs.fetched_at if document.theirs else None
                unseen = seen is None or seen < each.confirmed_at
                if unseen and (read is None or read < each.confirmed_at + READ_BACK):
                    sentence = f"{each.kind} {each.key} is written, and read back by the next run"
                    return Explanation(By.TIMING, sentence, since=each.confirmed_at)
        return None

    def _written(self, document: Document) -> Decimal | None:
        """What was last written to Brightpearl of a document, with tax; None if nothing is known of it."""
        entity = ENTITY[document.entry.kind]
        found = self._goldens(document, entity)
        held = agreed.get(self.tx, entity, self.account.name, [golden.id for golden in found])
        amounts = [_gross(content) for content in held.values()]
        return sum(amounts, ZERO) if amounts else None

    # -- what the planner leaves out ----------------------------------------------------------------------------------

    def _planned_out(self, entity: str, documents: Sequence[Document]) -> dict[Document, Explanation]:
        """What Brightpearl does not get by a rule of the planner of an entity."""
        target = next((each for each in self.account.system.targets if each.entity == entity), None)
        mine = {document: self._goldens(document, entity) for document in documents}
        rows = {golden.id: golden for some in mine.values() for golden in some}
        if target is None or not rows:
            return {}
        plan = target.plan(self.engine.plan_context(self.tx, self.account), list(rows.values()))
        return {
            document: Explanation(By.IGNORED, plan.ignored[golden.id])
            for document, some in mine.items()
            for golden in some
            if golden.id in plan.ignored
        }


def _tells(letter: DeadLetter) -> bool:
    """Whether a letter says why an amount is missing or old."""
    if letter.state not in ("open", "released") or letter.stage == "compare":
        return False
    return not (letter.stage == "deliver" and letter.subject.partition(":")[0] in BESIDE_MONEY)


def _gross(content: Mapping[str, object]) -> Decimal:
    if "amount" in content:
        return Decimal(str(content["amount"]))
    return Decimal(str(content["total_net"])) + Decimal(str(content["total_tax"]))
