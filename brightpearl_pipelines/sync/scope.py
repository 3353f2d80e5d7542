"""What one run is asked to do, and what it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from brightpearl_pipelines.systems.contract import Window


class Reach(StrEnum):
    """How much a run reads."""

    EVENTS = "events"
    """Only what webhooks named since the last run."""
    CHANGES = "changes"
    """Also everything that changed since the watermark, whether a webhook came or not."""
    EVERYTHING = "everything"
    """Also the streams that cannot say what changed, such as stock, as a whole."""


@dataclass(frozen=True)
class Scope:
    """`day` and `ids` mean repair: read again, map again even if unchanged, compare with the target again."""

    reach: Reach = Reach.CHANGES
    day: date | None = None
    ids: tuple[str, ...] = ()
    since: datetime | None = None
    dry_run: bool = False

    compare_all: bool = False
    """Compare the whole target with the hub, for entities that have no days, such as stock."""

    @property
    def repair(self) -> bool:
        """Map again what was asked for, changed or not."""
        return self.day is not None or bool(self.ids)

    @property
    def compare(self) -> bool:
        """Look at what the target really holds."""
        return self.day is not None or self.compare_all

    def window(self) -> Window | None:
        """The instants of the day that was asked for."""
        if self.day is None:
            return None
        start = datetime.combine(self.day, time.min, UTC)
        return Window(start, start + timedelta(days=1))


@dataclass
class Counts:
    """What a step did. `unchanged` were looked at and needed nothing; `ignored` is by the name of the rule."""

    read: int = 0
    changed: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    held: int = 0
    failed: int = 0
    calls: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    paused: str | None = None
    """Why the step stopped early, when the connection could not be used."""

    def ignore(self, rule: str) -> None:
        self.ignored[rule] = self.ignored.get(rule, 0) + 1

    def as_row(self) -> dict[str, int]:
        """The eight figures of the result table."""
        names = ("read", "changed", "created", "updated", "unchanged", "held", "failed", "calls")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Change:
    """One thing that a dry run would write."""

    connection: str
    entity: str
    kind: str
    key: str
    fields: Sequence[tuple[str, Any, Any]]
    """(field, value in the target, value it would get)."""
    total: Mapping[str, Any] = field(default_factory=dict)
    """For documents: currency and amount."""


@dataclass
class StepResult:
    """One step of a run: `extracted`, `mapped` or `published`, of one connection (None for the hub) and entity."""

    step: str
    connection: str | None
    entity: str
    counts: Counts
    changes: list[Change] = field(default_factory=list)
    """All that a dry run would write; of a run that writes, the first few."""
    stream: str | None = None
    """What was extracted: several streams may be about one entity."""

    @property
    def about(self) -> str:
        """The stream, or the entity, as people call the step's matter."""
        return self.stream or self.entity
