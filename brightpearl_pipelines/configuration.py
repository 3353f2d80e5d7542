"""Reads `connections.yaml`: which accounts there are, what their codes mean, where their secrets are found.

Nothing is fetched here and no secret is read before it is needed: definitions load with an empty environment.
Each system says for itself, in `systems/<name>/settings.py`, what may be configured about a connection of it.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from brightpearl_pipelines.alerts import budgets
from brightpearl_pipelines.alerts.settings import AlertSettings, Location, freshness_problems
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.mapping import MappingFileError
from brightpearl_pipelines.mapping.yaml_lines import YamlFile
from brightpearl_pipelines.systems import SYSTEMS, System
from brightpearl_pipelines.systems.contract import Settings

SANDBOX_PORTS = {"brightpearl": 1, "bigcommerce": 2, "salesforce": 3, "dynamics": 4, "syspro": 5}
"""What each system's emulator adds to the sandbox's base port."""

Ranking = Mapping[str, tuple[str, ...]]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    connections: dict[str, dict[str, Any]]
    survivorship: dict[str, dict[str, tuple[str, ...]]] = {}
    alerts: AlertSettings = AlertSettings()


@dataclass(frozen=True)
class Connection:
    """One configured account."""

    name: str
    system: System
    settings: Settings

    @property
    def sandbox_url(self) -> str:
        """Where this connection's emulator listens."""
        return f"http://127.0.0.1:{self.sandbox_base + SANDBOX_PORTS[self.system.name]}"

    @property
    def sandbox_base(self) -> int:
        """The base port of the sandbox that this connection's emulator belongs to."""
        own = self.settings.sandbox
        return sandbox_base_port() if isinstance(own, bool) else own


@dataclass(frozen=True)
class Configuration:
    """All connections, and whose word counts per entity and field."""

    connections: Mapping[str, Connection]
    survivorship: Mapping[str, Ranking]
    alerts: AlertSettings = field(default_factory=AlertSettings)

    def connection(self, name: str) -> Connection:
        """The connection of that name; ConfigurationError, naming those that exist, if there is none."""
        try:
            return self.connections[name]
        except KeyError:
            known = ", ".join(self.connections)
            raise ConfigurationError(f"there is no connection {name!r}; connections.yaml has: {known}") from None

    def ranking(self, entity: str, field: str) -> tuple[str, ...]:
        """Connections and systems in order of authority for a field, most trusted first; empty if none are named."""
        rules = self.survivorship.get(entity, {})
        return rules.get(field) or rules.get("*") or ()

    def rank(self, entity: str, field: str, name: str) -> int | None:
        """The connection's place in that order: by its own name, else by its system's; None when it has none."""
        ranking = self.ranking(entity, field)
        for each in (name, self.connections[name].system.name):
            if each in ranking:
                return ranking.index(each)
        return None

    def shops_of(self, account: str) -> list[Connection]:
        """The connections that are kept in step with one Brightpearl account."""
        return [each for each in self.connections.values() if each.settings.brightpearl == account]

    def account_of(self, names: Iterable[str]) -> str | None:
        """The Brightpearl account of the first of these connections that is configured; None for none."""
        known = next((self.connections[name] for name in names if name in self.connections), None)
        return None if known is None else known.settings.brightpearl or known.name

    def family(self, name: str) -> frozenset[str] | None:
        """The names of all connections of the same Brightpearl account, or None where one account is all there is.

        Nothing in the hub is shared between accounts: what two regions sell, and to whom, are two things.
        """
        if len(self.accounts) < 2:
            return None
        account = self.connections[name].settings.brightpearl or name
        return frozenset({account, *(each.name for each in self.shops_of(account))})

    def concerned_by(self, names: Iterable[str]) -> frozenset[str]:
        """All connections that news of these may concern: those of the same accounts."""
        found: set[str] = set()
        for name in names:
            found |= self.family(name) or self.connections.keys()
        return frozenset(found)

    @cached_property
    def accounts(self) -> list[Connection]:
        """The Brightpearl accounts."""
        return [each for each in self.connections.values() if each.system.name == "brightpearl"]


def sandbox_base_port() -> int:
    """BPP_SANDBOX_BASE_PORT, 8900 by default."""
    text = os.environ.get("BPP_SANDBOX_BASE_PORT", "8900")
    if not text.isdigit():
        raise ConfigurationError(f"BPP_SANDBOX_BASE_PORT is {text!r}; it must be a port number, e.g. 8900")
    return int(text)


