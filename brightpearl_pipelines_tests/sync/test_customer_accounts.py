"""Customers by their accounts in the shop, their addresses and groups in Brightpearl (BC-22, BC-23, BP-24, BP-25)."""

from dataclasses import replace

from brightpearl_pipelines.sandbox.bigcommerce.customer_book import add_person
from brightpearl_pipelines.store import crosswalk, goldens
from brightpearl_pipelines.sync.scope import Reach
from brightpearl_pipelines.systems.brightpearl.contact_groups import CustomerGroup
from brightpearl_pipelines_tests.sync.goods import draft, person
from brightpearl_pipelines_tests.sync.test_customers import address, buy, named


def account_of(harness, number):
    return harness.shop_order(number)["customer_id"]


def register(harness, who):
    """Somebody makes an account without buying."""
    harness.pass_time(1)
    return harness.in_world(lambda: add_person(harness.bigcommerce, who))["id"]


def edit(harness, account, *, webhook=None, **changes):
    """The shopper, or a clerk, changes an account or its only address."""
    harness.pass_time(1)
    harness.in_world(lambda: harness.bigcommerce.update_customer(account, **changes))
    if webhook:
        (place,) = harness.bigcommerce.children("addresses", account)
        data = {"type": "customer", "id": place["id"], "address": {"customer_id": account}}
        harness.notify("bigcommerce", webhook, {"data": data})


def phone(contact):
    return contact["communication"]["telephones"].get("PRI", "")


# -- accounts -----------------------------------------------------------------------------------------------------


def test_an_account_that_never_bought_makes_no_contact_until_it_buys(harness):
    """BC-22: left out by a named rule, `has_not_bought_yet`."""
    who = person("Nadia Neverbought", registered=True, phone="+44 8")
    register(harness, who)
    results = harness.run(Reach.CHANGES)
    rules = [each.counts.ignored for each in results if (each.step, each.entity) == ("published", "customer")]
    assert any(each.get("has_not_bought_yet") for each in rules)
    assert named(harness, "Neverbought") == []
    number = buy(harness, who)
    assert len(named(harness, "Neverbought")) == 1
    assert phone(harness.contact_of(number)) == "+44 8"


def test_what_changes_in_the_account_changes_the_contact(harness):
    """BC-23, BP-25: by the shop's customer records."""
    who = person("Rosa Registered", registered=True, phone="1")
    number = buy(harness, who)
    edit(harness, account_of(harness, number), phone="2")
    harness.run(Reach.CHANGES)
    assert phone(harness.contact_of(number)) == "2"
    for reach in (Reach.CHANGES, Reach.EVERYTHING):
        harness.mark()
        harness.run(reach)
        assert [each for each in harness.writes() if "contact" in each] == []


def test_an_old_account_does_not_bring_back_what_the_checkout_changed(harness):
    who = person("Olive Older", registered=True, phone="1")
    number = buy(harness, who)
    buy(harness, replace(who, phone="2"))
    edit(harness, account_of(harness, number), notes="likes mugs")
    harness.run(Reach.CHANGES)
    assert phone(harness.contact_of(number)) == "2"


def test_a_changed_address_of_an_account_comes_with_its_own_event(harness):
    """BC-23: `store/customer/updated` does not tell of it, nor does the account's modified date."""
    who = person("Adele Addressbook", registered=True)
    number = buy(harness, who)
    account = account_of(harness, number)
    edit(harness, account, webhook="store/customer/address/updated", address1="8 Book Lane")
    harness.run(Reach.EVENTS)
    assert address(harness, harness.contact_of(number), "BIL")["addressLine1"] == "8 Book Lane"


def test_a_guest_who_registers_later_stays_one_contact(harness):
    """BC-24."""
    who = person("Gwen Guestfirst")
    first = buy(harness, who)
    member = replace(who, registered=True)
    register(harness, member)
    harness.run(Reach.CHANGES)
    second = buy(harness, member)
    assert harness.contact_of(second)["contactId"] == harness.contact_of(first)["contactId"]
    assert len(named(harness, "Guestfirst")) == 1


def test_a_deleted_account_leaves_the_contact_as_it_is(harness):
    who = person("Dora Deleted", registered=True)
    number = buy(harness, who)
    account = account_of(harness, number)
    before = dict(harness.contact_of(number))
    harness.in_world(lambda: harness.bigcommerce.drop("customers", account))
    harness.notify("bigcommerce", "store/customer/deleted", {"data": {"type": "customer", "id": account}})
    harness.run(Reach.EVENTS)
    assert harness.contact_of(number) == before


# -- addresses ----------------------------------------------------------------------------------------------------


def test_the_default_address_moves_with_the_billing_address(harness):
    """BP-25: we made it the same one."""
    who = person("Mona Moves")
    number = buy(harness, who)
    for street in ("2 Second Street", "3 Third Street"):
        buy(harness, replace(who, street_1=street))
        contact = harness.contact_of(number)
        for use in ("DEF", "BIL", "DEL"):
            assert address(harness, contact, use)["addressLine1"] == street
        assert len(set(contact["postAddressIds"].values())) == 1


def test_a_default_address_that_a_person_set_apart_stays(harness):
    who = person("Petra Apart")
    number = buy(harness, who)
    contact = harness.contact_of(number)
    place = {"addressLine1": "1 Head Office", "postalCode": "LS1 1AA", "countryIsoCode": "GBR"}
    made = harness.post_to_brightpearl("contact-service/postal-address", place)
    harness.pass_time(1)

    def set_apart():
        harness.brightpearl.edit_contact(
            str(contact["contactId"]), postAddressIds={**contact["postAddressIds"], "DEF": made}
        )
        harness.brightpearl.collection("postal_addresses")[str(made)]["contactId"] = contact["contactId"]

    harness.in_world(set_apart)
    harness.run(Reach.CHANGES)
    buy(harness, replace(who, street_1="2 New Street"))
    contact = harness.contact_of(number)
    assert address(harness, contact, "DEF")["addressLine1"] == "1 Head Office"
    assert address(harness, contact, "BIL")["addressLine1"] == "2 New Street"


