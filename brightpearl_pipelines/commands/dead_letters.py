"""`bpp dead-letters`: what is held, why, and the three things a person can do: look, let it go again, give it up."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from brightpearl_pipelines.commands import common
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.store import dead_letters, deliveries
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.types import DeadLetter, DeliveryState

AT_A_TIME = 1000
Path = tuple[str | int, ...]

app = typer.Typer(no_args_is_help=True, help="What is held, why, and what to do about it.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_letters(
    connection: Annotated[str | None, typer.Option(help="Only of this connection.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only of this entity.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest trouble first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """What is held now."""
    with common.configured_store("bpp dead-letters") as (configuration, store), store.transaction() as tx:
        chosen = common.entity_name(entity, configuration)
        letters = dead_letters.open_letters(tx, connection=connection, entity=chosen, reason=reason, limit=limit)
        total = sum(
            count
            for its_connection, its_entity, its_reason, state, count in dead_letters.counts(tx)
            if state == "open"
            and connection in (None, its_connection)
            and chosen in (None, its_entity)
            and reason in (None, its_reason)
        )
    if as_json:
        common.print_json({"total": total, "dead_letters": [_brief(letter) for letter in letters]})
    else:
        _show_list(common.out(), letters, total)


@app.command()
def show(id: Annotated[int, typer.Argument(help="The dead letter's id.")], as_json: AsJson = False) -> None:
    """Everything about one: the sentence, the payload with the offending field marked, its history."""
    with common.configured_store("bpp dead-letters") as (_, store), store.transaction() as tx:
        letter = dead_letters.get(tx, id)
    if letter is None:
        common.err().print(f"There is no dead letter {id}.", style="red")
        raise typer.Exit(Exit.FAILURE)
    if as_json:
        common.print_json({**asdict(letter), "marked": [dotted(path) for path in offending(letter)]})
    else:
        _show_letter(common.out(), letter)


@app.command()
def retry(
    ids: Annotated[list[int] | None, typer.Argument(help="The ids of the dead letters.")] = None,
    reason: Annotated[str | None, typer.Option(help="All with this reason.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are held.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let it go again with the next run."""
    if sum((bool(ids), reason is not None, everything)) != 1:
        raise typer.BadParameter("give either ids, or --reason, or --all")
    with common.configured_store("bpp dead-letters") as (_, store), store.transaction() as tx:
        released = dead_letters.retry(tx, ids) if ids else _retry_all(tx, reason)
    if as_json:
        common.print_json({"released": released})
    else:
        common.out().print(f"{released} released. They go again with the next run: `bpp sync` does one now.")
    if ids and released < len(set(ids)):
        common.err().print(f"{len(set(ids)) - released} of these ids are not held (any more).", style="yellow")
        raise typer.Exit(Exit.FAILURE)


@app.command()
def discard(
    id: Annotated[int, typer.Argument(help="The dead letter's id.")],
    note: Annotated[str, typer.Option(help="Why, for whoever asks later.")],
) -> None:
    """Give it up for good, and say why. A write that it stands for is not made any more."""
    try:
        with common.configured_store("bpp dead-letters") as (_, store), store.transaction() as tx:
            dead_letters.discard(tx, id, note)
            _discard_delivery(tx, id, note)
    except LookupError as error:
        common.err().print(str(error), style="red")
        raise typer.Exit(Exit.FAILURE) from error
    common.out().print(f"Dead letter {id} is given up.")


def _retry_all(tx: Transaction, reason: str | None) -> int:
    released = 0
    while letters := dead_letters.open_letters(tx, reason=reason, limit=AT_A_TIME):
        released += dead_letters.retry(tx, [letter.id for letter in letters])
    return released


