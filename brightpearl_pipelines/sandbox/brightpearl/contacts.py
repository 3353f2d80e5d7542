"""contact-service: contacts, postal addresses, notes, tags (brightpearl.md §6)."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.countries import country
from brightpearl_pipelines.sandbox.brightpearl.patching import apply_patch
from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.timeindex import TimeIndex
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    DONE,
    ApiError,
    Call,
    IdSet,
    Json,
    JsonObject,
    Reply,
    answer,
    get_uris,
    instant_of,
    int_of,
    not_found,
    padded,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

PAGE = 200
_WHOLE_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}")
ADDRESS_TYPES = ("DEF", "BIL", "DEL")
EMAIL_TYPES = ("PRI", "SEC", "TER")
_ADDRESS_FIELDS = ("addressLine1", "addressLine2", "addressLine3", "addressLine4", "postalCode")
_ALL = ("test", "add", "replace", "remove", "move", "copy")
_PATCHES = (
    (re.compile(r"/salutation"), ("test", "add", "replace", "remove")),
    (re.compile(r"/(firstName|lastName)"), ("test", "add", "replace")),
    (re.compile(r"/communication/telephones/(PRI|SEC|MOB|FAX)"), _ALL),
    (re.compile(r"/communication/emails/(PRI|SEC|TER)/email"), _ALL),
    (re.compile(r"/marketingDetails/isReceiveEmailNewsletter"), ("test", "replace")),
    (re.compile(r"/(leadTime|companyId)"), ("replace",)),
)


class Contacts:
    """Contacts by id, found by e-mail through an index; addresses stand on their own and belong to one contact."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator
        self.rebuild()

    def rebuild(self) -> None:
        self.by_email: dict[str, set[int]] = defaultdict(set)
        self.updated = TimeIndex()
        self._emails: dict[int, list[str]] = {}
        for contact in self.emulator.collection("contacts").values():
            self._index(contact)

    def endpoints(self) -> list[Endpoint]:
        root = "contact-service/contact"
        address = "contact-service/postal-address"
        return [
            Endpoint("GET", f"{root}/{{ids?}}", self.get, "get-contact"),
            Endpoint("POST", root, self.create, "post-contact"),
            Endpoint("PATCH", f"{root}/{{id}}", self.patch, "patch-contact"),
            Endpoint("OPTIONS", f"{root}/{{ids?}}", self.options, "options-contact"),
            Endpoint("PUT", f"{root}/{{id}}/postal-address", self.assign_addresses, "put-contact-postal-address"),
            Endpoint("POST", f"{root}/{{id}}/note", self.add_note, "post-contact-note"),
            Endpoint("GET", f"{root}/{{id}}/note/{{ids?}}", self.notes, "get-contact-note"),
            Endpoint("POST", f"{root}/{{id}}/tag/{{tag_id}}", self.add_tag, "post-contact-tag"),
            Endpoint("PUT", "contact-service/contact-group/{id}", self.put_group, "put-contact-group"),
            Endpoint("POST", address, self.create_address, "post-postal-address"),
            Endpoint("GET", f"{address}/{{ids}}", self.get_addresses, "get-postal-address"),
            Endpoint("PUT", f"{address}/{{id}}", self.put_address, "put-postal-address"),
        ]

    # -- state ----------------------------------------------------------------------------------------------------

    def add(self, body: JsonObject) -> int:
        """Store a checked contact and give it its id."""
        contact_id = self.emulator.next_id("contact", 201)
        now = self.emulator.stamp()
        status = {"contactStatusId": 2, "contactStatusName": "Customer"}
        history = [{**status, "occuredOn": now, "staffContactId": 4}]
        organisation = body.get("organisation", {})
        contact: JsonObject = {
            "contactId": contact_id,
            "isPrimaryContact": True,
            "salutation": body.get("salutation", ""),
            "firstName": body.get("firstName", ""),
            "lastName": body.get("lastName", ""),
            "postAddressIds": {kind: int(number) for kind, number in body.get("postAddressIds", {}).items()},
            "communication": _communication(body.get("communication", {})),
            "contactStatus": {"current": status, "history": history},
            "relationshipToAccount": {"isSupplier": False, "isStaff": False, **body.get("relationshipToAccount", {})},
            "marketingDetails": {"isReceiveEmailNewsletter": False, **body.get("marketingDetails", {})},
            "financialDetails": {**_FINANCIAL, **body.get("financialDetails", {})},
            "assignment": {"current": {"staffOwnerContactId": 0, "leadSourceId": 0, **_current(body)}},
            "tradeStatus": "UNKNOWN",
            "createdByid": 0,
            "createdOn": now,
            "updatedOn": now,
            "contactTags": "",
            "aliases": {},
            "companyId": body.get("companyId", 0),
        }
        if organisation:
            contact["organisation"] = {"organisationId": contact_id, **organisation}
        self.emulator.put("contacts", contact_id, contact)
        for address_id in contact["postAddressIds"].values():
            self.emulator.collection("postal_addresses")[str(address_id)]["contactId"] = contact_id
        self._index(contact)
        return contact_id

    def changed(self, contact: JsonObject) -> None:
        """Note a change: `updatedOn`, indexes."""
        contact["updatedOn"] = self.emulator.stamp()
        self._index(contact)
        self.emulator.touch()

    def _index(self, contact: JsonObject) -> None:
        number = contact["contactId"]
        for email in self._emails.get(number, ()):
            self.by_email[email].discard(number)
        emails = [entry["email"].lower() for entry in contact["communication"]["emails"].values() if entry.get("email")]
        self._emails[number] = emails
        for email in emails:
            self.by_email[email].add(number)
        updated = instant_of(contact["updatedOn"])
        if updated is not None:
            self.updated.set(number, int(updated.timestamp()))

    def edit(self, contact_id: str, **changes: Json) -> None:
        """Change a contact as a person would in the UI. `email` and `telephone` stand for the primary ones."""
        contact = self.emulator.collection("contacts")[contact_id]
        for name, value in changes.items():
            if name == "email":
                contact["communication"]["emails"]["PRI"] = {"email": value}
            elif name == "telephone":
                contact["communication"]["telephones"]["PRI"] = value
            elif name in contact:
                contact[name] = value
            else:
                raise ValueError(f"a contact has no field {name!r}")
        self.changed(contact)

    def with_email_containing(self, text: str) -> list[JsonObject]:
        """Contacts with an e-mail address that contains a text; a whole address is found without looking at all."""
        contacts = self.emulator.collection("contacts")
        wanted = text.lower()
        numbers = set(self.by_email.get(wanted, ()))
        if not _WHOLE_ADDRESS.fullmatch(wanted):
            numbers.update(number for email, owners in self.by_email.items() if wanted in email for number in owners)
        return [contacts[str(number)] for number in sorted(numbers)]

    def address_of(self, contact_id: int, kind: str) -> JsonObject | None:
        """The postal address of a contact by type, the default one where it has none of that type."""
        ids = self.emulator.collection("contacts")[str(contact_id)]["postAddressIds"]
        number = ids.get(kind) or ids.get("DEF")
        return self.emulator.collection("postal_addresses").get(str(number))

    # -- contacts -------------------------------------------------------------------------------------------------

    def get(self, call: Call, ids: str | None) -> Reply:
        """One page, with `pagination` and `sorting` beside the response (§6.1)."""
        contacts = self.emulator.collection("contacts")
        descending = call.query.get("sort", "").upper().endswith(".DESC")
        found = sorted(IdSet.parse(ids).among(contacts) if ids else map(int, contacts), reverse=descending)
        if not found:
            raise not_found("No Contact Found")
        size = min(PAGE, int_of(call.query.get("pageSize")) or PAGE)
        first = int_of(call.query.get("firstResult")) or 1
        page = found[first - 1 : first - 1 + size]
        last = first + len(page) - 1
        pagination = {"morePagesAvailable": last < len(found), "resultsReturned": len(page)}
        if page:
            pagination |= {"firstResult": first, "lastResult": last}
        sorting = [{"field": "contactId", "direction": "DESC" if descending else "ASC"}]
        shown = [self._shown(call, contacts[str(number)]) for number in page]
        return answer(shown, pagination=pagination, sorting=sorting)

    def _shown(self, call: Call, contact: JsonObject) -> JsonObject:
        view = {name: value for name, value in contact.items() if name != "customFields"}
        discount = contact["financialDetails"]["discountPercentage"]
        view["financialDetails"] = {**contact["financialDetails"], "discountPercentage": padded(discount, 2)}
        if call.includes("postalAddresses"):
            addresses = self.emulator.collection("postal_addresses")
            wanted = dict.fromkeys(contact["postAddressIds"].values())
            view["postalAddresses"] = [addresses[str(number)] for number in wanted]
        return {**view, **self.emulator.custom_fields.shown(call, contact, "customer")}

    def create(self, call: Call) -> Reply:
        body = call.object()
        problems = self._problems(body)
        if problems:  # the numbers of these codes are not documented
            raise ApiError(400, *(("CONC-010", problem) for problem in problems))
        return answer(self.add(body))

    def _problems(self, body: JsonObject) -> list[str]:
        problems = []
        for name in ("firstName", "lastName"):
            if len(str(body.get(name, ""))) > 32:
                problems.append(f"{name} may have at most 32 characters")
        if not str(body.get("firstName", "")) and not str(body.get("lastName", "")):
            problems.append("A contact needs a first name or a last name")
        sections = ("communication", "relationshipToAccount", "organisation", "marketingDetails", "financialDetails")
        problems += [f"{name} must be an object" for name in sections if not isinstance(body.get(name, {}), dict)]
        addresses = body.get("postAddressIds", {})
        if not isinstance(addresses, dict) or "DEF" not in addresses:
            return [*problems, "A default postal address (DEF) is required"]
        for kind, number in addresses.items():
            address = self.emulator.collection("postal_addresses").get(str(number))
            if kind not in ADDRESS_TYPES or address is None:
                problems.append(f"Postal address {kind} {number} does not exist")
            elif address["contactId"]:
                problems.append(f"Postal address {number} belongs to another contact")
        return problems

    def patch(self, call: Call, id: str) -> Reply:
        contact = self._existing(id)
        operations = call.json()
        document = {**contact, "communication": _patchable(contact["communication"], operations)}
        changed = apply_patch(document, operations, _PATCHES)
        emails = changed["communication"]["emails"]
        changed["communication"]["emails"] = {
            kind: {"email": str(entry["email"])} for kind, entry in emails.items() if entry.get("email")
        }
        contact.clear()
        contact.update(changed)
        self.changed(contact)
        return answer(self._shown(call, contact))

    def _existing(self, contact_id: str) -> JsonObject:
        contact = self.emulator.collection("contacts").get(contact_id)
        if contact is None:
            raise not_found("No Contact Found")
        return contact

    def options(self, _call: Call, ids: str | None) -> Reply:
        contacts = self.emulator.collection("contacts")
        return answer(get_uris("/contact", IdSet.parse(ids).among(contacts) if ids else map(int, contacts)))

    # -- addresses ------------------------------------------------------------------------------------------------

    def create_address(self, call: Call) -> Reply:
        return answer(self.add_address(self._address(call.object())))

    def add_address(self, address: JsonObject) -> int:
        number = self.emulator.next_id("postal_address", 301)
        self.emulator.put("postal_addresses", number, {"addressId": number, "contactId": 0, **address})
        return number

    def _address(self, body: JsonObject) -> JsonObject:
        problems = []
        if not str(body.get("addressLine1") or "").strip():
            problems.append(("CONC-020", "addressLine1 is required"))
        code = body.get("countryIsoCode") or body.get("countryId")
        land = country(code) if code else None
        if code and land is None:
            problems.append(("CONC-021", f"You have supplied an invalid country: {code}"))
        if problems:
            raise ApiError(400, *problems)
        address: JsonObject = {name: str(body[name]) for name in _ADDRESS_FIELDS if body.get(name) is not None}
        if land is not None:
            address |= {"countryIsoCode": land["iso3"], "countryIsoCode2": land["iso2"], "countryId": land["countryId"]}
        return address

    def get_addresses(self, _call: Call, ids: str) -> Reply:
        addresses = self.emulator.collection("postal_addresses")
        found = IdSet.parse(ids).among(addresses)
        if not found:
            raise not_found("No Postal Address Found")
        return answer([addresses[str(number)] for number in found])

    def put_address(self, call: Call, id: str) -> Reply:
        addresses = self.emulator.collection("postal_addresses")
        if id not in addresses:
            raise not_found("No Postal Address Found")
        kept = {name: addresses[id][name] for name in ("addressId", "contactId")}
        self.emulator.put("postal_addresses", id, {**kept, **self._address(call.object())})
        owner = self.emulator.collection("contacts").get(str(kept["contactId"]))
        if owner is not None:
            self.changed(owner)
        return DONE

    def assign_addresses(self, call: Call, id: str) -> Reply:
        """Give addresses to a contact; entries without a type only belong to it (§6.2)."""
        contact = self._existing(id)
        entries = call.json()
        addresses = self.emulator.collection("postal_addresses")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ApiError(400, ("CONC-022", "A list of postal addresses is required"))
        for entry in entries:
            address = addresses.get(str(entry.get("postalAddressId")))
            if address is None or entry.get("type", "DEF") not in ADDRESS_TYPES:
                raise ApiError(400, ("CONC-022", f"Postal address {entry.get('postalAddressId')} does not exist"))
            if address["contactId"] not in (0, contact["contactId"]):
                raise ApiError(400, ("CONC-023", f"Postal address {address['addressId']} belongs to another contact"))
        for entry in entries:
            addresses[str(entry["postalAddressId"])]["contactId"] = contact["contactId"]
            if "type" in entry:
                contact["postAddressIds"][entry["type"]] = int(entry["postalAddressId"])
        self.changed(contact)
        return DONE

    # -- notes, tags, groups --------------------------------------------------------------------------------------

    def add_note(self, call: Call, id: str) -> Reply:
        contact = self._existing(id)
        body = call.object()
        number = self.emulator.next_id("contact_note")
        note = {"noteId": number, "contactId": contact["contactId"], "text": str(body.get("text", ""))}
        rest = {"isPublic": bool(body.get("isPublic")), "addedOn": body.get("addedOn") or self.emulator.stamp()}
        self.emulator.put("contact_notes", number, {**note, **rest, "addedBy": call.staff_id})
        return answer(number)

    def notes(self, _call: Call, id: str, ids: str | None) -> Reply:
        wanted = IdSet.parse(ids) if ids else None
        notes = [
            note
            for note in self.emulator.collection("contact_notes").values()
            if note["contactId"] == int(id) and (wanted is None or note["noteId"] in wanted)
        ]
        if not notes:
            raise not_found("No Contact Notes Found")
        return answer(notes)

    def add_tag(self, _call: Call, id: str, tag_id: str) -> Reply:
        contact = self._existing(id)
        if tag_id not in self.emulator.collection("tags"):
            raise not_found("No Tag Found")
        tags = {int(tag) for tag in contact["contactTags"].split(",") if tag} | {int(tag_id)}
        contact["contactTags"] = ",".join(map(str, sorted(tags)))
        self.changed(contact)
        return DONE

    def put_group(self, call: Call, id: str) -> Reply:
        groups = self.emulator.collection("contact_groups")
        if id not in groups:
            raise not_found("No Contact Groups Found")
        body = call.object()
        changes: JsonObject = {name: body[name] for name in ("name", "description", "contactIds") if name in body}
        self.emulator.put("contact_groups", id, {**groups[id], **changes})
        return DONE


