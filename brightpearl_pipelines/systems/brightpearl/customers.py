"""Customers into Brightpearl: what a contact lacks, and the calls that give it (brightpearl.md §6)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from brightpearl_pipelines.entities.models import Customer
from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.store.types import DeadLetter, Delivery, Golden, Json
from brightpearl_pipelines.systems.brightpearl.client import Message, Reply
from brightpearl_pipelines.systems.brightpearl.contact_groups import WRITE as TAG
from brightpearl_pipelines.systems.brightpearl.contact_groups import (
    group_read,
    groups_of,
    price_list,
    tag_known,
    tag_new,
)
from brightpearl_pipelines.systems.brightpearl.sources import MAPPINGS
from brightpearl_pipelines.systems.brightpearl.streams import client_of, read_contacts
from brightpearl_pipelines.systems.contract import (
    Answer,
    Comparison,
    Expected,
    Outcome,
    Plan,
    PlanContext,
    Session,
    Target,
    Write,
)

LONGEST_NAME = 32
PATCHES = {
    "first_name": "/firstName",
    "last_name": "/lastName",
    "email": "/communication/emails/PRI/email",
    "phone": "/communication/telephones/PRI",
}
"""What a contact can be given by PATCH (§6.1); the company's name cannot be changed by API."""
ADDRESSES = {"billing": "BIL", "shipping": "DEL"}
MARK = "accountReference"
"""A contact carries our key here: a cut-off creation is found by it, however many share the e-mail address."""


def create_key(golden_id: UUID) -> str:
    """The delivery that creates a customer's contact."""
    return f"customer:{golden_id}"


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """Create contacts for the shops' customers, bring known ones up to date."""
    known = context.hub.external_ids("customer", context.connection, [row.id for row in rows])
    held_before = context.hub.agreed("customer", context.connection, [row.id for row in rows])
    records = context.hub.records(context.connection, "customers", [ids[0] for ids in known.values()])
    deliveries: list[Delivery] = []
    held: list[DeadLetter] = []
    ignored: dict[UUID, str] = {}
    details: dict[UUID, list[tuple[str, Any, Any]]] = {}
    for row in rows:
        too_long = [name for name in ("first_name", "last_name") if len(row.content.get(name, "")) > LONGEST_NAME]
        if too_long:
            held.append(_too_long(context.connection, row, too_long[0]))
        elif row.id not in known:
            if not set(row.origin.values()) & context.shops.keys():
                ignored[row.id] = "customer_of_no_shop"
            elif not row.content.get("buyer"):
                ignored[row.id] = "has_not_bought_yet"
            else:
                deliveries += [_creation(context, row), *tag_new(context, row, create_key(row.id))]
        else:
            contact_id = known[row.id][0]
            # A contact that we have just made was not read yet.
            contact = records[contact_id].payload if contact_id in records else {}
            before = held_before.get(row.id) or {}
            changes = _changes(row.content, before)
            if changes:
                group = _agreed_group(context, before)
                deliveries.append(_update(context, row, {"contactId": contact_id, **contact}, changes, group))
                details[row.id] = changes
            tags, letters = tag_known(context, row, contact_id, contact)
            deliveries += tags
            held += letters
    return Plan(deliveries, held, ignored, details=details)


def _too_long(connection: str, row: Golden, name: str) -> DeadLetter:
    return DeadLetter(
        connection=connection,
        stage="publish",
        entity="customer",
        subject=str(row.id),
        reason="invalid_field",
        sentence=f"{name} {row.content[name]!r} is longer than Brightpearl's {LONGEST_NAME} characters",
        suggestion="Shorten the name in the shop; it is not cut off silently.",
        field=name,
        value=row.content[name],
        golden_id=row.id,
    )


def _creation(context: PlanContext, row: Golden) -> Delivery:
    contact = MAPPINGS["customer"].write(row.content, context.settings.tables())
    addresses = contact.pop("addresses", {})
    body = {
        **contact,
        **price_list(row.content, groups_of(context.settings)),
        "relationshipToAccount": {"isSupplier": False, "isStaff": False},
        "assignment": {"current": {MARK: _mark(row.id)}},
    }
    return Delivery(
        context.connection,
        "customer",
        row.id,
        "create",
        create_key(row.id),
        {"body": body, "addresses": addresses, "agreed": {**_agreed(row.content), **_agreed_group(context, {})}},
    )


def _mark(golden_id: UUID) -> str:
    return f"bpp-{golden_id.hex[:16]}"


def _agreed(content: Json) -> dict[str, Any]:
    names = [*PATCHES, *ADDRESSES, "company"]
    return {name: content[name] for name in names if name in content}


def _agreed_group(context: PlanContext, before: Json) -> dict[str, str]:
    """The contact's group stays what it was until the tag is there."""
    return {"group": str(before.get("group") or "")} if groups_of(context.settings) else {}


