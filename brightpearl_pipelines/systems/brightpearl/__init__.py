"""Brightpearl: orders, stock, contacts, payments. Facts: the fact sheet brightpearl.md, cited by section."""

from brightpearl_pipelines.systems.brightpearl import (
    availability,
    credit_writes,
    customers,
    ledger,
    order_writes,
    payments,
    products,
    purchase_orders,
    shipments,
)
from brightpearl_pipelines.systems.brightpearl.connect import connect
from brightpearl_pipelines.systems.brightpearl.doctor import examine
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings
from brightpearl_pipelines.systems.brightpearl.sources import SOURCES
from brightpearl_pipelines.systems.brightpearl.streams import STREAMS
from brightpearl_pipelines.systems.brightpearl.webhooks import WEBHOOKS
from brightpearl_pipelines.systems.contract import System

SYSTEM = System(
    name="brightpearl",
    settings=BrightpearlSettings,
    connect=connect,
    streams=(
        *STREAMS,
        *ledger.STREAMS,
        availability.STREAM,
        products.DETAILS_STREAM,
        purchase_orders.STREAM,
        shipments.STREAM,
    ),
    sources=(*SOURCES, *ledger.SOURCES, purchase_orders.SOURCE, *shipments.SOURCES),
    targets=(customers.TARGET, order_writes.TARGET, credit_writes.TARGET, payments.TARGET),
    examine=examine,
    webhooks=WEBHOOKS,
)
