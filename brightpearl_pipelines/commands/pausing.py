"""`bpp pause` and `bpp resume`: a person holds all calls to a connection, and lets them go again."""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from brightpearl_pipelines.commands import common
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.store import budget

Connection = Annotated[str, typer.Argument(help="The connection, by its name in connections.yaml.")]


def pause(
    connection: Connection,
    reason: Annotated[str, typer.Option(help="Why; told wherever the pause is seen.")] = "",
) -> None:
    """Hold all calls to a connection until `bpp resume`; the others go on, and nothing is lost meanwhile."""
    with common.configured_store("bpp pause") as (configuration, store):
        configuration.connection(connection)
        why = f"by {getpass.getuser()} on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC" + (f": {reason}" if reason else "")
        with store.transaction() as tx:
            budget.pause_by_hand(tx, connection, reason=f"{why} (`bpp resume {connection}` lets it go on)")
    common.out().print(f"{connection} is paused {why}. What happens there meanwhile is read once it goes on.")


def resume(connection: Connection) -> None:
    """Let calls to a connection go again at once. Exit 0 too if it was not paused."""
    with common.configured_store("bpp resume") as (configuration, store):
        configuration.connection(connection)
        with store.transaction() as tx:
            before = budget.paused(tx).get(connection)
            budget.resume(tx, connection)
    was = "was not paused" if before is None else f"goes on; it was paused {before}"
    common.out().print(f"{connection} {was}.")
    raise typer.Exit(Exit.OK)
