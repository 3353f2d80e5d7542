"""Splitting money loses none of it."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from brightpearl_pipelines.entities.money import allocate, minor_unit, to_minor_unit

currencies = st.sampled_from(["GBP", "USD", "JPY", "KWD", "XXX"])
totals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4)
weights = st.lists(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**6, places=4), min_size=1, max_size=30
)


@given(totals, weights, currencies)
def test_the_shares_add_up_to_the_total(total, shares_of, currency):
    assert sum(allocate(total, shares_of, currency), Decimal(0)) == to_minor_unit(total, currency)


@given(totals, weights, currencies)
def test_every_share_is_within_one_unit_of_its_exact_share(total, shares_of, currency):
    whole = sum(map(Fraction, shares_of))
    assume(whole)
    unit = Fraction(minor_unit(currency))
    for share, weight in zip(allocate(total, shares_of, currency), shares_of, strict=True):
        exact = Fraction(to_minor_unit(total, currency)) * Fraction(weight) / whole
        assert abs(Fraction(share) - exact) < unit
        assert Fraction(share) / unit == int(Fraction(share) / unit)


@given(totals, weights, currencies)
def test_a_refund_is_split_as_the_sale_was(total, shares_of, currency):
    assert allocate(-total, shares_of, currency) == [-share for share in allocate(total, shares_of, currency)]


@given(totals, weights, currencies)
def test_nothing_is_given_for_no_weight_while_there_are_others(total, shares_of, currency):
    assume(any(shares_of))
    for share, weight in zip(allocate(total, shares_of, currency), shares_of, strict=True):
        assert weight or not share


def test_without_any_weight_the_first_share_takes_everything():
    assert allocate(Decimal("1.00"), [Decimal(0), Decimal(0)], "GBP") == [Decimal("1.00"), Decimal(0)]


def test_equal_remainders_go_to_the_earlier_share():
    assert allocate(Decimal("0.02"), [Decimal(1)] * 3, "GBP") == [Decimal("0.01"), Decimal("0.01"), Decimal(0)]


@pytest.mark.parametrize("wrong", [[], [Decimal(1), Decimal(-1)]])
def test_no_weights_and_negative_weights_are_refused(wrong):
    with pytest.raises(ValueError, match="weights"):
        allocate(Decimal(1), wrong, "GBP")


@pytest.mark.parametrize(("currency", "unit"), [("GBP", "0.01"), ("JPY", "1"), ("KWD", "0.001")])
def test_the_minor_unit_is_that_of_the_currency(currency, unit):
    assert minor_unit(currency) == Decimal(unit)


def test_half_a_penny_is_rounded_away_from_zero():
    assert to_minor_unit(Decimal("1.005"), "GBP") == Decimal("1.01")
    assert to_minor_unit(Decimal("-1.005"), "GBP") == Decimal("-1.01")
