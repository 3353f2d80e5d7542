"""What the commands share: where they print, how they open the engine, how they name things, how they end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID

import typer
from rich.console import Console, ConsoleDimensions
from rich.table import Table

from brightpearl_pipelines.configuration import Configuration, load_configuration
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.store.embedded import open_store
from brightpearl_pipelines.sync.run import steps

PIPE_WIDTH = 200
"""Columns where there is no terminal to ask: wide enough that no figure of a table is cut."""


class Exit(IntEnum):
    """How a command ends."""

    OK = 0
    FAILURE = 1
    SETUP = 2
    """The configuration or the command line is wrong; nothing was done."""
    HELD = 3
    """Done, but something waits for a person."""


def out() -> Console:
    """Where results go."""
    return _console(stderr=False)


def err() -> Console:
    """Where everything goes that is not the result."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    # Records hold brackets and colons of their own: nothing that is printed is markup.
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.size = ConsoleDimensions(PIPE_WIDTH, console.size.height)
    return console


def table(*columns: str, numbers: tuple[str, ...] = (), title: str | None = None) -> Table:
    """An empty table; the columns in `numbers` are set to the right."""
    made = Table(title=title, title_justify="left")
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


def print_json(value: Any) -> None:
    """One JSON value on stdout: decimals, ids and instants as strings, dataclasses as objects."""
    typer.echo(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    match value:
        case Decimal() | UUID():
            return str(value)
        case datetime() | date():
            return value.isoformat()
        case set() | frozenset():
            return sorted(value)
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON value")


@contextmanager
def configured_store(run: str) -> Iterator[tuple[Configuration, Store]]:
    """The configuration and the store, closed at the end. Raises ConfigurationError when one of them is wrong."""
    configuration = load_configuration()
    with open_store(run=run) as store:
        yield configuration, store


def entity_name(given: str | None, configuration: Configuration) -> str | None:
    """The entity that a person means: plurals, and `inventory` for stock levels, are understood.

    Raises typer.BadParameter, naming the entities that exist.
    """
    if given is None:
        return None
    known = sorted({step.entity for step in steps(configuration)})
    name = given.strip().lower().replace("-", "_").replace(" ", "_")
    name = {"inventory": "stock_level", "stock": "stock_level"}.get(name, name)
    for candidate in (name, name.removesuffix("s")):
        if candidate in known:
            return candidate
    raise typer.BadParameter(f"{given!r} is no entity; there are: {', '.join(known)}", param_hint="--entity")


def instant(given: str | None) -> datetime | None:
    """An ISO date or instant; one without an offset is UTC. Raises typer.BadParameter."""
    if given is None:
        return None
    try:
        value = datetime.fromisoformat(given)
    except ValueError:
        message = f"{given!r} is no instant; write it like 2026-11-20 or 2026-11-20T09:30:00Z"
        raise typer.BadParameter(message, param_hint="--since") from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def when(value: datetime | None) -> str:
    """An instant for a person to read, in UTC; empty for None."""
    return "" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
