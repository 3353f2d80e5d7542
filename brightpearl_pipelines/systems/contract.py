"""What a system brings, so that the engine can keep it in step without knowing it.

A system is a folder: a client, the streams that can be read, what they mean in our entities, and the writes that can be
made. It hands all of it over as one `System`. The engine calls; a system never calls the engine.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from brightpearl_pipelines.alerts.settings import Budget
from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.http.client import Api
from brightpearl_pipelines.matching import MatchKey
from brightpearl_pipelines.store.types import DeadLetter, Delivery, Golden, Json, Record, SourceRecord
from brightpearl_pipelines.systems.examination import Examination

Tables = Mapping[str, Mapping[str, str]]


class Settings(BaseModel):
    """What connections.yaml may say of any connection; each system adds its own fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    sandbox: bool | Annotated[int, Field(gt=0, lt=65530)] = False
    """True: the local emulators; a number: those of a sandbox of its own, served with this base port."""
    brightpearl: str | None = None
    """The Brightpearl account that this connection is kept in step with; None for such an account itself."""
    freshness: dict[str, Budget] = {}
    """How old a stream or a target may get before people are told, by its name; see `alerts.budgets`."""

    def tables(self) -> Tables:
        """The lookup tables that mappings of this system may use, by name."""
        return {}

    def sells_from(self) -> frozenset[str]:
        """The Brightpearl warehouses that its orders may be served from; empty where that is not limited."""
        return frozenset()


# -- reading ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """Which changes are asked for: modified at or after `since` (None: from the beginning), before `until`."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Some records of a stream, and the instant up to which the stream is read once they are stored.

    `watermark` is None while the order of the records does not allow to say.
    """

    records: Sequence[SourceRecord]
    watermark: datetime | None = None


@dataclass(frozen=True)
class Follows:
    """How a stream adds to the records of another of the same connection, as prices do to products.

    It is read for what is new there, so that it costs nothing while nothing is; and, since the system may tell nobody
    when only the addition changed, for all of it once in a while.
    """

    stream: str
    read: Callable[["Session", Sequence[Record]], Awaitable[list[SourceRecord]]]
    """For at most 1,000 records of the other stream: one record each, under the same id."""
    again_after: Callable[[Settings], timedelta | None] = lambda _: None
    """How old the last complete reading may become; None for one that changes only with the other record."""


@dataclass(frozen=True)
class Stream:
    """A collection that the system lets us read."""

    name: str
    entity: str
    """The entity whose assets and partitions it belongs to."""
    changes: Callable[["Session", Window], AsyncIterator[Page]]
    by_ids: Callable[["Session", Sequence[str]], Awaitable[list[SourceRecord]]]
    """Ids that the system no longer knows come back as deleted records."""
    overlap: timedelta = timedelta(minutes=10)
    """How far each read goes back behind the watermark: late and equal instants fall into it."""
    topics: Mapping[str, Callable[[Json], Sequence[str]]] = field(default_factory=dict)
    """Webhook topics (prefixes) that hint at this stream, and how their payload names the ids."""
    snapshot: bool = False
    """True when the system cannot say what changed: `changes` then always reads everything."""
    follows: "Follows | None" = None
    """Set where the records belong to those of another stream; `changes` is then not asked."""
    suspects: Callable[["Session", Window], Awaitable[Sequence[MatchKey]]] | None = None
    """Where records vanish or go back without a trace: what changed since `since`, having been there before `until`
    (the watermark), makes it worth while to look again at the records of the golden records found by these keys."""


def cancel_key(shop: str, number: str) -> str:
    """The delivery that cancels a shop's order, in whichever connection: at most one each in an order's life."""
    return f"cancel:{shop}:{number}"


# -- meaning ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mapped:
    """A source record, or a part of it, in our words."""

    external_id: str
    content: Json
    keys: Sequence[MatchKey] = ()
    index: Sequence[MatchKey] = ()
    """Further values to find it by that do not identify it, e.g. what a bundle is made of."""
    day: date | None = None
    as_of: datetime | None = None
    """When this was true at the source; an older view never overwrites a newer one."""
    shared: bool = False
    """True when several external ids of this connection may be one thing, as a guest's orders are one customer."""
    came_from: tuple[str, str] | None = None
    """(stream, id) of the record; the merge fills it in."""


