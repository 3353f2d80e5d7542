"""`bpp trace` and `bpp why`: what happened to an order, and how a record stands."""

from dataclasses import replace
from typing import Annotated

import typer

from brightpearl_pipelines.commands import common
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.privacy import shown_payload
from brightpearl_pipelines.sync import explain
from brightpearl_pipelines.sync.engine import Engine

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def trace(
    order: Annotated[str, typer.Argument(help="The order's number in the shop, or its id in Brightpearl.")],
    payloads: Annotated[
        bool, typer.Option("--payloads", help="Show what was read, sent and answered; what is personal is masked.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One order's path from the source event to every target write, with times. Exit 1: no such order is known."""
    with common.configured_store("bpp trace") as (configuration, store):
        events = [_shown(each, payloads=payloads) for each in explain.trace(Engine(store, configuration), order)]
    if as_json:
        common.print_json({"order": order, "events": events})
    elif events:
        made = common.table("at (UTC)", "where", "what", "detail")
        for event in events:
            made.add_row(common.when(event.at), event.where, event.what, event.detail)
        common.out().print(made)
        for event in events:
            if event.payload is not None:
                common.out().print(f"{common.when(event.at)} {event.where}: {event.what}", style="bold")
                common.out().print_json(data=event.payload, default=str)
    if not events:
        common.err().print(f"No order is known as {order}. Was it read? `bpp sync --entity order` reads now.")
        raise typer.Exit(Exit.FAILURE)


def _shown(event: explain.TraceEvent, *, payloads: bool) -> explain.TraceEvent:
    return replace(event, payload=shown_payload(event.payload) if payloads and event.payload else None)


def why(
    connection: Annotated[str, typer.Argument(help="A connection of connections.yaml.")],
    stream: Annotated[str, typer.Argument(help="One of its streams, e.g. orders.")],
    id: Annotated[str, typer.Argument(help="The record's id there.")],
    as_json: AsJson = False,
) -> None:
    """Why this record is or isn't in step. Exit 1: nothing is known of it."""
    with common.configured_store("bpp why") as (configuration, store):
        known = [each.name for each in configuration.connection(connection).system.streams]
        if stream not in known:
            raise typer.BadParameter(f"{connection} has no stream {stream!r}; it has: {', '.join(known)}")
        found = explain.why(Engine(store, configuration), connection, stream, id)
    if as_json:
        facts = {"connection": connection, "stream": stream, "id": id}
        common.print_json({**facts, "verdict": found.verdict, "sentences": found.sentences})
    else:
        common.out().print(found.verdict.replace("_", " "), style="bold")
        for sentence in found.sentences:
            common.out().print(f"  {sentence}", soft_wrap=True)
    if found.verdict == "unknown":
        raise typer.Exit(Exit.FAILURE)
