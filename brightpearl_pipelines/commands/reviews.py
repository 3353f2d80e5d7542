"""`bpp reviews`: customers who may be one, and the two things a person can say of them: same, different."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from brightpearl_pipelines.commands import common
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.store import crosswalk, goldens, reviews
from brightpearl_pipelines.store.database import Transaction
from brightpearl_pipelines.store.reviews import Review
from brightpearl_pipelines.sync.decisions import UndecidableError, decide
from brightpearl_pipelines.sync.engine import Engine

app = typer.Typer(no_args_is_help=True, help="Customers who may be one and the same.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[int, typer.Argument(help="The review's id.")]
Note = Annotated[str, typer.Option(help="Why, for whoever asks later.")]
WHY = {
    "email": "several customers agree with them",
    "email_other_name": "one mailbox, two names",
    "email_of_several": "several customers have that mailbox",
    "name_address": "one name, one address",
    "name_address_other_email": "one name, one address, two mailboxes",
    "name_address_of_several": "several customers have that name and address",
    "alike": "nearly one name, and one telephone or house",
}


@app.command("list")
def list_reviews(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 50, as_json: AsJson = False
) -> None:
    """What waits for a decision."""
    with common.configured_store("bpp reviews") as (_, store), store.transaction() as tx:
        total = reviews.count_undecided(tx)
        found = [_told(tx, each) for each in reviews.undecided(tx, limit)]
    if as_json:
        common.print_json({"total": total, "reviews": found})
        return
    if not found:
        common.out().print("Nothing waits for a decision.")
        return
    made = common.table("id", "why", "met", "taken for, or alike", "joined")
    for each in found:
        joined = "yes" if each["joined"] else "no"
        made.add_row(str(each["id"]), each["why"], _person(each["met"]), _person(each["candidate"]), joined)
    common.out().print(made)
    common.out().print(
        f"{total} wait. `bpp reviews same ID` makes them one, `bpp reviews different ID` keeps them two."
    )


@app.command()
def same(id: Id, note: Note = "") -> None:
    """They are one customer: unite them."""
    _decide(id, note, same=True)


@app.command()
def different(id: Id, note: Note = "") -> None:
    """They are two customers: keep, or take, them apart."""
    _decide(id, note, same=False)


def _decide(id: int, note: str, *, same: bool) -> None:
    async def go() -> None:
        with common.configured_store("bpp reviews") as (configuration, store):
            async with Engine(store, configuration, run="bpp reviews") as engine:
                await decide(engine, id, same=same, note=note)

    try:
        asyncio.run(go())
    except (LookupError, UndecidableError) as error:
        common.err().print(str(error), style="red")
        raise typer.Exit(Exit.FAILURE) from error
    words = "are one customer" if same else "are two customers"
    common.out().print(
        f"Review {id}: they {words}. The next run goes by it; orders in Brightpearl stay where they are."
    )


def _told(tx: Transaction, review: Review) -> dict[str, Any]:
    known = goldens.by_ids(tx, review.entity, [review.golden_id, review.candidate_id])
    met, candidate = known.get(review.golden_id), known.get(review.candidate_id)
    rule = str(review.evidence.get("rule"))
    return {
        "id": review.id,
        "rule": rule,
        "why": WHY.get(rule, rule),
        "joined": met is None,
        "met": _brief(met.content if met else review.evidence.get("content") or {}),
        "candidate": _brief(candidate.content if candidate else {}),
        "candidate_is": [": ".join(each) for each in crosswalk.links_of(tx, review.entity, review.candidate_id)],
        "proposed_at": review.proposed_at,
    }


def _brief(content: Mapping[str, Any]) -> dict[str, str]:
    billing = content.get("billing") or {}
    names = {name: str(content.get(name) or "") for name in ("first_name", "last_name", "company", "email", "phone")}
    return {**names, "address": ", ".join(str(billing[name]) for name in ("line1", "postcode") if billing.get(name))}


def _person(brief: Mapping[str, str]) -> str:
    name = f"{brief['first_name']} {brief['last_name']}".strip()
    rest = [brief[part] for part in ("company", "email", "phone", "address")]
    return ", ".join(each for each in (name, *rest) if each)
