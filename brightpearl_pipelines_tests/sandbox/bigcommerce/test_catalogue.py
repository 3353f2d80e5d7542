"""The catalogue, customers and price lists: filters, batch limits, refusals, events."""

from decimal import Decimal
from typing import Any

import pytest

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.kernel import Fault
from brightpearl_pipelines.sandbox.world import Product

from .shop import ANNA, Caller, Receiver, against, draft, new_shop, small_world


async def names(call: Caller, query: str) -> list[str]:
    return [each["name"] for each in (await call.get(f"/v3/catalog/products?{query}"))["data"]]


def test_a_family_is_one_product_whose_variants_carry_the_skus() -> None:
    async def story(call: Caller) -> None:
        [tee] = (await call.get("/v3/catalog/products?name=Tee&include=variants,options"))["data"]
        assert (tee["sku"], tee["base_variant_id"], tee["inventory_tracking"]) == ("", None, "variant")
        assert [each["sku"] for each in tee["variants"]] == ["TEE-S", "TEE-M"]
        assert [value["label"] for value in tee["options"][0]["option_values"]] == ["S", "M"]
        assert tee["variants"][1]["price"] == 16.5
        assert tee["inventory_level"] == 12
        [mug] = (await call.get("/v3/catalog/products?sku=mug&include=variants"))["data"]
        [base] = mug["variants"]
        assert (base["id"], base["sku"], base["option_values"]) == (mug["base_variant_id"], "MUG", [])
        assert (base["price"], base["calculated_price"]) == (None, 8.33)
        [pdf] = (await call.get("/v3/catalog/products?sku=PDF"))["data"]
        assert (pdf["type"], pdf["inventory_tracking"]) == ("digital", "none")

    against(new_shop(), story)


def test_product_filters_pick_what_they_say() -> None:
    shop = new_shop()

    async def story(call: Caller) -> None:
        assert await names(call, "id:in=101,102") == ["Enamel mug", "Oak tray"]
        assert await names(call, "sku:in=mug,SET") == ["Enamel mug", "Mug and tray"]
        assert await names(call, "price:min=20&sort=price&direction=desc") == ["Mug and tray", "Oak tray"]
        assert await names(call, "inventory_level=0&type=physical") == ["Mug and tray"]
        assert await names(call, "keyword=mug") == ["Enamel mug", "Mug and tray"]
        await call.tick(3600)
        await call("PUT", "/v3/catalog/products/102", {"price": 26})
        assert await names(call, "date_modified:min=2026-03-02T12:30:00Z") == ["Oak tray"]
        assert (await call.get("/v3/catalog/products/102?include_fields=name"))["data"] == {
            "id": 102,
            "name": "Oak tray",
        }

    against(shop, story)


def test_options_cap_the_page_at_ten() -> None:
    shop = new_shop()
    for number in range(20):
        shop.add_product(Product(f"X{number}", f"Thing {number}", Decimal(1)))

    async def story(call: Caller) -> None:
        assert len(await names(call, "limit=250")) == 26
        assert len(await names(call, "limit=250&include=options")) == 10

    against(shop, story)


@pytest.mark.parametrize(
    ("path", "most"), [("/v3/catalog/products", 10), ("/v3/catalog/variants", 50), ("/v3/customers", 10)]
)
def test_a_batch_above_its_limit_is_413(path: str, most: int) -> None:
    async def story(call: Caller) -> None:
        refused = await call("PUT", path, [{"id": 1}] * (most + 1))
        assert refused.status_code == 413
        assert refused.json()["title"].endswith(f"in the array is {most}.")

    against(new_shop(), story)


def test_a_name_or_sku_in_use_is_409_whatever_its_case() -> None:
    async def story(call: Caller) -> None:
        body = {"name": "Lamp", "type": "physical", "weight": 1, "price": 5}
        assert (await call("POST", "/v3/catalog/products", {**body, "sku": "tee-s"})).status_code == 409
        assert (await call("POST", "/v3/catalog/products", {**body, "name": "oak TRAY"})).status_code == 409
        missing = await call("POST", "/v3/catalog/products", {"price": 5})
        assert (missing.status_code, missing.json()["title"]) == (422, "Missing Required Fields")
        assert missing.json()["errors"]["name"] == "Please provide a name."

    against(new_shop(), story)


