"""What a shop order becomes in Brightpearl (BC-01, BC-02, BC-03, BC-04, BC-05, BP-21, BP-28, BP-29)."""

from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime

import pytest

from brightpearl_pipelines.sandbox.world import DraftLine
from brightpearl_pipelines_tests.sync.goods import ANNA, GUEST, draft, person, product_line
from brightpearl_pipelines_tests.sync.harness import money

ENGRAVING = DraftLine("Engraving", 2, Decimal("7.50"), kind="custom")
CERTIFICATE = DraftLine("Gift Certificate", 1, Decimal(25), kind="gift_certificate", tax_rate=Decimal(0))
NOBODY_ELSE = person("Rhea Receiver", email="", city="Cardiff", company="Receiver Ltd")

BASKETS = {
    "plain": draft(("MUG", 3), ("BOOK", 1), shipping_price=Decimal("3.29")),
    "discount": draft(("MUG", 3), ("TRAY", 1), discount=Decimal("7.77")),
    "coupon": draft(("MUG", 1), ("TRAY", 1), discount=Decimal("5.00"), coupon_code="WELCOME10"),
    "fee": draft(("MUG", 1), fee_name="Oversize", fee_price=Decimal("4.95")),
    "certificate": draft(("MUG", 1), CERTIFICATE),
    "custom": draft(("MUG", 1), ENGRAVING),
    "digital": draft(("PDF", 1), person=GUEST),
    "mixed": draft(("PDF", 1), ("MUG", 1)),
    "euro": draft(("MUG", 2), channel_id=2, currency="EUR"),
    "dollar": draft(product_line("MUG", 2, tax_rate=Decimal(0)), currency="USD", shipping_method="International"),
    "inclusive": draft(
        product_line("MUG", 3, price=Decimal("8.3250")),
        product_line("SEAT", 1, price=Decimal("57.1333")),
        tax_inclusive=True,
    ),
    "rates": draft(("MUG", 1), ("SEAT", 1), ("BOOK", 1)),
    "gift": draft(("MUG", 1), ship_to=NOBODY_ELSE),
    "northern": draft(("NORTH", 1), ("TEE-M", 1)),
    "split": draft(("NORTH", 1), ("TRAY", 1)),
    "bundle": draft(("HAMPER", 2), ("MUG", 1)),
    "express": draft(("MUG", 1), shipping_method="Express", shipping_price=Decimal("6.66")),
    "handled": draft(("MUG", 1)),
    "paypal": draft(("MUG", 1), payment_method="PayPal"),
    "authorised": draft(("MUG", 1)),
    "tenders": draft(("TRAY", 2)),
    "credit only": draft(("MUG", 1)),
}


@pytest.fixture(scope="module")
def placed(shared):
    """Every basket bought, and one run made; the shop's order numbers by the basket's name."""
    shared.run()  # so that Brightpearl's figures are known when the orders come
    numbers = {name: shared.place(basket) for name, basket in BASKETS.items()}
    shared.edit_order(numbers["authorised"], payment_status="authorized")
    shared.edit_order(numbers["tenders"], store_credit_amount="5.0000", gift_certificate_amount="10.5000")
    total = shared.shop_order(numbers["credit only"])["total_inc_tax"]
    shared.edit_order(numbers["credit only"], store_credit_amount=total, payment_status="")
    _add_costs(shared, numbers["handled"])
    shared.run()
    return numbers


def _add_costs(shared, number):
    order = shared.shop_order(number)
    costs = {}
    for kind, net, tax in (("handling", "2.00", "0.40"), ("wrapping", "1.50", "0.30")):
        gross = Decimal(net) + Decimal(tax)
        costs |= {f"{kind}_cost_ex_tax": net, f"{kind}_cost_tax": tax, f"{kind}_cost_inc_tax": str(gross)}
    costs["total_inc_tax"] = str(Decimal(order["total_inc_tax"]) + Decimal("4.20"))
    costs["total_tax"] = str(Decimal(order["total_tax"]) + Decimal("0.70"))
    shared.edit_order(number, **costs)


