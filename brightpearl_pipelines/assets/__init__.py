"""Assets: one module per entity, each with what is extracted, the hub, and what is published of it.

Here: the list of entities, in the order of the business. A new entity is a module and a line.
"""

import dagster as dg

from brightpearl_pipelines.assets.customers import CUSTOMERS
from brightpearl_pipelines.assets.factory import assets_of
from brightpearl_pipelines.assets.inventory import INVENTORY
from brightpearl_pipelines.assets.orders import ORDERS
from brightpearl_pipelines.assets.payments import PAYMENTS
from brightpearl_pipelines.assets.products import PRODUCTS
from brightpearl_pipelines.assets.purchase_orders import PURCHASE_ORDERS
from brightpearl_pipelines.assets.returns import RETURNS
from brightpearl_pipelines.assets.shipments import SHIPMENTS
from brightpearl_pipelines.configuration import Configuration

ENTITIES = (PRODUCTS, CUSTOMERS, ORDERS, PAYMENTS, RETURNS, SHIPMENTS, PURCHASE_ORDERS, INVENTORY)


def all_assets(configuration: Configuration) -> list[dg.AssetsDefinition]:
    """Every asset that a configuration has."""
    return [asset for entity in ENTITIES for asset in assets_of(configuration, entity)]
