"""What a clerk does to orders in the shop, through the shop's own API."""

import httpx


def edit(harness, number, **body):
    """Change an order: PUT takes what is given and leaves the rest (bigcommerce.md §2.6)."""
    login = harness.bigcommerce.credentials()
    headers = {"X-Auth-Token": login["access_token"], "Accept": "application/json"}
    harness.pass_time(1)
    answer = httpx.put(f"{login['base_url']}/v2/orders/{number}", json=body, headers=headers, trust_env=False)
    assert answer.is_success, answer.text


def line_of(harness, number, sku):
    """The order's line with this SKU, as the shop has it."""
    return next(line for line in harness.shop_lines(number) if line["sku"] == sku)


def set_quantity(harness, number, sku, quantity):
    """Another quantity of a line; 0 takes it out."""
    edit(harness, number, products=[{"id": line_of(harness, number, sku)["id"], "quantity": quantity}])


def add(harness, number, sku, quantity):
    """One more line, at the catalogue's price."""
    variant = harness.bigcommerce.variant_of_sku(sku)
    line = {"product_id": variant["product_id"], "variant_id": variant["id"], "quantity": quantity}
    edit(harness, number, products=[line])