_FINANCIAL = {
    "priceListId": 2,
    "nominalCode": "0",
    "taxCodeId": 1,
    "creditLimit": 0,
    "creditTermDays": 30,
    "currencyId": 1,
    "discountPercentage": 0,
    "creditTermTypeId": 1,
}


def _current(body: JsonObject) -> JsonObject:
    assignment = body.get("assignment")
    current = assignment.get("current") if isinstance(assignment, dict) else None
    return current if isinstance(current, dict) else {}


def _communication(sent: JsonObject) -> JsonObject:
    emails = {
        kind: {"email": str(entry["email"])}
        for kind, entry in (sent.get("emails") or {}).items()
        if kind in EMAIL_TYPES and isinstance(entry, dict) and entry.get("email")
    }
    telephones = {kind: str(number) for kind, number in (sent.get("telephones") or {}).items() if number}
    return {
        "emails": emails,
        "telephones": telephones,
        "messagingVoips": sent.get("messagingVoips") or {},
        "websites": sent.get("websites") or {},
    }


def _patchable(communication: JsonObject, operations: object) -> JsonObject:
    """`add /communication/emails/SEC/email` works on a contact without that kind of e-mail: make its place first."""
    named = (
        {str(item.get("path", "")) for item in operations if isinstance(item, dict)}
        if isinstance(operations, list)
        else set()
    )
    places: JsonObject = {kind: {} for kind in EMAIL_TYPES if f"/communication/emails/{kind}/email" in named}
    return {**communication, "emails": {**places, **communication["emails"]}}
