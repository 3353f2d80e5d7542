"""`bpp webhooks`: the receiver, and the subscriptions that make the systems call it."""

import asyncio
import logging
from typing import Annotated

import typer

from brightpearl_pipelines.commands import common
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.configuration import Configuration
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.sync.engine import Engine
from brightpearl_pipelines.webhooks.keeping import PUBLIC_URL, public_url
from brightpearl_pipelines.webhooks.serve import serve as serve_receiver
from brightpearl_pipelines.webhooks.subscriptions import Done, SubscriptionReport, ensure_subscriptions

app = typer.Typer(no_args_is_help=True, help="The receiver of webhooks, and the subscriptions that call it.")


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Where to listen; BPP_WEBHOOK_PORT, else 8990.")] = None,
    dagster_url: Annotated[
        str | None,
        typer.Option(envvar="BPP_DAGSTER_URL", help="Dagster's address: runs start at once, not at the sensor's tick."),
    ] = None,
) -> None:
    """Receive webhooks until stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Its log lines quote addresses, and an address may bear a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with common.configured_store("bpp webhooks") as (configuration, store):
        serve_receiver(store, configuration, port=port, dagster_url=dagster_url)


@app.command()
def ensure(
    url: Annotated[
        str | None, typer.Option("--public-url", help=f"Where the receiver is reached from outside; {PUBLIC_URL}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Create, verify and repair the subscriptions. Exit 1: one of them cannot be had."""
    with common.configured_store("bpp webhooks") as (configuration, store):
        reports = asyncio.run(subscribe(configuration, store, url or public_url()))
    if as_json:
        common.print_json({"subscriptions": reports})
    else:
        made = common.table("connection", "topic", "", "since")
        for each in reports:
            style = "red" if each.done is Done.FAILED else ""
            made.add_row(each.connection, each.topic, each.done.value, each.reason, style=style)
        common.out().print(made)
    raise typer.Exit(Exit.FAILURE if any(each.done is Done.FAILED for each in reports) else Exit.OK)


async def subscribe(configuration: Configuration, store: Store, url: str) -> list[SubscriptionReport]:
    """Bring all subscriptions in order. Raises ConfigurationError."""
    async with Engine(store, configuration, run=store.run) as engine:
        return await ensure_subscriptions(engine, url)
