"""`bpp doctor`: what is right, what is not, and what to do about it."""

import asyncio
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from brightpearl_pipelines.commands import common
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.doctor import Finding, State, examine
from brightpearl_pipelines.webhooks.keeping import public_url

STYLES = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Check the configuration, the database and every connection. Exit 1: something does not work."""
    findings = asyncio.run(examine(public_url()))
    counts = Counter(finding.state for finding in findings)
    if as_json:
        common.print_json({"findings": findings, "counts": {state.value: counts[state] for state in State}})
    else:
        _show(common.out(), findings)
    raise typer.Exit(Exit.FAILURE if counts[State.FAIL] else Exit.OK)


def _show(console: Console, findings: list[Finding]) -> None:
    made = common.table("", "connection", "check", "what", "what to do")
    for each in findings:
        state = Text(each.state.value, style=STYLES[each.state])
        made.add_row(state, each.connection or "", each.check, each.what, each.todo)
    console.print(made)
    counts = Counter(finding.state for finding in findings)
    console.print(", ".join(f"{counts[state]} {state.value}" for state in State))
