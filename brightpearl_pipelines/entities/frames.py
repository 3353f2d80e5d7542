"""Frames of entities, and the pandera schemas that say when one is fit to be used.

A frame has one row per golden record, except `order_line`: one per line, made from the contents of orders. Money is
Decimal objects, whole numbers are Int64, instants are UTC in microseconds, everything else is text. `to_frame` refuses
nothing: what is not of its column's kind becomes NULL, and the schema names it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

import pandas as pd
import pandera.pandas as pa

from brightpearl_pipelines.entities.models import LineKind, OrderStatus, PaymentKind

Json = Mapping[str, Any]
Row = dict[str, Any]

_INSTANT: Final = pd.DatetimeTZDtype("us", "UTC")
_TEXT: Final = pd.StringDtype("python", na_value=float("nan"))
_WHOLE: Final = pd.Int64Dtype()
_FLAG: Final = pd.BooleanDtype()
_MONEY: Final = object


def _check(name: str, test: Callable[[pd.Series], Any]) -> pa.Check:
    return pa.Check(test, name=name, ignore_na=False)


def _each(name: str, test: Callable[[Any], bool]) -> pa.Check:
    """A check of every single value, NULLs included."""
    return _check(name, lambda column: column.map(test).astype(bool))


def _is_amount(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite()


def _column(dtype: Any, *checks: pa.Check) -> pa.Column:
    # NULLs are named by our own checks, in words; pandera's `not_nullable` says less.
    return pa.Column(dtype, list(checks), nullable=True)


_FILLED = _each("is given", lambda value: isinstance(value, str) and bool(value.strip()))
_AMOUNT = _each("is an amount", _is_amount)
_NOT_NEGATIVE = _each("is an amount of 0 or more", lambda value: _is_amount(value) and value >= 0)
_POSITIVE = _each("is an amount above 0", lambda value: _is_amount(value) and value > 0)
_CURRENCY = _each("is a currency code of 3 letters", lambda value: bool(re.fullmatch(r"[A-Z]{3}", str(value))))
_THERE = _check("is given", lambda column: column.notna())
_COUNTED = _check("is a whole number of 0 or more", lambda column: (column >= 0).fillna(value=False))
_AT_LEAST_ONE = _check("is at least 1", lambda column: (column >= 1).fillna(value=False))


def _one_of(words: Iterable[str]) -> pa.Check:
    known = sorted(words)
    return _check(f"is one of {', '.join(known)}", lambda column: column.isin(known))


def _whole_frame(column: str, rule: str, test: Callable[[pd.DataFrame], Any]) -> pa.Check:
    """A check over several columns; its name begins with the column at which a failure is shown."""
    return pa.Check(test, name=f"{column} {rule}", ignore_na=False)


def _equal(left: str, right: str) -> Callable[[pd.DataFrame], Any]:
    """Whether two columns of money agree; NULLs are left to the columns' own checks."""

    def test(frame: pd.DataFrame) -> pd.Series:
        return pd.Series(
            [
                not _is_amount(one) or not _is_amount(other) or one == other
                for one, other in zip(frame[left], frame[right], strict=True)
            ],
            index=frame.index,
            dtype=bool,
        )

    return test


def _somebody(frame: pd.DataFrame) -> pd.Series:
    named = frame[["email", "first_name", "last_name", "company"]].fillna("")
    return (named != "").any(axis=1)


def _schema(name: str, columns: dict[str, pa.Column], *checks: pa.Check) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(
        {"golden_id": _column(_TEXT, _FILLED), **columns}, checks=list(checks), strict=True, ordered=True, name=name
    )


_FREE = _column(_TEXT)
_TEXT_GIVEN = _column(_TEXT, _FILLED)
_INSTANT_GIVEN = _column(_INSTANT, _THERE)

