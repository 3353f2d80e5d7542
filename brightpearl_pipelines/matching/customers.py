"""Which customers are the same: by e-mail, then by name and billing address, else new.

A wrong merge shows one person's orders to another; a missed one makes a duplicate that can be merged later. So keys are
equal only where spellings differ, whatever is found on weak grounds is marked for review, and what is merely alike (a
typing error, a household) is only proposed to a person. A company is no key: it has several people, each a customer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal
from uuid import UUID

from brightpearl_pipelines.entities.models import Customer
from brightpearl_pipelines.matching import text

ALIKE = 0.8
"""Names from this likeness on may be one name mistyped: `jon` and `john`, `smith` and `smiht`."""
SHORTEST_PHONE = 7
CROWD = 20
"""A telephone number or a house that so many customers share (a switchboard, a tower, 0000000) betrays nobody."""
Kind = Literal["email", "name_address"]
Rule = Literal[
    "email",
    "email_other_name",
    "email_of_several",
    "name_address",
    "name_address_other_email",
    "name_address_of_several",
    "alike",
    "new",
]


@dataclass(frozen=True, slots=True)
class MatchKey:
    """A value that two records of one thing share: an e-mail address, a SKU."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A known customer that shares a key."""

    golden_id: UUID
    customer: Customer


@dataclass(frozen=True, slots=True)
class Match:
    """What was decided: `golden_id` is None for a new customer; `review` asks a person to look at it afterwards.

    `suspect` is who a new customer may be after all.
    """

    golden_id: UUID | None
    rule: Rule
    review: bool
    suspect: UUID | None = None


def match_keys(customer: Customer) -> list[MatchKey]:
    """The keys to look a customer up by, the stronger first; none for a customer without e-mail and full address.

    Name and address count only with last name, first line and postcode. It is the billing address: a parcel shop or a
    forwarder's depot is the shipping address of many people, some of the same name.
    """
    keys = []
    mailbox = text.email(customer.email)
    if mailbox is not None:
        keys.append(MatchKey("email", mailbox))
    address = customer.billing
    last, line = text.plain(customer.last_name), text.address_line(address.line1)
    code = text.postcode(address.postcode, address.country)
    if last and line and code:
        value = "|".join([text.plain(customer.first_name), last, line, code, address.country.upper()])
        keys.append(MatchKey("name_address", value))
    return keys


def all_keys(customer: Customer) -> list[MatchKey]:
    """Everything to look a customer up by, for matches and for suspects."""
    return [*match_keys(customer), *hints(customer)]


def hints(customer: Customer) -> list[MatchKey]:
    """What may betray a customer that was mistyped: the telephone number, and postcode with house number. They find
    suspects for a person to judge, never a match."""
    digits = re.sub(r"\D", "", customer.phone)
    found = [MatchKey("phone", digits[-9:])] if len(digits) >= SHORTEST_PHONE else []
    address = customer.billing
    number = re.search(r"\d+\w*", text.address_line(address.line1))
    code = text.postcode(address.postcode, address.country)
    if number and code:
        found.append(MatchKey("place", f"{number.group()}|{code}|{address.country.upper()}"))
    return found


def identity(customer: Customer) -> str | None:
    """Who somebody is by their own account: mailbox and name, or name and address. What a person decided about two
    customers is remembered by it. None for one who says neither."""
    keys = {key.kind: key.value for key in match_keys(customer)}
    if "email" in keys:
        return "|".join([keys["email"], text.plain(customer.first_name), text.plain(customer.last_name)])
    return keys.get("name_address")


def choose(
    customer: Customer,
    by_email: Sequence[Candidate],
    by_name_address: Sequence[Candidate],
    by_hint: Sequence[Candidate] = (),
) -> Match:
    """Which of the candidates the customer is; the order of the candidates does not matter.

    - The e-mail decides, even under another name (a household, or a company, that shares a mailbox): whoever reads that
      mailbox sees the order's messages anyway, and the order keeps its own names and addresses. The match is marked
      `email_other_name` and for review; the caller must not change the known customer's name or addresses by it.
    - Of several with the e-mail, the one that agrees in name and address; else the lowest id of those whose name does
      not contradict, for review.
    - Without one, name and address decide; for review where both have an e-mail address and these differ (a person with
      two mailboxes, or father and son); where the telephone numbers differ too, or both are of a company, they are two.
    - Of several with name and address, one whose e-mail does not differ goes first; else the lowest id; for review.
    - Who is found by none of these, but shares a telephone number or a house with somebody of nearly the same name, is
      new, and proposed for review.
    """
    if by_email:
        return _by_email(customer, by_email)
    found = _by_name_address(customer, by_name_address)
    if found is not None:
        return found
    alike = [each for each in (*by_name_address, *by_hint) if _alike(customer, each.customer)]
    return Match(None, "alike", review=True, suspect=_lowest(alike)) if alike else Match(None, "new", review=False)


