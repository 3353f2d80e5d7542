"""What a materialisation says of itself: figures that become plots, and tables for a person to read.

Here: the translation of a step's result into Dagster's metadata. Numbers keep one key and one unit for ever, or their
plots break. No personal data (privacy.py).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from brightpearl_pipelines.assets.privacy import SHOWN, VALUES_SHOWN, shown_tokens
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.entities.frames import to_frame
from brightpearl_pipelines.privacy import shown_sentence
from brightpearl_pipelines.store import calls, dead_letters, goldens, positions, records
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import DeadLetter
from brightpearl_pipelines.sync.extract import consumer as extract_consumer
from brightpearl_pipelines.sync.publish import consumer as publish_consumer
from brightpearl_pipelines.sync.run import Step
from brightpearl_pipelines.sync.scope import Change, StepResult
from brightpearl_pipelines.systems.contract import Settings, Stream, System

Metadata = dict[str, Any]
SAMPLE_ROWS = 8
LETTERS_SHOWN = 20
ROWS_A_TIME = 500
LONGEST_CELL = 56
_FIGURES = {
    "extracted": ("read", "changed", "unchanged"),
    "mapped": ("read", "changed", "created", "updated", "unchanged", "held"),
    "published": ("read", "changed", "created", "updated", "unchanged", "held", "failed"),
}


def version_of(tx: Transaction, step: Step) -> int:
    """How far the step has come: what it brings has a version above this."""
    if step.name == "published":
        return positions.get(tx, publish_consumer(step.connection or "", step.entity)).version
    if step.stream is not None:
        return records.latest_version(tx, step.connection or "", step.stream)
    return goldens.latest_version(tx, step.entity)


def days_since(tx: Transaction, step: Step, version: int) -> dict[date, int]:
    """How many rows of each day came or changed after the version, as the step sees them."""
    if step.stream is not None:
        return records.days_after(tx, step.connection or "", step.stream, version)
    return goldens.days_after(tx, step.entity, version)


def describe(
    tx: Transaction, configuration: Configuration, step: Step, result: StepResult, before: int, now: datetime
) -> Metadata:
    """All metadata of a step that was done; `before` is its version when it began."""
    described = _figures(result)
    if step.stream is None:
        described["ignored"] = sum(result.counts.ignored.values())
    if result.counts.ignored:
        rows = [{"rule": rule.replace("_", " "), "records": n} for rule, n in sorted(result.counts.ignored.items())]
        described["ignored, by rule"] = _table(rows)
    described |= _rows(tx, step)
    described |= _limits(tx, configuration, step, result, now)
    described |= _freshness(tx, configuration, step, now)
    described["sample"] = _changes(result.changes) if step.name == "published" else _sample(tx, step, before)
    described |= _letters(tx, step)
    return {name: value for name, value in described.items() if value is not None}


def change_set(changes: Sequence[Change]) -> Metadata:
    """What a dry run would write."""
    return {"writes": len(changes), "change set": _changes(changes, limit=200)}


def failed(result: StepResult) -> Metadata:
    """What a step did before it had to stop."""
    return _figures(result) | {"API calls": result.counts.calls}


def _figures(result: StepResult) -> Metadata:
    return {name: getattr(result.counts, name) for name in _FIGURES[result.step]}


def _table(rows: Sequence[Mapping[str, Any]]) -> dg.MetadataValue[Any] | None:
    """A table, or None: an empty one says nothing."""
    if not rows:
        return None
    return dg.MetadataValue.table([dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in rows])


def _cell(value: Any) -> str | int | float | bool | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _rows(tx: Transaction, step: Step) -> Metadata:
    if step.stream is not None:
        return {"dagster/row_count": records.count(tx, step.connection or "", step.stream)}
    return {} if step.name == "published" else {"dagster/row_count": goldens.count(tx, step.entity)}


def _limits(tx: Transaction, configuration: Configuration, step: Step, result: StepResult, now: datetime) -> Metadata:
    """Calls of this step, and how much of what the account allows went out in the last minute, whoever sent it."""
    if step.connection is None:
        return {}
    sent = calls.count_by_connection(tx, now - timedelta(minutes=1)).get(step.connection, 0)
    allowed = calls_a_minute(configuration.connection(step.connection).settings)
    share = {} if allowed is None else {"API limit used (%)": round(100 * sent / allowed, 1)}
    return {"API calls": result.counts.calls, **share}


def calls_a_minute(settings: Settings) -> float | None:
    """What the account's limit comes to in a minute; None for a system that has none."""
    for name, seconds in (("requests_per_minute", 60), ("requests_per_30_seconds", 30)):
        limit = getattr(settings, name, None)
        if limit is not None:
            return float(limit) * 60 / seconds
    return None


