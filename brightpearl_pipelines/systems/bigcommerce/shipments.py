"""Shipments into BigCommerce: what the shop lacks of them (bigcommerce.md §2.7). The calls: `shipment_writes`.

Each goods-out note is one shipment for each address of the order that it serves. Later corrections of the tracking
number or the carrier change that shipment; one that the warehouse took back is deleted again, and the order's status
goes back with it.

**The customer's e-mail.** The API has no switch for it: the shop itself writes to its customer when a shipment is made
or a status changes, if its settings (Order notifications, "Email customers when") say so. So whether is decided in the
shop, and how often here: a shipment is made once, with its tracking number and carrier in the same call, a correction
never makes a second one, and no status is written beside it.

**A carrier that is not mapped** does not hold the parcel up: the shop is told the tracking number without a carrier.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from brightpearl_pipelines.store.types import DeadLetter, Delivery, DeliveryState, Golden, Json, Record
from brightpearl_pipelines.systems.bigcommerce.orders import line_items
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.shipment_writes import (
    WRITES,
    find_shipments,
    made_of,
    marker,
)
from brightpearl_pipelines.systems.bigcommerce.streams import read_orders
from brightpearl_pipelines.systems.contract import (
    Comparison,
    Expected,
    Plan,
    PlanContext,
    Session,
    Target,
)

LONGEST_TRACKING = 50
TOLD = ("lines", "tracking", "method")
"""What the shop is told of a shipment, and is remembered as agreed."""
FOLLOWED = timedelta(days=30)
"""So long a parcel's tracking number is compared: each order costs a call, and later nobody follows it any more."""
UNFINISHED = (DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.FAILED)


def plan(context: PlanContext, rows: Sequence[Golden]) -> Plan:
    """Make shipments, correct them, take them back."""
    settings = context.settings
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - this planner belongs to this system
    mine = [row for row in rows if _shop(row.content) == context.connection]
    orders = context.hub.records(context.connection, "orders", {_number(row.content) for row in mine})
    planner = _Planner(context, settings, orders, _known(context, mine))
    for row in mine:
        planner.one(row)
    return Plan(planner.deliveries, planner.held, planner.ignored, planner.superseded, details=planner.details)


@dataclass(frozen=True)
class _Known:
    """What is known of the shipments of some orders, those of other goods-out notes included."""

    parcels: Mapping[str, Sequence[UUID]]
    """By order, as golden records name it."""
    contents: Mapping[UUID, Json]
    links: Mapping[UUID, Sequence[str]]
    agreed: Mapping[UUID, Json]


def _known(context: PlanContext, mine: Sequence[Golden]) -> _Known:
    parcels = context.hub.by_keys("shipment", "order", {str(row.content["order_number"]) for row in mine})
    ids = {each for some in parcels.values() for each in some} | {row.id for row in mine}
    return _Known(
        parcels,
        {key: row.content for key, row in context.hub.goldens("shipment", ids).items()},
        context.hub.external_ids("shipment", context.connection, ids),
        context.hub.agreed("shipment", context.connection, ids),
    )


