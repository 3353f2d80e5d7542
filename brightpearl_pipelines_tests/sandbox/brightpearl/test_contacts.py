"""Contacts and postal addresses (brightpearl.md §6)."""

import pytest

CONTACT = "contact-service/contact"
ADDRESS = "contact-service/postal-address"


def new_address(desk, **more):
    body = {"addressLine1": "7 Quay", "addressLine3": "Hull", "postalCode": "HU1", "countryIsoCode": "GBR", **more}
    return desk.send("POST", ADDRESS, body)


def new_contact(desk, **more):
    number = new_address(desk)
    body = {
        "salutation": "Dr.",
        "firstName": "Ida",
        "lastName": "Moss",
        "postAddressIds": {"DEF": number, "BIL": number, "DEL": number},
        "communication": {"emails": {"PRI": {"email": "ida@moss.example"}}, "telephones": {"PRI": "01482"}},
        "organisation": {"name": "Moss Ltd"},
    }
    return desk.send("POST", CONTACT, {**body, **more})


def test_a_contact_is_made_from_an_address_made_first(desk):
    number = new_contact(desk)
    reply = desk.call("GET", f"{CONTACT}/{number}").json()
    (contact,) = reply["response"]
    assert reply["pagination"] == {
        "morePagesAvailable": False,
        "resultsReturned": 1,
        "firstResult": 1,
        "lastResult": 1,
    }
    assert reply["sorting"] == [{"field": "contactId", "direction": "ASC"}]
    assert (contact["firstName"], contact["organisation"]["name"]) == ("Ida", "Moss Ltd")
    assert contact["communication"]["emails"] == {"PRI": {"email": "ida@moss.example"}}
    assert contact["createdByid"] == 0
    assert contact["contactStatus"]["history"][0]["occuredOn"] == "2026-02-03T10:00:00.000Z"
    address = contact["postAddressIds"]["DEF"]
    assert desk.get(f"{ADDRESS}/{address}") == [
        {
            "addressId": address,
            "contactId": number,
            "addressLine1": "7 Quay",
            "addressLine3": "Hull",
            "postalCode": "HU1",
            "countryIsoCode": "GBR",
            "countryIsoCode2": "GB",
            "countryId": 222,
        }
    ]


def test_the_discount_is_a_number_with_two_decimals(desk):
    assert '"discountPercentage":0.00,' in desk.call("GET", f"{CONTACT}/{new_contact(desk)}").text


def test_two_contacts_may_share_an_e_mail(desk):
    numbers = [new_contact(desk), new_contact(desk)]
    found = desk.get("contact-service/contact-search?primaryEmail=ida@moss.example")["results"]
    assert [row[0] for row in found] == numbers


@pytest.mark.parametrize(
    "change",
    [
        {"firstName": "x" * 33},
        {"firstName": "", "lastName": ""},
        {"postAddressIds": {}},
        {"postAddressIds": {"DEF": 999}},
        {"postAddressIds": {"DEF": 301}},  # belongs to somebody else
        {"communication": []},
    ],
)
def test_a_contact_that_breaks_a_rule_is_refused(desk, change):
    body = {"firstName": "A", "lastName": "B", "postAddressIds": {"DEF": new_address(desk)}, **change}
    assert desk.call("POST", CONTACT, body).status_code == 400


def test_an_address_needs_its_first_line_and_a_known_country(desk):
    assert desk.codes("POST", ADDRESS, {"postalCode": "X"})[0] == 400
    assert desk.codes("POST", ADDRESS, {"addressLine1": "1", "countryIsoCode": "QQQ"})[0] == 400
    by_id = desk.send("POST", ADDRESS, {"addressLine1": "1", "countryId": 222})
    assert desk.get(f"{ADDRESS}/{by_id}")[0]["countryIsoCode2"] == "GB"


def test_an_address_is_replaced_and_the_contact_counts_as_updated(desk):
    number = new_contact(desk)
    address = desk.get(f"{CONTACT}/{number}")[0]["postAddressIds"]["DEF"]
    desk.clock.advance(60)
    assert desk.call("PUT", f"{ADDRESS}/{address}", {"addressLine1": "8 Quay"}).json() == {}
    assert desk.get(f"{ADDRESS}/{address}") == [{"addressId": address, "contactId": number, "addressLine1": "8 Quay"}]
    found = desk.get("contact-service/contact-search?updatedOn=2026-02-03T10:01:00Z/")["results"]
    assert [row[0] for row in found] == [number]