def test_a_product_made_with_variants_gets_options_and_stock() -> None:
    async def story(call: Caller) -> None:
        def variant(sku: str, label: str) -> dict[str, Any]:
            return {"sku": sku, "inventory_level": 4, "option_values": [{"option_display_name": "Ink", "label": label}]}

        body = {
            "name": "Pen",
            "type": "physical",
            "weight": 1,
            "price": 2,
            "inventory_tracking": "variant",
            "variants": [variant("PEN-B", "Blue"), variant("PEN-R", "Red")],
        }
        pen = (await call("POST", "/v3/catalog/products", body)).json()["data"]
        assert pen["base_variant_id"] is None
        [blue, red] = (await call.get(f"/v3/catalog/products/{pen['id']}/variants"))["data"]
        assert (blue["sku"], blue["inventory_level"], red["option_values"][0]["label"]) == ("PEN-B", 4, "Red")
        inherited = await call("PUT", f"/v3/catalog/products/{pen['id']}/variants/{red['id']}", {"price": 3})
        assert inherited.json()["data"]["calculated_price"] == 3
        back = await call("PUT", f"/v3/catalog/products/{pen['id']}/variants/{red['id']}", {"price": None})
        assert back.json()["data"]["calculated_price"] == 2

    against(new_shop(), story)


def test_good_variants_of_a_batch_are_saved_beside_refused_ones() -> None:
    shop = new_shop()
    tee = shop.variant_of_sku("TEE-S")

    async def story(call: Caller) -> None:
        response = await call("PUT", "/v3/catalog/variants", [{"id": tee["id"], "price": 19}, {"id": 9999, "price": 1}])
        assert response.status_code == 422
        assert len(response.json()["batch_errors"]) == 1
        assert (await call.get("/v3/catalog/variants?sku=TEE-S"))["data"][0]["price"] == 19

    against(shop, story)


def test_the_partial_fault_saves_the_attributes_and_not_the_stock() -> None:
    shop = new_shop()
    shop.faults.append(Fault("partial", method="PUT", path="/v3/catalog/products", count=1))

    async def story(call: Caller) -> None:
        response = await call("PUT", "/v3/catalog/products/101", {"price": 9, "inventory_level": 5})
        assert response.status_code == 207
        assert response.json()["data"]["price"] == 9
        assert response.json()["errors"]["errors"].keys() == {"inventory_level"}
        assert (await call.get("/v3/catalog/products/101"))["data"]["inventory_level"] == 50
        assert (await call("PUT", "/v3/catalog/products/101", {"inventory_level": 5})).status_code == 200
        assert (await call.get("/v3/catalog/products/101"))["data"]["inventory_level"] == 5

    against(shop, story)


def test_a_world_with_skus_that_differ_only_in_case_is_refused() -> None:
    world = small_world()
    clash = (*world.products, Product("mug", "Another mug", Decimal(1)))
    with pytest.raises(ValueError, match="'mug' clashes with 'MUG'"):
        BigCommerceEmulator().populate(type(world)(**{**vars(world), "products": clash}))


def test_the_range_grows_and_shrinks() -> None:
    shop, receiver = new_shop(), Receiver()
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        for scope in ("store/product/*", "store/sku/*"):
            await call("POST", "/v3/hooks", {"scope": scope, "destination": "http://in.test/", "is_active": True})
        product_id = shop.add_product(Product("TEE-L", "Tee L", Decimal(17), family="Tee", options={"Size": "L"}))
        assert shop.variant_of_sku("TEE-S")["product_id"] == product_id
        order_id = shop.place_order(draft(("MUG", 1)))
        shop.retire_product("TEE-L")
        shop.retire_product("MUG")
        await call.tick(0)
        told = [scope for scope in receiver.scopes() if "inventory" not in scope]
        assert told == ["store/sku/created", "store/sku/deleted", "store/product/deleted"]
        assert (await call("GET", "/v3/catalog/products/101")).status_code == 404
        assert (await call.get("/v3/catalog/variants?sku=TEE-L"))["data"] == []
        [line] = await call.get(f"/v2/orders/{order_id}/products")
        assert line["sku"] == "MUG"
        with pytest.raises(ValueError, match="MUG"):
            shop.retire_product("MUG")
        shop.add_product(Product("MUG", "Enamel mug", Decimal(9)))
        assert (await call.get("/v3/catalog/variants?sku=MUG"))["data"][0]["product_id"] != 101

    against(shop, story)


# -- customers ---------------------------------------------------------------------------------------------------------

KIM = {"email": "kim@example.com", "first_name": "Kim", "last_name": "Lee"}


