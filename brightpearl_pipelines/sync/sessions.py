"""Opens a connection: where it is, how it proves who it is, which limits apply. Each system knows its own ways."""

from typing import TYPE_CHECKING, Any, Protocol

import httpx

from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http.client import tls_context
from brightpearl_pipelines.systems.contract import Session

if TYPE_CHECKING:
    from brightpearl_pipelines.configuration import Connection
    from brightpearl_pipelines.sync.engine import Engine


class Connector(Protocol):
    """How an engine gets a session; the simulation brings its own."""

    async def __call__(self, engine: "Engine", connection: "Connection") -> Session: ...


async def connect(engine: "Engine", connection: "Connection", *, sandbox_url: str | None = None) -> Session:
    """A session over the network. A sandbox connection asks its emulator for credentials, the others the environment.

    `sandbox_url`: where the emulator is, if not at the port that the configuration says. Raises ConfigurationError for
    a missing secret or an emulator that is not running.
    """
    credentials = (
        await _sandbox_credentials(connection, sandbox_url or connection.sandbox_url)
        if connection.settings.sandbox
        else None
    )
    api, facts = connection.system.connect(
        connection=connection.name,
        settings=connection.settings,
        credentials=credentials,
        store=engine.store,
        clock=engine.clock,
        lane=engine.lane,
        run=engine.run,
    )
    return Session(connection.name, connection.settings, api, engine.clock, facts)


async def _sandbox_credentials(connection: "Connection", base: str) -> dict[str, Any]:
    url = f"{base}/_sandbox/credentials"
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False, verify=tls_context()) as client:
            answer = await client.get(url)
            answer.raise_for_status()
    except httpx.HTTPError as error:
        raise ConfigurationError(
            f"connection {connection.name} points at the sandbox, but no emulator answers at {base} "
            f"({type(error).__name__}). Start it with `bpp sandbox serve` or `make run`, set BPP_SANDBOX_BASE_PORT to "
            f"the base port it uses, or give the connection `auth:` in connections.yaml instead of `sandbox: true`"
        ) from error
    found: dict[str, Any] = answer.json()
    return found
