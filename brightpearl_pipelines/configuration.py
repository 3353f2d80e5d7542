"""Reads `connections.yaml`: which accounts there are, what their codes mean, where their secrets are found.

Nothing is fetched here and no secret is read before it is needed: definitions load with an empty environment.
Each system says for itself, in `systems/<name>/settings.py`, what may be configured about a connection of it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.systems import SYSTEMS, System
from brightpearl_pipelines.systems.contract import Settings

SANDBOX_PORTS = {"brightpearl": 1, "bigcommerce": 2, "salesforce": 3, "dynamics": 4, "syspro": 5}
"""What each system's emulator adds to the sandbox's base port."""

Ranking = Mapping[str, tuple[str, ...]]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    connections: dict[str, dict[str, Any]]
    survivorship: dict[str, dict[str, tuple[str, ...]]] = {}


@dataclass(frozen=True)
class Connection:
    """One configured account."""

    name: str
    system: System
    settings: Settings

    @property
    def sandbox_url(self) -> str:
        """Where this connection's emulator listens."""
        port = sandbox_base_port() + SANDBOX_PORTS[self.system.name]
        return f"http://127.0.0.1:{port}"


@dataclass(frozen=True)
class Configuration:
    """All connections, and whose word counts per entity and field."""

    connections: Mapping[str, Connection]
    survivorship: Mapping[str, Ranking]

    def connection(self, name: str) -> Connection:
        """The connection of that name; ConfigurationError, naming those that exist, if there is none."""
        try:
            return self.connections[name]
        except KeyError:
            known = ", ".join(self.connections)
            raise ConfigurationError(f"there is no connection {name!r}; connections.yaml has: {known}") from None

    def ranking(self, entity: str, field: str) -> tuple[str, ...]:
        """The connections in order of authority for a field, most trusted first; empty when nothing was said."""
        rules = self.survivorship.get(entity, {})
        return rules.get(field) or rules.get("*") or ()

    def shops_of(self, account: str) -> list[Connection]:
        """The connections that are kept in step with one Brightpearl account."""
        return [each for each in self.connections.values() if each.settings.brightpearl == account]

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
    text = path.read_text()
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from error
    problems: list[str] = []

    def report(error: ValidationError, *prefix: str) -> None:
        for each in error.errors():
            place = (*prefix, *each["loc"])
            where = ".".join(str(part) for part in place)
            found = f" (found {each['input']!r})" if each["type"] not in ("missing", "extra_forbidden") else ""
            problems.append(f"{path}:{_line(node, place)}: {where}: {each['msg']}{found}")

    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        report(error)
        raise ConfigurationError("\n".join(problems)) from None
    connections: dict[str, Connection] = {}
    for name, fields in file.connections.items():
        system = SYSTEMS.get(str(fields.get("system")))
        if system is None:
            known = ", ".join(SYSTEMS)
            line = _line(node, ("connections", name, "system"))
            problems.append(f"{path}:{line}: connections.{name}.system: {fields.get('system')!r} is none of: {known}")
            continue
        try:
            connections[name] = Connection(name, system, system.settings.model_validate(fields))
        except ValidationError as error:
            report(error, "connections", name)
    problems += _dangling(connections, file.survivorship, path, node)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Configuration(connections, file.survivorship)


def _dangling(
    connections: Mapping[str, Connection],
    survivorship: Mapping[str, Ranking],
    path: Path,
    node: yaml.Node | None,
) -> list[str]:
    """References to connections that do not exist."""
    problems = []
    for name, connection in connections.items():
        account = connection.settings.brightpearl
        if account is not None and (account not in connections or connections[account].system.name != "brightpearl"):
            line = _line(node, ("connections", name, "brightpearl"))
            problems.append(f"{path}:{line}: connections.{name}.brightpearl: {account!r} is no Brightpearl connection")
    for entity, rules in survivorship.items():
        for field, ranked in rules.items():
            for unknown in set(ranked) - set(connections):
                line = _line(node, ("survivorship", entity, field))
                problems.append(f"{path}:{line}: survivorship.{entity}.{field}: there is no connection {unknown!r}")
    return problems


def _line(node: yaml.Node | None, place: tuple[str | int, ...]) -> int:
    """The line of a place in the file, or of the nearest thing around it that the file has."""
    line = node.start_mark.line + 1 if node else 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