def test_an_email_in_use_refuses_the_whole_batch() -> None:
    async def story(call: Caller) -> None:
        refused = await call("POST", "/v3/customers", [KIM, {**KIM, "email": ANNA.email.upper()}])
        assert (refused.status_code, refused.json()["title"]) == (422, "Create customers failed.")
        assert refused.json()["errors"] == {".customer_create": "Error creating customers"}
        assert (await call.get("/v3/customers?email:in=kim@example.com"))["data"] == []

    against(new_shop(), story)


def test_customers_are_found_by_email_id_and_time() -> None:
    shop = new_shop()

    async def story(call: Caller) -> None:
        async def found(query: str) -> list[str]:
            return [each["email"] for each in (await call.get(f"/v3/customers?{query}"))["data"]]

        await call.tick(3600)
        await call("POST", "/v3/customers", [{**KIM, "email": "kim+shop@example.com"}])
        assert await found("email:in=anna@example.com") == [ANNA.email]
        assert await found("email:in=kim%2Bshop@example.com") == ["kim+shop@example.com"]
        assert await found("id:in=1") == [ANNA.email]
        assert await found("date_modified:min=2026-03-02T12:30:00Z") == ["kim+shop@example.com"]
        assert await found("sort=date_created:desc") == ["kim+shop@example.com", ANNA.email]
        [anna] = (await call.get("/v3/customers?id:in=1&include=addresses"))["data"]
        assert anna["addresses"][0]["postal_code"] == ANNA.postcode
        assert "addresses" not in (await call.get("/v3/customers?id:in=1"))["data"][0]

    against(shop, story)


def test_a_duplicate_address_is_left_out_of_the_answer() -> None:
    async def story(call: Caller) -> None:
        [address] = (await call.get("/v3/customers/addresses?customer_id:in=1"))["data"]
        again = await call("POST", "/v3/customers/addresses", [{**address, "id": None}])
        assert (again.status_code, again.json()["data"]) == (200, [])

    against(new_shop(), story)


def test_a_customers_change_is_told_and_an_address_change_is_told_apart() -> None:
    shop, receiver = new_shop(), Receiver()
    shop.webhook_client = receiver.client()

    async def story(call: Caller) -> None:
        await call(
            "POST", "/v3/hooks", {"scope": "store/customer/*", "destination": "http://in.test/", "is_active": True}
        )
        await call.tick(60)
        shop.update_customer(1, phone="1", city="Selby", email="anna2@example.com")
        await call.tick(0)
        assert receiver.scopes() == ["store/customer/updated", "store/customer/address/updated"]
        [anna] = (await call.get("/v3/customers?email:in=anna2@example.com&include=addresses"))["data"]
        assert (anna["phone"], anna["addresses"][0]["city"]) == ("1", "Selby")
        assert anna["date_modified"] == "2026-03-02T12:01:00Z"
        with pytest.raises(KeyError, match="shoe_size"):
            shop.update_customer(1, shoe_size=42)

    against(shop, story)


def test_deleting_customers_without_a_filter_does_nothing() -> None:
    async def story(call: Caller) -> None:
        assert (await call("DELETE", "/v3/customers")).status_code == 204
        assert len((await call.get("/v3/customers"))["data"]) == 1

    against(new_shop(), story)


# -- price lists -------------------------------------------------------------------------------------------------------


def test_price_records_are_upserted_and_the_bad_ones_named() -> None:
    shop = new_shop()

    async def story(call: Caller) -> None:
        made = (await call("POST", "/v3/pricelists", {"name": "Trade"})).json()["data"]
        assert (await call("POST", "/v3/pricelists", {"name": "Trade"})).status_code == 409
        path = f"/v3/pricelists/{made['id']}/records"
        good = [{"sku": "TEE-S", "currency": "GBP", "price": 11.5}, {"sku": "MUG", "currency": "eur", "price": 7}]
        assert (await call("PUT", path, good)).json() == {"data": {}, "meta": {}}
        mixed = [{"sku": "TEE-S", "currency": "gbp", "price": 12}, {"sku": "NOSUCH", "currency": "gbp", "price": 1}]
        refused = await call("PUT", path, mixed)
        assert refused.status_code == 422
        [error] = refused.json()["batch_errors"]
        assert (error["data"]["sku"], list(error["field_errors"])) == ("NOSUCH", ["sku"])
        records = (await call.get(f"{path}?include=sku"))["data"]
        assert [(each["sku"], each["currency"], each["price"]) for each in records] == [
            ("TEE-S", "gbp", 12),
            ("MUG", "eur", 7),
        ]
        assert (await call("PUT", path, good * 501)).status_code == 413
        assert (await call("POST", path, good[:1] * 101)).status_code == 413

    against(shop, story)
