"""Alerts in words: the subject and the text of what is sent. Nothing of a person, no secret: see `store.alerts`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from brightpearl_pipelines.store.alerts import Message, What

SUBJECT_LENGTH = 150
_SAID = {What.OPENED: "", What.ESCALATED: "worse: ", What.REPEATED: "still: ", What.RECOVERED: "over: "}


def span(time: timedelta) -> str:
    """A length of time as people say it: `45 s`, `12 min`, `2 h 5 min`, `3 d 4 h`."""
    seconds = int(time.total_seconds())
    for unit, inner, size, part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit}" + (f" {rest} {inner}" if rest else "")
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"


def latest(messages: Sequence[Message]) -> list[Message]:
    """Of each alert the last message: what a channel was not there to hear need not be told one by one."""
    return list({message.raised.id: message for message in messages}.values())


def subject(messages: Sequence[Message]) -> str:
    """One line; several messages are counted, and the worst is told."""
    worst = max(messages, key=lambda each: (each.what is not What.RECOVERED, each.raised.alert.severity.rank))
    more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
    return cut(f"{headline(worst)}{more}", SUBJECT_LENGTH)


def headline(message: Message) -> str:
    """`[critical] still: what is wrong`."""
    alert = message.raised.alert
    mark = "over" if message.what is What.RECOVERED else alert.severity.value
    said = "" if message.what is What.RECOVERED else _SAID[message.what]
    return " ".join(f"[{mark}] {said}{alert.title}".split())


def body(messages: Sequence[Message]) -> str:
    """All of them in full, an empty line between two."""
    return "\n\n".join("\n".join([headline(each), *details(each)]) for each in messages)


def details(message: Message) -> list[str]:
    """Since when, how many, what to do, where to look."""
    raised, alert = message.raised, message.raised.alert
    lines = []
    if alert.connection is not None:
        lines.append(f"connection: {alert.connection}")
    if alert.entity is not None:
        lines.append(f"entity: {alert.entity}")
    if alert.count is not None:
        lines.append(f"records: {alert.count}")
    lines.append(f"since: {_instant(alert.since or raised.opened_at)}")
    if message.what is What.RECOVERED:
        return [*lines, f"over since: {_instant(raised.cleared_at or raised.closed_at or raised.seen_at)}"]
    lines.append(f"what to do: {alert.todo}")
    lines += [f"look: {each}" for each in alert.look]
    return [*lines, f"alert: {raised.id} ({alert.key})"]


def cut(text: str, length: int) -> str:
    """The text, shortened if need be."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
