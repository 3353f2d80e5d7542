"""Serves the receiver on loopback: a proxy or tunnel in front of it brings HTTPS and the world."""

import asyncio
import logging
import os
import socket

import uvicorn
from starlette.types import ASGIApp

from brightpearl_pipelines.clock import Clock, SystemClock
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.webhooks.app import build_app
from brightpearl_pipelines.webhooks.heartbeat import beat, returned
from brightpearl_pipelines.webhooks.launch import Launcher

HOST = "127.0.0.1"
DEFAULT_PORT = 8990
GRACE_SECONDS = 3


def webhook_port() -> int:
    """BPP_WEBHOOK_PORT, 8990 by default."""
    text = os.environ.get("BPP_WEBHOOK_PORT") or str(DEFAULT_PORT)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigurationError(f"BPP_WEBHOOK_PORT is {text!r}; it must be a port number, e.g. {DEFAULT_PORT}")
    return int(text)


def listen(port: int) -> socket.socket:
    """A socket that listens on loopback; port 0 takes any free one. ConfigurationError when it cannot be had."""
    # With the protocol named, asyncio switches Nagle's delay off; without, each answer takes 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"the webhook receiver cannot listen on port {port} ({error.strerror}); end the program that does, "
            f"or set BPP_WEBHOOK_PORT to another port"
        ) from error
    return listening


def server_of(app: ASGIApp) -> uvicorn.Server:
    """The server as it is run: without an access log, since the addresses of calls bear secrets."""
    # uvicorn's own switch only takes the handlers away: any that is added to the logger later would bring the log back.
    logging.getLogger("uvicorn.access").disabled = True
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


def serve(
    store: Store,
    configuration: Configuration,
    *,
    port: int | None = None,
    dagster_url: str | None = None,
    clock: Clock | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. `port`: by default `webhook_port()`.

    `dagster_url`: where runs are launched as events arrive; without it only the sensor looks. Raises ConfigurationError
    when the port is taken.
    """
    clock = clock or SystemClock()
    listening = listen(webhook_port() if port is None else port)

    async def run() -> None:
        beating = asyncio.create_task(beat(store, clock), name="heartbeat")
        try:
            await answer()
        finally:
            beating.cancel()
            await asyncio.wait([beating])

    async def answer() -> None:
        if dagster_url is None:
            await server_of(build_app(store, configuration, clock=clock)).serve(sockets=[listening])
            return
        async with Launcher(dagster_url, clock=clock, configuration=configuration) as launcher:
            app = build_app(store, configuration, clock=clock, on_event=launcher.notice)
            await server_of(app).serve(sockets=[listening])

    with listening:
        returned(store, configuration)
        try:
            asyncio.run(run())
        except KeyboardInterrupt:
            # uvicorn has ended in order already and only hands the signal on.
            return