def _discard_delivery(tx: Transaction, id: int, note: str) -> None:
    """The write that was refused must not go again by itself, nor hold back what comes after it."""
    letter = dead_letters.get(tx, id)
    if letter is None or letter.stage != "deliver":
        return
    for delivery in deliveries.by_keys(tx, letter.connection, [letter.subject]).values():
        if delivery.state in (DeliveryState.DEAD, DeliveryState.FAILED):
            deliveries.discard(tx, delivery.id, note)


# -- printing -----------------------------------------------------------------------------------------------------


def _brief(letter: DeadLetter) -> dict[str, Any]:
    return {name: value for name, value in asdict(letter).items() if name not in ("payload", "history")}


def _show_list(console: Console, letters: Sequence[DeadLetter], total: int) -> None:
    if not letters:
        console.print("Nothing is held.")
        return
    made = common.table("id", "connection", "entity", "reason", "what happened", "tries")
    for each in letters:
        what = each.sentence if len(each.sentence) <= 160 else f"{each.sentence[:159]}…"
        made.add_row(str(each.id), each.connection, each.entity, each.reason, what, str(each.attempts))
    console.print(made)
    shown = "" if len(letters) == total else f", {len(letters)} of them shown (--limit)"
    console.print(f"{total} held{shown}. `bpp dead-letters show ID` tells more, `retry` and `discard` act.")


def _show_letter(console: Console, letter: DeadLetter) -> None:
    console.print(f"Dead letter {letter.id}: {letter.state}", style="bold")
    facts = {
        "what happened": letter.sentence,
        "what to do": letter.suggestion,
        "where": f"{letter.connection}, {letter.entity}, {letter.stage}: {letter.subject}",
        "reason": letter.reason,
        "field": letter.field,
        "value": letter.value,
        "waits for": ", ".join(letter.waiting_for),
        "tries": letter.attempts,
        "first, last": f"{common.when(letter.first_seen)}, {common.when(letter.last_seen)} UTC",
        "note": letter.note,
    }
    for name, fact in facts.items():
        if fact not in (None, ""):
            console.print(f"{name:>14}  {fact}", soft_wrap=True)
    if letter.payload:
        console.print("\npayload", style="bold")
        marked = set(offending(letter))
        for path, line in _lines(letter.payload):
            here = path in marked
            text = f"{line}  ◀ {letter.reason}" if here else line
            console.print(Text(text, style="red" if here else ""), soft_wrap=True)
    console.print("\nhistory (UTC)", style="bold")
    for entry in letter.history:
        why = f": {entry['reason']}" if entry.get("reason") else ""
        console.print(f"  {str(entry['at'])[:19].replace('T', ' ')}  {entry['did']}{why}")


# -- the offending field ------------------------------------------------------------------------------------------


def offending(letter: DeadLetter) -> list[Path]:
    """Where in the payload the trouble is: the field's own path, else its last name with the value, else the value.

    The field is named in our words, the payload speaks the source's; hence the steps down. Empty when nothing fits.
    """
    leaves = list(_leaves(letter.payload or {}))
    name = (letter.field or "").rpartition(".")[2]
    same_path = [path for path, _ in leaves if letter.field and dotted(path) == letter.field]
    same_value = [path for path, value in leaves if letter.value is not None and str(value) == letter.value]
    same_name = [path for path in same_value if name and str(path[-1]) == name]
    return same_path or same_name or same_value


def dotted(path: Path) -> str:
    """`rows.2.net` for ("rows", 2, "net")."""
    return ".".join(map(str, path))


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, (*path, index))
    else:
        yield path, value


def _lines(value: Any, path: Path = (), indent: int = 1) -> Iterator[tuple[Path | None, str]]:
    """The payload as indented lines, each leaf with its path; None for a line that only opens something."""
    parts = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, each in parts:
        label = f"{'  ' * indent}{name}:" if isinstance(value, Mapping) else f"{'  ' * indent}-"
        if isinstance(each, (Mapping, list)) and each:
            yield None, label
            yield from _lines(each, (*path, name), indent + 1)
        else:
            yield (*path, name), f"{label} {json.dumps(each, ensure_ascii=False)}"