def _freshness(tx: Transaction, configuration: Configuration, step: Step, now: datetime) -> Metadata:
    """Age of the newest change that was read from the systems that this step builds on."""
    streams = [
        (connection.name, stream)
        for connection in configuration.connections.values()
        for stream in connection.system.streams
        if (step.connection, step.stream) == (connection.name, stream.name)
        or (step.stream is None and (stream.entity == step.entity or _feeds(connection.system, stream, step.entity)))
    ]
    marks = [positions.get(tx, extract_consumer(name, stream)).watermark for name, stream in streams]
    known = [mark for mark in marks if mark is not None]
    if not known:
        return {}
    newest = max(known)
    return {
        "newest change read": dg.MetadataValue.timestamp(newest),
        "newest change, minutes ago": round((now - newest).total_seconds() / 60, 1),
    }


def _feeds(system: System, stream: Stream, entity: str) -> bool:
    return any(source.stream == stream.name and source.entity == entity for source in system.sources)


def _sample(tx: Transaction, step: Step, before: int) -> dg.MetadataValue[Any] | None:
    """Some of what changed."""
    if step.stream is not None:
        rows = records.after(tx, step.connection or "", step.stream, before, SAMPLE_ROWS)
        return _table(
            [
                {"id": row.id, "modified": row.modified_at, "read": row.fetched_at, "deleted": row.deleted}
                for row in rows
            ]
        )
    found = goldens.after(tx, step.entity, before, SAMPLE_ROWS)
    frame = to_frame(step.entity, [(row.id, row.content) for row in found])
    frame = frame[list(SHOWN[step.entity])]
    origin = [", ".join(sorted(set(row.origin.values()))) for row in found]
    cells = frame.astype(object).where(frame.notna(), None)
    rows_shown = (dict(zip(frame.columns, row, strict=True)) for row in cells.itertuples(index=False))
    return _table([{**row, "from": source} for row, source in zip(rows_shown, origin, strict=True)])


def _changes(changes: Sequence[Change], limit: int = SAMPLE_ROWS) -> dg.MetadataValue[Any] | None:
    return _table([_change(each) for each in changes[:limit]])


def _change(change: Change) -> Metadata:
    if change.entity in VALUES_SHOWN:
        what = "; ".join(f"{name}: {_difference(old, new)}" for name, old, new in change.fields)
    else:
        what = ", ".join(dict.fromkeys(name.partition(".")[0] for name, _, _ in change.fields))
    if len(what) > LONGEST_CELL:
        what = f"{what[:LONGEST_CELL].rsplit(' ', 1)[0]} … ({len(change.fields)} fields)"
    total = " ".join(str(part) for part in change.total.values())
    return {"write": change.kind.replace("_", " "), "key": change.key, "total": total, "what": what}


def _difference(old: Any, new: Any) -> str:
    if isinstance(new, Mapping) and "$ref" in new:
        return f"that of the {new['$ref'][0]}"
    return str(new) if old is None else f"{old} → {new}"


def _letters(tx: Transaction, step: Step) -> Metadata:
    """What is held now, of this step's entity and connection. The ids are for `bpp dead-letters show`."""
    entity = None if step.stream is not None else step.entity
    stages = {"extracted": ("extract",), "mapped": ("merge",), "published": ("publish", "deliver", "compare")}[
        step.name
    ]
    letters = [
        letter
        for letter in dead_letters.open_letters(tx, connection=step.connection, entity=entity, limit=1_000)
        if letter.stage in stages
    ]
    return {
        "open dead letters": len(letters),
        "dead letters": _table([_letter(each) for each in letters[:LETTERS_SHOWN]]),
        "to see one whole": f"bpp dead-letters show {letters[0].id}" if letters else None,
    }


def _letter(letter: DeadLetter) -> Metadata:
    return {
        "id": letter.id,
        "reason": letter.reason.replace("_", " "),
        "what happened": shown_sentence(letter),
        "waits for": shown_tokens(letter),
        "attempts": letter.attempts,
        "first seen": letter.first_seen,
    }
