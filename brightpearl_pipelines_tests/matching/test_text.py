"""Spellings of one thing become one, and of two things stay two."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from brightpearl_pipelines.matching import text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@example.com", "  ANN@Example.COM "),
        ("a.nn+shop@gmail.com", "ann@googlemail.com"),
        ("ann+one@outlook.com", "ann+two@outlook.com"),
        ("ann+x@hotmail.co.uk", "ann@hotmail.co.uk"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
    ],
)
def test_spellings_of_one_mailbox_are_one(one, other):
    assert text.email(one) == text.email(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.nn@example.com", "ann@example.com"),
        ("a.nn@outlook.com", "ann@outlook.com"),
        ("ann+one@example.com", "ann+two@example.com"),
        ("ann+one@live.example", "ann+two@live.example"),
        ("maße@example.com", "masse@example.com"),
        ("ann@gmail.com", "ann@gmail.co"),
    ],
)
def test_two_mailboxes_stay_two(one, other):
    assert text.email(one) != text.email(other)


@pytest.mark.parametrize(
    "nobody",
    ["", "ann", "ann@", "@example.com", "a b@example.com", "noreply@shop.example", "Do.Not-Reply@x.com", "a@b.invalid"],
)
def test_what_is_nobodys_mailbox_is_none(nobody):
    assert text.email(nobody) is None


@pytest.mark.parametrize("odd", ["+tag@gmail.com", "....@gmail.com"])
def test_a_mailbox_never_loses_its_whole_name(odd):
    assert text.email(odd) is None or not text.email(odd).startswith("@")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("O'Brien", "OBRIEN"),
        ("Müller-Lüdenscheidt", "muller  ludenscheidt"),
        ("Łukasz Sørensen", "lukasz sorensen"),
        ("Zoë", "Zoe\u0308"),
        ("Ａｎｎ", "ann"),
    ],
)
def test_spellings_of_one_name_are_one(one, other):
    assert text.plain(one) == text.plain(other)


@pytest.mark.parametrize(("one", "other"), [("かき", "がき"), ("कि", "क"), ("Mr J", "Mrs J"), ("Ann", "Anne")])
def test_two_names_stay_two(one, other):
    assert text.plain(one) != text.plain(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12, High Street", "12 high st."),
        ("1 St. John's Road", "1 Saint Johns Rd"),
        ("5 North Avenue", "5 N Ave"),
        ("Hauptstraße 3", "Hauptstr. 3"),
    ],
)
def test_spellings_of_one_address_line_are_one(one, other):
    assert text.address_line(one) == text.address_line(other)


@pytest.mark.parametrize(
    ("one", "other"), [("1 2nd Street", "12 nd Street"), ("1/2 High St", "12 High St"), ("1 High St", "1 High Rd")]
)
def test_two_address_lines_stay_two(one, other):
    assert text.address_line(one) != text.address_line(other)


def test_postcodes_lose_spaces_and_in_the_united_states_the_delivery_point():
    assert text.postcode("bs1 1aa", "GB") == text.postcode("BS11AA", "GB")
    assert text.postcode("12345-6789", "us") == text.postcode("12345", "US")
    assert text.postcode("123456789", "BR") != text.postcode("12345", "BR")


@given(st.text(max_size=30))
@example("ﬃΐ İǰ")
@example("ŉ ᾳ")
@example("ø\u0338")
def test_what_is_plain_already_stays_as_it_is(words):
    assert text.plain(text.plain(words)) == text.plain(words)
    assert text.address_line(text.address_line(words)) == text.address_line(words)
    assert "|" not in text.plain(words)


mailboxes = st.from_regex(r"[a-z0-9][a-z0-9.+]{0,10}[a-z0-9]@(gmail|outlook|example)\.com", fullmatch=True)


@given(mailboxes)
def test_a_mailbox_that_was_normalised_stays_as_it_is(address):
    known = text.email(address)
    assert known is None or text.email(known) == known


@given(mailboxes)
def test_capitals_and_blanks_around_change_no_mailbox(address):
    assert text.email(f" {address.upper()}\t") == text.email(address)
