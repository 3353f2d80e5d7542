"""A seeded stretch of mixed trade: what shoppers, clerks, buyers and the warehouse do, each by the systems' own APIs.

Everything goes through the emulators' doors, as other people's programs and screens would; none of it is done by us.
An action that the system refuses (a refund of what is refunded already) did not happen, and is counted as refused.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from brightpearl_pipelines.sandbox.dispatch import Dispatch
from brightpearl_pipelines.sandbox.generate import draft_order
from brightpearl_pipelines_tests.sync.harness import Harness

Json = dict[str, Any]
OPEN = (8, 9, 11)
"""Shop statuses of an order whose goods are still to go (bigcommerce.md §2.5)."""
DAY_SECONDS = 86_400
SELL_LISTS = (2, 3, 4)
"""Brightpearl's price lists of the sandbox: GBP, EUR, USD."""


@dataclass
class Trade:
    """The people around the two systems. `done` counts what happened, `refused` what the systems would not do."""

    harness: Harness
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"trade:{self.seed}")
        self.warehouse = Dispatch(self.harness.brightpearl, self.seed, self.harness.sandbox.clock)
        self.new_products = 0

    def day(self, orders: int, actions: int, rounds: int = 3) -> None:
        """A day: trade in some rounds, each followed by a run of the pipelines; the warehouse works in between."""
        for _ in range(rounds):
            for _ in range(orders // rounds):
                self._place()
            for _ in range(actions // rounds):
                self._act()
            self.harness.run()
            self._advance(DAY_SECONDS / rounds)
            self.done["goods-out note"] += len(self.harness.in_world(self.warehouse.work))

    def _advance(self, seconds: float) -> None:
        self.harness.pass_time(seconds)

    def _act(self) -> None:
        kinds: Sequence[tuple[str, Callable[[], bool | None], int]] = (
            ("edited line", self._edit_line, 6),
            ("added line", self._add_line, 4),
            ("removed line", self._remove_line, 3),
            ("moved house", self._change_address, 4),
            ("cancelled in the shop", self._cancel, 4),
            ("refunded", self._refund, 10),
            ("price change", self._change_price, 8),
            ("stock correction", self._correct_stock, 20),
            ("new product", self._new_product, 2),
            ("renamed product", self._rename, 2),
            ("renamed SKU", self._rename_sku, 1),
            ("customer moved", self._edit_customer, 4),
        )
        name, act, _ = self.rng.choices(kinds, weights=[weight for _, _, weight in kinds])[0]
        happened = act()
        if happened is not None:
            (self.done if happened else self.refused)[name] += 1

    # -- in the shop ----------------------------------------------------------------------------------------------

    def _place(self) -> None:
        draft = draft_order(self.harness.sandbox.world, self.rng, self.harness.sandbox.clock.now())
        try:
            self.harness.in_world(lambda: self.harness.bigcommerce.place_order(draft))
        except ValueError:  # a SKU that was renamed: whoever wanted it did not find it
            self.refused["order"] += 1
        else:
            self.done["order"] += 1

    def _order(self, statuses: Sequence[int] = OPEN) -> Json | None:
        latest = list(self.harness.bigcommerce.collection("orders").values())[-60:]
        fitting = [each for each in latest if each["status_id"] in statuses]
        return self.rng.choice(fitting) if fitting else None

    def _line(self, order: Json | None) -> Json | None:
        if order is None:
            return None
        lines = [
            each
            for each in self.harness.shop_lines(str(order["id"]))
            if each["type"] == "physical" and each["product_id"]
        ]
        return self.rng.choice(lines) if lines else None

    def _edit_line(self) -> bool | None:
        order = self._order()
        line = self._line(order)
        if order is None or line is None:
            return None
        change = {"id": line["id"], "quantity": max(1, line["quantity"] + self.rng.choice((-1, 1, 2)))}
        return self._shop("PUT", f"v2/orders/{order['id']}", {"products": [change]})

    def _add_line(self) -> bool | None:
        order = self._order()
        variants = [
            each
            for each in self.harness.bigcommerce.collection("variants").values()
            if each.get("sku") and self._in_brightpearl(each["sku"])
        ]
        addresses = self.harness.bigcommerce.collection("order_addresses").values()
        if order is None or not variants or all(each["order_id"] != order["id"] for each in addresses):
            return None  # what is only downloaded has nowhere to be sent to
        variant = self.rng.choice(variants)
        new = {"product_id": variant["product_id"], "variant_id": variant["id"], "quantity": self.rng.randint(1, 3)}
        return self._shop("PUT", f"v2/orders/{order['id']}", {"products": [new]})

    def _remove_line(self) -> bool | None:
        order = self._order()
        line = self._line(order)
        if order is None or line is None or len(self.harness.shop_lines(str(order["id"]))) < 2:
            return None
        return self._shop("PUT", f"v2/orders/{order['id']}", {"products": [{"id": line["id"], "quantity": 0}]})

    def _change_address(self) -> bool | None:
        order = self._order()
        kept = self.harness.bigcommerce.collection("order_addresses").values()
        addresses = [each for each in kept if order is not None and each["order_id"] == order["id"]]
        if order is None or not addresses:
            return None
        change = {"street_1": f"{self.rng.randint(1, 99)} New Road"}
        return self._shop("PUT", f"v2/orders/{order['id']}/shipping_addresses/{addresses[0]['id']}", change)

    def _cancel(self) -> bool | None:
        order = self._order()
        return None if order is None else self._shop("PUT", f"v2/orders/{order['id']}", {"status_id": 5})

    def _refund(self) -> bool | None:
        """Some of a line, or the shipping, paid back the way it came."""
        order = self._order((2, 3, 10, 11, 14))
        if order is None:
            return None
        line = self._line(order)
        if line is not None and self.rng.random() < 0.8:
            items = [{"item_type": "PRODUCT", "item_id": line["id"], "quantity": self.rng.randint(1, line["quantity"])}]
        else:
            addresses = self.harness.bigcommerce.collection("order_addresses").values()
            mine = [each for each in addresses if each["order_id"] == order["id"]]
            cost = Decimal(mine[0]["cost_inc_tax"]) if mine else Decimal(0)
            if not cost:
                return None
            items = [{"item_type": "SHIPPING", "item_id": mine[0]["id"], "amount": float(cost)}]
        base = f"v3/orders/{order['id']}/payment_actions"
        quote = self._shop_answer("POST", f"{base}/refund_quotes", {"items": items})
        if quote is None:
            return False
        way = quote["data"]["refund_methods"][0][0]
        payment = {"provider_id": way["provider_id"], "amount": way["amount"], "offline": way["offline"]}
        return self._shop("POST", f"{base}/refunds", {"items": items, "payments": [payment]})

    def _edit_customer(self) -> bool | None:
        customers = list(self.harness.bigcommerce.collection("customers").values())
        if not customers:
            return None
        customer = self.rng.choice(customers)
        change = {"id": customer["id"], "phone": f"+44 20 {self.rng.randint(1000000, 9999999)}"}
        return self._shop("PUT", "v3/customers", [change])

    # -- in Brightpearl -------------------------------------------------------------------------------------------

    def _in_brightpearl(self, sku: str) -> bool:
        return any(
            each["identity"].get("sku") == sku for each in self.harness.brightpearl.collection("products").values()
        )

    def _product(self, *, plain: bool = False) -> Json:
        products = [
            each
            for each in self.harness.brightpearl.collection("products").values()
            if each["identity"].get("sku") and (not plain or not each["composition"]["bundle"])
        ]
        return self.rng.choice(products)

    def _change_price(self) -> bool:
        product = self._product()
        price = Decimal(self.rng.randint(199, 19_999)).scaleb(-2)
        lists = [{"priceListId": number, "quantityPrice": {"1": str(price)}} for number in SELL_LISTS]
        path = f"product-service/product-price/{product['id']}/price-list"
        return self._books("PUT", path, {"priceLists": lists})

    def _correct_stock(self) -> bool:
        books = self.harness.brightpearl
        entry = self.rng.choice([each for each in books.collection("availability").values() if each["warehouses"]])
        sku = books.collection("products")[str(entry["productId"])]["identity"]["sku"]
        warehouse = int(self.rng.choice(list(entry["warehouses"])))
        change = self.rng.choice((20, 100, 200, -1, -3))
        try:
            self.harness.in_world(lambda: books.stock.correct(sku, warehouse, change, "counted"))
        except ValueError:  # there are not so many to lose
            return False
        return True

    def _new_product(self) -> bool:
        self.new_products += 1
        model = self._product(plain=True)
        name = f"Novelty {self.new_products}"
        body = {
            "brandId": model["brandId"],
            "productTypeId": model["productTypeId"],
            "identity": {"sku": f"NEW-{self.seed}-{self.new_products}"},
            "stock": {"stockTracked": True, "weight": {"magnitude": 0.4}},
            "financialDetails": {"taxCode": {"id": model["financialDetails"]["taxCode"]["id"]}},
            "salesChannels": [{**model["salesChannels"][0], "productName": name}],
        }
        return self._books("POST", "product-service/product", body)

    def _rename(self) -> bool:
        product = self._product(plain=True)
        channels = [{**product["salesChannels"][0], "productName": f"Renamed {self.rng.randint(1, 9999)}"}]
        body = {
            name: product[name] for name in ("brandId", "productTypeId", "stock", "financialDetails") if name in product
        }
        return self._books("PUT", f"product-service/product/{product['id']}", {**body, "salesChannels": channels})

    def _rename_sku(self) -> bool:
        product = self._product(plain=True)
        sku = f"{product['identity']['sku']}-R{self.rng.randint(1, 99)}"
        return self._books(
            "PUT", f"product-service/product/{product['id']}/identity", {**product["identity"], "sku": sku}
        )

    # -- the doors ------------------------------------------------------------------------------------------------

    def _shop(self, method: str, path: str, body: Any) -> bool:
        return self._shop_answer(method, path, body) is not None

    def _shop_answer(self, method: str, path: str, body: Any) -> Json | None:
        login = self.harness.bigcommerce.credentials()
        headers = {"X-Auth-Token": login["access_token"], "Accept": "application/json"}
        return _asked(method, f"{login['base_url']}/{path}", body, headers)

    def _books(self, method: str, path: str, body: Any) -> bool:
        login = self.harness.brightpearl.credentials()
        headers = {"brightpearl-app-ref": login["app_ref"], "brightpearl-account-token": login["account_token"]}
        return _asked(method, f"{login['base_url']}/{path}", body, headers) is not None


def _asked(method: str, url: str, body: Any, headers: dict[str, str]) -> Json | None:
    """The answer; None for a refusal. A fault of the server is a fault of the test."""
    answer = httpx.request(method, url, json=body, headers=headers, trust_env=False, timeout=60)
    if 400 <= answer.status_code < 500:
        return None
    assert answer.is_success, f"{method} {url}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else {}
