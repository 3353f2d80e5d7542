"""The search engine behind every `*-search`: filters by type, sorting, paging, meta-data (brightpearl.md §3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    ApiError,
    Call,
    IdSet,
    Json,
    JsonObject,
    Reply,
    answer,
    instant_of,
    int_of,
    is_date,
    midnight,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator
    from brightpearl_pipelines.sandbox.brightpearl.timeindex import TimeIndex

MOST = 500
_CONTROLS = frozenset({"columns", "sort", "pageSize", "firstResult", "lastResult", "countOnly", "includeOptional"})
Item = JsonObject
Test = Callable[[Json], bool]


@dataclass(frozen=True)
class Column:
    """A column of a search, or with `hidden` a filter-only name. `value` reads it from an item."""

    name: str
    type: str
    value: Callable[[Item], Json]
    sortable: bool = True
    filterable: bool = True
    reference: str | None = None
    hidden: bool = False

    def shown(self) -> JsonObject:
        return {
            "name": self.name,
            "sortable": self.sortable,
            "filterable": self.filterable,
            "reportDataType": self.type,
            "referenceData": [self.reference] if self.reference else [],
            "isFreeTextSearchable": False,
            "required": False,
        }


@dataclass(frozen=True)
class Search:
    """One search. `narrow` may name the only items worth looking at for the given filters, or None for all."""

    path: str
    columns: Sequence[Column]
    items: Callable[[], Iterable[Item]]
    sort: str
    reference: Callable[[str, Json, Item], Mapping[str, Json]] = lambda _name, _value, _item: {}
    narrow: Callable[[Mapping[str, str]], Iterable[Item] | None] = lambda _filters: None
    lagging: str | None = None
    """The column with the instant of creation, for searches whose index lags."""
    ordered: bool = False
    """Whether `items` and `narrow` give the items in the order of `sort`, ascending."""
    by_name: Mapping[str, Column] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})

    def visible(self) -> list[Column]:
        return [column for column in self.columns if not column.hidden]


# -- filters ------------------------------------------------------------------------------------------------------


def _unparsable(column: Column, text: str) -> ApiError:
    problem = f"The filter {column.name}={text} cannot be parsed as: {column.type}"
    return ApiError(500, ("CMNC-018", problem))  # a client's mistake that answers 500 (§2.3)


def _bound(text: str) -> tuple[datetime, datetime] | None:
    """First and last instant meant by one end of a period: a bare date is the whole day."""
    text = re.sub(r" (?=\d{2}:?\d{2}$)", "+", text)  # an offset whose plus sign was not encoded
    if is_date(text):
        start = midnight(text, UTC)
        return start, start + timedelta(days=1, microseconds=-1)
    instant = instant_of(text)
    return (instant, instant) if instant else None


def period(text: str) -> tuple[datetime | None, datetime | None] | None:
    """`from/to`, `from/`, `/to`, or one date; None when it cannot be read. Both ends are included."""
    parts = text.split("/")
    bounds = [_bound(part) if part else None for part in parts]
    if (
        len(parts) > 2
        or not any(parts)
        or any(part and bound is None for part, bound in zip(parts, bounds, strict=True))
    ):
        return None
    first, last = bounds[0], bounds[-1]
    return (first[0] if first else None, last[1] if last else None)


def _period_test(text: str) -> Test | None:
    span = period(text)
    if span is None:
        return None
    first, last = span

    def test(value: Json) -> bool:
        instant = instant_of(value)
        return instant is not None and (first is None or instant >= first) and (last is None or instant <= last)

    return test


def _id_set_test(text: str) -> Test | None:
    try:
        wanted = IdSet.parse(text)
    except ApiError:
        return None
    return lambda value: any(int_of(one) in wanted for one in (value if isinstance(value, list) else [value]))


def _integer_test(text: str) -> Test | None:
    number = int_of(text)
    return None if number is None else lambda value: int_of(value) == number


def _boolean_test(text: str) -> Test | None:
    return (lambda value: bool(value) is (text == "true")) if text in ("true", "false") else None


def _contains_test(text: str) -> Test:
    wanted = text.lower()
    return lambda value: any(wanted in str(one).lower() for one in _values(value))


def _equal_test(text: str) -> Test:
    return lambda value: any(str(one) == text for one in _values(value))


def _one_of_test(text: str) -> Test:
    wanted = set(text.split(","))
    return lambda value: any(str(one) in wanted for one in _values(value))


def _values(value: Json) -> list[Json]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


_TESTS: dict[str, Callable[[str], Test | None]] = {
    "INTEGER": _integer_test,
    "IDSET": _id_set_test,
    "STRING": _equal_test,
    "SEARCH_STRING": _contains_test,
    "STRING_SET": _one_of_test,
    "BOOLEAN": _boolean_test,
    "PERIOD": _period_test,
    "DATETIME": _period_test,
}


# -- helpers for definitions --------------------------------------------------------------------------------------


def by_id(collection: Mapping[str, Item], text: str) -> list[Item] | None:
    """The items of an id set, in ascending order; None when the set cannot be read (the filter then complains)."""
    try:
        return [collection[str(number)] for number in sorted(IdSet.parse(text).among(collection))]
    except ApiError:
        return None


def by_time(collection: Mapping[str, Item], index: TimeIndex, text: str) -> list[Item] | None:
    """The items of a period, in ascending order of their ids."""
    span = period(text)
    if span is None:
        return None
    first, last = span
    numbers = index.between(
        first.timestamp() - 1 if first else float("-inf"), last.timestamp() if last else float("inf")
    )
    return [collection[str(number)] for number in sorted(numbers) if str(number) in collection]


def at(*path: str) -> Callable[[Item], Json]:
    """Reads a nested value; None where a part is missing."""

    def read(item: Item) -> Json:
        value: Json = item
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return read


# -- the engine ---------------------------------------------------------------------------------------------------


class Searches:
    """Answers every search and its `/meta-data`."""

    def __init__(self, emulator: BrightpearlEmulator, searches: Sequence[Search]) -> None:
        self.emulator = emulator
        self.searches = searches

    def endpoints(self) -> list[Endpoint]:
        endpoints = []
        for search in self.searches:
            endpoints.append(Endpoint("GET", search.path, self._searcher(search), "bulk-data-search"))
            endpoints.append(Endpoint("GET", f"{search.path}/meta-data", self._describer(search), "bulk-data-search"))
        return endpoints

    def _describer(self, search: Search) -> Callable[[Call], Reply]:
        def handler(_call: Call) -> Reply:
            filters = [column.shown() for column in search.columns if column.hidden]
            columns = [column.shown() for column in search.visible()]
            return answer(
                {"columns": columns, "filters": filters, "sorting": [_sorting(search.by_name[search.sort], "ASC")]}
            )

        return handler

    def _searcher(self, search: Search) -> Callable[[Call], Reply]:
        def handler(call: Call) -> Reply:
            filters = self._filters(search, call.query)
            columns = self._columns(search, call.query.get("columns"))
            sorting = self._sorting(search, call.query.get("sort"))
            matches = self._matches(search, filters)
            matches = _sorted(search, matches, sorting)
            return self._page(search, call.query, columns, sorting, matches)

        return handler

    def _filters(self, search: Search, query: Mapping[str, str]) -> dict[str, str]:
        filters = {name: value for name, value in query.items() if name not in _CONTROLS}
        for name in filters:
            column = search.by_name.get(name)
            if column is None or not column.filterable:
                status = int(self.emulator.settings["unknown_filter_status"])
                raise ApiError(status, ("CMNC-019", f"{name} is not a filter of this search"))
        return filters

    def _columns(self, search: Search, names: str | None) -> list[Column]:
        if not names:
            return search.visible()
        columns = [search.by_name.get(name) for name in names.split(",")]
        known = [column for column in columns if column is not None and not column.hidden]
        if len(known) < len(columns):
            raise ApiError(400, ("CMNC-020", f"One of the columns {names} does not exist"))
        return known

    def _sorting(self, search: Search, text: str | None) -> list[tuple[Column, str]]:
        sorting = []
        for part in (text or search.sort).split(","):
            name, _, direction = part.partition(".")
            column = search.by_name.get(name)
            if column is None or not column.sortable or direction.upper() not in ("", "ASC", "DESC"):
                raise ApiError(400, ("CMNC-021", f"The search cannot be sorted by {part}"))
            sorting.append((column, direction.upper() or "ASC"))
        return sorting

    def _matches(self, search: Search, filters: Mapping[str, str]) -> list[Item]:
        tests = []
        for name, text in filters.items():
            column = search.by_name[name]
            test = _TESTS[column.type](text)
            if test is None:
                raise _unparsable(column, text)
            tests.append((column.value, test))
        narrowed = search.narrow(filters)
        items = search.items() if narrowed is None else narrowed
        lagging = self._lag_test(search, filters)
        return [
            item
            for item in items
            if all(test(value(item)) for value, test in tests) and (lagging is None or lagging(item))
        ]

    def _lag_test(self, search: Search, filters: Mapping[str, str]) -> Test | None:
        """With a lag, young items are not found, and young changes not by `updatedOn` (§11.2)."""
        lag = float(self.emulator.settings["search_lag_seconds"])
        if not lag or search.lagging is None:
            return None
        horizon = self.emulator.clock.now() - timedelta(seconds=lag)
        names = [search.lagging, *(["updatedOn"] if "updatedOn" in filters else [])]
        values = [search.by_name[name].value for name in names]

        def settled(item: Item) -> bool:
            instants = (instant_of(value(item)) for value in values)
            return all(instant is None or instant <= horizon for instant in instants)

        return settled

    def _page(
        self,
        search: Search,
        query: Mapping[str, str],
        columns: list[Column],
        sorting: list[tuple[Column, str]],
        matches: list[Item],
    ) -> Reply:
        size = min(MOST, _control(query, "pageSize", MOST))
        first = _control(query, "firstResult", 1)
        counting = query.get("countOnly") == "true"
        page = [] if counting else matches[first - 1 : first - 1 + size]
        last = first + len(page) - 1
        metadata: JsonObject = {
            "morePagesAvailable": not counting and last < len(matches),
            "resultsAvailable": len(matches),
            "resultsReturned": len(page),
        }
        if page:
            metadata |= {"firstResult": first, "lastResult": last}
        metadata |= {
            "columns": [column.shown() for column in columns],
            "sorting": [_sorting(column, direction) for column, direction in sorting],
        }
        results = [[column.value(item) for column in columns] for item in page]
        return answer({"results": results, "metaData": metadata}, reference=_reference(search, columns, page))


def _control(query: Mapping[str, str], name: str, default: int) -> int:
    number = int_of(query.get(name, default))
    if number is None or number < 1:
        raise ApiError(400, ("CMNC-022", f"{name} must be a positive number"))
    return number


def _sorted(search: Search, items: list[Item], sorting: list[tuple[Column, str]]) -> list[Item]:
    if search.ordered and [(column.name, direction) for column, direction in sorting] == [(search.sort, "ASC")]:
        return items
    for column, direction in reversed(sorting):
        items = sorted(items, key=lambda item, column=column: _sort_key(column, item), reverse=direction == "DESC")  # type: ignore[misc]
    return items


def _sort_key(column: Column, item: Item) -> tuple[bool, Json]:
    value = column.value(item)
    if column.type in ("PERIOD", "DATETIME"):
        instant = instant_of(value)
        return instant is not None, instant.timestamp() if instant else 0.0
    if column.type in ("INTEGER", "IDSET"):
        return value is not None, int_of(value) or 0
    return value is not None, str(value or "").lower()


def _sorting(column: Column, direction: str) -> JsonObject:
    return {"filterable": column.shown(), "direction": direction}


def _reference(search: Search, columns: list[Column], page: list[Item]) -> JsonObject:
    """Names for the values that occur in the page, by the map that each column refers to (§3.3)."""
    reference: JsonObject = {}
    for column in columns:
        if column.reference is None:
            continue
        for item in page:
            names = search.reference(column.reference, column.value(item), item)
            if names:
                reference.setdefault(column.reference, {}).update(names)
    return reference