def _by_email(customer: Customer, candidates: Sequence[Candidate]) -> Match:
    agreeing = [candidate for candidate in candidates if _agree(customer, candidate.customer)]
    if agreeing:
        return Match(_lowest(agreeing), "email", review=len(_ids(agreeing)) > 1)
    fitting = [candidate for candidate in candidates if not _other_person(customer, candidate.customer)]
    if not fitting:
        return Match(_lowest(candidates), "email_other_name", review=True)
    if len(_ids(candidates)) > 1:
        return Match(_lowest(fitting), "email_of_several", review=True)
    return Match(_lowest(fitting), "email", review=False)


def _by_name_address(customer: Customer, found: Sequence[Candidate]) -> Match | None:
    candidates = [each for each in found if not _namesake(customer, each.customer)]
    if not candidates:
        return None
    fitting = [candidate for candidate in candidates if not _other_email(customer, candidate.customer)]
    lowest = _lowest(fitting or candidates)
    if len(_ids(candidates)) > 1:
        return Match(lowest, "name_address_of_several", review=True)
    if not fitting:
        return Match(lowest, "name_address_other_email", review=True)
    return Match(lowest, "name_address", review=False)


def _lowest(candidates: Sequence[Candidate]) -> UUID:
    return min(_ids(candidates))


def _ids(candidates: Sequence[Candidate]) -> set[UUID]:
    return {candidate.golden_id for candidate in candidates}


def _agree(one: Customer, other: Customer) -> bool:
    """Whether both have the same name-and-address key."""
    return bool(_keys(one, "name_address") & _keys(other, "name_address"))


def _other_email(one: Customer, other: Customer) -> bool:
    ours, theirs = _keys(one, "email"), _keys(other, "email")
    return bool(ours and theirs) and ours != theirs


def _namesake(one: Customer, other: Customer) -> bool:
    """Whether two of one name at one address may well be two people: both their mailboxes and their telephones differ,
    or it is a company's address, where many work."""
    ours, theirs = _phone(one), _phone(other)
    other_phone = bool(ours and theirs) and ours != theirs
    return _other_email(one, other) and (other_phone or bool(one.company and other.company))


def _phone(customer: Customer) -> str | None:
    return next((key.value for key in hints(customer) if key.kind == "phone"), None)


def _alike(one: Customer, other: Customer) -> bool:
    """Whether the names may be one name, mistyped."""
    pairs = [
        (text.plain(one.first_name), text.plain(other.first_name)),
        (text.plain(one.last_name), text.plain(other.last_name)),
    ]
    return all(
        ours and theirs and (_initial_of(ours, theirs) or _likeness(ours, theirs) >= ALIKE) for ours, theirs in pairs
    )


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _keys(customer: Customer, kind: Kind) -> set[MatchKey]:
    return {key for key in match_keys(customer) if key.kind == kind}


def _other_person(one: Customer, other: Customer) -> bool:
    """Whether the names contradict each other; a missing name, an initial, and swapped names do not."""
    first, last = text.plain(one.first_name), text.plain(one.last_name)
    other_first, other_last = text.plain(other.first_name), text.plain(other.last_name)
    if (first, last) == (other_last, other_first):
        return False
    return _differ(last, other_last) or (_differ(first, other_first) and not _initial_of(first, other_first))


def _differ(one: str, other: str) -> bool:
    return bool(one and other) and one != other


def _initial_of(one: str, other: str) -> bool:
    """`a` for `ann`, and `ann` for `ann mary`."""
    shorter, longer = sorted((one, other), key=len)
    return longer.startswith(shorter) if len(shorter) == 1 else longer.startswith(f"{shorter} ")
