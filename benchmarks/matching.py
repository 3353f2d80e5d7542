"""How well customers are matched: precision and recall on generated people of a shop. `python -m benchmarks.matching`.

Each person shops several times, each time as people do: other capitals, a tag in the address, an abbreviated street, a
typing error, from a new home, as a guest. Beside them stand those who must not be taken for one another: households
with one mailbox, father and son of one name, colleagues, namesakes, neighbours.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from brightpearl_pipelines.entities.models import Address, Customer
from brightpearl_pipelines.matching import CROWD, Candidate, MatchKey, choose, hints, match_keys

NAMESPACE = UUID("a3f1c1de-6f0b-4b5e-9d3c-5f3f6f0f2a11")
FIRST = (
    *("Anna", "Zoë", "John", "Maria", "Peter", "José", "Siân", "Mohammed", "Olivia", "Jürgen", "Chloe", "Liam"),
    *("Priya", "Björn", "Grace", "Hannah", "Mark", "Marc", "Tom", "Fatima"),
)
LAST = (
    *("Smith", "Jones", "O'Brien", "Müller", "Taylor", "Brown", "Williams", "García", "Patel", "Evans", "Ångström"),
    *("Walker", "Wright", "Robinson", "Thompson", "Clark-Hall", "Lewis", "Young", "Łukasik", "Green"),
)
STREETS = (
    "High Street",
    "Station Road",
    "Church Lane",
    "Park Avenue",
    "Mill Close",
    "Saint John's Terrace",
    "The Grove",
)
PROVIDERS = ("gmail.com", "outlook.com", "example.org", "shop.example", "fastmail.com", "mail.example")


@dataclass(frozen=True)
class Seen:
    """One checkout: who it really was, and what was typed."""

    person: str
    case: str
    customer: Customer


@dataclass
class Score:
    """Pairs of checkouts: those of one person that were found to be one, and those that were taken for one."""

    people: int = 0
    checkouts: int = 0
    true_pairs: int = 0
    found_pairs: int = 0
    right_pairs: int = 0
    false_merges: int = 0
    """Customers in whom two people were mixed up: the one thing that must not happen."""
    reviews: Counter[str] = field(default_factory=Counter)
    """Checkouts proposed to a person, by rule and case."""
    missed: Counter[str] = field(default_factory=Counter)
    """Checkouts that made a customer of their own although the person was known, by case."""
    mixed: list[tuple[Seen, Seen]] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right_pairs / self.found_pairs if self.found_pairs else 1.0

    @property
    def recall(self) -> float:
        return self.right_pairs / self.true_pairs if self.true_pairs else 1.0


class Generator:
    """People and what they type; the same seed gives the same checkouts."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._made = 0

    def checkouts(self, households: int) -> Iterator[Seen]:
        """In the order in which they happen: each group of people that may be mixed up after the other."""
        scenes: Sequence[Callable[[], Iterator[Seen]]] = (
            self._one,
            self._one,
            self._shared_mailbox,
            self._family,
            self._father_and_son,
            self._colleagues,
            self._namesakes,
        )
        for _ in range(households):
            seen = list(self._draw.choice(scenes)())
            self._draw.shuffle(seen)
            yield from seen

    # -- scenes ---------------------------------------------------------------------------------------------------

    def _one(self) -> Iterator[Seen]:
        yield from self._shops(self._person(), moves=True)

    def _shared_mailbox(self) -> Iterator[Seen]:
        """A household with one mailbox: nobody tells from it who writes."""
        one = self._person()
        other = self._person(last_name=one.last_name, email=one.email, billing=one.billing, unlike=one.first_name)
        yield from self._plainly(one, "household mailbox")
        yield from self._plainly(other, "household mailbox")

    def _family(self) -> Iterator[Seen]:
        one = self._person()
        yield from self._shops(one)
        yield from self._shops(
            self._person(last_name=one.last_name, billing=one.billing, phone=one.phone, unlike=one.first_name)
        )

    def _father_and_son(self) -> Iterator[Seen]:
        """One name, one house; a mailbox and a mobile each."""
        one = self._person()
        son = self._person(first_name=one.first_name, last_name=one.last_name, billing=one.billing)
        yield from self._plainly(one, "father and son")
        yield from self._plainly(son, "father and son")

    def _colleagues(self) -> Iterator[Seen]:
        place, company = self._address(), f"{self._draw.choice(LAST)} Ltd {self._number()}"
        used: list[str] = []
        for _ in range(3):
            one = self._person(billing=place, company=company, unlike=used[-1] if used else "", phone="020 7946 0000")
            used.append(one.first_name)
            yield from self._plainly(one, "company")

    def _namesakes(self) -> Iterator[Seen]:
        one = self._person()
        yield from self._shops(one)
        yield from self._shops(self._person(first_name=one.first_name, last_name=one.last_name))

    # -- people ---------------------------------------------------------------------------------------------------

    def _number(self) -> int:
        self._made += 1
        return self._made

    def _address(self) -> Address:
        number, draw = self._number(), self._draw
        return Address(
            line1=f"{draw.randint(1, 250)} {draw.choice(STREETS)}",
            city="Leeds",
            postcode=f"LS{number // 1000 + 1} {number % 10}{chr(65 + number // 26 % 26)}{chr(65 + number % 26)}",
            country="GB",
        )

    def _person(self, unlike: str = "", **given: object) -> Customer:
        number, draw = self._number(), self._draw
        first = draw.choice([name for name in FIRST if name[:2].lower() != unlike[:2].lower()])
        fields: dict[str, object] = {"first_name": first, "last_name": draw.choice(LAST), **given}
        fields.setdefault("email", f"person.{number}@{draw.choice(PROVIDERS)}")
        fields.setdefault("phone", f"07700 {900000 + number}")
        fields.setdefault("billing", self._address())
        return Customer.model_validate(fields)

    # -- what they type -------------------------------------------------------------------------------------------

    def _plainly(self, who: Customer, case: str) -> Iterator[Seen]:
        name = f"person-{self._number()}"
        yield Seen(name, case, who)
        yield Seen(name, case, who.model_copy(update={"email": who.email.upper()}))

    def _shops(self, who: Customer, *, moves: bool = False) -> Iterator[Seen]:
        name = f"person-{self._number()}"
        yield Seen(name, "first", who)
        cases = [self._capitals, self._tag, self._dots, self._guest, self._spelling, self._mistyped, self._new_mailbox]
        for case in self._draw.sample([*cases, self._moved] if moves else cases, 3):
            yield Seen(name, case.__name__.strip("_"), case(who))

    def _capitals(self, who: Customer) -> Customer:
        return who.model_copy(update={"email": f" {who.email.title()}", "last_name": who.last_name.upper()})

    def _tag(self, who: Customer) -> Customer:
        local, domain = who.email.split("@")
        return who.model_copy(update={"email": f"{local}+shop@{domain}"})

    def _dots(self, who: Customer) -> Customer:
        local, domain = who.email.split("@")
        return who.model_copy(update={"email": f"{local.replace('.', '')}@{domain}"})

    def _guest(self, who: Customer) -> Customer:
        return who.model_copy(update={"email": "", "phone": ""})

    def _spelling(self, who: Customer) -> Customer:
        line = who.billing.line1.replace("Street", "St.").replace("Road", "Rd").replace("Saint", "St")
        place = {"line1": line, "postcode": who.billing.postcode.lower().replace(" ", "")}
        return who.model_copy(update={"email": "", "billing": who.billing.model_copy(update=place)})

    def _mistyped(self, who: Customer) -> Customer:
        """Two letters of the surname change places, under another mailbox."""
        name = who.last_name
        return who.model_copy(
            update={"last_name": f"{name[:-2]}{name[-1]}{name[-2]}", "email": f"x{self._number()}@typo.example"}
        )

    def _new_mailbox(self, who: Customer) -> Customer:
        return who.model_copy(update={"email": f"new.{self._number()}@elsewhere.example"})

    def _moved(self, who: Customer) -> Customer:
        return who.model_copy(update={"billing": self._address()})


