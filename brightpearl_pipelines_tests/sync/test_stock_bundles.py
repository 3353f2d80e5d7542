"""Bundles at any depth: a change of a component moves every bundle above it, by the property and not by example."""

from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from brightpearl_pipelines.entities.models import Component, Product
from brightpearl_pipelines.store.types import Record
from brightpearl_pipelines.sync.shelf import Shelf

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEAVES = ("A", "B", "C")


@st.composite
def catalogues(draw):
    """Components by SKU: three simple products and up to six bundles, each made of what was there before it."""
    made = {sku: {} for sku in LEAVES}
    for number in range(draw(st.integers(1, 6))):
        parts = draw(st.lists(st.sampled_from(sorted(made)), min_size=1, max_size=3, unique=True))
        made[f"K{number}"] = {sku: draw(st.integers(1, 4)) for sku in parts}
    return made


UNITS = st.dictionaries(st.sampled_from(["2", "3"]), st.integers(0, 200), min_size=1)


def shelf_of(catalogue, stock, committed):
    """A shelf as the store would fill it."""
    shelf = Shelf(None, "brightpearl", {})
    for sku, parts in catalogue.items():
        components = tuple(Component(sku=part, quantity=units) for part, units in parts.items())
        product = Product(sku=sku, components=components, stock_tracked=not parts)
        shelf.products[sku] = (uuid5(NAMESPACE_OID, sku), product)
        for part, units in parts.items():
            shelf.parents.setdefault(part, {})[sku] = units
    for number, (sku, places) in enumerate(stock.items()):
        warehouses = {place: {"onHand": units} for place, units in places.items()}
        shelf.figures[sku] = Record(
            "b", "inventory", str(number), 1, {"warehouses": warehouses}, None, NOW, deleted=False
        )
    shelf.committed = {sku: {"shop": units} for sku, units in committed.items()}
    return shelf


def exploded(catalogue, sku):
    """Simple products in one piece of a SKU."""
    if not catalogue[sku]:
        return {sku: 1}
    total = {}
    for part, units in catalogue[sku].items():
        for leaf, count in exploded(catalogue, part).items():
            total[leaf] = total.get(leaf, 0) + units * count
    return total


@settings(max_examples=150, deadline=None)
@given(
    catalogues(),
    st.fixed_dictionaries(dict.fromkeys(LEAVES, UNITS)),
    st.dictionaries(st.sampled_from(LEAVES), st.integers(0, 20)),
    st.data(),
)
def test_no_bundle_promises_more_than_its_components_hold_and_taking_one_lowers_all_above(
    catalogue, stock, committed, data
):
    """BC-09, BP-13: whole pieces, warehouse by warehouse, with what is promised taken off each of them."""
    shelf = shelf_of(catalogue, stock, committed)
    for sku in catalogue:
        pieces = shelf.on_hand(sku)
        for place, count in pieces.items() if catalogue[sku] else ():
            for leaf, units in exploded(catalogue, sku).items():
                left = max(stock[leaf].get(place, 0) - committed.get(leaf, 0), 0)
                assert count * units <= left, "what it would take is there"
    sku = data.draw(st.sampled_from(LEAVES))
    emptied = {**stock, sku: dict.fromkeys(stock[sku], 0)}
    after = shelf_of(catalogue, emptied, committed)
    for bundle in catalogue:
        if catalogue[bundle] and sku in exploded(catalogue, bundle):
            assert sum(after.on_hand(bundle).values()) == 0, "without the component there is no bundle"
        elif bundle != sku:
            assert after.on_hand(bundle) == shelf.on_hand(bundle), "what does not contain it is left alone"


@settings(max_examples=100, deadline=None)
@given(catalogues(), st.dictionaries(st.sampled_from([*LEAVES, "K0"]), st.integers(1, 9), min_size=1))
def test_a_sold_bundle_is_demanded_of_its_components_through_every_level(catalogue, sold):
    """BC-11: an order in flight for a bundle takes off exactly what it is made of."""
    shelf = shelf_of(catalogue, {leaf: {"2": 10} for leaf in LEAVES}, sold)
    for leaf in LEAVES:
        wanted = sum(count * exploded(catalogue, sku).get(leaf, 0) for sku, count in sold.items())
        assert sum(shelf.demand(leaf).values()) == wanted


def test_what_no_stock_is_kept_of_does_not_limit_a_bundle():
    """A gift card in the box."""
    shelf = shelf_of({"A": {}, "CARD": {}, "BOX": {"A": 2, "CARD": 1}, "THANKS": {"CARD": 1}}, {"A": {"2": 9}}, {})
    card = Product(sku="CARD", stock_tracked=False)
    shelf.products["CARD"] = (uuid5(NAMESPACE_OID, "CARD"), card)
    assert shelf.level("BOX").on_hand == {"2": 4}
    assert shelf.level("THANKS") == "not_stock_tracked"
    assert shelf.level("A").on_hand == {"2": 9}
