"""The people of the world, untidy on purpose: the same person comes back under other spellings, mails and addresses.

Every duplicate is of a kind that occurs in shops: another case or a plus-tag in the e-mail, an e-mail shared by a
household, a second address, several people of one company, a transliterated or mistyped name.
"""

import random
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import TypedDict

from brightpearl_pipelines.sandbox.reference import COUNTRIES, Country
from brightpearl_pipelines.sandbox.world import Person

FIRST_NAMES = {
    "GB": ("Ann", "Oliver", "Zoë", "Priya", "Callum", "Margaret", "Chloe", "Mohammed", "Gareth", "Fiona"),
    "IE": ("Siobhán", "Seán", "Aoife", "Pádraig", "Niamh"),
    "DE": ("Jürgen", "Anneliese", "Björn", "Käthe", "Lukas", "Jörg"),
    "FR": ("Élodie", "François", "Anaïs", "Benoît", "Chloé"),
    "US": ("Madison", "Tyler", "José", "Latoya", "Chad"),
    "ES": ("María José", "Íñigo", "Begoña"),
    "NL": ("Sanne", "Daan", "Noël"),
    "DK": ("Søren", "Åse", "Mette"),
    "PL": ("Łukasz", "Małgorzata", "Agnieszka"),
}
LAST_NAMES = {
    "GB": ("Smith", "Patel", "O'Brien", "Taylor-Jones", "McDonald", "Khan", "Davies", "Featherstonehaugh", "Lee"),
    "IE": ("Ó Briain", "Murphy", "O'Sullivan", "Ní Dhomhnaill"),
    "DE": ("Müller", "Weiß", "Schröder", "von der Heide", "Böhm", "Groß"),
    "FR": ("Lefèvre", "D'Hérouville", "Béranger", "Dupont"),
    "US": ("Johnson", "García", "Nguyen", "Washington", "Miller"),
    "ES": ("García Márquez", "Muñoz", "Peña"),
    "NL": ("van den Berg", "de Vries", "IJsselstein"),
    "DK": ("Sørensen", "Kjær", "Ågård"),
    "PL": ("Wiśniewski", "Żółkiewska", "Dąbrowski"),
}
COMPANIES = (
    "Sample Gifts Ltd",
    "Harbour & Lane LLP",
    "Blumenhaus GmbH",
    "Atelier Soleil SARL",
    "The Corner Shop",
    "Oak Inc.",
)
MAIL_HOSTS = ("example.com", "example.org", "mail.example.net", "post.example.com")
SHARE_OF_DUPLICATES = 0.3
COUNTRY_WEIGHTS = {"GB": 60, "IE": 8, "DE": 9, "FR": 7, "US": 7, "ES": 3, "NL": 2, "DK": 2, "PL": 2}

_LETTERS = "ABCDEFGHJKLMNPRSTUWXYZ"
_BEYOND_DECOMPOSITION = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "Ae", "å": "a", "Å": "A"}
)
_GERMAN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ø": "oe", "Ø": "Oe", "å": "aa"}
)


class Address(TypedDict):
    """The fields of `Person` that say where."""

    street_1: str
    city: str
    state: str
    postcode: str
    country_iso2: str
    country: str


