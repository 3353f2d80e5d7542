"""BigCommerce: orders, refunds, payments, catalogue, stock, shipments. Facts: bigcommerce.md, cited by section."""

from brightpearl_pipelines.systems.bigcommerce import (
    catalogue,
    catalogue_reference,
    customers,
    inventory,
    order_status,
    payments,
    refunds,
    shipments,
)
from brightpearl_pipelines.systems.bigcommerce.connect import connect
from brightpearl_pipelines.systems.bigcommerce.doctor import examine
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.sources import SOURCES
from brightpearl_pipelines.systems.bigcommerce.streams import STREAMS
from brightpearl_pipelines.systems.bigcommerce.webhooks import WEBHOOKS
from brightpearl_pipelines.systems.contract import System

SYSTEM = System(
    name="bigcommerce",
    settings=BigCommerceSettings,
    connect=connect,
    streams=(*STREAMS, catalogue_reference.SHELVES, customers.STREAM, refunds.STREAM),
    sources=(*SOURCES, *customers.SOURCES, *payments.SOURCES, *refunds.SOURCES),
    targets=(catalogue.TARGET, inventory.TARGET, order_status.TARGET, shipments.TARGET),
    examine=examine,
    webhooks=WEBHOOKS,
)
