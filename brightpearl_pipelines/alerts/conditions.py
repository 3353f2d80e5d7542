"""What is wrong now, as alerts: read off the store, so that it is found whoever caused it and whoever is alive."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from brightpearl_pipelines.alerts.budgets import Kind
from brightpearl_pipelines.alerts.freshness import RESUMED, Freshness, measure
from brightpearl_pipelines.alerts.words import span
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.http.redaction import redact
from brightpearl_pipelines.store import alerts, budget, freshness
from brightpearl_pipelines.store.alerts import Alert, Severity
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.freshness import Cause

STALE, STOPPED, CREDENTIALS, CIRCUIT, HELD, WATCHER = (
    "stale", "stopped", "credentials", "circuit_open", "held", "watcher_gone",
)  # fmt: skip
KINDS = frozenset({STALE, STOPPED, CREDENTIALS, CIRCUIT, HELD, WATCHER})
"""The kinds that are found here, and are over when they are found no more."""
DAGSTER, WATCH = "dagster", "watch"
"""Who keeps watch: the sensor, so Dagster's daemon, and `bpp watch`. Each also watches the other."""
GONE_AFTER = timedelta(minutes=5)
CIRCUIT_LASTS = timedelta(minutes=15)
"""A circuit that is open for longer is no hiccup."""
WAITS_LONG = timedelta(minutes=15)
"""What waits for something to arrive mostly goes by itself within a few rounds; after that people are told."""
_REASON_LENGTH = 300
_SAY = {
    DAGSTER: (
        Severity.CRITICAL,
        "Dagster's sensors have not run",
        "Start Dagster's daemon (`dagster-daemon run`; `bpp run` does), or switch the sensor `alerts` on again.",
    ),
    WATCH: (
        Severity.ERROR,
        "`bpp watch` has not been heard of",
        "Start it again: without it nobody notices when Dagster stops.",
    ),
}


@dataclass(frozen=True)
class Situation:
    """What is wrong, and the keys about which nothing can be said because something graver hides them."""

    alerts: Sequence[Alert]
    hidden: frozenset[str] = frozenset()
    freshness: Sequence[Freshness] = ()


def situation(tx: Transaction, configuration: Configuration) -> Situation:
    """Look at everything. Writes nothing but what `measure` notes."""
    now = tx.clock.now()
    beats = alerts.beats(tx)
    resumed = beats.get(RESUMED)
    measured = measure(tx, configuration, resumed)
    paused = {name: why for name, why in budget.paused(tx).items() if name in configuration.connections}
    circuits = {name: at for name, at in freshness.circuits(tx).items() if name in configuration.connections}
    found = [
        *(_credentials(name, why) for name, why in paused.items()),
        *(_circuit(name, at, now) for name, at in circuits.items() if name not in paused),
        *(_held(cause) for cause in _causes(tx, now)),
        *_gone(beats, resumed, now),
    ]
    stopped = _stopped(measured, freshness.last_call(tx), resumed, unusable=paused.keys() | circuits.keys())
    if stopped is not None:
        found.append(stopped)
    stale = _Staleness(configuration, now)
    hidden = set()
    for each in measured:
        key = stale_key(each)
        if stopped is not None or each.budget.connection in paused or each.budget.connection in circuits:
            hidden.add(key)
        elif each.over:
            found.append(stale.alert(each))
    return Situation(sorted(found, key=lambda alert: alert.key), frozenset(hidden), measured)


# -- age --------------------------------------------------------------------------------------------------------------


def stale_key(each: Freshness) -> str:
    """The key of the alert that a stream or flow is over its budget."""
    return f"{STALE}:{each.budget.kind}:{each.budget.connection}:{each.budget.name}"


@dataclass(frozen=True)
class _Staleness:
    configuration: Configuration
    now: datetime

    def alert(self, each: Freshness) -> Alert:
        watched = each.budget
        asset = "published" if watched.kind is Kind.FLOW else "extracted"
        look = ["bpp alerts budgets"]
        if (base := self.configuration.alerts.dagster_url) is not None:
            look.append(f"{base.rstrip('/')}/assets/{quote(watched.connection)}/{asset}_{quote(watched.name)}")
        return Alert(
            key=stale_key(each),
            kind=STALE,
            severity=Severity.WARNING if each.moving else Severity.ERROR,
            title=self._title(each),
            todo=self._todo(each),
            look=look,
            connection=watched.connection,
            entity=watched.entity,
            count=each.waiting or None,
            since=each.since,
        )

    def _title(self, each: Freshness) -> str:
        watched, age, allowed = each.budget, span(each.age), span(each.budget.allowed)
        where = f"{watched.connection}: {watched.name.replace('_', ' ')}"
        if watched.kind is Kind.FLOW:
            told = f"{where} to be written have waited for {age}, {allowed} are allowed"
        elif each.waiting:
            told = f"{where} of which webhooks told have not been read for {age}, {allowed} are allowed"
        elif each.never:
            whole = " in full" if watched.kind is Kind.IN_FULL else ""
            told = f"{where} have never been read to the end{whole}, for {age}; {allowed} are allowed"
        else:
            whole = " in full" if watched.kind is Kind.IN_FULL else ""
            told = f"{where} were last read{whole} {age} ago, {allowed} are allowed"
        return f"{told}; it is catching up" if each.moving else told

    def _todo(self, each: Freshness) -> str:
        watched = each.budget
        if each.moving:
            return "Nothing, if a large change or a first read is under way; else see what the runs say."
        now = f"bpp sync --connection {watched.connection} --entity {watched.entity}"
        what = "does it now" if watched.kind is Kind.IN_FULL else "tries now and says what is in the way"
        return f"See whether runs go and what they say; `{now}` {what}."


