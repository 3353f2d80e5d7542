"""What is wrong now, and what people are to be told of it: shared by every process that keeps watch.

An alert is open from the first time its trouble is met until the trouble has been gone for a while; of one key at most
one is open. A message is one thing to tell about an alert on one channel: it stays due until the channel has taken it.
No row holds a secret or anything of a person.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from psycopg import sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.text import storable


class Severity(StrEnum):
    """How much it matters, the least first."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 3 for critical."""
        return list(Severity).index(self)


class What(StrEnum):
    """What a message says about its alert."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REPEATED = "repeated"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Alert:
    """A trouble. `key` is what makes two meetings of it the same trouble."""

    key: str
    kind: str
    severity: Severity
    title: str
    """One sentence: what is wrong, where, how much of it."""
    todo: str
    look: Sequence[str] = ()
    """Commands and addresses where more can be seen."""
    connection: str | None = None
    entity: str | None = None
    count: int | None = None
    """How many records it is about."""
    since: datetime | None = None
    """None: since it was first met."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert as it is kept. `cleared_at`: its trouble is gone since then, but not yet for long enough."""

    id: int
    alert: Alert
    opened_at: datetime
    seen_at: datetime
    cleared_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell; `attempts` failed so far."""

    id: int
    what: What
    attempts: int
    raised: Raised


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a channel has not taken: how many messages, since when, what it said last."""

    channel: str
    messages: int
    since: datetime
    error: str | None


_COLUMNS = sql.SQL(
    "a.id, a.key, a.kind, a.severity, a.connection, a.entity, a.facts, a.since, a.opened_at, a.seen_at, "
    "a.cleared_at, a.closed_at"
)


def raise_alert(
    tx: Transaction, alert: Alert, channels: Callable[[Alert], Iterable[str]], repeat_every: timedelta
) -> int:
    """Open the alert, or meet it again; returns its id.

    A message is queued when it opens, when it gets worse, and again every `repeat_every` while it lasts. Met again, it
    keeps the worst severity that it had. `channels` says where an alert of its (then) severity goes.
    """
    now = tx.clock.now()
    since = alert.since or now
    row = tx.connection.execute(
        "INSERT INTO sync.alert (key, kind, severity, connection, entity, facts, since, opened_at, seen_at, told_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (key) WHERE closed_at IS NULL DO NOTHING "
        "RETURNING id",
        (alert.key, alert.kind, alert.severity, alert.connection, alert.entity, _facts(alert), since, now, now, now),
    ).fetchone()
    if row is not None:
        _queue(tx, row[0], What.OPENED, channels(alert))
        return int(row[0])
    alert_id, severity, told_at = tx.connection.execute(
        "SELECT id, severity, told_at FROM sync.alert WHERE key = %s AND closed_at IS NULL FOR UPDATE", (alert.key,)
    ).fetchone() or (0, alert.severity, now)
    before = Severity(severity)
    worst = max(before, alert.severity, key=lambda each: each.rank)
    what = None
    if worst is not before:
        what = What.ESCALATED
    elif now >= told_at + repeat_every:
        what = What.REPEATED
    tx.connection.execute(
        "UPDATE sync.alert SET severity = %s, facts = %s, since = least(since, %s), seen_at = %s, cleared_at = NULL, "
        "told_at = CASE WHEN %s THEN %s ELSE told_at END WHERE id = %s",
        (worst, _facts(alert), since, now, what is not None, now, alert_id),
    )
    if what is not None:
        met = Alert(alert.key, alert.kind, worst, alert.title, alert.todo, (), alert.connection, alert.entity)
        _queue(tx, alert_id, what, channels(met))
    return int(alert_id)


def clear(tx: Transaction, keys: Iterable[str]) -> None:
    """The trouble of these is gone, for the time being: see `settle`."""
    tx.connection.execute(
        "UPDATE sync.alert SET cleared_at = %s WHERE key = ANY(%s) AND closed_at IS NULL AND cleared_at IS NULL",
        (tx.clock.now(), list(keys)),
    )


def settle(tx: Transaction, after: timedelta, patiently: timedelta, memory: timedelta) -> list[str]:
    """Close what has been gone for long enough, and queue one message of it wherever it was told.

    Long enough is `after`; but `patiently` for a key that was open before within `memory`: it comes and goes. Returns
    the keys of the closed ones.
    """
    now = tx.clock.now()
    rows = tx.connection.execute(
        "UPDATE sync.alert AS a SET closed_at = %s WHERE closed_at IS NULL AND cleared_at <= CASE WHEN EXISTS "
        "(SELECT FROM sync.alert AS b WHERE b.key = a.key AND b.closed_at > %s) THEN %s ELSE %s END RETURNING id, key",
        (now, now - memory, now - patiently, now - after),
    ).fetchall()
    for alert_id, _ in rows:
        told = tx.connection.execute(
            "SELECT DISTINCT channel FROM sync.alert_message WHERE alert_id = %s ORDER BY channel", (alert_id,)
        )
        _queue(tx, alert_id, What.RECOVERED, [row[0] for row in told.fetchall()])
    return [row[1] for row in rows]


def close(tx: Transaction, alert_id: int) -> None:
    """A person closes it; nothing more is told of it. It opens anew if the trouble is met again.

    Raises LookupError when there is no open alert of that id.
    """
    done = tx.connection.execute(
        "UPDATE sync.alert SET closed_at = %s WHERE id = %s AND closed_at IS NULL", (tx.clock.now(), alert_id)
    ).rowcount
    if done != 1:
        raise LookupError(f"there is no open alert {alert_id}")
    tx.connection.execute("DELETE FROM sync.alert_message WHERE alert_id = %s AND sent_at IS NULL", (alert_id,))


