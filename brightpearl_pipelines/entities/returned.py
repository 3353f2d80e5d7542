"""What returns took off an order. No I/O."""

from collections.abc import Iterable, Mapping
from typing import Any

from brightpearl_pipelines.entities.models import LineKind


def units_returned(returns: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Units refunded of an order so far, by the order line's key; `returns` are the contents of its returns."""
    units: dict[str, int] = {}
    for each in returns:
        for line in each["lines"]:
            if line["line"] and line["kind"] == LineKind.PRODUCT:
                units[line["line"]] = units.get(line["line"], 0) + int(line["quantity"])
    return units