def score(checkouts: Sequence[Seen]) -> Score:
    """Match the checkouts one after the other, as the engine does, and compare with who it really was."""
    known: dict[UUID, Customer] = {}
    by_key: dict[tuple[str, str], set[UUID]] = {}
    members: dict[UUID, list[Seen]] = {}
    met: set[str] = set()
    found = Score(people=len({each.person for each in checkouts}), checkouts=len(checkouts))
    for position, each in enumerate(checkouts):
        keys = [*match_keys(each.customer), *hints(each.customer)]

        def candidates(*kinds: str, most: int | None = None, keys: Sequence[MatchKey] = keys) -> list[Candidate]:
            some = [by_key.get((key.kind, key.value), set()) for key in keys if key.kind in kinds]
            ids = {id_ for each in some if most is None or len(each) < most for id_ in each}
            return [Candidate(id_, known[id_]) for id_ in sorted(ids)]

        hinted = candidates("phone", "place", most=CROWD)
        chosen = choose(each.customer, candidates("email"), candidates("name_address"), hinted)
        if chosen.review:
            found.reviews[f"{chosen.rule}, {each.case}"] += 1
        joined = chosen.golden_id if chosen.rule != "email_other_name" else None
        if joined is None and each.person in met:
            found.missed[each.case] += 1
        met.add(each.person)
        if chosen.rule == "email_other_name":
            continue  # only linked: nothing is made of it
        golden = joined or uuid5(NAMESPACE, str(position))
        _take(each, golden, known, members)
        for key in keys:
            by_key.setdefault((key.kind, key.value), set()).add(golden)
    _count(found, checkouts, members)
    return found


def _take(each: Seen, golden: UUID, known: dict[UUID, Customer], members: dict[UUID, list[Seen]]) -> None:
    """The latest checkout's word counts; what it does not say stays."""
    said = {name: value for name, value in each.customer.model_dump().items() if value}
    before = known[golden].model_dump() if golden in known else {}
    known[golden] = Customer.model_validate({**before, **said})
    members.setdefault(golden, []).append(each)


def _count(found: Score, checkouts: Sequence[Seen], members: dict[UUID, list[Seen]]) -> None:
    for count in Counter(each.person for each in checkouts).values():
        found.true_pairs += count * (count - 1) // 2
    for some in members.values():
        found.found_pairs += len(some) * (len(some) - 1) // 2
        people = Counter(each.person for each in some)
        found.right_pairs += sum(count * (count - 1) // 2 for count in people.values())
        if len(people) > 1:
            found.false_merges += 1
            found.mixed.append((some[0], next(each for each in some if each.person != some[0].person)))


def figures(seed: int = 1, households: int = 5000) -> Score:
    """Precision and recall on so many households."""
    return score(list(Generator(seed).checkouts(households)))


def main() -> None:
    """Print the figures."""
    found = figures()
    print(f"people {found.people}, checkouts {found.checkouts}")
    print(f"precision {found.precision:.4f}, recall {found.recall:.4f}, false merges {found.false_merges}")
    print(f"proposed for review: {found.reviews.total()} checkouts")
    for case, count in found.reviews.most_common(8):
        print(f"  {count} × {case}")
    for case, count in found.missed.most_common():
        print(f"  made a customer of their own: {count} × {case}")


if __name__ == "__main__":
    main()
