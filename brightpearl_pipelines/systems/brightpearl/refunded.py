"""What refunds of an order leave to be packed, or let come back. No I/O."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from brightpearl_pipelines.store.types import Golden, Json
from brightpearl_pipelines.systems.contract import PlanContext


def total_refunded(returns: Sequence[Golden]) -> Decimal:
    """What was refunded of an order so far, with tax."""
    amounts = (Decimal(each.content["total_net"]) + Decimal(each.content["total_tax"]) for each in returns)
    return sum(amounts, Decimal(0))


def returns_of(context: PlanContext, references: Sequence[str]) -> dict[str, list[Golden]]:
    """The returns of orders, by the orders' externalRef (`shop:number`)."""
    found = context.hub.by_keys("return", "order", references)
    rows = context.hub.goldens("return", {each for ids in found.values() for each in ids})
    return {reference: [rows[each] for each in found.get(reference, ())] for reference in references}


def to_keep(rows: Mapping[str, Json], refunded: Mapping[str, int], left: Mapping[str, int]) -> dict[str, int]:
    """Units that are still to be packed, by row: ordered, less what is on goods-out notes, less what was refunded.

    `refunded` is by the shop's line key. What was refunded counts against what has not left first, as the shop itself
    counts. A bundle's parts follow the bundle.
    """
    back = _back(rows, refunded)
    return {row_id: max(int(magnitude(row)) - back[row_id] - left.get(row_id, 0), 0) for row_id, row in rows.items()}


def coming_back(rows: Mapping[str, Json], refunded: Mapping[str, int], left: Mapping[str, int]) -> dict[str, int]:
    """Units that were refunded after they had left, by row: what was refunded beyond what never left."""
    back = _back(rows, refunded)
    return {row_id: max(back[row_id] - (int(magnitude(row)) - left.get(row_id, 0)), 0) for row_id, row in rows.items()}


def _back(rows: Mapping[str, Json], refunded: Mapping[str, int]) -> dict[str, int]:
    """Units refunded by row, of a bundle's parts in proportion."""

    def of(row_id: str) -> Decimal:
        row = rows[row_id]
        parent = parent_of(row)
        if parent not in rows:
            return Decimal(refunded.get(str(row.get("externalRef") or ""), 0))
        whole = magnitude(rows[parent])
        return of(parent) * magnitude(row) / whole if whole else Decimal(0)

    return {row_id: int(of(row_id)) for row_id in rows}


def parent_of(row: Json) -> str:
    """The row id of the bundle that a row is a part of; "0" for none."""
    return str((row.get("composition") or {}).get("parentOrderRowId") or 0)


def magnitude(row: Json) -> Decimal:
    """A row's units, as the wire has them."""
    return Decimal(row["quantity"]["magnitude"])


def root_key(rows: Mapping[str, Json], row_id: str) -> str:
    """The externalRef of a row, or of the bundle that it is a part of."""
    parent = parent_of(rows[row_id])
    return root_key(rows, parent) if parent in rows else str(rows[row_id].get("externalRef") or "")
