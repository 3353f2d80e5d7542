"""What connections.yaml may say about alerts: budgets of freshness, channels, and which severity goes where."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, Protocol

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from brightpearl_pipelines.store.alerts import Severity

Location = tuple[str | int, ...]
LOG = "log"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
SHORTEST = timedelta(minutes=2)


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a time is written like 10m, 4h or 2d")
    found = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if found < SHORTEST:
        raise ValueError("two minutes are the shortest time")
    return found


def _budget(value: object) -> timedelta | None:
    return None if value is None or value == "off" else _duration(value)


def _address(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Budget = Annotated[timedelta | None, BeforeValidator(_budget)]
"""How old something may get; `off`: as old as it likes."""
Address = Annotated[str, AfterValidator(_address)]
Variable = Annotated[str, Field(pattern=_VARIABLE)]
"""The name of an environment variable that holds a secret; never the secret."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class EmailChannel(_Model):
    """By SMTP, encrypted: `starttls` (as on port 587) or `tls` from the start (465); `none` to this machine only."""

    kind: Literal["email"]
    host: str
    port: Annotated[int, Field(gt=0, lt=65536)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: Annotated[Address, Field(alias="from")]
    to: Annotated[tuple[Address, ...], Field(min_length=1)]
    user: str | None = None
    password_env: Variable | None = None

    @model_validator(mode="after")
    def _safe(self) -> "EmailChannel":
        if self.security == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("mail to another machine must be encrypted: security is `starttls` or `tls`")
        if (self.user is None) != (self.password_env is None):
            raise ValueError("`user` and `password_env` go together")
        return self


class SlackChannel(_Model):
    """A Slack-compatible incoming webhook; its address is the secret."""

    kind: Literal["slack"]
    url_env: Variable


class LogChannel(_Model):
    """The log of the process that keeps watch."""

    kind: Literal["log"]


Channel = Annotated[EmailChannel | SlackChannel | LogChannel, Field(discriminator="kind")]


class Route(_Model):
    """Which alerts go to which channels. `connections` and `entities`: only those; empty: all."""

    at_least: Severity = Severity.INFO
    connections: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    channels: Annotated[tuple[str, ...], Field(min_length=1)]

    def takes(self, severity: Severity, connection: str | None, entity: str | None) -> bool:
        """Whether an alert goes this way; one that is about no connection in particular concerns everybody."""
        return (
            severity.rank >= self.at_least.rank
            and (not self.connections or connection is None or connection in self.connections)
            and (not self.entities or entity is None or entity in self.entities)
        )


class AlertSettings(_Model):
    """The `alerts:` block. Without one, all alerts go to the log."""

    channels: dict[str, Channel] = {LOG: LogChannel(kind="log")}
    routes: tuple[Route, ...] = (Route(channels=(LOG,)),)
    repeat_every: Duration = timedelta(hours=4)
    """How often a trouble that lasts is told again."""
    dagster_url: Annotated[str | None, Field(pattern=r"^https?://[^\s@]+$")] = None
    """Where people reach the Dagster UI, for links."""

    @model_validator(mode="before")
    @classmethod
    def _routed(cls, value: Any) -> Any:
        """Channels without routes: all alerts go to all of them."""
        if isinstance(value, dict) and value.get("channels") and "routes" not in value:
            return {**value, "routes": [{"channels": list(value["channels"])}]}
        return value

    def channels_for(self, severity: Severity, connection: str | None, entity: str | None) -> list[str]:
        """The names of the channels that an alert goes to, sorted."""
        taken = [route.channels for route in self.routes if route.takes(severity, connection, entity)]
        return sorted({channel for channels in taken for channel in channels})

    def problems(self, connections: Collection[str], entities: Collection[str]) -> Iterator[tuple[Location, str]]:
        """(place in the file, what is wrong) of names that do not exist."""
        for number, route in enumerate(self.routes):
            for name in route.channels:
                if name not in self.channels:
                    known = ", ".join(self.channels)
                    yield ("alerts", "routes", number, "channels"), f"there is no channel {name!r}; there are: {known}"
            for name in route.connections:
                if name not in connections:
                    yield ("alerts", "routes", number, "connections"), f"there is no connection {name!r}"
            for name in route.entities:
                if name not in entities:
                    known = ", ".join(sorted(entities))
                    yield ("alerts", "routes", number, "entities"), f"there is no entity {name!r}; there are: {known}"


class _HasFreshness(Protocol):
    @property
    def freshness(self) -> Mapping[str, timedelta | None]: ...


def freshness_problems(name: str, settings: _HasFreshness, known: Sequence[str]) -> Iterator[tuple[Location, str]]:
    """(place in the file, what is wrong) of budgets for what the connection does not have."""
    for each in settings.freshness:
        if each not in known:
            yield ("connections", name, "freshness", each), f"{each!r} is none of: {', '.join(known)}"