def test_a_delivery_address_that_stays_does_not_move_with_the_billing_address(harness):
    who = person("Delia Delivery")
    office = replace(who, street_1="1 Office Park", city="Hull")
    number = buy(harness, who, ship_to=office)
    buy(harness, replace(who, street_1="5 Moved Street"), ship_to=office)
    contact = harness.contact_of(number)
    assert [address(harness, contact, use)["addressLine1"] for use in ("DEF", "BIL", "DEL")] == [
        "5 Moved Street",
        "5 Moved Street",
        "1 Office Park",
    ]


# -- groups -------------------------------------------------------------------------------------------------------

WHOLESALE, RETAIL = 1, 9


def with_groups(harness):
    tags = harness.brightpearl.collection("tags")
    harness.in_world(lambda: [tags.setdefault(str(n), {"tagId": n, "tagName": str(n)}) for n in (WHOLESALE, RETAIL)])
    harness.configure("bigcommerce", customer_groups={"4": "wholesale", "5": "retail"})
    groups = {"wholesale": CustomerGroup(tag=WHOLESALE, price_list=3), "retail": CustomerGroup(tag=RETAIL)}
    harness.configure("brightpearl", customer_groups=groups)


def test_a_group_of_the_shop_is_a_tag_and_a_price_list_of_the_new_contact(harness):
    with_groups(harness)
    who = person("Wilma Wholesale", registered=True)
    account = register(harness, who)
    edit(harness, account, customer_group_id=4)
    number = buy(harness, who)
    contact = harness.contact_of(number)
    assert contact["contactTags"] == "1"
    assert contact["financialDetails"]["priceListId"] == 3
    harness.mark()
    harness.run(Reach.EVERYTHING)
    assert [each for each in harness.writes() if "contact" in each] == []


def test_a_changed_group_adds_its_tag_and_asks_a_person_for_what_the_api_cannot_do(harness):
    with_groups(harness)
    who = person("Gina Groups", registered=True)
    account = register(harness, who)
    edit(harness, account, customer_group_id=4)
    number = buy(harness, who)
    harness.run(Reach.CHANGES)
    edit(harness, account, customer_group_id=5)
    harness.run(Reach.CHANGES)
    contact = harness.contact_of(number)
    assert contact["contactTags"] == "1,9"
    letter = harness.letter(reason="group_by_hand")
    assert "tag 1" in letter.sentence
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.edit_contact(str(contact["contactId"]), contactTags="9"))
    for _ in range(2):
        harness.run(Reach.CHANGES)
    assert harness.letters(reason="group_by_hand") == []
    assert harness.contact_of(number)["contactTags"] == "9"


def test_a_group_that_is_not_mapped_is_not_told(harness):
    with_groups(harness)
    who = person("Uma Unmapped", registered=True)
    account = register(harness, who)
    edit(harness, account, customer_group_id=77)
    number = buy(harness, who)
    assert harness.contact_of(number)["contactTags"] == ""


def test_a_tag_that_brightpearl_took_away_does_not_come_back(harness):
    with_groups(harness)
    who = person("Tess Tagless", registered=True)
    account = register(harness, who)
    edit(harness, account, customer_group_id=5)
    number = buy(harness, who)
    harness.run(Reach.CHANGES)
    contact = harness.contact_of(number)
    assert contact["contactTags"] == "9"
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.edit_contact(str(contact["contactId"]), contactTags=""))
    for _ in range(2):
        harness.run(Reach.CHANGES)
    assert harness.contact_of(number)["contactTags"] == ""


# -- polling ------------------------------------------------------------------------------------------------------


def test_a_contact_that_was_changed_in_brightpearl_arrives_with_the_next_poll(harness):
    """BP-08: no webhook tells of contacts; they are found by `updatedOn`."""
    assert not [topic for topic in harness.configuration.connection("brightpearl").system.topics if "contact" in topic]
    number = buy(harness, person("Bea Polled"))
    contact_id = str(harness.contact_of(number)["contactId"])
    harness.pass_time(1)
    harness.in_world(lambda: harness.brightpearl.edit_contact(contact_id, lastName="Pulled"))
    harness.run(Reach.CHANGES)
    with harness.store.transaction() as tx:
        (golden,) = crosswalk.golden_ids(tx, "customer", "brightpearl", [contact_id]).values()
        assert goldens.by_ids(tx, "customer", [golden])[golden].content["last_name"] == "Pulled"


def test_orders_of_known_customers_write_no_contact_and_of_new_ones_at_most_half_a_call_each(harness):
    """Addresses and contacts go out ten a call (field-lessons 5.2); accounts are read a page at a time."""
    buyers = [person(f"N{i} Halfcall", email=f"n{i}@half.example", phone=f"07700 90{i:04}") for i in range(20)]
    for known in (False, True):
        for who in buyers:
            harness.place(draft(("MUG", 1), person=who))
        harness.mark()
        harness.run(Reach.CHANGES)
        writes = [each for each in harness.calls("brightpearl", "POST") if "multi-message" in each["path"]]
        others = [each for each in harness.writes() if "contact-service" in each]
        assert others == []
        assert len(writes) <= len(buyers) * (0.3 if known else 0.5)
        assert len(harness.calls("bigcommerce", "GET", "v3/customers")) <= 1
