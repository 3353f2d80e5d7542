"""Whose order it is (BC-22, BC-23, BC-24, BC-25; BP-15, BP-24): found, else made, once."""

from dataclasses import replace

import pytest

from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines_tests.sync.goods import KNOWN, draft, person


def buy(harness, buyer, **changes):
    harness.pass_time(1)
    number = harness.place(draft(("MUG", 1), person=buyer, **changes))
    harness.run(Reach.CHANGES)
    return number


def named(harness, surname):
    return [each for each in harness.contacts() if each["lastName"] == surname]


def address(harness, contact, use):
    return harness.brightpearl.collection("postal_addresses")[str(contact["postAddressIds"][use])]


def new_contact(harness, who):
    """A contact that somebody entered in Brightpearl by hand."""
    made = harness.post_to_brightpearl(
        "contact-service/postal-address",
        {"addressLine1": who.street_1, "addressLine3": who.city, "postalCode": who.postcode, "countryIsoCode": "GBR"},
    )
    contact = {
        "firstName": who.first_name,
        "lastName": who.last_name,
        "postAddressIds": {"DEF": made, "BIL": made, "DEL": made},
        "communication": {"emails": {"PRI": {"email": who.email}}},
    }
    return harness.post_to_brightpearl("contact-service/contact", contact)


# -- found --------------------------------------------------------------------------------------------------------


def test_a_customer_whom_brightpearl_knows_is_found_by_the_email_address(harness):
    before = len(harness.contacts())
    number = buy(harness, KNOWN)
    assert harness.contact_of(number)["lastName"] == "Known"
    assert len(harness.contacts()) == before


@pytest.mark.parametrize("email", ["CARLA@Known.Example", " carla@known.example "])
def test_the_spelling_of_an_email_address_makes_no_second_contact(harness, email):
    before = len(harness.contacts())
    number = buy(harness, replace(KNOWN, email=email, registered=False))
    assert harness.contact_of(number)["lastName"] == "Known"
    assert len(harness.contacts()) == before


def test_a_tag_in_the_email_address_is_another_mailbox_found_by_name_and_address(harness):
    """anna+shop@… reaches Anna, yet may be an address of its own: name and billing address say who it is."""
    before = len(harness.contacts())
    number = buy(harness, replace(KNOWN, email="carla+shop@known.example", registered=False))
    assert harness.contact_of(number)["lastName"] == "Known"
    assert len(harness.contacts()) == before


def test_a_customer_with_a_new_email_address_is_found_by_name_and_billing_address(harness):
    who = person("Petra Moved-Mail")
    first = buy(harness, who)
    number = buy(harness, replace(who, email="petra@elsewhere.example"))
    assert harness.contact_of(number)["contactId"] == harness.contact_of(first)["contactId"]
    assert len(named(harness, "Moved-Mail")) == 1


def test_the_same_name_at_another_address_with_another_email_is_another_person(harness):
    one = person("John Smith", email="john1@smith.example", street_1="1 North Street")
    other = person("John Smith", email="john2@smith.example", street_1="2 South Street")
    first, second = buy(harness, one), buy(harness, other)
    assert harness.contact_of(first)["contactId"] != harness.contact_of(second)["contactId"]


def test_a_household_that_shares_a_mailbox_shares_the_contact_which_keeps_its_name(harness):
    """The order carries its own names; the contact is not renamed, nor moved, by whoever bought last."""
    one = person("Maria Household", email="home@house.example")
    other = person("Mario Household", email="home@house.example", street_1="99 Other Road", phone="12345")
    first, second = buy(harness, one), buy(harness, other)
    contact = harness.contact_of(second)
    assert contact["contactId"] == harness.contact_of(first)["contactId"]
    assert (contact["firstName"], contact["communication"]["telephones"].get("PRI", "")) == ("Maria", "")
    assert address(harness, contact, "BIL")["addressLine1"] == one.street_1
    parties = harness.order(second)["parties"]
    assert parties["billing"]["addressFullName"] == "Mario Household"
    assert parties["delivery"]["addressLine1"] == "99 Other Road"