def open_alerts(tx: Transaction) -> list[Raised]:
    """What is open, the worst first, then the oldest."""
    rows = tx.connection.execute(
        sql.SQL("SELECT ") + _COLUMNS + sql.SQL(" FROM sync.alert AS a WHERE a.closed_at IS NULL ORDER BY a.id")
    )
    return sorted((_raised(row) for row in rows), key=lambda each: -each.alert.severity.rank)


def closed_alerts(tx: Transaction, limit: int) -> list[Raised]:
    """What is over, the last first."""
    rows = tx.connection.execute(
        sql.SQL("SELECT ")
        + _COLUMNS
        + sql.SQL(" FROM sync.alert AS a WHERE a.closed_at IS NOT NULL ORDER BY a.closed_at DESC, a.id DESC LIMIT %s"),
        (limit,),
    )
    return [_raised(row) for row in rows]


def purge(tx: Transaction, before: datetime) -> int:
    """Forget alerts that were closed before that; returns how many."""
    return tx.connection.execute("DELETE FROM sync.alert WHERE closed_at < %s", (before,)).rowcount


# -- messages -----------------------------------------------------------------------------------------------------


def claim(tx: Transaction, channel: str, lease: timedelta, limit: int) -> list[Message]:
    """Take what is due on a channel, oldest first: for the length of `lease` nobody else gets it."""
    now = tx.clock.now()
    rows = tx.connection.execute(
        sql.SQL(
            "WITH mine AS (UPDATE sync.alert_message SET due_at = %s WHERE id IN (SELECT id FROM sync.alert_message "
            "WHERE channel = %s AND sent_at IS NULL AND due_at <= %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) "
            "RETURNING id, what, attempts, alert_id) SELECT "
        )
        + _COLUMNS
        + sql.SQL(", m.id, m.what, m.attempts FROM mine AS m JOIN sync.alert AS a ON a.id = m.alert_id ORDER BY m.id"),
        (now + lease, channel, now, limit),
    )
    return [Message(row[-3], What(row[-2]), row[-1], _raised(row[:-3])) for row in rows]


def sent(tx: Transaction, ids: Iterable[int]) -> None:
    """The channel has taken these."""
    tx.connection.execute(
        "UPDATE sync.alert_message SET sent_at = %s, error = NULL WHERE id = ANY(%s)", (tx.clock.now(), list(ids))
    )


def unsent(tx: Transaction, ids: Iterable[int], error: str, due_at: datetime) -> None:
    """The channel has not taken these: they go again at that time."""
    tx.connection.execute(
        "UPDATE sync.alert_message SET attempts = attempts + 1, error = %s, due_at = %s "
        "WHERE id = ANY(%s) AND sent_at IS NULL",
        (storable(error), due_at, list(ids)),
    )


def backlog(tx: Transaction) -> list[Backlog]:
    """The channels that have not taken something yet, sorted by name."""
    rows = tx.connection.execute(
        "SELECT channel, count(*), min(queued_at), (array_agg(error ORDER BY id DESC) FILTER (WHERE error IS NOT NULL))"
        "[1] FROM sync.alert_message WHERE sent_at IS NULL GROUP BY channel ORDER BY channel"
    )
    return [Backlog(*row) for row in rows]


def forget_channels(tx: Transaction, configured: Sequence[str]) -> None:
    """Messages for channels that are configured no more will never be taken: drop them."""
    tx.connection.execute(
        "DELETE FROM sync.alert_message WHERE sent_at IS NULL AND NOT channel = ANY(%s)", (list(configured),)
    )


# -- who keeps watch ----------------------------------------------------------------------------------------------


def beat(tx: Transaction, name: str) -> None:
    """`name` was here."""
    tx.connection.execute(
        "INSERT INTO sync.heartbeat (name, at) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
        (name, tx.clock.now()),
    )


def beats(tx: Transaction) -> Mapping[str, datetime]:
    """When each was here last."""
    return dict(tx.connection.execute("SELECT name, at FROM sync.heartbeat ORDER BY name").fetchall())


def leave(tx: Transaction, name: str) -> None:
    """`name` went in good order: nobody waits for it any more."""
    tx.connection.execute("DELETE FROM sync.heartbeat WHERE name = %s", (name,))


# -- rows ---------------------------------------------------------------------------------------------------------


def _queue(tx: Transaction, alert_id: int, what: What, channels: Iterable[str]) -> None:
    now = tx.clock.now()
    for channel in sorted(set(channels)):
        tx.connection.execute(
            "INSERT INTO sync.alert_message (alert_id, channel, what, due_at, queued_at) VALUES (%s, %s, %s, %s, %s)",
            (alert_id, channel, what, now, now),
        )


def _facts(alert: Alert) -> Jsonb:
    return Jsonb({"title": storable(alert.title), "todo": alert.todo, "look": list(alert.look), "count": alert.count})


def _raised(row: TupleRow) -> Raised:
    (
        alert_id, key, kind, severity, connection, entity, facts, since, opened_at, seen_at, cleared_at, closed_at,
    ) = row  # fmt: skip
    alert = Alert(
        key=key,
        kind=kind,
        severity=Severity(severity),
        title=facts["title"],
        todo=facts["todo"],
        look=tuple(facts["look"]),
        connection=connection,
        entity=entity,
        count=facts["count"],
        since=since,
    )
    return Raised(alert_id, alert, opened_at, seen_at, cleared_at, closed_at)
