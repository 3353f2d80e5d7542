"""What happens in the tests of reports."""

from decimal import Decimal

from brightpearl_pipelines.sync.scope import Reach


def settled(harness):
    """Whatever can be written is written, and read back."""
    harness.run(Reach.CHANGES)
    harness.pass_time(1)
    harness.run(Reach.CHANGES)


def wrong_penny(harness, number, by=Decimal("0.01")):
    """Somebody changes the net of an order's first row in Brightpearl."""
    line, row = next(iter(harness.rows(number).items()))
    harness.pass_time(1)
    harness.set_row_net(number, line, str(Decimal(row["rowValue"]["rowNet"]["value"]) + by))
    harness.in_world(lambda: harness.brightpearl.orders.changed(harness.order(number)))


def refund(harness, number, *, quantity=1):
    """A clerk refunds some of the first line; what the refund is called."""
    line = harness.shop_lines(number)[0]
    items = [{"item_type": "PRODUCT", "item_id": line["id"], "quantity": quantity}]
    harness.pass_time(1)
    root = f"v3/orders/{number}/payment_actions"
    quote = harness.post_to_shop(f"{root}/refund_quotes", {"items": items})["data"]
    way = quote["refund_methods"][0]
    payments = [
        {"provider_id": each["provider_id"], "amount": each["amount"], "offline": each["offline"]} for each in way
    ]
    made = harness.post_to_shop(f"{root}/refunds", {"items": items, "payments": payments})["data"]
    harness.pass_time(60)
    return f"{number}-{made['id']}"


def enter_receipt(harness, number, amount):
    """Somebody enters money by card in Brightpearl that the shop knows nothing of."""
    harness.post_to_brightpearl(
        "accounting-service/customer-payment",
        {
            "transactionRef": f"by-hand-{number}",
            "paymentMethodCode": "CARD",
            "paymentType": "RECEIPT",
            "orderId": harness.order(number)["id"],
            "currencyIsoCode": "GBP",
            "exchangeRate": "1",
            "amountPaid": amount,
            "paymentDate": harness.clock.now().isoformat(),
        },
    )
