"""Customers are found by e-mail, then by name and address, and doubts are marked (BC-24, BC-25)."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightpearl_pipelines.entities.models import Address, Customer
from brightpearl_pipelines.matching import Candidate, Match, choose, hints, identity, match_keys

HOME = Address(line1="1 Sample Street", postcode="BS1 1AA", country="GB")
ELSEWHERE = Address(line1="9 Other Road", postcode="M1 1AA", country="GB")


def person(first="Ann", last="Example", email="ann@example.com", billing=HOME, **rest):
    return Customer(first_name=first, last_name=last, email=email, billing=billing, **rest)


def known(number, *args, **fields):
    return Candidate(UUID(int=number), person(*args, **fields))


def kinds(customer):
    return [key.kind for key in match_keys(customer)]


def test_the_keys_are_the_mailbox_and_then_name_and_address():
    keys = match_keys(person(first="Zoë", email="Ann.E+x@gmail.com"))
    assert [(key.kind, key.value) for key in keys] == [
        ("email", "anne@gmail.com"),
        ("name_address", "zoe|example|1 sample st|bs11aa|GB"),
    ]


@pytest.mark.parametrize(
    "lacking",
    [
        person(last=""),
        person(billing=Address(postcode="BS1 1AA")),
        person(billing=Address(line1="1 Sample Street")),
        person(billing=Address(), shipping=HOME),
    ],
)
def test_name_and_address_count_only_together_and_only_the_billing_address(lacking):
    assert kinds(lacking) == ["email"]


def test_without_a_mailbox_there_is_no_key_of_it():
    assert kinds(person(email="not given")) == ["name_address"]
    assert kinds(person(email="", last="")) == []


def test_a_first_name_more_or_less_is_another_key():
    assert match_keys(person())[1] != match_keys(person(first=""))[1]


def test_nobody_known_is_a_new_customer():
    assert choose(person(), [], []) == Match(None, "new", review=False)


def test_the_email_decides():
    assert choose(person(), [known(1, billing=ELSEWHERE)], [known(2)]) == Match(UUID(int=1), "email", review=False)


@pytest.mark.parametrize(
    ("first", "last"), [("A", "Example"), ("", "Example"), ("Ann Mary", "Example"), ("Example", "Ann"), ("ANN", "")]
)
def test_another_spelling_of_the_name_needs_no_review(first, last):
    match = choose(person(), [known(1, first, last, billing=ELSEWHERE)], [])
    assert match == Match(UUID(int=1), "email", review=False)


@pytest.mark.parametrize(("first", "last"), [("Bob", "Example"), ("Ann", "Other"), ("Anne", "Example")])
def test_an_email_under_another_name_decides_too_but_is_reviewed(first, last):
    match = choose(person(), [known(1, first, last)], [])
    assert match == Match(UUID(int=1), "email_other_name", review=True)


def test_of_several_with_the_email_the_one_at_the_same_name_and_address_is_taken():
    candidates = [known(1, "Bob"), known(2), known(3, billing=ELSEWHERE)]
    assert choose(person(), candidates, []) == Match(UUID(int=2), "email", review=False)


def test_of_several_with_the_email_the_one_of_that_name_is_taken():
    candidates = [known(3, billing=ELSEWHERE), known(2, "Bob")]
    assert choose(person(), candidates, []) == Match(UUID(int=3), "email_of_several", review=True)


def test_of_several_with_the_email_and_all_of_other_names_nobody_is_merged_with():
    """BC-24: whoever joins by this rule changes nothing of the other."""
    candidates = [known(3, "Carl"), known(2, "Bob")]
    assert choose(person(), candidates, []) == Match(UUID(int=2), "email_other_name", review=True)


def test_without_the_email_name_and_address_decide():
    match = choose(person(email=""), [], [known(1)])
    assert match == Match(UUID(int=1), "name_address", review=False)


def test_the_same_name_and_address_with_another_mailbox_is_reviewed():
    match = choose(person(), [], [known(1, email="other@example.com")])
    assert match == Match(UUID(int=1), "name_address_other_email", review=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [({"phone": "07700 900001"}, {"phone": "07700 900002"}), ({"company": "Acme Ltd"}, {"company": "Acme"})],
)
def test_father_and_son_and_colleagues_of_one_name_are_two_and_proposed(one, other):
    """BC-25: mailbox and telephone differ, or it is where many work."""
    match = choose(person(**one), [], [known(1, email="other@example.com", **other)])
    assert match == Match(None, "alike", review=True, suspect=UUID(int=1))


def test_the_same_telephone_with_another_mailbox_is_one_person():
    known_one = known(1, email="other@example.com", phone="+44 7700 900001")
    assert choose(person(phone="07700 900001"), [], [known_one]).rule == "name_address_other_email"


@pytest.mark.parametrize(("first", "last"), [("Anne", "Example"), ("Ann", "Exmaple"), ("A", "Example")])
def test_who_is_nearly_of_that_name_in_the_same_house_is_new_and_proposed(first, last):
    """BC-25: a typing error is for a person to judge."""
    match = choose(person(first, last, email=""), [], [], [known(1, email="")])
    assert match == Match(None, "alike", review=True, suspect=UUID(int=1))


def test_somebody_else_in_the_same_house_is_simply_new():
    assert choose(person("Bob", email=""), [], [], [known(1, email="")]) == Match(None, "new", review=False)


def test_hints_are_the_telephone_number_and_the_house():
    keys = hints(person(phone="+44 (0)7700 900-001"))
    assert [(key.kind, key.value) for key in keys] == [("phone", "700900001"), ("place", "1|bs11aa|GB")]
    assert hints(person(phone="12", billing=Address(line1="The Grove", postcode="LS1 1AA"))) == []


def test_people_are_known_by_mailbox_and_name_or_by_name_and_address():
    assert identity(person()) == "ann@example.com|ann|example"
    assert identity(person(email="")) == "ann|example|1 sample st|bs11aa|GB"
    assert identity(person(email="", last="")) is None


def test_of_several_at_the_same_name_and_address_one_without_another_mailbox_goes_first():
    candidates = [known(1, email="other@example.com"), known(2, email="")]
    assert choose(person(), [], candidates) == Match(UUID(int=2), "name_address_of_several", review=True)


people = st.builds(
    person,
    first=st.sampled_from(["Ann", "A", "Bob", ""]),
    last=st.sampled_from(["Example", "Other", ""]),
    email=st.sampled_from(["ann@example.com", "bob@example.com"]),
    billing=st.sampled_from([HOME, ELSEWHERE, Address()]),
)
candidates = st.lists(st.builds(Candidate, st.integers(1, 9).map(lambda number: UUID(int=number)), people), max_size=5)


@given(people, candidates, candidates, st.randoms())
def test_the_order_of_the_candidates_changes_nothing_and_the_choice_is_one_of_them(
    customer, by_email, by_place, random
):
    match = choose(customer, by_email, by_place)
    offered = {candidate.golden_id for candidate in by_email or by_place}
    assert (match.golden_id in offered) if offered else match == Match(None, "new", review=False)
    distinct = [list({c.golden_id: c for c in group}.values()) for group in (by_email, by_place)]
    expected = choose(customer, *distinct)
    for group in distinct:
        random.shuffle(group)
    assert choose(customer, *distinct) == expected


@given(people, candidates)
def test_several_customers_are_never_told_apart_without_name_and_address_or_review(customer, by_email):
    ids = {candidate.golden_id for candidate in by_email}
    match = choose(customer, by_email, [])
    if len(ids) > 1 and not match.review:
        chosen = [c.customer for c in by_email if c.golden_id == match.golden_id]
        assert any(match_keys(customer)[-1] in match_keys(one) for one in chosen)


@given(people)
def test_a_customer_is_found_again_as_itself_without_doubt(customer):
    itself = Candidate(UUID(int=5), customer)
    assert choose(customer, [itself], []) == Match(UUID(int=5), "email", review=False)
