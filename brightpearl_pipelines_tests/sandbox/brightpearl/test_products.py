"""Products, identities, bundles, prices and their reference lists (brightpearl.md §7)."""

import json

import pytest

PRODUCT = "product-service/product"


def body(name="Tea towel", **more):
    channel = {"salesChannelName": "Brightpearl", "productName": name, "categories": [{"categoryCode": 1}]}
    return {"brandId": 1, "salesChannels": [channel], **more}


def test_a_product_reads_back_as_documented(desk):
    number = desk.send(
        "POST",
        PRODUCT,
        body(
            identity={"sku": "TOWEL", "ean": "5012345678900"},
            stock={"stockTracked": True, "weight": {"magnitude": 0.25}},
            financialDetails={"taxable": True, "taxCode": {"id": 1, "code": "T20"}},
        ),
    )
    reply = desk.call("GET", f"{PRODUCT}/{number}")
    assert '"weight":{"magnitude":0.2500}' in reply.text
    assert '"dimensions":{"length":0.00,' in reply.text
    (product,) = reply.json()["response"]
    assert product["identity"] == {"sku": "TOWEL", "ean": "5012345678900", "barcode": "5012345678900"}
    assert product["salesChannels"][0]["categories"] == [{"categoryCode": "1"}]
    assert product["version"] == 1770112800000  # 2026-02-03T10:00:00Z
    assert (product["status"], product["composition"]) == ("LIVE", {"bundle": False})


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"salesChannels": body()["salesChannels"]}, "PRDC-014"),
        (body(brandId=99), "PRDC-017"),
        ({"brandId": 1}, "PRDC-015"),
        (body(identity={"sku": "s" * 33}), "PRDC-019"),
        (body(financialDetails={"taxCode": {"id": 99}}), "PRDC-018"),
        (body(variations=[{"optionId": 1, "optionValueId": 99}]), "PRDC-021"),
        (body(stock=[]), "PRDC-022"),
        (
            body() | {"salesChannels": [*body()["salesChannels"], {"categories": [{"categoryCode": "hats"}]}]},
            "PRDC-022",
        ),
    ],
)
def test_a_product_that_breaks_a_rule_is_refused(desk, sent, code):
    assert desk.codes("POST", PRODUCT, sent) == (400, [code])


def test_equal_names_share_a_product_group(desk):
    first, second, other = (desk.send("POST", PRODUCT, body(name)) for name in ("Mug", "Mug", "Jug"))
    groups = {product["id"]: product["productGroupId"] for product in desk.get(f"{PRODUCT}/{first},{second},{other}")}
    assert groups[first] == groups[second] != groups[other]


def test_variants_of_the_world_share_a_group_and_differ_in_their_options(desk):
    red, blue = desk.get(f"{PRODUCT}/{desk.product('CUP-RED')},{desk.product('CUP-BLUE')}")
    assert red["productGroupId"] == blue["productGroupId"]
    assert [product["variations"][0]["optionValue"] for product in (red, blue)] == ["Red", "Blue"]
    assert red["variations"][0]["optionId"] == blue["variations"][0]["optionId"]
    values = desk.get(f"product-service/option/{red['variations'][0]['optionId']}/value")
    assert [value["optionValueName"] for value in values] == ["Red", "Blue"]


def test_a_put_changes_what_is_sent_and_respects_the_version(desk):
    number = desk.product("KETTLE")
    version = desk.get(f"{PRODUCT}/{number}")[0]["version"]
    desk.clock.advance(60)
    change = {"salesChannels": [{"salesChannelName": "Brightpearl", "productName": "Brass kettle"}]}
    reply = desk.call("PUT", f"{PRODUCT}/{number}", change, headers={"If-Match": str(version)})
    assert (reply.status_code, reply.json()) == (200, {})
    product = desk.get(f"{PRODUCT}/{number}")[0]
    assert product["salesChannels"][0]["productName"] == "Brass kettle"
    assert product["salesChannels"][0]["categories"] == [{"categoryCode": "1"}]
    assert product["identity"]["sku"] == "KETTLE"
    assert product["version"] == version + 60_000
    stale = desk.call("PUT", f"{PRODUCT}/{number}", change, headers={"If-Match": str(version)})
    assert stale.status_code == 412
    found = desk.get("product-service/product-search?updatedOn=2026-02-03T10:01:00Z/")["results"]
    assert [row[0] for row in found] == [number]


def test_a_put_of_the_identity_clears_what_is_missing(desk):
    number = desk.product("KETTLE")
    desk.send("PUT", f"{PRODUCT}/{number}/identity", {"sku": "KETTLE-2", "upc": "123", "mpn": "m"})
    desk.send("PUT", f"{PRODUCT}/{number}/identity", {"sku": "KETTLE-2", "barcode": "999"})
    assert desk.get(f"{PRODUCT}/{number}")[0]["identity"] == {"sku": "KETTLE-2"}
    assert desk.get("product-service/product-search?SKU=KETTLE")["results"] == []
    assert desk.get("product-service/product-search?SKU=KETTLE-2")["results"][0][0] == number