def configuration_path() -> Path:
    """BPP_CONNECTIONS, or `connections.yaml` in the current folder, or beside the package."""
    if "BPP_CONNECTIONS" in os.environ:
        return Path(os.environ["BPP_CONNECTIONS"])
    here = Path("connections.yaml")
    return here if here.exists() else Path(__file__).resolve().parents[1] / "connections.yaml"


def load_configuration(path: Path | None = None) -> Configuration:
    """Read and check the file; every mistake in it is one line of a ConfigurationError, with its place in the file."""
    path = path or configuration_path()
    if not path.exists():
        raise ConfigurationError(
            f"{path} does not exist; copy connections.yaml from the project, or set BPP_CONNECTIONS"
        )
    try:
        written = YamlFile(path)
    except MappingFileError as error:
        raise ConfigurationError(str(error)) from error
    problems: list[str] = []

    def report(error: ValidationError, *prefix: str) -> None:
        for each in error.errors():
            place = (*prefix, *each["loc"])
            where = ".".join(str(part) for part in place)
            # What stands under `auth` or `alerts` may be a secret put in the wrong place.
            tells = each["type"] not in ("missing", "extra_forbidden") and not {"auth", "alerts"} & {*place}
            found = f" (found {each['input']!r})" if tells else ""
            problems.append(f"{path}:{written.line(place)}: {where}: {each['msg']}{found}")

    try:
        file = _File.model_validate(written.value)
    except ValidationError as error:
        report(error)
        raise ConfigurationError("\n".join(problems)) from None
    connections: dict[str, Connection] = {}
    for name, given in file.connections.items():
        fields = _like_another(file, given)
        if fields is None:
            line = written.line(("connections", name, "like"))
            problems.append(f"{path}:{line}: connections.{name}.like: {given['like']!r} is no connection to be like")
            continue
        system = SYSTEMS.get(str(fields.get("system")))
        if system is None:
            known = ", ".join(SYSTEMS)
            line = written.line(("connections", name, "system"))
            problems.append(f"{path}:{line}: connections.{name}.system: {fields.get('system')!r} is none of: {known}")
            continue
        try:
            connections[name] = Connection(name, system, system.settings.model_validate(fields))
        except ValidationError as error:
            report(error, "connections", name)
    problems += _dangling(file, connections, path, written)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Configuration(connections, file.survivorship, file.alerts)


OWN = frozenset({"like", "auth", "sandbox"})
"""What no connection takes over from the one that it is like: where it is, and how it proves who it is."""


def _like_another(file: _File, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The fields, and for what they leave out those of the connection named under `like`, which stands on its own; None
    if there is no such one."""
    if "like" not in fields:
        return fields
    model = file.connections.get(str(fields["like"]))
    if model is None or "like" in model:
        return None
    taken = {name: value for name, value in model.items() if name not in OWN}
    return {**taken, **{name: value for name, value in fields.items() if name != "like"}}


def _dangling(file: _File, connections: Mapping[str, Connection], path: Path, written: YamlFile) -> list[str]:
    """References to connections that do not exist."""
    problems = []
    for place, what in _unwatchable(file.alerts, connections):
        problems.append(f"{path}:{written.line(place)}: {'.'.join(str(part) for part in place)}: {what}")
    for name, connection in connections.items():
        account = connection.settings.brightpearl
        named = _like_another(file, file.connections.get(account, {})) if account is not None else None
        if account is not None and (named or {}).get("system") != "brightpearl":
            line = written.line(("connections", name, "brightpearl"))
            problems.append(f"{path}:{line}: connections.{name}.brightpearl: {account!r} is no Brightpearl connection")
    for entity, rules in file.survivorship.items():
        for name, ranked in rules.items():
            for unknown in sorted(set(ranked) - file.connections.keys() - SYSTEMS.keys()):
                line = written.line(("survivorship", entity, name))
                problems.append(
                    f"{path}:{line}: survivorship.{entity}.{name}: there is no connection or system {unknown!r}"
                )
    return problems


def _unwatchable(alerts: AlertSettings, connections: Mapping[str, Connection]) -> Iterator[tuple[Location, str]]:
    """What alerts and budgets name and nobody has: (place in the file, what is wrong)."""
    systems = [connection.system for connection in connections.values()]
    read = {stream.entity for system in systems for stream in system.streams}
    entities = read | {target.entity for system in systems for target in system.targets}
    yield from alerts.problems(connections, entities)
    for name, connection in connections.items():
        yield from freshness_problems(name, connection.settings, budgets.names(connection.system))