def _stopped(
    measured: Sequence[Freshness], called: datetime | None, resumed: datetime | None, *, unusable: set[str]
) -> Alert | None:
    """Nothing at all runs: no stream was looked at, and no system called, for longer than the shortest budget.

    One alert instead of one for each stream. A connection that cannot be used says nothing about the others.
    """
    looked = [each for each in measured if each.budget.kind is Kind.STREAM and each.budget.connection not in unusable]
    if not looked:
        return None
    now = looked[0].now
    shortest = min(each.budget.allowed for each in looked)
    signs = [each.now - each.age for each in looked if not each.waiting]
    last = max([*signs, *(each for each in (called, resumed) if each is not None)], default=None)
    if last is None or now - last <= shortest:
        return None
    return Alert(
        key=STOPPED,
        kind=STOPPED,
        severity=Severity.CRITICAL,
        title=f"Nothing has been synchronised for {span(now - last)}: no run has read or written anything",
        todo=(
            "See whether Dagster's daemon and its schedules run, and start them; `bpp sync` brings everything into "
            "step meanwhile. Nothing is lost: the next run reads from where the last one ended."
        ),
        look=("bpp alerts budgets", "bpp doctor"),
        since=last,
    )


# -- connections ------------------------------------------------------------------------------------------------------


def _credentials(connection: str, why: str) -> Alert:
    """BP-03: critical, at once, and it names the connection."""
    return Alert(
        key=f"{CREDENTIALS}:{connection}",
        kind=CREDENTIALS,
        severity=Severity.CRITICAL,
        title=f"{connection}: its credentials are not accepted, so the connection is paused: {_short(why)}",
        todo=(
            "Authorise it again, or put the new credential into its environment variable and restart. The other "
            "connections go on; this one is tried every five minutes and goes on by itself where it stood."
        ),
        look=("bpp doctor",),
        connection=connection,
    )


def _circuit(connection: str, opened_at: datetime, now: datetime) -> Alert:
    lasting = now - opened_at >= CIRCUIT_LASTS
    return Alert(
        key=f"{CIRCUIT}:{connection}",
        kind=CIRCUIT,
        severity=Severity.ERROR if lasting else Severity.WARNING,
        title=f"{connection} fails or does not answer since {opened_at:%H:%M} UTC: its calls are held back",
        todo=(
            "Nothing at first: it is tried every few minutes, what waits keeps its order and goes by itself. If it "
            "lasts, look at the status page of the system."
        ),
        look=("bpp doctor",),
        connection=connection,
        since=opened_at,
    )


# -- what is held -----------------------------------------------------------------------------------------------------


@dataclass
class _Held:
    """Causes that differ only in which line of a document they are about, and in whether they wait."""

    of: Cause
    place: str
    count: int = 0
    since: list[datetime] = field(default_factory=list)
    acts: bool = False
    """Somebody has to act; the others wait for something that may still arrive."""


def _causes(tx: Transaction, now: datetime) -> list[_Held]:
    found: dict[tuple[str, str, str, str], _Held] = {}
    for cause in freshness.causes(tx, now - WAITS_LONG):
        place = re.sub(r"\[[^\]]*\]|\.\d+(?=\.|$)", "", cause.field or "")
        held = found.setdefault((cause.connection, cause.entity, cause.reason, place), _Held(cause, place))
        held.count += cause.count
        held.since.append(cause.since)
        held.acts = held.acts or not cause.waits
    return list(found.values())


def _held(held: _Held) -> Alert:
    """Names the cause and how many, and nothing that a record says: alerts leave the house."""
    cause = held.of
    records = cause.entity.replace("_", " ") + (" record is" if held.count == 1 else " records are")
    at = f" ({held.place})" if held.place else ""
    return Alert(
        key=f"{HELD}:{cause.connection}:{cause.entity}:{cause.reason}:{held.place}",
        kind=HELD,
        severity=Severity.ERROR if held.acts else Severity.WARNING,
        title=f"{cause.connection}: {held.count} {records} held: {cause.reason.replace('_', ' ')}{at}",
        todo=(
            "Read what is wrong and what to do about it, then let it go again: each goes by itself once what it waits "
            "for arrives, the others with `bpp dead-letters retry`."
        ),
        look=(
            f"bpp dead-letters show {cause.example}",
            f"bpp dead-letters list --connection {cause.connection} --entity {cause.entity} --reason {cause.reason}",
        ),
        connection=cause.connection,
        entity=cause.entity,
        count=held.count,
        since=min(held.since),
    )


# -- who keeps watch --------------------------------------------------------------------------------------------------


def _gone(beats: Mapping[str, datetime], resumed: datetime | None, now: datetime) -> Iterator[Alert]:
    for name, (severity, title, todo) in _SAY.items():
        at = beats.get(name)
        last = None if at is None else max(at, resumed or at)
        if at is not None and last is not None and now - last > GONE_AFTER:
            yield Alert(
                key=f"{WATCHER}:{name}",
                kind=WATCHER,
                severity=severity,
                title=f"{title} for {span(now - at)}",
                todo=todo,
                look=("bpp alerts list",),
                since=at,
            )


def _short(text: str) -> str:
    text = " ".join(redact(text).split())
    return text if len(text) <= _REASON_LENGTH else f"{text[: _REASON_LENGTH - 1]}…"