def instant(text):
    return datetime.fromisoformat(text)


def worth(row):
    value = row["rowValue"]
    return money(value["rowNet"]["value"]), money(value["rowTax"]["value"])


@pytest.mark.parametrize("name", BASKETS)
def test_the_total_in_brightpearl_is_the_shops_to_the_penny(shared, placed, name):
    """BC-02: net, tax and total, whatever the basket."""
    total, shop = shared.order(placed[name])["totalValue"], shared.shop_order(placed[name])
    assert money(total["total"]) == money(shop["total_inc_tax"])
    assert money(total["taxAmount"]) == money(shop["total_tax"])


@pytest.mark.parametrize("name", BASKETS)
def test_every_line_of_the_basket_is_one_row_with_its_product_and_quantity(shared, placed, name):
    """BC-01, BC-14: products are found by SKU, rows named by the shop's line ids, so that parcels find them again."""
    rows = shared.rows(placed[name])
    for line in shared.shop_lines(placed[name]):
        row = rows[str(line["id"])]
        assert Decimal(row["quantity"]["magnitude"]) == line["quantity"]
        assert row.get("productSku", "") == line["sku"]
        assert row["productName"] == line["name"]


def test_shipping_is_a_row_of_its_own_with_its_tax(shared, placed):
    row = shared.rows(placed["plain"])["shipping"]
    assert worth(row) == (Decimal("3.29"), Decimal("0.66"))
    assert (row["nominalCode"], row["rowValue"]["taxCode"], row["productName"]) == ("4040", "T20", "Standard")


@pytest.mark.parametrize("name", ["discount", "coupon"])
def test_a_discount_is_taken_off_the_rows_that_it_was_given_on(shared, placed, name):
    """BC-03: each row's gross is what the shop asks for the line; no discount row is invented."""
    rows, number = shared.rows(placed[name]), placed[name]
    for line in shared.shop_lines(number):
        assert sum(worth(rows[str(line["id"])])) == money(line["discounted_total_inc_tax"])
        assert money(line["discounted_total_inc_tax"]) < money(line["total_inc_tax"])
    off = sum(money(x["total_inc_tax"]) - money(x["discounted_total_inc_tax"]) for x in shared.shop_lines(number))
    assert off == BASKETS[name].discount


def test_a_fee_is_a_row_under_its_own_name(shared, placed):
    (key,) = [key for key in shared.rows(placed["fee"]) if key.startswith("fee-")]
    row = shared.rows(placed["fee"])[key]
    assert (row["productName"], worth(row)) == ("Oversize", (Decimal("4.95"), Decimal(0)))


def test_a_gift_certificate_is_sold_without_tax_to_its_own_nominal_code(shared, placed):
    """BC-05: a certificate is a debt to its holder, not income."""
    line = next(each for each in shared.shop_lines(placed["certificate"]) if each["type"] == "giftcertificate")
    row = shared.rows(placed["certificate"])[str(line["id"])]
    assert (row["nominalCode"], worth(row)) == ("2200", (Decimal(25), Decimal(0)))


def test_a_line_that_was_typed_in_by_hand_is_a_free_text_row(shared, placed):
    line = next(each for each in shared.shop_lines(placed["custom"]) if each["name"] == "Engraving")
    row = shared.rows(placed["custom"])[str(line["id"])]
    assert (row["productId"], worth(row)) == (1000, (Decimal("15.00"), Decimal("3.00")))


def test_an_order_with_nothing_to_ship_goes_to_the_buyers_own_address_and_reserves_nothing(shared, placed):
    order = shared.order(placed["digital"])
    assert order["parties"]["delivery"]["addressFullName"] == "Gus Guest"
    assert order["parties"]["delivery"]["addressLine1"] == "9 Side Road"
    assert shared.reserved(placed["digital"]) == {}


