"""The report tables as pandas frames, and the pandera schemas that say when one is fit to be read.

Money is Decimal objects, counts are Int64, days are dates, instants are UTC in microseconds, the rest is text. Every
total is added up here from the documents, and `untied` adds it up once more from what was stored.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pandas as pd
import pandera.pandas as pa

from brightpearl_pipelines.reports.entries import ZERO, By, Document, Kind

Row = dict[str, Any]

_INSTANT: Final = pd.DatetimeTZDtype("us", "UTC")
_TEXT: Final = pd.StringDtype("python", na_value=float("nan"))
_WHOLE: Final = pd.Int64Dtype()

TOTALS: Final[Mapping[str, tuple[frozenset[Kind], str, tuple[str, ...]]]] = {
    "daily_orders": (frozenset({Kind.ORDER}), "amount", ()),
    "daily_taxes": (frozenset({Kind.ORDER, Kind.REFUND}), "tax", ("kind",)),
    "daily_payments": (frozenset({Kind.RECEIVED, Kind.PAID_BACK}), "amount", ("kind", "method")),
    "daily_refunds": (frozenset({Kind.REFUND}), "amount", ()),
}
"""Table of totals: (the kinds of documents that it adds up, which of their figures, by what besides)."""
GROUP: Final = ("day", "shop", "account", "channel", "currency")
"""What every table of totals is by."""
MEASURES: Final = (
    "shop_documents",
    "brightpearl_documents",
    "shop_amount",
    "brightpearl_amount",
    "difference",
    "explained",
    "unexplained",
    "unexplained_documents",
)


# -- schemas ------------------------------------------------------------------------------------------------------


def _each(name: str, test: Callable[[Any], bool]) -> pa.Check:
    return pa.Check(lambda column: column.map(test).astype(bool), name=name, ignore_na=False)


def _is_amount(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite()


_DAY = pa.Column(object, _each("is a date", lambda value: type(value) is date))
_GIVEN = pa.Column(_TEXT, _each("is given", lambda value: isinstance(value, str) and bool(value)))
_FREE = pa.Column(_TEXT)
_CURRENCY = pa.Column(_TEXT, pa.Check.str_matches(r"^[A-Z]{3}$"))
_AMOUNT = pa.Column(object, _each("is an amount", _is_amount))
_MAYBE = pa.Column(
    object, _each("is an amount or nothing", lambda value: value is None or _is_amount(value)), nullable=True
)
_COUNT = pa.Column(_WHOLE, pa.Check.ge(0))
_KIND = pa.Column(_TEXT, pa.Check.isin([each.value for each in Kind]))
_DOCUMENT: Final = {
    "day": _DAY,
    "kind": _KIND,
    "shop": _GIVEN,
    "account": _GIVEN,
    "number": _FREE,
    "key": _GIVEN,
    "channel": _FREE,
    "currency": _CURRENCY,
    "method": _FREE,
    "brightpearl_id": _FREE,
    "shop_amount": _MAYBE,
    "shop_tax": _MAYBE,
    "brightpearl_amount": _MAYBE,
    "brightpearl_tax": _MAYBE,
    "difference": _AMOUNT,
    "tax_difference": _AMOUNT,
    "rounding": _AMOUNT,
    "rounding_tax": _AMOUNT,
    "explained_by": pa.Column(_TEXT, pa.Check.isin([each.value for each in By])),
    "explanation": _FREE,
    "dead_letter": pa.Column(_WHOLE, nullable=True),
    "since": pa.Column(_INSTANT, nullable=True),
}
_BY: Final = {"day": _DAY, "shop": _GIVEN, "account": _GIVEN, "channel": _FREE, "currency": _CURRENCY}
_MORE: Final = {"kind": _KIND, "method": _FREE}
_MEASURED: Final = {name: _COUNT if name.endswith("documents") else _AMOUNT for name in MEASURES}


def _row_rule(name: str, test: Callable[[Any], bool]) -> pa.Check:
    """A rule over the columns of each row."""
    return pa.Check(
        lambda frame: pd.Series([test(row) for row in frame.itertuples(index=False)], index=frame.index, dtype=bool),
        name=name,
        ignore_na=False,
    )


def _adds_up(row: Any) -> bool:
    ours, theirs = (ZERO if each is None else each for each in (row.shop_amount, row.brightpearl_amount))
    return bool(theirs - ours == row.difference)


def _schema(name: str, columns: Mapping[str, pa.Column], key: Sequence[str], *rules: pa.Check) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(dict(columns), checks=list(rules), strict=True, ordered=True, unique=list(key), name=name)


_DIFFERENCE_ADDS_UP = _row_rule("difference is Brightpearl's amount less the shop's", _adds_up)
_PARTS_ADD_UP = _row_rule(
    "explained and unexplained are the difference", lambda row: row.explained + row.unexplained == row.difference
)
_OF_A_SIDE = _row_rule(
    "one side at least has it", lambda row: row.shop_amount is not None or row.brightpearl_amount is not None
)
_DOCUMENT_KEY: Final = ("day", "kind", "shop", "key", "channel", "currency")

SCHEMAS: Final[dict[str, pa.DataFrameSchema]] = {
    "documents": _schema("documents", _DOCUMENT, _DOCUMENT_KEY, _DIFFERENCE_ADDS_UP, _OF_A_SIDE),
    "differences": _schema("differences", _DOCUMENT, _DOCUMENT_KEY, _DIFFERENCE_ADDS_UP, _OF_A_SIDE),
    **{
        table: _schema(
            table,
            {**_BY, **{name: _MORE[name] for name in more}, **_MEASURED},
            (*GROUP, *more),
            _DIFFERENCE_ADDS_UP,
            _PARTS_ADD_UP,
        )
        for table, (_, _, more) in TOTALS.items()
    },
}
"""The schema of every report table."""


# -- frames -------------------------------------------------------------------------------------------------------


def frame_of(table: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The frame of a table from its rows; also without any. Raises KeyError for a table that there is not."""
    rows = list(rows)
    columns = SCHEMAS[table].columns
    return pd.DataFrame({name: _series([row[name] for row in rows], column) for name, column in columns.items()})


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """The rows of a frame as plain values: None for what is missing."""
    cells = frame.astype(object).where(frame.notna(), None)
    return [
        {
            name: value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
            for name, value in zip(frame.columns, row, strict=True)
        }
        for row in cells.itertuples(index=False)
    ]


