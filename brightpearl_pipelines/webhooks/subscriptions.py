"""Keeps the subscriptions as they must be: made if missing, repaired if changed or off, removed if ours and stale.

Which topics are wanted follows from the streams (`System.topics`). A hook is ours when it calls an address below our
public one, or bears our secret; those of others are never touched.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from brightpearl_pipelines.alerts.hooks import tell_hooks
from brightpearl_pipelines.configuration import Connection
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http.errors import AmbiguousError, ApiError, RefusedError
from brightpearl_pipelines.sync import catch_up
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.systems.contract import Hook, Session, Webhooks
from brightpearl_pipelines.webhooks.shared_secret import shared_secret

READINGS = 3
"""How often the list is read at most: before, after what was done, and once more when that did not hold."""

log = logging.getLogger(__name__)


class Done(StrEnum):
    """What became of a subscription."""

    OK = "ok"
    CREATED = "created"
    REPAIRED = "repaired"
    REMOVED = "removed"
    FAILED = "failed"


@dataclass(frozen=True)
class SubscriptionReport:
    """One subscription, and what was done about it. `reason` holds no secret."""

    connection: str
    topic: str
    done: Done
    reason: str = ""

    @property
    def missed_possible(self) -> bool:
        """Whether events may have gone untold; what was created or repaired is owed a read (`sync.catch_up`)."""
        return self.done in (Done.CREATED, Done.REPAIRED, Done.FAILED)


@dataclass(frozen=True)
class Place:
    """Where the hooks of a connection call, and what they bear."""

    base: str
    """The public address of the receiver, up to and with `/webhooks/`."""
    connection: str
    secret: str

    @property
    def url(self) -> str:
        return self.base + self.connection


@dataclass(frozen=True)
class Step:
    """Something to do about a hook: `hook` None to make one."""

    done: Done
    topic: str
    reason: str
    hook: Hook | None = None


async def ensure_subscriptions(engine: Engine, public_url: str) -> list[SubscriptionReport]:
    """Bring the subscriptions of all connections in order and read back that they are; no trouble of one stops another.

    `public_url` is where the receiver is reached from outside, without path `/webhooks`.
    """
    reports: list[SubscriptionReport] = []
    for connection in engine.configuration.connections.values():
        webhooks = connection.system.webhooks
        if webhooks is not None and connection.system.topics:
            found = await _ensure(engine, connection, webhooks, public_url.rstrip("/"))
            reports += sorted(found, key=lambda report: (report.topic, report.done))
    for report in reports:
        if report.done is not Done.OK:
            log.log(
                logging.WARNING if report.done is Done.FAILED else logging.INFO,
                "%s: webhook %s: %s, since %s",
                *(report.connection, report.topic, report.done, report.reason),
            )
    _tell(engine, reports)
    return reports


def _tell(engine: Engine, reports: Sequence[SubscriptionReport]) -> None:
    """Alerts of what could not be had, and of what was found off or changed; a first subscription is none."""
    with engine.transaction() as tx:
        for connection in dict.fromkeys(report.connection for report in reports):
            mine = [report for report in reports if report.connection == connection]
            failed = [(each.topic, each.reason) for each in mine if each.done is Done.FAILED]
            # Where others are in order, one that had to be made is one that was lost.
            lost = {Done.CREATED} if any(each.done is Done.OK for each in mine) else set()
            repaired = [(each.topic, each.reason) for each in mine if each.done in {Done.REPAIRED, *lost}]
            tell_hooks(tx, engine.configuration, connection, failed=failed, repaired=repaired)


async def _ensure(
    engine: Engine, connection: Connection, webhooks: Webhooks, public_url: str
) -> list[SubscriptionReport]:
    topics = connection.system.topics
    unfit = _unfit(connection, public_url)
    if unfit:
        return [SubscriptionReport(connection.name, topic, Done.FAILED, unfit) for topic in topics]
    place = Place(f"{public_url}/webhooks/", connection.name, shared_secret(engine.store, connection.name))
    keeper = _Keeper(connection, webhooks, place, engine)
    try:
        async with engine.alone(f"webhooks:{connection.name}"):
            await keeper.keep(await engine.session(connection.name), topics)
    except (ApiError, ConfigurationError) as error:
        keeper.failed |= {topic: keeper.told(error) for topic in topics if topic not in keeper.held}
    return keeper.reports(topics)


def _unfit(connection: Connection, public_url: str) -> str | None:
    """Why a real account must not be told of this address."""
    parts = urlsplit(public_url)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        return f"{public_url!r} is no address that could be called; it must be like https://hooks.example.com"
    if parts.scheme == "http" and not connection.settings.sandbox:
        return "a real account must call by https; give the public address of a proxy or tunnel to the receiver"
    return None


class _Keeper:
    """Brings the hooks of one connection in order."""

    def __init__(self, connection: Connection, webhooks: Webhooks, place: Place, engine: Engine) -> None:
        self._connection = connection.name
        self._system = connection.system
        self._webhooks = webhooks
        self._place = place
        self._engine = engine
        self._configuration = engine.configuration
        self._taken: list[Step] = []
        self.failed: dict[str, str] = {}
        self.held: set[str] = set()
        """Topics whose one hook was read back as it must be."""

    async def keep(self, session: Session, topics: Sequence[str]) -> None:
        """Do what is to do until a reading finds nothing more. Raises the API's errors other than refusals."""
        for reading in range(READINGS):
            hooks = await self._webhooks.existing(session)
            steps = [step for step in self.plan(hooks, topics) if step.topic not in self.failed]
            self.held = set(topics) - {step.topic for step in steps} - self.failed.keys()
            if not steps:
                return
            if reading == READINGS - 1:
                self.failed |= {
                    step.topic: f"the system does not keep it as it was asked to: {step.reason}" for step in steps
                }
                return
            self._owe(steps)
            for step in steps:
                await self._take(session, step)

    def _owe(self, steps: Sequence[Step]) -> None:
        """What a missing hook did not tell is owed a read; noted first, or a crash in between would forget it."""
        topics = {step.topic for step in steps if step.done in (Done.CREATED, Done.REPAIRED)}
        streams = {stream.name for topic in topics for stream in self._system.streams_told_by(topic)}
        with self._engine.transaction() as tx:
            catch_up.owe(tx, self._connection, sorted(streams))

    def plan(self, hooks: Sequence[Hook], topics: Sequence[str]) -> list[Step]:
        """What is to do about the hooks that there are."""
        stale = [hook for hook in hooks if self._is_abandoned(hook)]
        mine = [hook for hook in hooks if self._is_mine(hook)]
        steps = [Step(Done.REMOVED, hook.topic, "the connection it calls is gone", hook) for hook in stale]
        steps += [
            Step(Done.REMOVED, hook.topic, "no stream wants it", hook) for hook in mine if hook.topic not in topics
        ]
        for topic in topics:
            steps += self._plan_topic(topic, [hook for hook in mine if hook.topic == topic])
        return steps

    def _plan_topic(self, topic: str, hooks: list[Hook]) -> list[Step]:
        if not hooks:
            return [Step(Done.CREATED, topic, "there was none")]
        best, *others = sorted(hooks, key=lambda hook: len(self._problems(hook)))
        problems = self._problems(best)
        # First what is too many: a system may not take two alike.
        steps = [Step(Done.REMOVED, topic, "there was another one for the same", hook) for hook in others]
        return [*steps, Step(Done.REPAIRED, topic, "; ".join(problems), best)] if problems else steps

    def _problems(self, hook: Hook) -> Sequence[str]:
        return self._webhooks.mismatches(hook, self._place.url, self._place.secret)

    def _is_mine(self, hook: Hook) -> bool:
        """It calls this connection, or bears its secret to an address where the receiver used to be."""
        called = self._called(hook)
        return called == self._connection or (called is None and self._webhooks.carries(hook, self._place.secret))

    def _is_abandoned(self, hook: Hook) -> bool:
        """It calls our receiver for a connection that is configured no more."""
        called = self._called(hook)
        return called is not None and called not in self._configuration.connections

    def _called(self, hook: Hook) -> str | None:
        """The connection that a hook names in its address; None where it does not call our receiver."""
        if not hook.url.startswith(self._place.base):
            return None
        return hook.url[len(self._place.base) :].partition("/")[0]

    async def _take(self, session: Session, step: Step) -> None:
        place = self._place
        try:
            if step.hook is None:
                await self._webhooks.subscribe(session, step.topic, place.url, place.secret)
            elif step.done is Done.REPAIRED:
                await self._webhooks.repair(session, step.hook, place.url, place.secret)
            else:
                await self._webhooks.remove(session, step.hook)
        except AmbiguousError:
            log.info("%s: webhook %s: no clear answer, reading what there is", self._connection, step.topic)
        except RefusedError as error:
            self.failed[step.topic] = self.told(error)
            return
        self._taken.append(step)

    def told(self, error: Exception) -> str:
        """The error in words; a server that quotes what it was sent would quote the secret."""
        return str(error).replace(self._place.secret, "***")

    def reports(self, topics: Sequence[str]) -> list[SubscriptionReport]:
        """What was done, topic by topic; several things may have been done about one, a repeated one counts once."""
        told = [(step.topic, step.done, step.reason) for step in self._taken if step.topic not in self.failed]
        told += [(topic, Done.FAILED, reason) for topic, reason in self.failed.items()]
        # A duplicate that was removed leaves the subscription itself as it was.
        settled = {topic for topic, done, _ in told if done is not Done.REMOVED}
        told += [(topic, Done.OK, "") for topic in topics if topic not in settled]
        return [SubscriptionReport(self._connection, *each) for each in dict.fromkeys(told)]