def test_beside_a_download_only_the_goods_are_reserved(shared, placed):
    assert shared.reserved(placed["mixed"]) == {"MUG": 1}


@pytest.mark.parametrize(
    ("name", "currency", "price_list", "rate", "channel"),
    [("plain", "GBP", 2, 1, 2), ("euro", "EUR", 3, "1.17", 3), ("dollar", "USD", 4, "1.27", 2)],
)
def test_currency_rate_price_list_and_channel_follow_the_order(
    shared, placed, name, currency, price_list, rate, channel
):
    """BC-01: what was paid in counts; the rate is the order's own and stays fixed."""
    order = shared.order(placed[name])
    assert order["currency"]["orderCurrencyCode"] == currency
    assert Decimal(order["currency"]["exchangeRate"]) == Decimal(rate)
    assert order["currency"]["fixedExchangeRate"] is True
    assert order["priceListId"] == price_list
    assert order["assignment"]["current"]["channelId"] == channel


@pytest.mark.parametrize(("name", "mode"), [("plain", "EXC"), ("inclusive", "INC")])
def test_the_price_mode_says_whether_prices_were_shown_with_tax(shared, placed, name, mode):
    assert shared.order(placed[name])["priceModeCode"] == mode


def test_an_order_with_tax_inclusive_prices_does_not_count_tax_twice(shared, placed):
    """The pain of field-lessons §3 (69.00 became 82.11): each row's gross is the shelf price times the quantity."""
    rows = shared.rows(placed["inclusive"])
    gross = [sum(worth(rows[str(line["id"])])) for line in shared.shop_lines(placed["inclusive"])]
    assert gross == [Decimal("29.97"), Decimal("59.99")]


def test_each_row_carries_the_code_of_its_own_rate(shared, placed):
    rows, lines = shared.rows(placed["rates"]), shared.shop_lines(placed["rates"])
    codes = {line["sku"]: rows[str(line["id"])]["rowValue"]["taxCode"] for line in lines}
    assert codes == {"MUG": "T20", "SEAT": "T5", "BOOK": "T0"}


def test_the_order_carries_the_shops_number_time_and_shipping_method(shared, placed):
    order, shop = shared.order(placed["express"]), shared.shop_order(placed["express"])
    assert order["reference"] == str(shop["id"])
    assert instant(order["placedOn"]) == parsedate_to_datetime(shop["date_created"])
    assert order["delivery"]["shippingMethodId"] == 2
    assert order["orderStatus"]["orderStatusId"] == 3


def test_a_gift_goes_to_who_receives_it_and_is_billed_to_who_bought_it(shared, placed):
    parties = shared.order(placed["gift"])["parties"]
    assert parties["delivery"]["addressFullName"] == "Rhea Receiver"
    assert parties["delivery"]["companyName"] == "Receiver Ltd"
    assert parties["delivery"]["addressLine3"] == "Cardiff"
    assert parties["billing"]["addressFullName"] == "Anna Ashby"
    assert parties["customer"]["addressLine1"] == ANNA.street_1


def test_who_receives_a_gift_does_not_move_into_the_buyers_contact(shared, placed):
    contact = shared.contact_of(placed["gift"])
    addresses = shared.brightpearl.collection("postal_addresses")
    cities = {addresses[str(number)]["addressLine3"] for number in contact["postAddressIds"].values()}
    assert cities == {"Leeds"}


@pytest.mark.parametrize(("name", "warehouse"), [("plain", 2), ("northern", 3), ("split", 2)])
def test_the_first_warehouse_that_has_all_of_the_order_serves_it(shared, placed, name, warehouse):
    """BP-28: without any that has everything, the first of the shop's warehouses."""
    assert shared.order(placed[name])["warehouseId"] == warehouse