@dataclass(frozen=True)
class Ignored:
    """A record that a named rule leaves out."""

    external_id: str
    rule: str


@dataclass(frozen=True)
class Linked:
    """A record that is what we wrote ourselves: the golden record with this key is called `external_id` here too.

    Its content adds nothing. Where nothing has the key, it is left out by the rule `otherwise`.
    """

    external_id: str
    key: MatchKey
    otherwise: str


@dataclass(frozen=True)
class Beside:
    """Another record of the same connection without which a record cannot be understood, as a refund's order."""

    stream: str
    entity: str
    """What the other record is: its arrival releases what waited for it."""
    id_of: Callable[[Json], str]
    """The other record's id, out of the record's payload."""


@dataclass(frozen=True)
class Joining:
    """How the records of a source add to golden records that others begin. They never begin one themselves."""

    fields: type[BaseModel]
    """What they add."""
    key: Callable[[Record], MatchKey | None]
    """By what a record finds its golden record; None for one that has none by its own account."""
    rule: str
    """The name of the rule that leaves out those which find none."""


@dataclass(frozen=True)
class Source:
    """How the records of a stream become parts of an entity.

    `read` returns one item per thing found in the record and raises mapping.MappingErrors for a bad one.
    """

    stream: str
    entity: str
    read: Callable[[Record, Settings], Sequence["Mapped | Linked | Ignored"]]
    beside: Beside | None = None
    """`read` finds the other record's payload under its stream's name; while that is unread the record is held."""
    joins: Joining | None = None
    """Set where the records only add to golden records that exist; such sources are merged after all others."""
    view: str = ""
    """Set where another source of the connection tells of the same things in other words, as a checkout and an account
    tell of one customer: what each said last is kept apart. At its first look such a source only fills what is empty.
    """


# -- writing ------------------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """What became of a write."""

    CONFIRMED = "confirmed"
    RETRY = "retry"
    """Nothing was applied; the same write may go again later."""
    AMBIGUOUS = "ambiguous"
    """It may have been applied: look before writing again."""
    REFUSED = "refused"
    """The target will not have it: a person must look."""


@dataclass(frozen=True)
class Answer:
    """The outcome of one delivery."""

    delivery: Delivery
    outcome: Outcome
    external_id: str | None = None
    body: Json | None = None
    """What is worth remembering of the answer."""
    error: str | None = None
    agreed: Json | None = None
    """What the target holds now, where that is not simply what the delivery's payload says under `agreed`."""
    reason: str | None = None
    """The code of the dead letter: `refused` unless said otherwise; a RETRY makes one only when it gives a reason."""
    suggestion: str = "Read the answer of the target, correct the record or the mapping, then retry the dead letter."
    retry_after: timedelta | None = None
    waiting_for: Sequence[str] = ()
    settled: Mapping[str, int] = field(default_factory=dict)
    """Of a write that settles and has to go again: units by SKU that Brightpearl's stock figures show already."""
    read_back: str | None = None
    """The id of a record, in the stream that `Write.reads_back` names, that is to be read before the step ends."""


@dataclass(frozen=True)
class Write:
    """One kind of write that the system accepts."""

    kind: str
    send: Callable[["Session", Sequence[Delivery]], Awaitable[list[Answer]]]
    """Makes the writes, in as few calls as the system allows, and answers for each of them."""
    find: Callable[["Session", Sequence[Delivery]], Awaitable[dict[str, Answer]]]
    """For deliveries whose fate is unknown: those that the target turns out to have, by delivery key."""
    batch: int = 200
    """How many deliveries `send` gets at most at a time."""
    lag: timedelta = timedelta(0)
    """How long after sending a write may still be invisible to `find`. Until then nothing is sent again."""
    links: bool = False
    """True when the answer's external id is the target's id of the golden record."""
    unlinks: bool = False
    """True when a confirmation means that the target no longer has the golden record: what it was called there is
    forgotten."""
    reads_back: str | None = None
    """The stream that is read again where answers name a record of it: later steps of the same run build on it."""
    settles: bool = False
    """True when this write's confirmation means that Brightpearl's stock figures now show the order."""


