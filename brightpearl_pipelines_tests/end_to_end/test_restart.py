"""The sync is killed again and again while there is work in both directions, and ends as if nothing had happened (I13).

Two worlds get the same shoppers, clerks and parcels. In one the sync runs in peace; in the other its process is killed
with SIGKILL, at calls and commits drawn by seed. After each round both must have come to the same, by the emulators'
own state.
"""

import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from brightpearl_pipelines.sandbox.dispatch import half_of
from brightpearl_pipelines.sandbox.generate import generate_orders, generate_world
from brightpearl_pipelines.sandbox.world import DraftOrder, World
from brightpearl_pipelines_tests.end_to_end.killing import Killer, Moment, kill_often, killer
from brightpearl_pipelines_tests.end_to_end.outcome import differences, outcome
from brightpearl_pipelines_tests.sync.goods import ANNA, draft, small_world
from brightpearl_pipelines_tests.sync.harness import Harness, harnessed

SEED = 11
PRODUCTS, PEOPLE = 60, 40
ORDERS_A_ROUND = (40, 15, 15)
KILLS_A_ROUND = 17
PLENTY = 1000
"""Units on every shelf: where stock is short, who comes first gets it, and that is not what is tested here."""
AWAITING_FULFILMENT = 11


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_sync_that_is_killed_again_and_again_ends_like_one_that_never_was(embedded_server, encryption_key, capsys):
    world = _world()
    drafts = list(generate_orders(world, SEED, sum(ORDERS_A_ROUND), datetime.now(UTC)))
    rng, died = random.Random(SEED), Counter()
    with (
        _side(world, embedded_server, encryption_key) as calm,
        _side(world, embedded_server, encryption_key) as rough,
    ):
        for round_, orders in enumerate(ORDERS_A_ROUND):
            new, drafts = drafts[:orders], drafts[orders:]
            happenings = _Happenings(calm.harness, random.Random(f"{SEED}:{round_}"), new)
            for side in (calm, rough):
                happenings.befall(side.harness)
            multi_message = round_ != 1
            whole = calm.run(multi_message=multi_message)
            assert whole.code == 0
            died += kill_often(rough, rng, KILLS_A_ROUND, whole, multi_message=multi_message)
            assert rough.run(multi_message=multi_message).code == 0
            assert differences(outcome(rough.harness), outcome(calm.harness)) == [], f"round {round_}"
        assert died.total() == KILLS_A_ROUND * len(ORDERS_A_ROUND) > 50
        with capsys.disabled():
            print(f"\n{_told(died)}")


def _told(died: "Counter[tuple[str, str]]") -> str:
    kinds, calls = Counter[str](), Counter[str]()
    for (kind, call), times in died.items():
        kinds[kind] += times
        calls[call] += times
    return f"killed {died.total()} times; {dict(kinds.most_common())}; the last call: {dict(calls.most_common())}"


def _world() -> World:
    world = generate_world(SEED, products=PRODUCTS, people=PEOPLE)
    stocked = [replace(each, stock=dict.fromkeys(each.stock, PLENTY)) for each in world.products]
    return replace(world, products=tuple(stocked))


@contextmanager
def _side(world: World, server: str, key: str) -> Iterator[Killer]:
    settings = {"bigcommerce": {"inventory_delay_seconds": 0.05}}
    with harnessed(server, key, world=world, settings=settings) as harness, killer(harness, server, key) as made:
        yield made


class _Happenings:
    """What happens in both worlds before a round: chosen once, by what the calm one has come to, told by number."""

    def __init__(self, harness: Harness, rng: random.Random, new: list[DraftOrder]) -> None:
        self.new = new
        imported = harness.orders_in_brightpearl()
        waiting = sorted(number for number in imported if harness.reserved(number))
        self.parcels = rng.sample(waiting, len(waiting) // 3)
        self.halves = set(self.parcels[::3])
        open_orders = [
            number
            for number in sorted(imported)
            if number not in self.parcels and harness.shop_order(number)["status_id"] == AWAITING_FULFILMENT
        ]
        self.cancelled = rng.sample(open_orders, len(open_orders) // 4)
        stocked = sorted(
            each["identity"]["sku"]
            for each in harness.brightpearl.collection("products").values()
            if str(each["id"]) in harness.brightpearl.collection("availability")
        )
        self.stock_takes = [(sku, 2, rng.randint(1, 50)) for sku in rng.sample(stocked, 8)]
        self.phones = [(str(each), f"+44 161 {each:06}") for each in rng.sample(_customers(harness), 3)]

    def befall(self, harness: Harness) -> None:
        """Let it all happen."""
        for basket in self.new:
            harness.place(basket)
        for number in self.parcels:
            harness.in_world(lambda number=number: self._ship(harness, number))
        for number in self.cancelled:
            harness.in_world(lambda number=number: harness.bigcommerce.cancel_order(int(number)))
        for sku, warehouse, units in self.stock_takes:
            harness.in_world(
                lambda sku=sku, warehouse=warehouse, units=units: harness.brightpearl.correct_stock(
                    sku, warehouse, units, "Stock take"
                )
            )
        for customer, phone in self.phones:
            harness.in_world(
                lambda customer=customer, phone=phone: harness.bigcommerce.update_customer(int(customer), phone=phone)
            )

    def _ship(self, harness: Harness, number: str) -> None:
        order_id = harness.order(number)["id"]
        allocated = harness.brightpearl.reservations.reserved(order_id)
        some = half_of(allocated) if number in self.halves and sum(allocated.values()) > 1 else None
        notes = len(harness.brightpearl.collection("goods_out_notes"))
        harness.brightpearl.ship(str(order_id), some, tracking=f"TRK{notes:06}")


def _customers(harness: Harness) -> list[int]:
    return sorted(int(each) for each in harness.bigcommerce.collection("customers"))


def test_stock_that_goes_back_to_what_it_was_before_a_write_was_cut_off_is_written_again(
    embedded_server, encryption_key
):
    """What was agreed last is not what the shop shows, as long as nobody knows what became of a newer number."""
    with _side(small_world(), embedded_server, encryption_key) as rough:
        harness = rough.harness
        assert rough.run().code == 0
        before = harness.shop_stock("MUG")
        harness.in_world(lambda: harness.brightpearl.correct_stock("MUG", 2, -3, "Stock take"))
        assert rough.run(Moment("unheard", 1)).code == -signal.SIGKILL
        harness.in_world(lambda: harness.brightpearl.correct_stock("MUG", 2, 3, "Found again"))
        assert rough.run().code == 0
        assert harness.shop_stock("MUG") == before == harness.on_hand("MUG")


def test_a_customer_who_changes_while_the_creation_is_cut_off_ends_as_the_shop_has_them(
    embedded_server, encryption_key
):
    """What is created is what was planned; what has changed since follows."""
    with _side(small_world(), embedded_server, encryption_key) as rough:
        harness = rough.harness
        first = harness.place(("MUG", 1))
        assert rough.run(Moment("lost", 2)).code == -signal.SIGKILL
        harness.place(draft(("MUG", 1), person=replace(ANNA, phone="+44 113 496 0000")))
        assert rough.run().code == 0
        assert harness.contact_of(first)["communication"]["telephones"]["PRI"] == "+44 113 496 0000"
        assert len(harness.contacts()) == 2
