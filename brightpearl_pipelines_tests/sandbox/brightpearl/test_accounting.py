"""Payments, tax codes, currencies, journals (brightpearl.md §9)."""

import pytest


def test_a_payment_pays_its_order_and_is_found_at_once(desk):
    number = desk.sell()
    assert desk.pay(number, "40.00").status_code == 200
    assert desk.order(number)["orderPaymentStatus"] == "PARTIALLY_PAID"
    assert desk.pay(number, "56.00", transactionRef="second", paymentMethodCode="UNHEARD_OF").status_code == 200
    assert desk.order(number)["orderPaymentStatus"] == "PAID"
    rows = desk.get(f"accounting-service/customer-payment-search?orderId={number}")["results"]
    assert rows[0] == [
        901, f"t-{number}", None, "CARD", "RECEIPT", number, 1, "GBP", "0.00", "40.00", None,
        "2026-02-03T10:00:00.000Z", "2026-02-03T10:00:00.000Z", 16,
    ]  # fmt: skip
    assert rows[1][-1] is None  # a method without a bank account books no journal


def test_reference_and_method_are_unique_together(desk):
    number = desk.sell()
    desk.pay(number, "1.00", transactionRef="r")
    assert desk.pay(number, "1.00", transactionRef="r").status_code == 400
    assert desk.pay(number, "1.00", transactionRef="r", paymentMethodCode="PAYPAL").status_code == 200
    assert [desk.pay(number, "1.00", transactionRef=None).status_code for _ in range(2)] == [200, 200]


def test_a_deleted_payment_is_gone_at_once_and_its_reference_free(desk):
    number = desk.sell()
    payment = desk.pay(number, "96.00").json()["response"]
    assert desk.call("DELETE", f"accounting-service/customer-payment/{payment}").json() == {}
    assert desk.get(f"accounting-service/customer-payment-search?orderId={number}")["results"] == []
    assert desk.order(number)["orderPaymentStatus"] == "UNPAID"
    assert desk.pay(number, "96.00").status_code == 200
    assert desk.codes("DELETE", "accounting-service/customer-payment/5")[0] == 404


@pytest.mark.parametrize(
    "change",
    [
        {"paymentMethodCode": None},
        {"paymentType": "GIFT"},
        {"orderId": 4711},
        {"currencyIsoCode": "XXX"},
        {"paymentDate": "soon"},
        {"transactionRef": "r" * 65},
        {"exchangeRate": 0},
        {"exchangeRate": 1.1234567},
        {"amountPaid": "-1"},
        {"paymentType": "AUTH", "amountAuthorized": "5.00"},
    ],
)
def test_a_payment_that_breaks_a_rule_is_refused(desk, change):
    number = desk.sell()
    assert desk.pay(number, "1.00", **change).status_code == 400
    assert desk.order(number)["orderPaymentStatus"] == "UNPAID"


def test_an_authorisation_counts_until_it_is_void(desk):
    number = desk.sell()
    authorised = {"paymentType": "AUTH", "amountAuthorized": "96.00", "authorizationExpiry": "2026-02-10T00:00:00Z"}
    desk.pay(number, "0", **authorised, transactionRef="auth")
    assert desk.order(number)["orderPaymentStatus"] == "AUTHORIZED"
    desk.pay(number, "0", paymentType="VOID", amountAuthorized="96.00", transactionRef="void")
    assert desk.order(number)["orderPaymentStatus"] == "UNPAID"
    desk.pay(number, "96.00", paymentType="CAPTURE", transactionRef="capture")
    assert desk.order(number)["orderPaymentStatus"] == "PAID"


def test_a_refund_opens_the_order_again(desk):
    number = desk.sell()
    desk.pay(number, "96.00")
    desk.pay(number, "6.00", paymentType="PAYMENT", transactionRef="refund")
    assert desk.order(number)["orderPaymentStatus"] == "PARTIALLY_PAID"
    total = desk.get(f"accounting-service/sale-payment-total/{number}")
    assert (total["totalPaid"], total["currencyCode"]) == ("90.00", "GBP")


def test_a_payment_in_another_currency_counts_by_the_rates(desk):
    number = desk.sell()
    desk.pay(number, "120.00", currencyIsoCode="EUR", exchangeRate=1.25)
    assert desk.order(number)["orderPaymentStatus"] == "PAID"


def test_the_receipt_journal_balances_bank_and_debtors(desk):
    number = desk.sell(channelId=11)
    desk.pay(number, "96.00")
    (journal,) = desk.get("accounting-service/journal/16")["journals"]
    assert journal["journalTypeCode"] == "SR"
    (debit,), (credit,) = journal["debits"], journal["credits"]
    assert (debit["nominalCode"], credit["nominalCode"]) == ("1200", "1100")
    assert debit["change"] == credit["change"] == {"value": "96.00"}
    assert debit["assignment"] == {"channelId": 11}


def test_zero_rates_are_left_out_of_tax_codes(desk):
    reply = desk.call("GET", "accounting-service/tax-code")
    assert '"rate":20.0000' in reply.text
    assert reply.json()["response"] == [
        {"id": 1, "code": "T20", "description": "VAT 20%", "rate": 20.0},
        {"id": 2, "code": "T0", "description": "Zero rated"},
    ]


def test_journals_must_balance_on_active_nominal_codes(desk):
    def line(code, value):
        return {"nominalCode": code, "taxCode": "T0", "change": {"currency": "GBP", "value": value}}

    body = {"journalTypeCode": "BT", "taxDate": "2026-02-03", "description": "Transfer"}
    credits, debits = [line("1200", "10.00")], [line("1240", "4.00"), line("1240", "6.00")]
    path = "accounting-service/journal"
    number = desk.send("POST", f"{path}/", {**body, "credits": credits, "debits": debits})
    stored = desk.get(f"{path}/{number}")["journals"][0]
    assert [entry["transactionAmount"] for entry in stored["debits"]] == ["4.00", "6.00"]
    assert desk.codes("POST", path, {**body, "credits": credits, "debits": debits[:1]})[0] == 400
    assert desk.codes("POST", path, {**body, "credits": [line("9", "1")], "debits": [line("1240", "1")]})[0] == 400
    assert desk.codes("POST", path, {**body, "taxDate": "2026-02-03T10:00:00Z", "credits": credits})[0] == 400
    foreign = {**body, "currencyId": 2, "exchangeRate": "1.25", "credits": credits, "debits": debits}
    entry = desk.send("POST", "accounting-service/journal-entry/", foreign)
    change = desk.get(f"{path}/{entry}")["journals"][0]["credits"][0]["change"]
    assert change == {"value": "8.00"}
    assert desk.codes("POST", "accounting-service/journal-entry", {**foreign, "currencyId": 9})[0] == 400


def test_reference_lists_of_accounting(desk):
    assert "CARD" in [method["code"] for method in desk.get("accounting-service/payment-method")]
    assert "4000" in [code["code"] for code in desk.get("accounting-service/nominal-code")]
    assert [rate["currencyCode"] for rate in desk.get("accounting-service/exchange-rate")] == ["GBP", "EUR"]


def test_the_account_configuration_is_all_strings(desk):
    configuration = desk.get("integration-service/account-configuration")["configuration"]
    assert configuration["cancelledOrderStatusId"] == "5"
    assert configuration["timeZone"] == "Europe/London"
    assert all(isinstance(value, str) for value in configuration.values())