class Hub(Protocol):
    """What a planner may ask of the hub: golden records and external ids, nothing else."""

    def external_ids(
        self, entity: str, connection: str, golden_ids: Iterable[UUID]
    ) -> Mapping[UUID, Sequence[str]]: ...
    def golden_ids(self, entity: str, connection: str, external_ids: Iterable[str]) -> Mapping[str, UUID]: ...
    def goldens(self, entity: str, golden_ids: Iterable[UUID]) -> Mapping[UUID, Golden]: ...
    def records(self, connection: str, stream: str, ids: Iterable[str]) -> Mapping[str, Record]: ...
    def deliveries(self, connection: str, keys: Iterable[str]) -> Mapping[str, Delivery]: ...
    def agreed(self, entity: str, connection: str, golden_ids: Iterable[UUID]) -> Mapping[UUID, Json]: ...
    def by_keys(self, entity: str, kind: str, values: Iterable[str]) -> Mapping[str, Sequence[UUID]]: ...


@dataclass(frozen=True)
class Plan:
    """What a target lacks: deliveries to make, records that must be held, records that a named rule leaves out."""

    deliveries: Sequence[Delivery] = ()
    held: Sequence[DeadLetter] = ()
    ignored: Mapping[UUID, str] = field(default_factory=dict)
    superseded: Sequence[tuple[UUID, str]] = ()
    """(golden id, kind) whose unsent deliveries are overtaken by this plan."""
    renewed: Sequence[tuple[str, UUID]] = ()
    """(entity, golden id) of other records that must be planned again because of this plan."""
    details: Mapping[UUID, Sequence[tuple[str, Any, Any]]] = field(default_factory=dict)
    """Field diffs for the reader of a dry run: (field, value in the target, value it will get)."""
    forgotten: Sequence[UUID] = ()
    """Golden records of which nothing is agreed any more: the target has stopped to hold what it was given."""
    agreed: Mapping[UUID, Json] = field(default_factory=dict)
    """Fields that both sides were found to hold in common: the base of later three-way merges."""
    conflicts: Sequence[tuple[UUID, str, Any, str, Any, str]] = ()
    """(golden id, field, winning value, its connection, losing value, its connection), to be told to people."""
    linked: Sequence[tuple[UUID, str]] = ()
    """(golden id, external id) of what turned out to be a golden record that is known otherwise."""
    unlinked: Sequence[str] = ()
    """External ids that the target no longer has."""


@dataclass(frozen=True)
class Expected:
    """What a target should hold of a golden record: `key` names it to people, `fields` are compared one by one.

    `lookup` is what `observe` needs to find it; `currency` and `amount` count towards the money totals.
    """

    key: str
    lookup: Json
    fields: Json
    currency: str | None = None
    amount: Decimal | None = None


@dataclass(frozen=True)
class Comparison:
    """How a target is compared with the hub."""

    expect: Callable[["PlanContext", Sequence[Golden]], Mapping[UUID, Expected]]
    """For those golden records that the target should have; the others are held or left out by a rule."""
    observe: Callable[["Session", Mapping[UUID, Expected]], Awaitable[Mapping[UUID, Json]]]
    """The same fields as the target has them; what it does not have is left out. `amount` may be among them."""
    repairs: bool = False
    """True when planning against what was observed writes what differs."""


@dataclass(frozen=True)
class Target:
    """How golden records of an entity are written to a connection of the system."""

    entity: str
    plan: Callable[["PlanContext", Sequence[Golden]], Plan]
    writes: Sequence[Write]
    comparison: Comparison | None = None
    shaped_by: Callable[[Settings], str] | None = None
    """What of the settings shapes the writes: when it becomes another text, everything is planned again."""


@dataclass(frozen=True)
class PlanContext:
    """What a planner works with."""

    connection: str
    settings: Settings
    shops: Mapping[str, Settings]
    """The connections kept in step with this account, by name; for one of them, itself and its siblings."""
    hub: Hub
    now: datetime
    ranking: Callable[[str, str], Sequence[str]] = lambda entity, field: ()
    """Of an entity's field: the connections in order of authority (survivorship in connections.yaml), or none."""


# -- webhooks -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hook:
    """A webhook as the system has it registered."""

    id: str
    topic: str
    url: str
    """Where it calls; with the secret, where the system carries it in the address."""
    raw: Json


@dataclass(frozen=True)
class Notice:
    """What one webhook call says."""

    key: str
    """Derived from the business fact, so that a repeated call has the same one. At most 400 characters."""
    topic: str
    payload: Json


