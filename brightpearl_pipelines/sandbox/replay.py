"""Letting the past happen: orders and refunds are placed with the clock at their own instants."""

from collections.abc import Iterable
from datetime import UTC, datetime

from brightpearl_pipelines.sandbox.bigcommerce.emulator import BigCommerceEmulator
from brightpearl_pipelines.sandbox.kernel import SandboxClock
from brightpearl_pipelines.sandbox.online_retail_refunds import Refund
from brightpearl_pipelines.sandbox.world import DraftOrder


async def replay(
    bigcommerce: BigCommerceEmulator, clock: SandboxClock, orders: Iterable[DraftOrder], refunds: Iterable[Refund] = ()
) -> dict[str, int]:
    """Place orders and refunds in time order; returns the shop's order ids by external id.

    The clock stands at each one's instant while it happens, so that creation, payment and modification are dated as if
    they had been watched; afterwards it goes on from where it was. What lies in the future happens at the present.
    """
    happenings: list[DraftOrder | Refund] = sorted([*orders, *refunds], key=_instant)
    present = clock.now()
    ids: dict[str, int] = {}
    with clock.borrowed():
        for happening in happenings:
            await _wait_until(min(_instant(happening), present), bigcommerce, clock)
            if isinstance(happening, DraftOrder):
                order_id = bigcommerce.place_order(happening)
                if happening.external_id:
                    ids[happening.external_id] = order_id
            else:
                _refund(bigcommerce, ids[happening.order_external_id], happening)
        await _wait_until(present, bigcommerce, clock)
    return ids


async def _wait_until(instant: datetime, bigcommerce: BigCommerceEmulator, clock: SandboxClock) -> None:
    """Let the clock jump from timer to timer, so that a payment is dated a second after its order."""
    while (due := bigcommerce.next_due()) is not None and due <= instant:
        clock.set(due)
        await bigcommerce.tick()
    clock.set(instant)


def _instant(happening: DraftOrder | Refund) -> datetime:
    instant = happening.placed_at if isinstance(happening, DraftOrder) else happening.refunded_at
    return instant.astimezone(UTC)


def _refund(bigcommerce: BigCommerceEmulator, order_id: int, refund: Refund) -> None:
    lines = bigcommerce.children("order_products", order_id)
    items = [(int(lines[item.line_index]["id"]), item.quantity) for item in refund.items]
    override = refund.amount if refund.amount_differs else None
    bigcommerce.refund_order(order_id, items, amount_override=override, reason=f"Cancellation {refund.invoice}")