def test_addresses_are_assigned_but_never_shared(desk):
    first, second = new_contact(desk), new_contact(desk)
    extra = new_address(desk)
    path = f"{CONTACT}/{first}/postal-address"
    desk.send("PUT", path, [{"postalAddressId": extra, "type": "DEL"}])
    assert desk.get(f"{CONTACT}/{first}")[0]["postAddressIds"]["DEL"] == extra
    assert desk.codes("PUT", f"{CONTACT}/{second}/postal-address", [{"postalAddressId": extra}])[0] == 400


def test_a_contact_is_patched_field_by_field(desk):
    number = new_contact(desk)
    desk.clock.advance(60)
    contact = desk.send(
        "PATCH",
        f"{CONTACT}/{number}",
        [
            {"op": "replace", "path": "/firstName", "value": "Ada"},
            {"op": "remove", "path": "/salutation"},
            {"op": "replace", "path": "/communication/emails/PRI/email", "value": "ada@moss.example"},
            {"op": "add", "path": "/communication/emails/SEC/email", "value": "ida@moss.example"},
            {"op": "move", "from": "/communication/telephones/PRI", "path": "/communication/telephones/MOB"},
        ],
    )
    assert (contact["firstName"], contact["updatedOn"]) == ("Ada", "2026-02-03T10:01:00.000Z")
    assert contact["communication"]["telephones"] == {"MOB": "01482"}
    found = desk.get("contact-service/contact-search?primaryEmail=ada@moss.example")["results"]
    assert [row[0] for row in found] == [number]
    assert desk.get("contact-service/contact-search?primaryEmail=ida@moss.example")["results"] == []
    not_allowed = [{"op": "remove", "path": "/lastName"}]
    assert desk.codes("PATCH", f"{CONTACT}/{number}", not_allowed) == (500, ["CMNC-044"])


def test_many_contacts_come_in_pages_of_200_with_options_to_match(desk):
    for number in range(203):
        address = desk.account.contacts.add_address({"addressLine1": f"{number} Row"})
        desk.account.contacts.add({"lastName": f"N{number}", "postAddressIds": {"DEF": address}})
    first = desk.call("GET", CONTACT).json()
    assert (len(first["response"]), first["pagination"]["morePagesAvailable"]) == (200, True)
    second = desk.call("GET", f"{CONTACT}?firstResult=201").json()
    assert (len(second["response"]), second["pagination"]["lastResult"]) == (5, 205)
    backwards = desk.call("GET", f"{CONTACT}/1-9999?sort=contactId.DESC&pageSize=1").json()
    assert backwards["response"][0]["contactId"] == 405
    assert desk.send("OPTIONS", CONTACT) == {"getUris": ["/contact/201-400", "/contact/401-405"]}


def test_notes_tags_groups_and_custom_fields(desk):
    number = new_contact(desk)
    note = desk.send("POST", f"{CONTACT}/{number}/note", {"text": "Likes blue", "isPublic": False})
    assert desk.get(f"{CONTACT}/{number}/note/{note}")[0]["text"] == "Likes blue"
    assert desk.get("contact-service/tag/") == {"1": {"tagId": 1, "tagName": "Wholesale"}}
    desk.send("POST", f"{CONTACT}/{number}/tag/1")
    assert desk.get(f"{CONTACT}/{number}")[0]["contactTags"] == "1"
    desk.send("PUT", "contact-service/contact-group/1", {"contactIds": [number]})
    assert desk.get("contact-service/contact-group/1")[0]["contactIds"] == [number]
    fields = desk.send("PATCH", f"{CONTACT}/{number}/custom-field", [{"op": "add", "path": "/PCF_SCORE", "value": "7"}])
    assert fields == {"PCF_SCORE": 7}
    wide = desk.get(f"{CONTACT}/{number}?includeOptional=customFields,postalAddresses")[0]
    assert (wide["customFields"], wide["postalAddresses"][0]["addressLine1"]) == ({"PCF_SCORE": 7}, "7 Quay")


def test_an_edit_in_the_user_interface_shows_like_any_other(desk):
    number = new_contact(desk)
    desk.clock.advance(60)
    desk.account.edit_contact(str(number), lastName="Fern", email="ida@fern.example", telephone="1")
    contact = desk.get(f"{CONTACT}/{number}")[0]
    assert (contact["lastName"], contact["updatedOn"]) == ("Fern", "2026-02-03T10:01:00.000Z")
    assert desk.contact("ida@fern.example") == number
    with pytest.raises(ValueError, match="colour"):
        desk.account.edit_contact(str(number), colour="red")