def test_what_the_order_holds_is_reserved(shared, placed):
    assert shared.reserved(placed["plain"]) == {"MUG": 3, "BOOK": 1}
    assert shared.reserved(placed["northern"]) == {"NORTH": 1, "TEE-M": 1}


def test_a_bundle_is_reserved_by_its_components_to_the_last_level(shared, placed):
    """BP-28: two hampers are two sets (mug, tray), four mugs and two seats; one mug is bought beside them."""
    assert shared.reserved(placed["bundle"]) == {"MUG": 7, "TRAY": 2, "SEAT": 2}


def test_handling_and_wrapping_are_rows_with_their_tax(shared, placed):
    rows = shared.rows(placed["handled"])
    assert worth(rows["handling"]) == (Decimal("2.00"), Decimal("0.40"))
    assert worth(rows["wrapping"]) == (Decimal("1.50"), Decimal("0.30"))


def test_a_captured_payment_is_one_receipt_for_the_whole_total(shared, placed):
    """BP-29, BC-05."""
    (payment,) = shared.payments_of(placed["plain"])
    order = shared.order(placed["plain"])
    assert payment["paymentType"] == "RECEIPT"
    assert money(payment["amountPaid"]) == money(order["totalValue"]["total"])
    assert (payment["currencyCode"], payment["paymentMethodCode"]) == ("GBP", "CARD")
    assert instant(payment["paymentDate"]) == parsedate_to_datetime(shared.shop_order(placed["plain"])["date_created"])
    assert order["orderPaymentStatus"] == "PAID"


def test_a_payment_abroad_is_in_the_orders_currency_at_the_orders_rate(shared, placed):
    (payment,) = shared.payments_of(placed["euro"])
    assert payment["currencyCode"] == "EUR"
    assert Decimal(payment["exchangeRate"]) == Decimal("1.17")
    assert shared.order(placed["euro"])["orderPaymentStatus"] == "PAID"


def test_the_payment_method_is_the_one_that_was_used(shared, placed):
    (payment,) = shared.payments_of(placed["paypal"])
    assert payment["paymentMethodCode"] == "PAYPAL"


def test_an_authorisation_is_no_money_yet(shared, placed):
    assert [each["paymentType"] for each in shared.payments_of(placed["authorised"])] == ["AUTH"]
    assert shared.order(placed["authorised"])["orderPaymentStatus"] == "AUTHORIZED"


def test_gift_certificate_store_credit_and_card_are_three_payments_that_add_up(shared, placed):
    """BP-29: each tender under its own method."""
    payments = {each["paymentMethodCode"]: money(each["amountPaid"]) for each in shared.payments_of(placed["tenders"])}
    total = money(shared.shop_order(placed["tenders"])["total_inc_tax"])
    assert payments == {"GIFT": Decimal("10.50"), "CREDIT": Decimal("5.00"), "CARD": total - Decimal("15.50")}
    assert shared.order(placed["tenders"])["orderPaymentStatus"] == "PAID"


def test_an_order_paid_by_store_credit_alone_has_one_payment(shared, placed):
    (payment,) = shared.payments_of(placed["credit only"])
    assert payment["paymentMethodCode"] == "CREDIT"


def test_none_of_these_orders_is_held(shared, placed):
    numbers = set(placed.values()) - {placed["split"]}
    about = [each for each in shared.letters() if (each.payload or {}).get("number") in numbers]
    assert [each.sentence for each in about] == []


def test_what_a_warehouse_cannot_serve_whole_is_reserved_as_far_as_it_goes(shared, placed):
    """The lamp is in the north only, the order in the main warehouse: that the lamp is missing must be told, and its
    unit stays promised, although Brightpearl took the reservation without a word (§8.5)."""
    assert shared.reserved(placed["split"]) == {"TRAY": 1}
    letter = shared.letter(reason="not_reserved")
    assert letter.subject == f"reserve:bigcommerce:{placed['split']}"
    assert shared.shop_stock("NORTH") == shared.on_hand("NORTH") - 1
