"""Which sandboxes the connections of a configuration point at, and how each is served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from brightpearl_pipelines.configuration import SANDBOX_PORTS, Configuration, Connection, sandbox_base_port
from brightpearl_pipelines.errors import ConfigurationError

BETWEEN_SANDBOXES = 10
"""Ports from one sandbox to the next, in what is suggested."""


@dataclass(frozen=True)
class SandboxPlan:
    """One sandbox: an emulator of each of these systems, all in one currency."""

    base_port: int
    systems: Sequence[str]
    currency: str | None
    own_port: bool
    """True where connections.yaml names the base port, not the environment."""

    @property
    def name(self) -> str:
        return f"sandbox-{self.base_port}" if self.own_port else "sandbox"

    @property
    def ports(self) -> Mapping[str, int]:
        """By system."""
        return {system: self.base_port + SANDBOX_PORTS[system] for system in self.systems}

    @property
    def port_setting(self) -> str:
        """What a person changes to move it."""
        return "`sandbox` in connections.yaml" if self.own_port else "BPP_SANDBOX_BASE_PORT"

    def arguments(self, data: Path, rate: float, orders: Path | None) -> list[str]:
        """Those of `bpp sandbox serve`; real order lines fill only the sandbox of the environment."""
        given = ["--data", str(data / self.name), "--rate", f"{rate:g}"]
        given += ["--base-port", str(self.base_port), "--only", ",".join(self.systems)]
        given += ["--currency", self.currency] if self.currency else []
        return given + (["--orders", str(orders)] if orders and not self.own_port else [])


def sandboxes(configuration: Configuration) -> list[SandboxPlan]:
    """The sandboxes that connections point at, that of the environment first.

    Raises ConfigurationError where two connections would share an emulator: each is one account or one store.
    """
    by_base: dict[int, list[Connection]] = {}
    for connection in configuration.connections.values():
        if connection.settings.sandbox:
            by_base.setdefault(connection.sandbox_base, []).append(connection)
    usual = sandbox_base_port()
    in_order = sorted(by_base, key=lambda base: (base != usual, base))
    return [_plan(base, by_base[base], configuration) for base in in_order]


def _plan(base: int, connections: Sequence[Connection], configuration: Configuration) -> SandboxPlan:
    systems = [connection.system.name for connection in connections]
    for connection in connections:
        if systems.count(connection.system.name) > 1:
            raise ConfigurationError(
                f"connection {connection.name} is not the only one of {connection.system.name} in the sandbox at port "
                f"{base}: give each a sandbox of its own, e.g. `sandbox: {base + BETWEEN_SANDBOXES}`"
            )
    account = configuration.connection(connections[0].settings.brightpearl or connections[0].name)
    currency = getattr(account.settings, "base_currency", None)
    return SandboxPlan(
        base, sorted(systems, key=list(SANDBOX_PORTS).index), currency, own_port=base != sandbox_base_port()
    )