@dataclass
class _Planner:
    context: PlanContext
    settings: BigCommerceSettings
    orders: Mapping[str, Record]
    known: _Known
    deliveries: list[Delivery] = field(default_factory=list)
    held: list[DeadLetter] = field(default_factory=list)
    ignored: dict[UUID, str] = field(default_factory=dict)
    superseded: list[tuple[UUID, str]] = field(default_factory=list)
    details: dict[UUID, list[tuple[str, Any, Any]]] = field(default_factory=dict)

    def one(self, row: Golden) -> None:
        """What the shop lacks of one goods-out note."""
        order = self.orders.get(_number(row.content))
        links = self.known.links.get(row.id, ())
        before = self.known.agreed.get(row.id, {})
        if order is None or order.deleted:
            self._without_order(row)
        elif row.content.get("undone"):
            self._undo(row, order, links, before)
        elif len(row.content.get("tracking", "")) > LONGEST_TRACKING:
            self.held.append(_too_long(self.context.connection, row))
        elif links and before.get("lines") not in (None, row.content["lines"]):
            self.superseded += [(row.id, "create"), (row.id, "remove")]
            self._remove(row, order.id, links, f"v{row.version}")
            self._create(row, order, (), f"v{row.version}")
        else:
            if strangers := _strangers(row.content["lines"], order.payload):
                self.held.append(_not_ordered(self.context.connection, row, strangers))
            self._create(row, order, links, str(before.get("removed") or ""))
            self._update(row, links, before)

    def _without_order(self, row: Golden) -> None:
        if row.content.get("undone"):
            self.ignored[row.id] = "order_gone_from_the_shop"
        else:
            self.held.append(_letter(self.context.connection, row, _number(row.content)))

    def _create(self, row: Golden, order: Record, links: Sequence[str], generation: str) -> None:
        """A shipment for each address that has none yet; `generation` tells those apart that were deleted since."""
        there = {_address_of(link) for link in links}
        for address, items in _by_address(row.content["lines"], order.payload).items():
            if address not in there:
                payload: dict[str, Any] = {
                    "order": order.id,
                    "body": {
                        "order_address_id": address,
                        "items": items,
                        "tracking_number": row.content["tracking"],
                        **self._carrier(row.content),
                        "comments": marker(row.content["reference"]),
                    },
                    "agreed": _told(row.content),
                }
                if self._somebody_else_shipped(order):
                    payload["taken"] = sorted(self._taken(row.content))
                key = _create_key(row.content, address, generation)
                self.deliveries.append(Delivery(self.context.connection, "shipment", row.id, "create", key, payload))

    def _update(self, row: Golden, links: Sequence[str], before: Json) -> None:
        """Correct what the shop was told before; a shipment that is still on its way is corrected when it is there."""
        if not links or not before:
            return
        wanted = _wire(row.content, self._carrier(row.content))
        changes = [
            (name, held, value)
            for name, value in wanted.items()
            if value != (held := _wire(before, self._carrier(before)).get(name, ""))
        ]
        if not changes:
            return
        self.superseded.append((row.id, "update"))
        body = {name: value for name, _, value in changes}
        payload = {"shipments": list(links), "body": body, "agreed": _told(row.content)}
        key = f"shipment:{row.content['reference']}:v{row.version}"
        self.deliveries.append(Delivery(self.context.connection, "shipment", row.id, "update", key, payload))
        self.details[row.id] = changes

    def _undo(self, row: Golden, order: Record, links: Sequence[str], before: Json) -> None:
        """Delete what was made of it. What was not sent yet is given up; what may have been sent is looked for."""
        self.superseded += [(row.id, "create"), (row.id, "update")]
        keys = [
            _create_key(row.content, address, str(before.get("removed") or ""))
            for address in _by_address(row.content["lines"], order.payload)
        ]
        made = self.context.hub.deliveries(self.context.connection, keys).values()
        if links or any(each.state is DeliveryState.SENT for each in made):
            self._remove(row, order.id, links, f"v{row.version}")
        else:
            self.ignored[row.id] = "taken_back_before_the_shop_knew"

    def _remove(self, row: Golden, order: str, links: Sequence[str], generation: str) -> None:
        body = {"comments": marker(row.content["reference"]), "shipments": list(links)}
        key = f"shipment:{row.content['reference']}:remove:{generation}"
        payload = {"order": order, "body": body, "agreed": {"removed": generation}}
        self.deliveries.append(Delivery(self.context.connection, "shipment", row.id, "remove", key, payload))

    def _carrier(self, content: Json) -> dict[str, str]:
        carrier = self.settings.carriers.get(str(content.get("method") or ""))
        return carrier.fields() if carrier else {}

    def _somebody_else_shipped(self, order: Record) -> bool:
        """Whether the shop shows more of the order as shipped than we told it: then a person entered a shipment."""
        ours: dict[str, int] = {}
        for each in self._parcels(order):
            if self.known.links.get(each):
                for line in self.known.agreed.get(each, {}).get("lines", ()):
                    ours[line["line"]] = ours.get(line["line"], 0) + int(line["quantity"])
        shown = {str(item["id"]): int(item["quantity_shipped"]) for item in line_items(order.payload)}
        return any(units > ours.get(line, 0) for line, units in shown.items())

    def _parcels(self, order: Record) -> Sequence[UUID]:
        return self.known.parcels.get(f"{self.context.connection}:{order.id}", ())

    def _taken(self, content: Json) -> Iterable[str]:
        """The shop's shipments that are known to be other goods-out notes."""
        for each in self.known.parcels.get(str(content["order_number"]), ()):
            yield from (_shipment_of(link) for link in self.known.links.get(each, ()))


def _shop(content: Json) -> str:
    return str(content["order_number"].partition(":")[0])


def _number(content: Json) -> str:
    return str(content["order_number"].partition(":")[2])


def _create_key(content: Json, address: int, generation: str) -> str:
    again = f":after-{generation}" if generation else ""
    return f"shipment:{content['reference']}:{address}{again}"


def _address_of(link: str) -> int:
    """The order address of a shipment, by what we call it: `order:shipment:address`."""
    return int(link.split(":")[2])


def _shipment_of(link: str) -> str:
    return link.split(":")[1]


def _told(content: Json) -> dict[str, Any]:
    return {name: content[name] for name in TOLD if name in content}


def _wire(content: Json, carrier: Mapping[str, str]) -> dict[str, str]:
    """The fields of a shipment that may be corrected."""
    fields = {"tracking_number": "", "tracking_carrier": "", "shipping_provider": ""}
    return {**fields, **carrier, "tracking_number": str(content.get("tracking") or "")}


def _by_address(lines: Sequence[Json], order: Json) -> dict[int, list[dict[str, int]]]:
    """What goes to each address of the order; pickups and downloads are not shipped."""
    address_of = {str(item["id"]): int(item.get("order_address_id") or 0) for item in line_items(order)}
    found: dict[int, list[dict[str, int]]] = {}
    for line in lines:
        address = address_of.get(line["line"], 0)
        if address:
            found.setdefault(address, []).append({"order_product_id": int(line["line"]), "quantity": line["quantity"]})
    return dict(sorted(found.items()))