def _changes(content: Json, before: Json) -> list[tuple[str, Any, Any]]:
    """Fields of ours that Brightpearl lacks; an empty field of ours takes nothing away."""
    return [
        (name, before.get(name), content[name])
        for name in (*PATCHES, *ADDRESSES)
        if content.get(name) and content[name] != before.get(name) and _says_something(content[name])
    ]


def _says_something(value: Any) -> bool:
    return bool(value.get("line1")) if isinstance(value, Mapping) else bool(value)


def _update(
    context: PlanContext, row: Golden, contact: Json, changes: Sequence[tuple[str, Any, Any]], group: Json
) -> Delivery:
    wire = MAPPINGS["customer"].write(row.content, context.settings.tables())
    patch = [{"op": "add", "path": PATCHES[name], "value": new} for name, _, new in changes if name in PATCHES]
    for operation in patch:
        if operation["path"] in ("/firstName", "/lastName"):
            operation["op"] = "replace"  # §6.1: names know no other operation that fits
    wanted = {
        ADDRESSES[name]: _address(wire["addresses"][ADDRESSES[name]]) for name, _, _ in changes if name in ADDRESSES
    }
    addresses = _by_address(wanted, contact.get("postAddressIds") or {})
    return Delivery(
        context.connection,
        "customer",
        row.id,
        "update",
        f"customer:{row.id}:v{row.version}",
        {
            "body": {"contact": str(contact["contactId"]), "patch": patch, "addresses": addresses},
            "agreed": {**_agreed(row.content), **group},
        },
    )


def _by_address(wanted: dict[str, dict[str, Any]], present: Mapping[str, int]) -> list[dict[str, Any]]:
    """Which addresses to change in place, and which to make, for which uses.

    The default address (DEF) moves with the billing address, for as long as it is the same one: so we made it. An
    address that serves another use too is not changed under it: what moves away from it gets one of its own.
    """
    if "BIL" in wanted and present.get("DEF") == present.get("BIL"):
        wanted["DEF"] = wanted["BIL"]
    kept = {number for use, number in present.items() if use not in wanted}
    found: list[dict[str, Any]] = []
    for use, address in sorted(wanted.items()):
        number = present.get(use)
        same = next((each for each in found if each["address"] == address), None)
        if same is not None:
            if same["id"] is None or same["id"] != number:
                same["uses"].append(use)
        elif number is None or number in kept:
            found.append({"id": None, "uses": [use], "address": address})
        else:
            found.append({"id": number, "uses": [], "address": address})
            kept.add(number)
    return found


# -- writing ------------------------------------------------------------------------------------------------------