def test_an_old_order_of_the_other_one_of_a_household_read_again_renames_nobody(harness):
    one = person("Paula Pair", email="pair@pair.example", phone="1")
    other = person("Peter Pair", email="pair@pair.example", street_1="5 Other Road", phone="2")
    first, second = buy(harness, one), buy(harness, other)
    harness.edit_order(second, status_id=9, status="Awaiting Shipment")
    harness.run(Reach.CHANGES)
    buy(harness, other)
    contact = harness.contact_of(first)
    assert (contact["firstName"], contact["communication"]["telephones"]["PRI"]) == ("Paula", "1")
    assert address(harness, contact, "BIL")["addressLine1"] == one.street_1


def test_the_other_one_of_a_household_gets_a_contact_with_a_mailbox_of_their_own(harness):
    """What the household's mailbox knew of them must not make them the first one's double."""
    one = person("Bella Both", email="both@home.example")
    other = person("Bruno Both", email="both@home.example", street_1="6 Other Road")
    first, _ = buy(harness, one), buy(harness, other)
    third = buy(harness, replace(other, email="bruno@own.example"))
    assert harness.contact_of(third)["contactId"] != harness.contact_of(first)["contactId"]
    assert harness.contact_of(third)["firstName"] == "Bruno"


def test_a_contact_entered_by_hand_since_the_last_run_is_not_doubled(harness):
    who = person("Hanna Byhand")
    contact_id = new_contact(harness, who)
    number = buy(harness, who)
    assert harness.contact_of(number)["contactId"] == contact_id
    assert len(named(harness, "Byhand")) == 1


def test_of_two_contacts_with_one_email_address_the_one_of_that_name_gets_the_order(harness):
    """Brightpearl does not keep addresses apart; the customer documents say it happens."""
    one = person("Rita Double", email="both@double.example", street_1="1 First Street")
    other = person("Ronald Double", email="both@double.example", street_1="2 Second Street")
    ids = [new_contact(harness, each) for each in (one, other)]
    assert harness.contact_of(buy(harness, one))["contactId"] == ids[0]
    assert harness.contact_of(buy(harness, other))["contactId"] == ids[1]
    assert len(named(harness, "Double")) == 2


def test_a_supplier_with_the_same_email_address_is_no_customer(harness):
    who = person("Sam Supplier", email="sam@supplier.example")
    contact_id = new_contact(harness, who)
    harness.brightpearl.collection("contacts")[str(contact_id)]["relationshipToAccount"]["isSupplier"] = True
    number = buy(harness, who)
    assert harness.contact_of(number)["contactId"] != contact_id


def test_three_orders_of_one_new_guest_in_one_run_make_one_contact(harness):
    guest = person("Greta Thrice")
    numbers = [harness.place(draft(("MUG", 1), person=guest)) for _ in range(3)]
    harness.run(Reach.CHANGES)
    assert len({harness.contact_of(number)["contactId"] for number in numbers}) == 1
    assert len(named(harness, "Thrice")) == 1


# -- made ---------------------------------------------------------------------------------------------------------


def test_a_new_customer_becomes_a_contact_with_email_phone_company_and_address(harness):
    """The open peer makes contacts without an e-mail, so that the next order cannot find them."""
    who = person("Nele New", phone="+44 7", company="New Ltd", street_2="Floor 2", state="Yorkshire", registered=True)
    contact = harness.contact_of(buy(harness, who))
    assert (contact["firstName"], contact["lastName"]) == ("Nele", "New")
    assert contact["communication"]["emails"]["PRI"]["email"] == who.email
    assert contact["communication"]["telephones"]["PRI"] == "+44 7"
    assert contact["organisation"]["name"] == "New Ltd"
    place = address(harness, contact, "BIL")
    lines = [place[name] for name in ("addressLine1", "addressLine2", "addressLine3", "addressLine4", "postalCode")]
    assert lines == [who.street_1, "Floor 2", "York", "Yorkshire", "YO1 7HH"]
    assert place["countryIsoCode"] == "GBR"
    assert contact["postAddressIds"]["DEL"] == contact["postAddressIds"]["BIL"]