class MalformedNoticeError(ValueError):
    """A webhook's body is not what the system sends; the message says what is wrong, without quoting the body."""


class Authenticate(Protocol):
    """Whether a webhook call comes from the system. Compares in constant time."""

    def __call__(
        self,
        headers: Mapping[str, str],
        body: bytes,
        path_secret: str | None,
        *,
        secret: str,
        client_secret: str | None,
        now: datetime,
    ) -> bool:
        """`headers` by lower-case name; `path_secret`: what followed the connection in the address; `secret`: ours."""
        ...


@dataclass(frozen=True)
class Webhooks:
    """How a system tells us of changes. Which topics are wanted follows from the streams: see `System.topics`.

    `url` is always the address without a secret; where the secret goes is the system's own affair. The calls raise the
    errors of `http.errors`.
    """

    existing: Callable[["Session"], Awaitable[list[Hook]]]
    """All hooks that we may see, other people's included."""
    subscribe: Callable[["Session", str, str, str], Awaitable[None]]
    """(session, topic, url, secret)"""
    repair: Callable[["Session", Hook, str, str], Awaitable[None]]
    """(session, hook, url, secret): make it again what `subscribe` would have made."""
    remove: Callable[["Session", Hook], Awaitable[None]]
    """One that is gone already is no error."""
    mismatches: Callable[[Hook, str, str], Sequence[str]]
    """(hook, url, secret): what is not as `subscribe` would make it, in words without secrets; empty if nothing."""
    carries: Callable[[Hook, str], bool]
    """(hook, secret): whether it bears our secret, so that it is ours wherever it calls."""
    authenticate: Authenticate
    read: Callable[[bytes], Notice]
    """Raises MalformedNoticeError."""
    client_secret: Callable[[str, Settings], str | None] = lambda _connection, _settings: None
    """The secret that the system signs with, if it was configured. Raises ConfigurationError for a missing variable."""
    too_many: int = 429
    """The status that tells this system to slow down and come again later."""


# -- the system ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Session:
    """A live connection: what streams and writes work with."""

    connection: str
    settings: Settings
    api: Api
    clock: Clock
    facts: dict[str, Any] = field(default_factory=dict)
    """What was learnt at log-in, e.g. Brightpearl's integration instance id."""


@dataclass(frozen=True)
class System:
    """A kind of software that can be kept in step."""

    name: str
    settings: type[Settings]
    connect: Callable[..., Any]
    streams: Sequence[Stream]
    sources: Sequence[Source]
    targets: Sequence[Target]
    examine: Callable[[Examination], Awaitable[None]]
    """Looks at an account for `bpp doctor`: credential, limit, scopes, and every code that connections.yaml maps."""
    webhooks: Webhooks | None = None
    """None where changes are only found by asking."""

    @property
    def topics(self) -> tuple[str, ...]:
        """The webhook topics to subscribe to: those of the streams, without any that a shorter one of them covers."""
        wanted = {topic for stream in self.streams for topic in stream.topics}
        return tuple(sorted(each for each in wanted if not any(_covers(other, each) for other in wanted)))

    def stream(self, name: str) -> Stream:
        return next(stream for stream in self.streams if stream.name == name)

    def stream_of(self, topic: str) -> Stream | None:
        """The stream that a webhook's topic hints at: the longest matching prefix decides."""
        matches = [(len(each), s) for s in self.streams for each in s.topics if topic.startswith(each)]
        return max(matches, key=lambda match: match[0])[1] if matches else None

    def streams_told_by(self, topic: str) -> list[Stream]:
        """The streams that a subscription to the topic tells of: all that any topic below it hints at."""
        return [s for s in self.streams if any(each == topic or _covers(topic, each) for each in s.topics)]

    def ids_named(self, topic: str, payload: Json) -> Sequence[str]:
        """The ids of the records that a webhook names; none for a topic that hints at no stream."""
        stream = self.stream_of(topic)
        if stream is None:
            return ()
        prefix = max((each for each in stream.topics if topic.startswith(each)), key=len)
        return stream.topics[prefix](payload)

    def target(self, entity: str) -> Target:
        return next(target for target in self.targets if target.entity == entity)


def _covers(topic: str, longer: str) -> bool:
    """Whether all that `longer` tells is told under `topic` too: `product` covers `product.modified`."""
    return longer.startswith(topic) and longer[len(topic) :][:1] in (".", "/")
