"""Customers who may be one, and what a person's decision makes of them (BC-24, BC-25)."""

from dataclasses import replace

import pytest

from brightpearl_pipelines.store import reviews
from brightpearl_pipelines.sync.decisions import UndecidableError, decide
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.goods import person
from brightpearl_pipelines_tests.sync.test_customers import address, buy, named, new_contact


def asked(harness, surname):
    """The undecided reviews about somebody, oldest first."""
    with harness.store.transaction() as tx:
        return [each for each in reviews.undecided(tx, 1000) if each.evidence["content"]["last_name"] == surname]


def decided(harness, review, *, same):
    harness.with_engine(lambda engine: decide(engine, review.id, same=same, note="looked at it"))
    harness.pass_time(1)
    harness.run(Reach.CHANGES)


def test_a_typing_error_is_proposed_and_makes_a_contact_of_its_own_until_it_is_decided(harness):
    one = person("Wanda Mistyped")
    typo = replace(one, last_name="Mistpyed", email="wanda@other.example")
    first, second = buy(harness, one), buy(harness, typo)
    assert harness.contact_of(first)["contactId"] != harness.contact_of(second)["contactId"]
    (review,) = asked(harness, "Mistpyed")
    assert review.evidence["rule"] == "alike"


def test_two_that_are_decided_to_be_one_get_their_orders_in_one_contact(harness):
    one = person("Ulla United", phone="1234567")
    typo = replace(one, last_name="Untied", email="ulla@other.example")
    first = buy(harness, one)
    buy(harness, typo)
    (review,) = asked(harness, "Untied")
    decided(harness, review, same=True)
    third, fourth = buy(harness, typo), buy(harness, one)
    known = harness.contact_of(first)["contactId"]
    assert harness.contact_of(third)["contactId"] == known
    assert harness.contact_of(fourth)["contactId"] == known
    assert asked(harness, "Untied") == []
    for reach in (Reach.CHANGES, Reach.EVERYTHING):
        harness.mark()
        harness.run(reach)
        assert [each for each in harness.writes() if "contact" in each] == []


def test_the_duplicate_contact_of_a_united_customer_does_not_spoil_the_one_that_is_kept(harness):
    """Two contacts cannot be joined by the API: the second one stays as a person left it, without effect."""
    one = person("Dina Duplicate", phone="7654321")
    typo = replace(one, last_name="Duplicaet", email="dina@other.example")
    first, second = buy(harness, one), buy(harness, typo)
    (review,) = asked(harness, "Duplicaet")
    decided(harness, review, same=True)
    double = str(harness.contact_of(second)["contactId"])
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.edit_contact(double, firstName="Wrong", telephone="000"))
    harness.run(Reach.CHANGES)
    contact = harness.contact_of(first)
    assert (contact["firstName"], contact["communication"]["telephones"]["PRI"]) == ("Dina", "7654321")


def test_an_order_on_its_way_finds_the_customer_that_the_other_became(harness):
    """It was planned for a customer who is another one by now."""
    one = person("Otto Onhisway")
    typo = replace(one, last_name="Onhisawy", email="otto@other.example")
    first = buy(harness, one)
    harness.fault("brightpearl", "refuse", "POST", "/order-service/sales-order", count=1000)
    number = buy(harness, typo)
    harness.calm()
    harness.pass_time(400)
    (review,) = asked(harness, "Onhisawy")
    decided(harness, review, same=True)
    assert harness.contact_of(number)["contactId"] == harness.contact_of(first)["contactId"]


def test_nothing_is_united_while_a_contact_is_being_made(harness):
    one = person("Wim Waits")
    typo = replace(one, last_name="Watis", email="wim@other.example")
    first = buy(harness, one)
    harness.fault("brightpearl", "refuse", "POST", "/contact-service/", count=1000)
    number = buy(harness, typo)
    harness.calm()
    harness.pass_time(400)
    (review,) = asked(harness, "Watis")
    with pytest.raises(UndecidableError, match="bpp sync"):
        harness.with_engine(lambda engine: decide(engine, review.id, same=True))
    assert asked(harness, "Watis") == [review]
    harness.run(Reach.CHANGES)
    decided(harness, review, same=True)
    third = buy(harness, typo)
    assert harness.contact_of(third)["contactId"] == harness.contact_of(first)["contactId"]
    assert harness.contact_of(number)["contactId"] != harness.contact_of(first)["contactId"]


