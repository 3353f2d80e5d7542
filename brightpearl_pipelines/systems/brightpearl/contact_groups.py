"""Groups of customers: our word for one, Brightpearl's tag and price list (brightpearl.md §6.1, §6.2).

A tag can be put on a contact, a price list only be given to a new one; neither can be taken away or changed by the API.
What only a person can do is said in a letter, which goes when the contact shows that it was done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import DeadLetter, Delivery, Golden, Json
from brightpearl_pipelines.systems.brightpearl.streams import client_of
from brightpearl_pipelines.systems.contract import Answer, Outcome, PlanContext, Session, Settings, Write


class CustomerGroup(BaseModel):
    """What a contact of a group has in Brightpearl."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tag: int | None = None
    price_list: int | None = None


Groups = Mapping[str, CustomerGroup]


def groups_of(settings: Settings) -> Groups:
    """The groups that the account's settings name."""
    found: Groups = getattr(settings, "customer_groups", {})
    return found


def group_read(contact: Json, groups: Groups) -> dict[str, str]:
    """The group that a contact's tags say, as a field; no field where they name several, or no group is mapped."""
    if not groups:
        return {}
    present = _tags(contact)
    named = [word for word, group in groups.items() if group.tag in present]
    return {"group": named[0] if named else ""} if len(named) < 2 else {}


def _tags(contact: Json) -> set[int]:
    return {int(tag) for tag in str(contact.get("contactTags") or "").split(",") if tag.strip()}


def price_list(content: Json, groups: Groups) -> dict[str, Any]:
    """What a new contact's body says of its group."""
    group = groups.get(str(content.get("group") or ""))
    return {"financialDetails": {"priceListId": group.price_list}} if group and group.price_list else {}


def tag_new(context: PlanContext, row: Golden, create_key: str) -> list[Delivery]:
    """The tag of a contact that is being made."""
    group = groups_of(context.settings).get(str(row.content.get("group") or ""))
    if group is None or group.tag is None:
        return []
    return [replace(_tag(context, row, group.tag, f"{create_key}:tag:{group.tag}"), after=(create_key,))]


def tag_known(
    context: PlanContext, row: Golden, contact_id: str, contact: Json
) -> tuple[list[Delivery], list[DeadLetter]]:
    """The tag that a contact lacks, and what a person must do."""
    groups, word = groups_of(context.settings), str(row.content.get("group") or "")
    if not groups or not contact or row.origin.get("group") not in context.shops:
        return [], []
    group, present = groups.get(word), _tags(contact)
    deliveries, by_hand = [], []
    if word and group is None:
        by_hand.append(f"its group {word!r} is not in customer_groups of {context.connection}")
    if group and group.tag is not None and group.tag not in present:
        deliveries.append(_tag(context, row, group.tag, f"customer:{row.id}:tag:{group.tag}:v{row.version}"))
    for other, theirs in groups.items():
        if other != word and theirs.tag in present and not (group and group.tag == theirs.tag):
            by_hand.append(f"it still has tag {theirs.tag} of group {other!r}")
    held_list = (contact.get("financialDetails") or {}).get("priceListId")
    if group and group.price_list and group.price_list != held_list:
        by_hand.append(f"its price list is {held_list}, that of group {word!r} is {group.price_list}")
    return deliveries, [_letter(context, row, contact_id, by_hand)] if by_hand else []


def _tag(context: PlanContext, row: Golden, tag: int, key: str) -> Delivery:
    body = {"contact": {"$ref": ["customer", str(row.id)]}, "tag": tag}
    payload = {"body": body, "agreed_in_part": {"group": row.content["group"]}}
    return Delivery(context.connection, "customer", row.id, "tag", key, payload)


def _letter(context: PlanContext, row: Golden, contact_id: str, by_hand: Sequence[str]) -> DeadLetter:
    return DeadLetter(
        connection=context.connection,
        stage="publish",
        entity="customer",
        subject=str(row.id),
        reason="group_by_hand",
        sentence=f"contact {contact_id} changed its group in the shop, but {'; '.join(by_hand)}",
        suggestion="Set it right on the contact in Brightpearl, or the map in connections.yaml; the API cannot.",
        field="group",
        value=str(row.content.get("group") or ""),
        waiting_for=[f"customer:{context.connection}:{contact_id}"],
        golden_id=row.id,
    )


async def send_tag(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Put tags on contacts; one that is there already harms nothing."""
    answers = []
    for delivery in deliveries:
        body = delivery.payload["body"]
        path = f"contact-service/contact/{body['contact']}/tag/{body['tag']}"
        try:
            await client_of(session).api.request("POST", path, idempotent=True)
            answers.append(Answer(delivery, Outcome.CONFIRMED))
        except AmbiguousError as error:
            answers.append(Answer(delivery, Outcome.RETRY, error=str(error)))
        except RefusedError as error:
            answers.append(Answer(delivery, Outcome.REFUSED, error=str(error)))
    return answers


async def _find_nothing(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """A tag may simply be put on again."""
    del session, deliveries
    return {}


WRITE = Write("tag", send_tag, _find_nothing)
