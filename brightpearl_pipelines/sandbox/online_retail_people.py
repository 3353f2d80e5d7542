"""Invented people for the real order lines: the file knows only a customer's number and country."""

import random
from dataclasses import replace
from functools import lru_cache

import pycountry

from brightpearl_pipelines.sandbox.customers import FIRST_NAMES, LAST_NAMES, Address, invent_address, to_ascii
from brightpearl_pipelines.sandbox.reference import COUNTRIES, Country
from brightpearl_pipelines.sandbox.world import Person

ALIASES = {
    "EIRE": "IE",
    "Channel Islands": "JE",
    "RSA": "ZA",
    "USA": "US",
    "UK": "GB",
    "Czech Republic": "CZ",
    "Korea": "KR",
}
"""Where the file writes a country in a way of its own."""


class UnknownCountryError(LookupError):
    """The file names something that is no country ("Unspecified", "European Community")."""


@lru_cache(maxsize=256)
def country_named(name: str) -> tuple[str, str]:
    """ISO code of two letters and English name. Raises UnknownCountryError."""
    try:
        found = pycountry.countries.lookup(ALIASES.get(name, name))
    except LookupError:
        raise UnknownCountryError(f"{name!r} is no country, so the order has no address") from None
    return found.alpha_2, getattr(found, "common_name", found.name)


def customer(customer_id: str, country: str) -> Person:
    """The registered customer with this number; the same number always gives the same person."""
    return _person(f"customer-{customer_id}", country, registered=True)


def guest(invoice: str, country: str) -> Person:
    """Whoever ordered on an invoice that names no customer."""
    return _person(f"guest-{invoice}", country, registered=False)


def moved(person: Person, country: str) -> Person:
    """The same customer, ordering to another country than before."""
    iso2, name = country_named(country)
    return replace(person, street_2="", **_place(random.Random(f"{person.email}:{iso2}"), iso2, name))


def _place(rng: random.Random, iso2: str, name: str) -> Address:
    place = invent_address(rng, COUNTRIES.get(iso2, COUNTRIES["GB"]))
    if iso2 not in COUNTRIES:
        postcode = f"{rng.randint(10000, 99999)}"
        place |= {"city": name, "state": "", "postcode": postcode, "country": name, "country_iso2": iso2}
    return place


def _person(identity: str, country: str, *, registered: bool) -> Person:
    iso2, name = country_named(country)
    rng = random.Random(identity)
    likeness = COUNTRIES.get(iso2, COUNTRIES["GB"])
    first = rng.choice(FIRST_NAMES[likeness.iso2])
    last = rng.choice(LAST_NAMES[likeness.iso2])
    place = _place(rng, iso2, name)
    local = "".join(sign for sign in to_ascii(f"{first}.{last}").lower() if sign.isalpha() or sign == ".")
    return Person(
        first_name=first,
        last_name=last,
        email=f"{local}.{identity}@example.com",
        phone=_phone(rng, likeness, iso2),
        registered=registered,
        **place,
    )


def _phone(rng: random.Random, likeness: Country, iso2: str) -> str:
    number = f"{rng.randint(100, 999)} {rng.randint(100000, 999999)}"
    return f"{likeness.dialling_code} {number}" if likeness.iso2 == iso2 else f"0{number}"