def test_two_that_are_decided_to_be_two_are_not_proposed_again(harness):
    one = person("Tilda Two")
    other = replace(one, first_name="Tilde", email="tilde@other.example")
    buy(harness, one)
    buy(harness, other)
    (review,) = asked(harness, "Two")
    decided(harness, review, same=False)
    buy(harness, other)
    assert asked(harness, "Two") == []
    assert len(named(harness, "Two")) == 2


def test_a_household_of_one_mailbox_that_is_decided_to_be_two_gets_a_contact_for_each(harness):
    """BC-24: until then the order is in the contact that has the mailbox, which it does not change."""
    one = person("Hera House", email="house@house.example")
    other = replace(one, first_name="Zeno", street_1="7 Other Road")
    first, second = buy(harness, one), buy(harness, other)
    assert harness.contact_of(second)["contactId"] == harness.contact_of(first)["contactId"]
    (review,) = asked(harness, "House")
    assert review.evidence["rule"] == "email_other_name"
    decided(harness, review, same=False)
    third, fourth = buy(harness, other), buy(harness, one)
    assert harness.contact_of(third)["firstName"] == "Zeno"
    assert harness.contact_of(fourth)["contactId"] == harness.contact_of(first)["contactId"]
    assert asked(harness, "House") == []


def test_another_name_on_one_mailbox_that_is_decided_to_be_one_updates_the_contact(harness):
    one = person("Katherine Names", email="kate@names.example")
    other = replace(one, first_name="Kate", street_1="8 Newer Road")
    first = buy(harness, one)
    buy(harness, other)
    (review,) = asked(harness, "Names")
    decided(harness, review, same=True)
    assert address(harness, harness.contact_of(first), "BIL")["addressLine1"] == "8 Newer Road"
    buy(harness, replace(other, street_1="9 Newest Road"))
    assert address(harness, harness.contact_of(first), "BIL")["addressLine1"] == "9 Newest Road"
    assert asked(harness, "Names") == []


def test_father_and_son_who_were_taken_for_one_are_taken_apart(harness):
    """BC-25: one name, one house, two mailboxes; joined by the address rule, and asked about."""
    father = person("Sven Same", phone="")
    son = replace(father, email="sven.junior@own.example")
    first, second = buy(harness, father), buy(harness, son)
    assert harness.contact_of(second)["contactId"] == harness.contact_of(first)["contactId"]
    (review,) = asked(harness, "Same")
    assert review.evidence["rule"] == "name_address_other_email"
    decided(harness, review, same=False)
    third, fourth = buy(harness, son), buy(harness, father)
    assert harness.contact_of(third)["contactId"] != harness.contact_of(first)["contactId"]
    assert harness.contact_of(fourth)["contactId"] == harness.contact_of(first)["contactId"]


def test_of_several_contacts_of_other_names_none_is_renamed_by_a_third_person(harness):
    """BC-24: a false merge would be worse than a duplicate."""
    both = [person("Rita Third", email="all@third.example"), person("Rolf Third", email="all@third.example")]
    for each in both:
        new_contact(harness, each)
    buy(harness, person("Ruth Third", email="all@third.example", street_1="5 Third Road"))
    assert sorted(each["firstName"] for each in named(harness, "Third")) == ["Rita", "Rolf"]


def test_several_people_of_a_company_are_several_contacts(harness):
    """BC-25: neither the company nor its address makes them one."""
    office = {"company": "Acme Ltd", "street_1": "1 Office Park", "phone": "020 7946 0000"}
    names = ("Cara", "Colin", "Cyril")
    numbers = [buy(harness, person(f"{name} Colleague", **office)) for name in names]
    contacts = [harness.contact_of(number) for number in numbers]
    assert [each["firstName"] for each in contacts] == list(names)
    assert len({each["contactId"] for each in contacts}) == 3
    assert {each["organisation"]["name"] for each in contacts} == {"Acme Ltd"}


def test_a_review_is_decided_once(harness):
    one = person("Olga Once")
    buy(harness, one)
    buy(harness, replace(one, last_name="Onces", email="olgo@once.example"))
    (review,) = asked(harness, "Onces")
    decided(harness, review, same=False)
    with pytest.raises(LookupError):
        harness.with_engine(lambda engine: decide(engine, review.id, same=True))