def _there(order: Record | None) -> bool:
    return order is not None and not order.deleted


def _strangers(lines: Sequence[Json], order: Json) -> list[str]:
    """Lines that left and that the shop's order does not have (any more)."""
    ordered = {str(item["id"]) for item in line_items(order)}
    return sorted(line["line"] for line in lines if line["line"] not in ordered)


def _not_ordered(connection: str, row: Golden, strangers: Sequence[str]) -> DeadLetter:
    number, lines = _number(row.content), ", ".join(strangers)
    return DeadLetter(
        connection=connection,
        stage="publish",
        entity="shipment",
        subject=str(row.id),
        reason="not_in_the_shops_order",
        sentence=f"goods-out note {row.content['reference']} took away what the shop's order {number} does not have "
        f"(any more): order line {lines}; the rest of it is told",
        suggestion="Put the line back into the shop's order, or tell the customer yourself and discard this letter.",
        field="lines",
        value=lines,
        waiting_for=[f"order:{connection}:{number}"],
        golden_id=row.id,
        payload=row.content,
    )


def _letter(connection: str, row: Golden, number: str) -> DeadLetter:
    return DeadLetter(
        connection=connection,
        stage="publish",
        entity="shipment",
        subject=str(row.id),
        reason="reference_not_found",
        sentence=f"goods-out note {row.content['reference']} is of order {number}, which the shop does not have",
        suggestion="If the order was deleted in the shop, discard this letter.",
        waiting_for=[f"order:{connection}:{number}"],
        golden_id=row.id,
        payload=row.content,
    )


def _too_long(connection: str, row: Golden) -> DeadLetter:
    tracking = row.content["tracking"]
    return DeadLetter(
        connection=connection,
        stage="publish",
        entity="shipment",
        subject=str(row.id),
        reason="invalid_field",
        sentence=f"the tracking number of goods-out note {row.content['reference']} has {len(tracking)} characters, "
        f"the shop takes {LONGEST_TRACKING}",
        suggestion="Shorten the reference of the note in Brightpearl; it is not cut off silently.",
        field="tracking",
        value=tracking,
        golden_id=row.id,
        payload=row.content,
    )


# -- comparing ----------------------------------------------------------------------------------------------------


def expect(context: PlanContext, rows: Sequence[Golden]) -> Mapping[UUID, Expected]:
    """What the shop should show shipped of each order: all its parcels together, told once per order."""
    names = {str(row.content["order_number"]) for row in rows if _shop(row.content) == context.connection}
    found = context.hub.by_keys("shipment", "order", names)
    parcels = context.hub.goldens("shipment", {each for ids in found.values() for each in ids})
    orders = context.hub.records(context.connection, "orders", [name.partition(":")[2] for name in found])
    expected: dict[UUID, Expected] = {}
    for name, ids in found.items():
        number = name.partition(":")[2]
        # Of what the order does not have (any more) nothing can be told: that is held.
        ordered = {str(item["id"]) for item in line_items(orders[number].payload)} if _there(orders.get(number)) else ()
        units: dict[str, int] = {}
        told = []
        for content in (parcels[each].content for each in ids if not parcels[each].content.get("undone")):
            lines = [line for line in content["lines"] if line["line"] in ordered]
            for line in lines:
                units[line["line"]] = units.get(line["line"], 0) + int(line["quantity"])
            if lines:
                told.append(content)
        fields: dict[str, Any] = {f"line {line}": shipped for line, shipped in sorted(units.items())}
        lookup: dict[str, Any] = {"order": number}
        if any(datetime.fromisoformat(each["shipped_at"]) > context.now - FOLLOWED for each in told):
            fields["tracking"] = sorted({each["tracking"] for each in told} - {""})
            lookup["tracking"] = True
        expected[min(ids)] = Expected(name, lookup, fields)
    return expected


async def observe(session: Session, expected: Mapping[UUID, Expected]) -> Mapping[UUID, Json]:
    """What the shop shows shipped, line by line, and the tracking numbers of those that are still followed."""
    ids = {str(each.lookup["order"]): golden for golden, each in expected.items()}
    found: dict[UUID, Json] = {}
    for record in await read_orders(session, sorted(ids)):
        if not record.deleted:
            golden = ids[record.id]
            shipped = {f"line {item['id']}": int(item["quantity_shipped"]) for item in line_items(record.payload)}
            fields: dict[str, Any] = {name: units for name, units in shipped.items() if units}
            if expected[golden].lookup.get("tracking"):
                shipments = await find_shipments(session, record.id)
                fields["tracking"] = sorted({made_of(each).tracking for each in shipments} - {""})
            found[golden] = fields
    return found


TARGET = Target("shipment", plan, WRITES, Comparison(expect, observe))