def documents_frame(documents: Iterable[Document]) -> pd.DataFrame:
    """One row per document."""
    return frame_of("documents", map(document_row, documents))


def differences_frame(documents: pd.DataFrame) -> pd.DataFrame:
    """Those documents that differ, stand on one side only, or have a rounding row."""
    return frame_of("differences", (row for row in rows_of(documents) if is_told(row)))


def totals_frame(table: str, documents: pd.DataFrame) -> pd.DataFrame:
    """A table of totals, added up from the frame of documents."""
    return frame_of(table, added_up(table, rows_of(documents)))


def added_up(table: str, documents: Iterable[Row]) -> list[Row]:
    """The rows of a table of totals; in decimals, document by document."""
    kinds, figure, more = TOTALS[table]
    by = (*GROUP, *more)
    totals: dict[tuple[Any, ...], Row] = {}
    for row in documents:
        if row["kind"] not in kinds:
            continue
        place = tuple(row[name] for name in by)
        total = totals.setdefault(place, {**dict(zip(by, place, strict=True)), **_nothing()})
        _add(total, row, figure)
    return [totals[place] for place in sorted(totals)]


def unexplained_rows(documents: Iterable[Row]) -> list[Row]:
    """The rows that differ, or stand on one side only, and that nothing explains."""
    return [row for row in documents if row["explained_by"] == By.NOTHING and is_told(row)]