def test_a_bundle_lists_its_components_and_is_not_stock_tracked(desk):
    number = desk.product("BREAKFAST")
    product = desk.get(f"{PRODUCT}/{number}")[0]
    components = [
        {"productId": desk.product("KETTLE"), "productQuantity": 1, "sku": "KETTLE"},
        {"productId": desk.product("CUP-RED"), "productQuantity": 2, "sku": "CUP-RED"},
    ]
    assert product["composition"] == {"bundle": True, "bundleComponents": components}
    assert product["stock"]["stockTracked"] is False
    assert desk.get(f"{PRODUCT}/{number}/bundle") == {"components": components}
    assert desk.codes("GET", f"{PRODUCT}/{desk.product('KETTLE')}/bundle") == (404, ["CMNC-404"])


def test_a_product_becomes_a_bundle_of_known_components_only(desk):
    number = desk.send("POST", PRODUCT, body("Pair"))
    path = f"{PRODUCT}/{number}/bundle"
    assert desk.codes("PUT", path, {"components": [{"productId": 9, "productQuantity": 1}]})[0] == 400
    desk.send("PUT", path, {"components": [{"productId": desk.product("CUP-RED"), "productQuantity": 2}]})
    bundles = desk.get(f"warehouse-service/bundle-availability/{number}")
    assert bundles[str(number)]["total"] == {"onHand": 50}


def test_a_get_needs_ids_and_gives_those_that_exist(desk):
    kettle = desk.product("KETTLE")
    assert [product["id"] for product in desk.get(f"{PRODUCT}/{kettle},99999")] == [kettle]
    assert desk.codes("GET", PRODUCT)[0] == 404


def test_every_list_is_present_among_the_prices_of_a_product(desk):
    kettle = desk.product("KETTLE")
    (prices,) = desk.get(f"product-service/product-price/{kettle}")
    assert [(entry["priceListId"], entry["quantityPrice"]) for entry in prices["priceLists"]] == [
        (1, {"1": "22.5000"}),
        (2, {"1": "40.0000"}),
        (3, {"1": "50.0000"}),
    ]
    assert [entry["code"] for entry in desk.get("product-service/price-list")] == ["COST", "RETAIL", "RETAIL_EUR"]


def test_setting_one_price_list_leaves_the_others_alone(desk):
    kettle = desk.product("KETTLE")
    change = {"priceLists": [{"priceListId": 2, "quantityPrice": {"1": "42", "10": "39.5"}, "sku": "W-K"}]}
    assert desk.call("PUT", f"product-service/product-price/{kettle}/price-list", change).json() == {}
    cost, retail = desk.get(f"product-service/product-price/{kettle}/price-list/1-2")[0]["priceLists"]
    assert cost["quantityPrice"] == {"1": "22.5000"}
    assert (retail["quantityPrice"], retail["sku"]) == ({"1": "42.0000", "10": "39.5000"}, "W-K")
    everyone = desk.get("product-service/product-price/*/price-list/2")
    assert len(everyone) == len(desk.account.collection("products"))
    bad = {"priceLists": [{"priceListId": 2, "quantityPrice": {"0": "1"}}]}
    assert desk.codes("PUT", f"product-service/product-price/{kettle}/price-list", bad)[0] == 400


def test_brands_need_a_unique_name(desk):
    number = desk.send("POST", "product-service/brand", {"name": "Lumen", "description": "Lamps"})
    assert desk.get(f"product-service/brand/{number}") == [{"id": number, "name": "Lumen", "description": "Lamps"}]
    assert desk.codes("POST", "product-service/brand", {"name": ""}) == (400, ["PRDC-024"])
    assert desk.codes("POST", "product-service/brand", {"name": "Lumen"})[0] == 400


@pytest.mark.parametrize("name", ["product-type", "option", "brightpearl-category", "channel", "season", "collection"])
def test_the_other_lists_can_be_read(desk, name):
    assert desk.get(f"product-service/{name}")


def test_suppliers_are_added_with_a_result_each(desk):
    address = desk.send("POST", "contact-service/postal-address", {"addressLine1": "1 Works Rd"})
    supplier = desk.send(
        "POST",
        "contact-service/contact",
        {"firstName": "S", "postAddressIds": {"DEF": address}, "relationshipToAccount": {"isSupplier": True}},
    )
    path = f"{PRODUCT}/{desk.product('KETTLE')}/supplier"
    reply = desk.call("POST", path, [supplier, 9])
    assert (reply.status_code, reply.json()["response"]["resourceStatuses"]) == (207, {str(supplier): 200, "9": 400})
    assert desk.get(path) == [supplier]


def test_what_is_kept_is_plain_json(desk):
    desk.sell()
    json.dumps(desk.account.collections, allow_nan=False)
