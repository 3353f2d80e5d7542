"""`bpp run`, behind `make run`: everything started, a first full sync, and all of it stopped again by Ctrl-C."""

import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from brightpearl_pipelines.commands import common, sync, webhooks
from brightpearl_pipelines.commands.children import Child, ChildDiedError, Service
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.commands.sandboxes import SandboxPlan, sandboxes
from brightpearl_pipelines.configuration import (
    Configuration,
    configuration_path,
    load_configuration,
)
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http.errors import ApiError
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.embedded import data_dir, open_store, stop_embedded
from brightpearl_pipelines.sync.engine import BusyError
from brightpearl_pipelines.sync.scope import Reach, Scope
from brightpearl_pipelines.webhooks.keeping import public_url
from brightpearl_pipelines.webhooks.serve import HOST, webhook_port
from brightpearl_pipelines.webhooks.subscriptions import Done, SubscriptionReport

DAGSTER_PORT = "BPP_DAGSTER_PORT"
DEFAULT_DAGSTER_PORT = 3000
SANDBOX_RATE = "BPP_SANDBOX_RATE"
DEFAULT_SANDBOX_RATE = 12.0
"""Events a minute: enough to see things move, few enough for the limits of one account."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Plan:
    """What is to be started, as the environment says."""

    configuration: Configuration
    data: Path
    sandboxes: Sequence[SandboxPlan]
    """None when every connection is a real account."""
    webhook_port: int
    dagster_port: int
    rate: float
    orders: Path | None

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def dagster_url(self) -> str:
        return f"http://{HOST}:{self.dagster_port}"


def run() -> None:
    """Start the sandbox, the webhook receiver and Dagster, do a first full sync, and stay until Ctrl-C."""
    plan = plan_of_environment()
    check_ports(plan)
    raise typer.Exit(asyncio.run(_supervised(plan, common.out())))


# -- before anything is started -----------------------------------------------------------------------------------


def plan_of_environment() -> Plan:
    """Raises ConfigurationError for a setting that cannot be."""
    configuration = load_configuration()
    orders = Path(os.environ["ORDERS"]).absolute() if os.environ.get("ORDERS") else None
    if orders is not None and not orders.is_file():
        raise ConfigurationError(f"ORDERS names {orders}, which is no file")
    return Plan(
        configuration,
        data_dir(),
        sandboxes(configuration),
        webhook_port(),
        _port(DAGSTER_PORT, DEFAULT_DAGSTER_PORT),
        _number(SANDBOX_RATE, DEFAULT_SANDBOX_RATE),
        orders,
    )


def _port(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigurationError(f"{name} is {text!r}; it must be a port number, e.g. {default}")
    return int(text)


def _number(name: str, default: float) -> float:
    text = os.environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigurationError(f"{name} is {text!r}; it must be a number of events a minute, e.g. {default:g}")
    return value


def check_ports(plan: Plan) -> None:
    """Raises ConfigurationError that names every port that cannot be had, and the setting that changes it."""
    wanted = [
        (port, f"the sandbox's {system}", sandbox.port_setting)
        for sandbox in plan.sandboxes
        for system, port in sandbox.ports.items()
    ]
    wanted.append((plan.webhook_port, "the webhook receiver", "BPP_WEBHOOK_PORT"))
    wanted.append((plan.dagster_port, "the Dagster UI", DAGSTER_PORT))
    problems: list[str] = []
    for number, (port, what, setting) in enumerate(wanted):
        rival = next((other for taken, other, _ in wanted[:number] if taken == port), None)
        if rival is not None:
            problems.append(f"port {port} is meant for {rival} and for {what}: set {setting} to another one")
        elif (trouble := _trouble(port)) is not None:
            problems.append(f"port {port}, for {what}, {trouble}: end that program, or set {setting} to another one")
    if problems:
        hint = "Perhaps an earlier `make run` is still running in another terminal."
        raise ConfigurationError("\n".join([*problems, hint]))


def _trouble(port: int) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            return "is not allowed to this user"
        except OSError:
            return "is taken by another program"
    return None


# -- what is started ----------------------------------------------------------------------------------------------


def services(plan: Plan) -> list[Service]:
    """The children, in the order of their start."""
    workspace = _project_file("workspace.yaml")
    home = plan.data / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_project_file("dagster.yaml"), home / "dagster.yaml")
    environment = {
        **os.environ,
        "BPP_DATA_DIR": str(plan.data),
        "BPP_CONNECTIONS": str(configuration_path().absolute()),
        "BPP_DAGSTER_URL": plan.dagster_url,
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PYTHONUNBUFFERED": "1",
    }
    bpp = [sys.executable, "-m", "brightpearl_pipelines.cli"]
    health = f"http://{HOST}:{plan.webhook_port}/health"
    receiver = Service("webhooks", [*bpp, "webhooks", "serve"], [health], workspace.parent, environment)
    dagster = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-h", HOST, "-p", str(plan.dagster_port)]
    watch = Service("watch", [*bpp, "watch"], [], workspace.parent, environment)
    ui = Service("dagster", dagster, [f"{plan.dagster_url}/server_info"], workspace.parent, environment)
    served = [
        Service(
            sandbox.name,
            [*bpp, "sandbox", "serve", *sandbox.arguments(plan.data, plan.rate, plan.orders)],
            [f"http://{HOST}:{port}/_sandbox/state" for port in sandbox.ports.values()],
            workspace.parent,
            environment,
            keep_output=False,
        )
        for sandbox in plan.sandboxes
    ]
    return [*served, receiver, watch, ui]


def _project_file(name: str) -> Path:
    """A file of the project: in the current folder, or beside the package. Raises ConfigurationError."""
    for folder in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (folder / name).is_file():
            return folder / name
    raise ConfigurationError(
        f"{name} is neither in this folder nor beside the package; start from the project's folder"
    )


# -- from the start to the end ------------------------------------------------------------------------------------


async def _supervised(plan: Plan, console: Console) -> Exit:
    """Everything from the start to the end. Raises ConfigurationError."""
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console.print(f"Starting; everything is kept in {plan.data}.")
    plan.logs.mkdir(parents=True, exist_ok=True)
    try:
        with open_store(run="bpp run") as store:
            console.print("  the database answers")
            async with _children(plan, console) as children:
                await _until_stopped(_work(plan, store, children, console), children, stop)
    except ChildDiedError as error:
        common.err().print(str(error), style="red", soft_wrap=True)
        return Exit.FAILURE
    finally:
        if not os.environ.get("DATABASE_URL"):
            stop_embedded()
            console.print("  the database has stopped")
    console.print("Stopped. `make run` goes on from here.")
    return Exit.OK


@asynccontextmanager
async def _children(plan: Plan, console: Console) -> AsyncIterator[list[Child]]:
    children: list[Child] = []
    try:
        for service in services(plan):
            children.append(await Child.start(service, plan.logs))
        yield children
    finally:
        console.print("Stopping …")
        # The last first: runs of Dagster that are under way end while the systems still answer them.
        for child in reversed(children):
            await child.stop()
            console.print(f"  {child.service.name} has stopped")


async def _until_stopped(work: Coroutine[Any, Any, None], children: list[Child], stop: asyncio.Event) -> None:
    """Do `work`, then stay, until `stop`. Raises what the work raises, and ChildDiedError."""
    working = asyncio.create_task(work, name="first sync")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    deaths = [asyncio.create_task(child.died(), name=f"watch {child.service.name}") for child in children]
    waiting = {working, stopped, *deaths}
    try:
        while not stopped.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in (working, stopped, *deaths):
            task.cancel()
        await asyncio.gather(working, stopped, *deaths, return_exceptions=True)


async def _work(plan: Plan, store: Store, children: list[Child], console: Console) -> None:
    await asyncio.gather(*(_ready(child, console) for child in children))
    _tell_sandbox(plan, console)
    try:
        reports = await webhooks.subscribe(plan.configuration, store, public_url())
        _tell_subscriptions(reports, console)
        console.print("First full sync …")
        order = sync.Order(Scope(reach=Reach.EVERYTHING))
        sync.show(console, await sync.perform(plan.configuration, store, order), dry_run=False)
    except (ApiError, BusyError) as error:
        # The sweeps try again by themselves; what is started is of use meanwhile.
        common.err().print(f"The first sync stopped: {error}", style="red", soft_wrap=True)
    _tell_addresses(plan, console)


async def _ready(child: Child, console: Console) -> None:
    await child.ready()
    console.print(f"  {child.service.name} answers")


# -- what is told -------------------------------------------------------------------------------------------------


def _tell_sandbox(plan: Plan, console: Console) -> None:
    """What the loader of real order lines said: its summary; each line that has no place is in the log."""
    log = plan.logs / "sandbox.log"
    if not plan.sandboxes or not log.exists():
        return
    lines = log.read_text(errors="replace").splitlines()
    for line in lines:
        if not line.startswith("Line "):
            console.print(f"  sandbox: {line}", soft_wrap=True)
    if unplaced := sum(line.startswith("Line ") for line in lines):
        console.print(f"  sandbox: {unplaced} lines could not be placed; each with its reason in {log}")


def _tell_subscriptions(reports: list[SubscriptionReport], console: Console) -> None:
    failed = [report for report in reports if report.done is Done.FAILED]
    console.print(f"  {len(reports) - len(failed)} webhook subscriptions in order")
    for report in failed:
        what = f"  {report.connection}: no webhook {report.topic}: {report.reason}; the sweeps still find what changed"
        console.print(what, style="yellow", soft_wrap=True)


def _tell_addresses(plan: Plan, console: Console) -> None:
    made = common.table("what", "where")
    made.add_row("Dagster UI", plan.dagster_url)
    for connection in plan.configuration.connections.values():
        if connection.settings.sandbox:
            made.add_row(f"{connection.name} emulator", f"{connection.sandbox_url}/_sandbox/state")
    made.add_row("webhook receiver", f"http://{HOST}:{plan.webhook_port}/health")
    made.add_row("logs", str(plan.logs))
    console.print(made)
    console.print("Ctrl-C stops everything.")
