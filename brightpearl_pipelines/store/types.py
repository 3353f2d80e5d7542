"""The rows of the store as the engine sees them: payloads in clear, instants aware, ids as strings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One item of a stream as the API gave it, before it is stored.

    A deletion usually comes with an empty payload; the store then keeps the last one that it knew.
    `day` is the partition; `None` takes the UTC date of `modified_at`.
    """

    id: str
    payload: Json
    modified_at: datetime | None = None
    deleted: bool = False
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The latest stored version of a source record."""

    connection: str
    stream: str
    id: str
    version: int
    payload: Json
    modified_at: datetime | None
    fetched_at: datetime
    deleted: bool


@dataclass(frozen=True, slots=True)
class Golden:
    """What we believe is true of one business thing.

    `origin` says, per top-level field of `content`, which connection the value came from.
    `day` is the partition the row belongs to, `None` for unpartitioned entities.
    """

    entity: str
    id: UUID
    content: Json
    origin: Mapping[str, str] = field(default_factory=dict)
    day: date | None = None
    version: int = 0


class DeliveryState(StrEnum):
    """pending → sent → confirmed; failed goes again when due; dead waits for a person; discarded was given up.

    A delivery found `sent` was cut off before its answer was stored: it is looked up in the target, never sent blindly.
    """

    PENDING = "pending"
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    DEAD = "dead"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One intended write. `key` derives from the business fact; (connection, key) is unique for ever."""

    connection: str
    entity: str
    golden_id: UUID
    kind: str
    key: str
    payload: Json
    after: Sequence[str] = ()
    """Keys, in the same connection, that must be confirmed before this one may go."""
    id: int = 0
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    external_id: str | None = None
    answer: Json | None = None
    error: str | None = None
    next_attempt_at: datetime | None = None
    created_at: datetime | None = None
    sent_at: datetime | None = None
    confirmed_at: datetime | None = None
    note: str | None = None
    """Why it was discarded."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An input or a delivery that is held until a person, or the missing thing, comes.

    (connection, stage, entity, subject) is unique among the open ones: the same trouble met again only adds an attempt.
    """

    connection: str
    stage: str
    """Where it was held: `extract`, `merge`, `publish` or `deliver`."""
    entity: str
    subject: str
    """The external id of the input, or the golden id or delivery key of what could not be written."""
    reason: str
    """A code: `reference_not_found`, `unmapped_value`, `invalid_field`, `refused`, `conflict`, …"""
    sentence: str
    """What happened, in words for the person who reads the queue."""
    suggestion: str
    field: str | None = None
    value: str | None = None
    waiting_for: Sequence[str] = ()
    """Tokens such as `product:HAT-1`; when one of them arrives the letter is released by itself."""
    payload: Json | None = None
    golden_id: UUID | None = None
    id: int = 0
    state: str = "open"
    """open, released (to go again), resolved, discarded."""
    attempts: int = 1
    note: str | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    history: Sequence[Json] = ()
    """What happened to it, oldest first: {"at": ISO instant, "did": "held" | "released" | …, "reason": …}."""


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook as received: a hint that something changed, never the change itself."""

    connection: str
    key: str
    """What makes a repeated arrival the same event."""
    topic: str
    payload: Json
    subjects: Sequence[str] = ()
    """The ids of the records that it names, by which it is found again."""
    arrivals: int = 1
    """How often it came. Senders repeat events, and some give two changes within a second the same key."""
    id: int = 0
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """How far a consumer has read."""

    version: int = 0
    watermark: datetime | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One HTTP exchange, for the audit. `path` is redacted; bodies are not kept here."""

    connection: str
    at: datetime
    method: str
    path: str
    status: int | None
    """`None` when no answer came."""
    duration_ms: int
    attempt: int
    error: str | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two connections changed one field differently since they last agreed; survivorship chose the winner."""

    entity: str
    golden_id: UUID
    field: str
    winner_connection: str
    winner_value: Any
    loser_connection: str
    loser_value: Any
    id: int = 0
    at: datetime | None = None
