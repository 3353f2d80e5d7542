"""Serving emulators over real HTTP on loopback, with their timers going."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import httpx
import uvicorn

from brightpearl_pipelines.sandbox.kernel import ConnectionCutError, Emulator

HOST = "127.0.0.1"
GRACE_SECONDS = 2
WEBHOOK_TIMEOUT_SECONDS = 10.0


class PortTakenError(Exception):
    """`port` cannot be listened on: somebody else does, or this user may not."""

    def __init__(self, port: int, error: OSError) -> None:
        taken = error.errno == errno.EADDRINUSE
        super().__init__(f"Port {port} is taken by another program" if taken else f"Port {port}: {error.strerror}")
        self.port = port


def bind(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 takes any free one. Raises PortTakenError."""
    # With the protocol named, asyncio switches Nagle's delay off; without, each answer takes 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise PortTakenError(port, error) from error
    return listening


def address_of(listening: socket.socket) -> str:
    """The base URL that a listening socket answers at."""
    return f"http://{HOST}:{listening.getsockname()[1]}"


class _Server(uvicorn.Server):
    """A server that leaves signals to its host."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _is_no_injected_cut(record: logging.LogRecord) -> bool:
    """A connection that a fault rule cut on purpose is no news for the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], ConnectionCutError))


def _server(emulator: Emulator) -> _Server:
    logging.getLogger("uvicorn.error").addFilter(_is_no_injected_cut)
    config = uvicorn.Config(
        emulator.app(),
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return _Server(config)


async def _started(server: _Server, serving: "asyncio.Task[None]") -> None:
    while not server.started:
        if serving.done():
            await serving
            raise RuntimeError("the server ended before it had started")
        await asyncio.sleep(0.005)


@asynccontextmanager
async def hosted(places: Sequence[tuple[Emulator, socket.socket]]) -> AsyncIterator["list[asyncio.Task[None]]"]:
    """Serve each emulator on its socket; yields, once all accept connections, the tasks that must not end before.

    Sets `webhook_client` of all to one client. `base_url` must be set before, since credentials carry it.
    """
    servers = [_server(emulator) for emulator, _ in places]
    async with httpx.AsyncClient(timeout=WEBHOOK_TIMEOUT_SECONDS, trust_env=False) as client:
        for emulator, _ in places:
            emulator.webhook_client = client
        serving = [
            asyncio.create_task(server.serve(sockets=[listening]), name=f"serve {emulator.name}")
            for server, (emulator, listening) in zip(servers, places, strict=True)
        ]
        timers = [asyncio.create_task(emulator.run_timers(), name=f"timers {emulator.name}") for emulator, _ in places]
        try:
            for server, task in zip(servers, serving, strict=True):
                await _started(server, task)
            yield [*serving, *timers]
        finally:
            for task in timers:
                task.cancel()
            for server in servers:
                server.should_exit = True
            ended = await asyncio.gather(*timers, *serving, return_exceptions=True)
            failures = [outcome for outcome in ended if isinstance(outcome, Exception)]
            if failures:
                raise failures[0]