async def send_create(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Addresses first, then the contacts that use them; two rounds of writes for any number of customers.

    An address whose contact then fails stays behind unused: nothing finds it, and it harms nothing.
    """
    client = client_of(session)
    wanted = [(each.key, use, address) for each in deliveries for use, address in _distinct(each)]
    replies = await client.write(
        [Message("POST", "contact-service/postal-address", address) for _, _, address in wanted]
    )
    made: dict[tuple[str, str], str] = {}
    bad: dict[str, Reply] = {}
    for (key, use, _), reply in zip(wanted, replies, strict=True):
        if reply.ok:
            made[key, use] = str(reply.body["response"])
        else:
            bad[key] = reply
    ready = [each for each in deliveries if each.key not in bad]
    contacts = await client.write(
        [Message("POST", "contact-service/contact", _contact_body(each, made)) for each in ready]
    )
    # An unused address is no duplicate that anybody sees: the creation as a whole may go again.
    answers = [_without_address(each, bad[each.key]) for each in deliveries if each.key in bad]
    return answers + [answer_for(each, reply, created=True) for each, reply in zip(ready, contacts, strict=True)]


def _without_address(delivery: Delivery, reply: Reply) -> Answer:
    answer = answer_for(delivery, reply)
    again = answer.outcome is Outcome.AMBIGUOUS
    return Answer(delivery, Outcome.RETRY if again else answer.outcome, error=f"postal address: {answer.error}")


def _distinct(delivery: Delivery) -> list[tuple[str, Json]]:
    """The addresses to make: one that serves for billing and delivery is made once, one without a street never."""
    addresses: Mapping[str, Json] = delivery.payload["addresses"]
    billing, shipping = addresses.get("BIL"), addresses.get("DEL")
    found = [("BIL", billing), ("DEL", None if shipping == billing else shipping)]
    return [(use, _address(each)) for use, each in found if each and each.get("addressLine1")]


def _address(address: Json) -> dict[str, Any]:
    return {name: value for name, value in address.items() if value}


def _contact_body(delivery: Delivery, made: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    body = dict(delivery.payload["body"])
    billing = made.get((delivery.key, "BIL")) or made.get((delivery.key, "DEL"))
    if billing:
        shipping = made.get((delivery.key, "DEL")) or billing
        body["postAddressIds"] = {"DEF": int(billing), "BIL": int(billing), "DEL": int(shipping)}
    return body


def answer_for(delivery: Delivery, reply: Reply, *, created: bool = False) -> Answer:
    """What a reply means for a delivery."""
    if reply.ok and created and "response" not in reply.body:
        # A repeated post may be answered "done" without an id (§5.5 does not say): then it is looked up.
        return Answer(delivery, Outcome.AMBIGUOUS, error="accepted, but no id came back")
    if reply.ok:
        external_id = str(reply.body["response"]) if created else None
        return Answer(delivery, Outcome.CONFIRMED, external_id=external_id)
    if reply.status is None:
        return Answer(delivery, Outcome.AMBIGUOUS, error=reply.error)
    if reply.status in (429, 503) or (reply.status >= 500 and "CMNC" not in reply.error):
        return Answer(delivery, Outcome.RETRY, error=reply.error)
    return Answer(delivery, Outcome.REFUSED, error=reply.error)


async def find_create(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """Contacts that a cut-off creation did make, by the mark they carry."""
    client = client_of(session)
    found: dict[str, Answer] = {}
    for delivery in deliveries:
        body = delivery.payload["body"]
        email = (((body.get("communication") or {}).get("emails") or {}).get("PRI") or {}).get("email")
        filters = {"primaryEmail": email} if email else {"lastName": body.get("lastName", "")}
        rows = await client.search(
            "contact-service/contact-search", {**filters, "columns": "contactId", "sort": "contactId.ASC"}
        )
        contacts = await client.get_many("contact-service/contact/{ids}", [str(row["contactId"]) for row in rows])
        mark = body["assignment"]["current"][MARK]
        for contact in contacts:
            if ((contact.get("assignment") or {}).get("current") or {}).get(MARK) == mark:
                found[delivery.key] = Answer(delivery, Outcome.CONFIRMED, external_id=str(contact["contactId"]))
                break
    return found


async def send_update(session: Session, deliveries: Sequence[Delivery]) -> list[Answer]:
    """Patch names and numbers, replace addresses. Each step may be repeated without harm."""
    answers = []
    for delivery in deliveries:
        try:
            await _update_one(session, delivery.payload["body"])
            answers.append(Answer(delivery, Outcome.CONFIRMED))
        except AmbiguousError as error:
            answers.append(Answer(delivery, Outcome.RETRY, error=str(error)))
        except RefusedError as error:
            answers.append(Answer(delivery, Outcome.REFUSED, error=str(error)))
    return answers


async def _update_one(session: Session, body: Json) -> None:
    client = client_of(session)
    contact = f"contact-service/contact/{body['contact']}"
    if body["patch"]:
        await client.api.request("PATCH", contact, json=body["patch"], idempotent=True)
    for each in body["addresses"]:
        number, address = each["id"], each["address"]
        if number:
            await client.api.request("PUT", f"contact-service/postal-address/{number}", json=address, idempotent=True)
        else:
            number = await client.post("contact-service/postal-address", address)
        if each["uses"]:
            uses = [{"postalAddressId": int(number), "type": use} for use in each["uses"]]
            await client.api.request("PUT", f"{contact}/postal-address", json=uses, idempotent=True)


async def find_nothing(session: Session, deliveries: Sequence[Delivery]) -> dict[str, Answer]:
    """For writes that may simply go again."""
    del session, deliveries
    return {}


# -- comparing ----------------------------------------------------------------------------------------------------


def expect(context: PlanContext, rows: Sequence[Golden]) -> Mapping[UUID, Expected]:
    """The contacts of those customers that Brightpearl has."""
    known = context.hub.external_ids("customer", context.connection, [row.id for row in rows])
    return {
        row.id: Expected(
            known[row.id][0],
            {"id": known[row.id][0]},
            {
                name: value
                for name, value in _agreed(row.content).items()
                if name not in ("company", "group") and _says_something(value)
            },
        )
        for row in rows
        if row.id in known
    }


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """The contacts as they are now."""
    ids = {each.lookup["id"]: golden for golden, each in expected.items()}
    found: dict[UUID, Json] = {}
    for record in await read_contacts(session, list(ids)):
        if not record.deleted:
            content = {
                **MAPPINGS["customer"].read(record.payload, session.settings.tables()),
                **group_read(record.payload, groups_of(session.settings)),
            }
            found[ids[record.id]] = Customer.model_validate(content).model_dump(mode="json")
    return found


TARGET = Target(
    "customer",
    plan,
    (
        Write("create", send_create, find_create, links=True),
        Write("update", send_update, find_nothing),
        TAG,
    ),
    Comparison(expect, observe, repairs=True),
)
