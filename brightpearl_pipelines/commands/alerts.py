"""`bpp alerts` and `bpp watch`: what is wrong now, who was told, whether the channels work, and the watch itself."""

import asyncio
import logging
import signal
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from brightpearl_pipelines.alerts import channels, watch
from brightpearl_pipelines.alerts.channels import ChannelError
from brightpearl_pipelines.alerts.conditions import WATCH
from brightpearl_pipelines.alerts.freshness import RESUMED, measure
from brightpearl_pipelines.alerts.settings import AlertSettings
from brightpearl_pipelines.alerts.words import span
from brightpearl_pipelines.clock import SystemClock
from brightpearl_pipelines.commands import common
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.configuration import Configuration, load_configuration
from brightpearl_pipelines.store import alerts
from brightpearl_pipelines.store.alerts import Alert, Backlog, Message, Raised, Severity, What
from brightpearl_pipelines.store.database import Store

STYLES = {Severity.INFO: "", Severity.WARNING: "yellow", Severity.ERROR: "red", Severity.CRITICAL: "bold red"}
SECONDS_BETWEEN_LOOKS = 15.0

app = typer.Typer(no_args_is_help=True, help="What is wrong now, and who is told of it.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_alerts(
    closed: Annotated[int, typer.Option(min=0, help="Show so many of those that are over, too.")] = 0,
    as_json: AsJson = False,
) -> None:
    """What is wrong now, and what a channel has not taken yet. Exit 3: an alert is open; 1: a channel fails."""
    with common.configured_store("bpp alerts") as (_, store), store.transaction() as tx:
        raised = alerts.open_alerts(tx)
        over = alerts.closed_alerts(tx, closed) if closed else []
        waiting = alerts.backlog(tx)
    if as_json:
        common.print_json({"open": raised, "closed": over, "unsent": waiting})
    else:
        _show(common.out(), [*raised, *over], waiting)
    failing = any(each.error for each in waiting)
    raise typer.Exit(Exit.FAILURE if failing else Exit.HELD if raised else Exit.OK)


@app.command()
def test(
    channel: Annotated[str | None, typer.Option(help="Only this channel of connections.yaml.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a test message on every channel, at once. Exit 1: a channel has not taken it."""
    settings = load_configuration().alerts
    if channel is not None and channel not in settings.channels:
        known = ", ".join(settings.channels)
        raise typer.BadParameter(f"there is no channel {channel!r}; there are: {known}", param_hint="--channel")
    _log_to_stderr()
    told = {name: _tried(settings, name) for name in settings.channels if channel in (None, name)}
    if as_json:
        common.print_json({"channels": [{"channel": name, "error": error} for name, error in told.items()]})
    else:
        made = common.table("channel", "kind", "")
        for name, error in told.items():
            kind = settings.channels[name].kind
            made.add_row(name, kind, Text(error or "taken", style="red" if error else "green"))
        common.out().print(made)
    raise typer.Exit(Exit.FAILURE if any(told.values()) else Exit.OK)


@app.command()
def budgets(as_json: AsJson = False) -> None:
    """How old each stream and flow is, and how old it may be. Exit 3: one is over its budget."""
    with common.configured_store("bpp alerts") as (configuration, store), store.transaction() as tx:
        found = measure(tx, configuration, alerts.beats(tx).get(RESUMED))
    if as_json:
        rows = [
            {
                "kind": each.budget.kind,
                "connection": each.budget.connection,
                "name": each.budget.name,
                "since": each.since,
                "age_seconds": int(each.age.total_seconds()),
                "allowed_seconds": int(each.budget.allowed.total_seconds()),
                "waiting": each.waiting,
                "over": each.over,
            }
            for each in found
        ]
        common.print_json({"budgets": rows})
    else:
        figures = ("age", "allowed", "waiting")
        made = common.table("connection", "", "name", *figures, numbers=figures)
        for each in found:
            age = "never" if each.never else span(each.age) if each.since else "·"
            row = (each.budget.connection, each.budget.kind.replace("_", " "), each.budget.name)
            style = "red" if each.over else ""
            made.add_row(*row, age, span(each.budget.allowed), str(each.waiting or "·"), style=style)
        common.out().print(made)
    raise typer.Exit(Exit.HELD if any(each.over for each in found) else Exit.OK)


@app.command()
def close(id: Annotated[int, typer.Argument(help="The alert's id.")]) -> None:
    """Close an alert by hand. It opens anew when its trouble is met again."""
    try:
        with common.configured_store("bpp alerts") as (_, store), store.transaction() as tx:
            alerts.close(tx, id)
    except LookupError as error:
        common.err().print(str(error), style="red")
        raise typer.Exit(Exit.FAILURE) from error
    common.out().print(f"Alert {id} is closed.")


def watch_command(
    once: Annotated[bool, typer.Option("--once", help="Look once and end: for a cron job.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks.")] = SECONDS_BETWEEN_LOOKS,
) -> None:
    """Keep watch until stopped: notices over-age, failures and silence, even when Dagster is dead, and tells people.

    With --once, exit 3: an alert is open.
    """
    _log_to_stderr()
    with common.configured_store("bpp watch") as (configuration, store):
        if not once:
            asyncio.run(_until_stopped(store, configuration, every))
            return
        watch.look(store, configuration)
        with store.transaction() as tx:
            raised = alerts.open_alerts(tx)
    raise typer.Exit(Exit.HELD if raised else Exit.OK)


async def _until_stopped(store: Store, configuration: Configuration, every: float) -> None:
    watching = asyncio.create_task(watch.keep_watch(store, configuration, SystemClock(), WATCH, every))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
    try:
        await watching
    except asyncio.CancelledError:
        return


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Its log lines quote addresses, and the address of a webhook is a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _tried(settings: AlertSettings, name: str) -> str | None:
    now = datetime.now(UTC)
    alert = Alert(
        key="test",
        kind="test",
        severity=Severity.INFO,
        title="This is a test of the alerts of brightpearl_pipelines",
        todo="Nothing: somebody ran `bpp alerts test`.",
        look=("bpp alerts list",),
    )
    try:
        channels.send(settings.channels[name], [Message(0, What.OPENED, 0, Raised(0, alert, now, now, None, None))])
    except ChannelError as error:
        return str(error)
    return None


def _show(console: Console, raised: list[Raised], waiting: list[Backlog]) -> None:
    if not raised:
        console.print("No alert is open.")
    else:
        made = common.table("id", "severity", "since (UTC)", "what", "what to do")
        for each in raised:
            alert = each.alert
            state = "over" if each.closed_at else "going" if each.cleared_at else alert.severity.value
            severity = Text(state, style="" if each.closed_at or each.cleared_at else STYLES[alert.severity])
            made.add_row(str(each.id), severity, common.when(alert.since), alert.title, alert.todo)
        console.print(made)
    for channel in waiting:
        style = "red" if channel.error else "yellow"
        said = f": {channel.error}" if channel.error else ""
        what = f"channel {channel.channel}: {channel.messages} not taken since {common.when(channel.since)}{said}"
        console.print(what, style=style, soft_wrap=True)