def test_a_delivery_address_of_their_own_is_a_second_postal_address(harness):
    who = person("Wanda Work")
    office = replace(who, street_1="1 Office Park", city="Hull")
    contact = harness.contact_of(buy(harness, who, ship_to=office))
    assert address(harness, contact, "BIL")["addressLine1"] == who.street_1
    assert address(harness, contact, "DEL")["addressLine1"] == "1 Office Park"


# -- kept up to date ----------------------------------------------------------------------------------------------


def test_what_was_typed_at_the_latest_checkout_updates_the_contact(harness):
    """BC-23: the address and the telephone are the shop's word."""
    who = person("Ursula Update", phone="1")
    first = buy(harness, who)
    buy(harness, replace(who, phone="2", street_1="7 Newer Street"))
    contact = harness.contact_of(first)
    assert contact["communication"]["telephones"]["PRI"] == "2"
    assert address(harness, contact, "BIL")["addressLine1"] == "7 Newer Street"
    assert len(named(harness, "Update")) == 1


def test_an_address_that_moves_twice_is_changed_in_place(harness):
    who = person("Tove Twice")
    first = buy(harness, who)
    buy(harness, replace(who, street_1="2 Second Street"))
    places = len(harness.brightpearl.collection("postal_addresses"))
    buy(harness, replace(who, street_1="3 Third Street"))
    assert address(harness, harness.contact_of(first), "BIL")["addressLine1"] == "3 Third Street"
    assert len(harness.brightpearl.collection("postal_addresses")) == places


def test_an_empty_field_at_a_checkout_takes_nothing_away(harness):
    who = person("Erna Empty", phone="+44 5")
    first = buy(harness, who)
    buy(harness, replace(who, phone=""))
    assert harness.contact_of(first)["communication"]["telephones"]["PRI"] == "+44 5"


def test_a_name_that_brightpearl_corrected_is_not_spoilt_by_the_next_checkout(harness):
    """Survivorship: the name is Brightpearl's word, the telephone the shop's."""
    who = person("olga lowercase", phone="1")
    first = buy(harness, who)
    contact_id = str(harness.contact_of(first)["contactId"])
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.edit_contact(contact_id, firstName="Olga", lastName="Lowercase"))
    buy(harness, replace(who, phone="2"))
    contact = harness.contact_of(first)
    assert (contact["firstName"], contact["lastName"]) == ("Olga", "Lowercase")
    assert contact["communication"]["telephones"]["PRI"] == "2"


def test_an_older_order_read_late_does_not_bring_back_the_old_address(harness):
    """An order of last week changes its status today: what it says of the customer is a week old."""
    who = person("Lena Late")
    old = buy(harness, who)
    buy(harness, replace(who, street_1="2 Later Street"))
    harness.edit_order(old, status_id=9, status="Awaiting Shipment")
    harness.run(Reach.CHANGES)
    assert address(harness, harness.contact_of(old), "BIL")["addressLine1"] == "2 Later Street"


def test_our_own_write_read_back_changes_nothing(harness):
    """No echo: the contact we made and changed comes back with the next sweep."""
    buy(harness, person("Edda Echo"))
    for reach in (Reach.CHANGES, Reach.EVERYTHING):
        harness.mark()
        harness.run(reach)
        assert [each for each in harness.writes() if "contact" in each] == []


def test_a_gift_that_goes_elsewhere_does_not_move_the_buyer(harness):
    who = person("Gerda Giver")
    first = buy(harness, who)
    before = dict(harness.contact_of(first))
    buy(harness, who, ship_to=person("Fred Friend", email=""))
    assert harness.contact_of(first)["postAddressIds"] == before["postAddressIds"]


def test_the_mark_by_which_a_contact_is_found_again_is_no_personal_data(harness):
    contact = harness.contact_of(buy(harness, person("Mira Mark")))
    mark = contact["assignment"]["current"]["accountReference"]
    assert mark.startswith("bpp-")
    assert "mira" not in mark.lower()