def to_ascii(text: str) -> str:
    """The text without its accents: Müller → Muller, Łukasz → Lukasz."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_BEYOND_DECOMPOSITION))
    return decomposed.encode("ascii", "ignore").decode()


def transliterate(text: str) -> str:
    """The text as people spell it who lack the keys: Müller → Mueller, Søren → Soeren."""
    return to_ascii(text.translate(_GERMAN))


def invent_address(rng: random.Random, country: Country) -> Address:
    """One invented address, written as is usual in that country."""
    city, state = rng.choice(country.cities)
    street = rng.choice(country.streets).format(n=rng.randint(1, 240), m=rng.randint(1, 30))
    digits_and_letters = {"#": "0123456789", "@": _LETTERS}
    postcode = "".join(rng.choice(digits_and_letters.get(sign, sign)) for sign in country.postcode)
    return {
        "street_1": street,
        "city": city,
        "state": state,
        "postcode": postcode,
        "country_iso2": country.iso2,
        "country": country.name,
    }


def invent_person(rng: random.Random, number: int, country: Country) -> Person:
    """A person like no other so far: `number` goes into the e-mail."""
    first = rng.choice(FIRST_NAMES[country.iso2])
    last = rng.choice(LAST_NAMES[country.iso2])
    local = "".join(sign for sign in to_ascii(f"{first}.{last}").lower() if sign.isalnum() or sign == ".")
    company = rng.choice(COMPANIES) if rng.random() < 0.15 else ""
    return Person(
        first_name=first,
        last_name=last,
        email=f"{local}{number}@{rng.choice(MAIL_HOSTS)}",
        phone=f"{country.dialling_code} {rng.randint(100, 999)} {rng.randint(100000, 999999)}",
        company=company,
        street_2="Unit 4" if company else "",
        registered=rng.random() < 0.75,
        **invent_address(rng, country),
    )


def _other_case(rng: random.Random, person: Person) -> Person:
    local, host = person.email.split("@")
    return replace(
        person, email=rng.choice((person.email.upper(), f"{local.title()}@{host}", f"{local}@{host.title()}"))
    )


def _plus_tag(rng: random.Random, person: Person) -> Person:
    local, host = person.email.split("@")
    return replace(person, email=f"{local}+{rng.choice(('shop', 'sale', 'newsletter'))}@{host}")


def _household(rng: random.Random, person: Person) -> Person:
    others = [name for name in FIRST_NAMES[person.country_iso2] if name != person.first_name]
    return replace(person, first_name=rng.choice(others))


def _second_address(rng: random.Random, person: Person) -> Person:
    return replace(person, street_2="", **invent_address(rng, COUNTRIES[person.country_iso2]))


def _colleague(rng: random.Random, person: Person) -> Person:
    company = person.company or rng.choice(COMPANIES)
    first = rng.choice(FIRST_NAMES[person.country_iso2])
    last = rng.choice(LAST_NAMES[person.country_iso2])
    domain = "".join(sign for sign in to_ascii(company).lower() if sign.isalnum())
    email = f"{to_ascii(first).lower().replace(' ', '')}{rng.randint(10, 99)}@{domain}.example.com"
    return replace(person, first_name=first, last_name=last, email=email, company=company)


def _transliterated(_: random.Random, person: Person) -> Person:
    local, host = person.email.split("@")
    return replace(
        person,
        first_name=transliterate(person.first_name),
        last_name=transliterate(person.last_name),
        city=transliterate(person.city),
        street_1=transliterate(person.street_1),
        email=f"{local}.home@{host}",
    )


def _mistyped(rng: random.Random, person: Person) -> Person:
    name = person.last_name
    at = rng.randrange(len(name) - 1)
    swapped = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    street = person.street_1.replace("Street", "St").replace("Road", "Rd").replace("straße", "str.")
    postcode = person.postcode.replace(" ", "").lower()
    local, host = person.email.split("@")
    email = f"{local}@{host.rpartition('.')[0]}.con"
    return replace(person, last_name=swapped, street_1=street, postcode=postcode, email=email)


def _untidy(_: random.Random, person: Person) -> Person:
    """The same person typed in a hurry: spaces, capitals, a national phone number."""
    phone = "0" + person.phone.split(" ", 1)[1].replace(" ", "-")
    return replace(
        person, first_name=f" {person.first_name.lower()}", last_name=f"{person.last_name.upper()} ", phone=phone
    )


DUPLICATES: tuple[Callable[[random.Random, Person], Person], ...] = (
    _other_case,
    _plus_tag,
    _household,
    _second_address,
    _colleague,
    _transliterated,
    _mistyped,
    _untidy,
)


def invent_people(rng: random.Random, count: int) -> tuple[Person, ...]:
    """`count` people, three tenths of them duplicates of others in some way.

    A shop account needs an e-mail of its own (bigcommerce.md §5), so who shares one with an earlier account is a guest.
    """
    countries = rng.choices(list(COUNTRY_WEIGHTS), weights=list(COUNTRY_WEIGHTS.values()), k=count)
    originals = count - int(count * SHARE_OF_DUPLICATES)
    people = [invent_person(rng, number, COUNTRIES[countries[number]]) for number in range(originals)]
    for number in range(count - originals):
        people.append(DUPLICATES[number % len(DUPLICATES)](rng, rng.choice(people[:originals])))
    taken: set[str] = set()
    settled = []
    for person in people:
        email = person.email.strip().casefold()
        settled.append(replace(person, registered=person.registered and email not in taken))
        if settled[-1].registered:
            taken.add(email)
    return tuple(settled)