SCHEMAS: Final[dict[str, pa.DataFrameSchema]] = {
    "customer": _schema(
        "customer",
        {
            "first_name": _FREE,
            "last_name": _FREE,
            "company": _FREE,
            "email": _column(_TEXT, _each("is empty or has an @", lambda value: value == "" or "@" in str(value))),
            "phone": _FREE,
            "group": _FREE,
            "postcode": _FREE,
            "country": _column(
                _TEXT,
                _each("is empty or a code of 2 letters", lambda value: bool(re.fullmatch(r"([A-Z]{2})?", str(value)))),
            ),
        },
        _whole_frame("email", "or a name or a company is given", _somebody),
    ),
    "product": _schema(
        "product",
        {
            "sku": pa.Column(_TEXT, [_FILLED], nullable=True, unique=True),
            "name": _FREE,
            "live": _column(_FLAG, _THERE),
            "stock_tracked": _column(_FLAG, _THERE),
            "components": _column(_WHOLE, _COUNTED),
            "tax_code": _FREE,
            "brand": _FREE,
            "barcode": _FREE,
        },
    ),
    "stock_level": _schema(
        "stock_level",
        {
            "sku": _TEXT_GIVEN,
            # Backorders take it below 0; what is no whole number in any warehouse makes it NULL.
            "on_hand": _column(_WHOLE, _check("is a whole number", lambda column: column.notna())),
            "warehouses": _column(_WHOLE, _COUNTED),
            "committed": _column(_WHOLE, _COUNTED),
        },
    ),
    "order": _schema(
        "order",
        {
            "number": _TEXT_GIVEN,
            "placed_at": _INSTANT_GIVEN,
            "channel": _TEXT_GIVEN,
            "currency": _column(_TEXT, _CURRENCY),
            "exchange_rate": _column(_MONEY, _POSITIVE),
            "status": _column(_TEXT, _one_of(OrderStatus)),
            "lines": _column(_WHOLE, _AT_LEAST_ONE),
            "lines_net": _column(_MONEY, _AMOUNT),
            "lines_tax": _column(_MONEY, _AMOUNT),
            "total_net": _column(_MONEY, _AMOUNT),
            "total_tax": _column(_MONEY, _AMOUNT),
            "total": _column(_MONEY, _AMOUNT),
        },
        _whole_frame("total_net", "is the sum of its lines", _equal("total_net", "lines_net")),
        _whole_frame("total_tax", "is the sum of its lines", _equal("total_tax", "lines_tax")),
    ),
    "order_line": _schema(
        "order_line",
        {
            "order_number": _TEXT_GIVEN,
            "key": _TEXT_GIVEN,
            "kind": _column(_TEXT, _one_of(LineKind)),
            "sku": _FREE,
            "name": _FREE,
            "quantity": _column(_WHOLE, _AT_LEAST_ONE),
            "net": _column(_MONEY, _AMOUNT),
            "tax": _column(_MONEY, _AMOUNT),
            "discount": _column(_MONEY, _NOT_NEGATIVE),
        },
        _whole_frame(
            "sku",
            "is given for a product",
            lambda frame: (frame["kind"].fillna("") != LineKind.PRODUCT.value) | (frame["sku"].fillna("") != ""),
        ),
    ),
    "shipment": _schema(
        "shipment",
        {
            "order_number": _TEXT_GIVEN,
            "reference": _TEXT_GIVEN,
            "shipped_at": _INSTANT_GIVEN,
            "method": _FREE,
            "tracking": _FREE,
            "warehouse": _FREE,
            "lines": _column(_WHOLE, _AT_LEAST_ONE),
            "fewest_units": _column(_WHOLE, _AT_LEAST_ONE),
            "units": _column(_WHOLE, _AT_LEAST_ONE),
        },
    ),
    "payment": _schema(
        "payment",
        {
            "order_number": _TEXT_GIVEN,
            "reference": _TEXT_GIVEN,
            "kind": _column(_TEXT, _one_of(PaymentKind)),
            "method": _TEXT_GIVEN,
            "currency": _column(_TEXT, _CURRENCY),
            "exchange_rate": _column(_MONEY, _POSITIVE),
            "amount": _column(_MONEY, _NOT_NEGATIVE),
            "paid_at": _INSTANT_GIVEN,
        },
    ),
    "return": _schema(
        "return",
        {
            "order_number": _TEXT_GIVEN,
            "reference": _TEXT_GIVEN,
            "returned_at": _INSTANT_GIVEN,
            "currency": _column(_TEXT, _CURRENCY),
            "lines": _column(_WHOLE, _AT_LEAST_ONE),
            "lines_net": _column(_MONEY, _AMOUNT),
            "lines_tax": _column(_MONEY, _AMOUNT),
            "total_net": _column(_MONEY, _AMOUNT),
            "total_tax": _column(_MONEY, _AMOUNT),
        },
        _whole_frame("total_net", "is the sum of its lines", _equal("total_net", "lines_net")),
        _whole_frame("total_tax", "is the sum of its lines", _equal("total_tax", "lines_tax")),
    ),
    "purchase_order": _schema(
        "purchase_order",
        {
            "reference": _TEXT_GIVEN,
            "placed_at": _INSTANT_GIVEN,
            "warehouse": _FREE,
            "open": _column(_FLAG, _THERE),
            "lines": _column(_WHOLE, _COUNTED),
        },
    ),
}
"""The schema of every frame, by entity."""


def to_frame(entity: str, rows: Iterable[tuple[UUID, Json]]) -> pd.DataFrame:
    """The frame of golden records: (golden id, content), python values or as the store keeps them.

    `order_line` takes orders. Raises KeyError for an entity without a schema.
    """
    schema = SCHEMAS[entity]
    spread = _SPREAD.get(entity, lambda content: iter([content]))
    made = [{"golden_id": str(golden_id), **row} for golden_id, content in rows for row in spread(content)]
    return pd.DataFrame(
        {name: _series([row.get(name) for row in made], column.dtype.type) for name, column in schema.columns.items()}
    )


