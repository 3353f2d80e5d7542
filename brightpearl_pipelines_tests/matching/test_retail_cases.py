"""Generated people of a shop, matched as the engine does it: nobody is mixed up, and most are found again."""

import pytest

from benchmarks.matching import figures


@pytest.fixture(scope="module", params=[1, 2])
def found(request):
    return figures(seed=request.param, households=1200)


def test_nobody_is_ever_mixed_up_with_somebody_else(found):
    """BC-24, BC-25: a false merge is the one error that must not happen, whatever recall it costs."""
    assert found.false_merges == 0, [(a.customer, b.customer) for a, b in found.mixed]
    assert found.precision == 1.0


def test_most_checkouts_of_a_known_person_are_found(found):
    """What is missed is what nobody could tell without asking: typing errors, a new home with a new mailbox."""
    assert found.recall >= 0.75
    easy = found.missed["capitals"] + found.missed["guest"] + found.missed["spelling"]
    assert easy <= found.checkouts * 0.01


def test_every_typing_error_is_proposed_to_a_person(found):
    assert found.reviews["alike, mistyped"] >= found.missed["mistyped"] * 0.95