def untied(documents: Sequence[Row], differences: Sequence[Row], totals: Mapping[str, Sequence[Row]]) -> list[str]:
    """What does not add up, in words: a total that is not the sum of the documents, a difference that is not listed.

    `totals`: the rows of each table of totals, as stored.
    """
    found: list[str] = []
    for table, rows in totals.items():
        _, _, more = TOTALS[table]
        by = (*GROUP, *more)
        stored = {tuple(row[name] for name in by): row for row in rows}
        right = {tuple(row[name] for name in by): row for row in added_up(table, documents)}
        for place in sorted(stored.keys() | right.keys()):
            one, other = stored.get(place), right.get(place)
            if one is None or other is None or any(one[name] != other[name] for name in MEASURES):
                found.append(f"{table} of {', '.join(map(str, place))} is not the sum of its documents")
    listed = {tuple(row[name] for name in _DOCUMENT_KEY) for row in differences}
    for row in documents:
        if is_told(row) != (tuple(row[name] for name in _DOCUMENT_KEY) in listed):
            found.append(
                f"{row['kind']} {row['key']} of {row['shop']} is not listed among the differences as it should"
            )
    return found


def failures(table: str, frame: pd.DataFrame) -> list[str]:
    """What of a frame its schema does not allow, in words."""
    try:
        SCHEMAS[table].validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases[["column", "check", "failure_case"]]
        return sorted({f"{column}: {check}: {case}" for column, check, case in cases.itertuples(index=False)})
    return []


def document_row(document: Document) -> Row:
    """A document as a row of its table."""
    entry, ours, theirs, why = document.entry, document.ours, document.theirs, document.explanation
    return {
        "day": entry.day,
        "kind": entry.kind.value,
        "shop": entry.shop,
        "account": document.account,
        "number": entry.number,
        "key": entry.key,
        "channel": document.channel,
        "currency": entry.currency,
        "method": entry.method,
        "brightpearl_id": theirs.record if theirs else "",
        "shop_amount": ours.amount if ours else None,
        "shop_tax": ours.tax if ours else None,
        "brightpearl_amount": theirs.amount if theirs else None,
        "brightpearl_tax": theirs.tax if theirs else None,
        "difference": document.difference,
        "tax_difference": document.tax_difference,
        "rounding": theirs.rounding if theirs else ZERO,
        "rounding_tax": theirs.rounding_tax if theirs else ZERO,
        "explained_by": why.by.value,
        "explanation": why.sentence,
        "dead_letter": why.dead_letter,
        "since": why.since,
    }


def is_told(row: Row) -> bool:
    """Whether a row is among the differences: it differs, stands on one side only, or has a rounding row."""
    alone = row["shop_amount"] is None or row["brightpearl_amount"] is None
    figures = ("difference", "tax_difference", "rounding", "rounding_tax")
    return alone or any(row[name] for name in figures)


def _nothing() -> Row:
    return {name: 0 if name.endswith("documents") else ZERO for name in MEASURES}


def _add(total: Row, row: Row, figure: str) -> None:
    for side in ("shop", "brightpearl"):
        amount = row[f"{side}_{figure}"]
        if amount is not None:
            total[f"{side}_documents"] += 1
            total[f"{side}_amount"] += amount
    difference = row["tax_difference"] if figure == "tax" else row["difference"]
    explained = row["explained_by"] != By.NOTHING
    total["difference"] += difference
    total["explained" if explained else "unexplained"] += difference
    total["unexplained_documents"] += len(unexplained_rows([row]))


def _series(values: list[Any], column: pa.Column) -> pd.Series:
    """A column of the right type, even without rows."""
    kind = column.dtype.type
    if isinstance(kind, pd.DatetimeTZDtype):
        return pd.Series(
            [None if each is None else pd.Timestamp(each).as_unit("us") for each in values], dtype=_INSTANT
        )
    if isinstance(kind, pd.Int64Dtype):
        return pd.Series(values, dtype=_WHOLE)
    if isinstance(kind, pd.StringDtype):
        return pd.Series(values, dtype=_TEXT)
    return pd.Series(values, dtype=object)