def failing_rows(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """What is wrong with a frame: golden_id, column, check and value (as text), one row per failure; empty if nothing.

    `golden_id` is empty for what concerns the whole frame, such as a missing column.
    """
    failures: list[tuple[str, str, str, str]] = []
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases[["schema_context", "column", "check", "failure_case", "index"]]
        for context, column, check, value, index in cases.itertuples(index=False):
            by_row = context == "DataFrameSchema" and not pd.isna(index)
            if by_row and not str(check).startswith(f"{column} "):
                continue  # of a check over several columns pandera shows them all
            golden_id = "" if pd.isna(index) else str(frame["golden_id"].loc[index])
            rule = str(check).removeprefix(f"{column} ") if by_row else str(check)
            failures.append((golden_id, "" if pd.isna(column) else str(column), rule, _shown(value)))
    columns = ["golden_id", "column", "check", "value"]
    result = pd.DataFrame(failures, columns=columns, dtype=_TEXT)
    return result.sort_values(columns, ignore_index=True)


def _shown(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _series(values: list[Any], dtype: Any) -> pd.Series:
    """A column of the right type, even without rows."""
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pd.Series([_instant(value) for value in values], dtype=_INSTANT)
    if isinstance(dtype, pd.Int64Dtype):
        return pd.Series([_whole(value) for value in values], dtype=_WHOLE)
    if isinstance(dtype, pd.BooleanDtype):
        return pd.Series([value if isinstance(value, bool) else None for value in values], dtype=_FLAG)
    if isinstance(dtype, pd.StringDtype):
        return pd.Series([None if value is None else str(value) for value in values], dtype=_TEXT)
    return pd.Series([_amount(value) for value in values], dtype=object)


def _amount(value: object) -> Decimal | None:
    """Money as the store keeps it is text; a float is no amount."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _instant(value: object) -> pd.Timestamp | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    return pd.Timestamp(value).as_unit("us").tz_convert("UTC")


def _total(values: Iterable[object]) -> Decimal | None:
    """The sum, or None if any of the values is no amount."""
    amounts = [_amount(value) for value in values]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _customer(content: Json) -> Iterator[Row]:
    billing = content.get("billing") or {}
    yield {
        "first_name": "",
        "last_name": "",
        "company": "",
        "email": "",
        **content,
        "postcode": billing.get("postcode", ""),
        "country": billing.get("country", ""),
    }


def _product(content: Json) -> Iterator[Row]:
    yield {"live": True, "stock_tracked": True, **content, "components": len(content.get("components") or ())}


def _stock_level(content: Json) -> Iterator[Row]:
    levels = list((content.get("on_hand") or {}).values())
    whole = [level for level in map(_whole, levels) if level is not None]
    on_hand = sum(whole) if len(whole) == len(levels) else None
    promised = [_whole(units) for units in (content.get("committed") or {}).values()]
    committed = None if None in promised else sum(units for units in promised if units is not None)
    yield {**content, "on_hand": on_hand, "warehouses": len(levels), "committed": committed}


def _order(content: Json) -> Iterator[Row]:
    lines = content.get("lines") or ()
    yield {
        "exchange_rate": 1,
        **content,
        "lines": len(lines),
        "lines_net": _total(line.get("net") for line in lines),
        "lines_tax": _total(line.get("tax") for line in lines),
        "total": _total([content.get("total_net"), content.get("total_tax")]),
    }


def _order_lines(content: Json) -> Iterator[Row]:
    for line in content.get("lines") or ():
        yield {"discount": 0, **line, "order_number": content.get("number")}


def _shipment(content: Json) -> Iterator[Row]:
    quantities = [_whole(line.get("quantity")) for line in content.get("lines") or ()]
    known = [quantity for quantity in quantities if quantity is not None]
    complete = bool(known) and len(known) == len(quantities)
    yield {
        **content,
        "lines": len(quantities),
        "fewest_units": min(known) if complete else None,
        "units": sum(known) if complete else None,
    }


def _payment(content: Json) -> Iterator[Row]:
    yield {"exchange_rate": 1, **content}


def _return(content: Json) -> Iterator[Row]:
    lines = content.get("lines") or ()
    yield {
        **content,
        "lines": len(lines),
        "lines_net": _total(line.get("net") for line in lines),
        "lines_tax": _total(line.get("tax") for line in lines),
    }


def _purchase_order(content: Json) -> Iterator[Row]:
    yield {"open": True, **content, "lines": len(content.get("lines") or ())}


_SPREAD: Final[dict[str, Callable[[Json], Iterator[Row]]]] = {
    "customer": _customer,
    "product": _product,
    "stock_level": _stock_level,
    "order": _order,
    "order_line": _order_lines,
    "shipment": _shipment,
    "payment": _payment,
    "return": _return,
    "purchase_order": _purchase_order,
}
