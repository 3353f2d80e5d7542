"""Calculations: decimals in, decimals out, and nothing but arithmetic."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightpearl_pipelines.mapping.calculate import CalculationError, CalculationSyntaxError, parse_calculation

amounts = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**6), max_value=10**6, places=4)


def result(text, **values):
    numbers = {name: Decimal(value) for name, value in values.items()}
    return parse_calculation(text).evaluate(lambda path: numbers[path.text.replace(".", "_")])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1 + 0.2", "0.3"),
        ("a.b * 3", "3.3"),
        ("-(a.b - 2) / 3 * 10", "3"),
        ("round(a.b / 3, 2)", "0.37"),
        ("round(2.675, 2)", "2.68"),
        ("round(-2.5)", "-3"),
        ("min(a.b, 2) + max(1, 0, -5)", "2.1"),
    ],
)
def test_the_result_is_exact_in_decimals(text, expected):
    value = result(text, a_b="1.1")
    assert (value, type(value)) == (Decimal(expected), Decimal)


def test_the_paths_that_it_needs_are_known_once_each():
    assert [path.text for path in parse_calculation("a.b + c - a.b").paths] == ["a.b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "a ** 2",
        "a // 2",
        "a if b else c",
        "a[0]",
        "f(a)",
        "__import__('os')",
        "a.b()",
        "round(a, b)",
        "round(a, 1, 2)",
        "min()",
        "'a'",
        "True",
        "1j",
        "a; b",
        "",
        "(a).b.c.d()",
        "lambda: a",
    ],
)
def test_whatever_is_not_arithmetic_is_refused(text):
    with pytest.raises(CalculationSyntaxError):
        parse_calculation(text)


def test_a_division_by_zero_has_no_result():
    with pytest.raises(CalculationError):
        result("a / b", a="1", b="0")


@given(amounts, amounts, amounts)
def test_sums_and_products_equal_those_of_exact_fractions(a, b, c):
    assert Fraction(result("a + b * c - a * b", a=a, b=b, c=c)) == (
        Fraction(a) + Fraction(b) * Fraction(c) - Fraction(a) * Fraction(b)
    )


@given(amounts, amounts)
def test_the_callers_decimal_settings_change_nothing(a, b):
    with localcontext(prec=3):
        assert result("round(a + b, 2)", a=a, b=b) == result("round(b + a, 2)", a=a, b=b)
        narrow = result("a + b", a=a, b=b)
    assert Fraction(narrow) == Fraction(a) + Fraction(b)
