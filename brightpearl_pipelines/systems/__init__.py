"""The systems that can be kept in step. Adding one is adding a folder here and its name below."""

from collections.abc import Mapping

from brightpearl_pipelines.systems.bigcommerce import SYSTEM as BIGCOMMERCE
from brightpearl_pipelines.systems.brightpearl import SYSTEM as BRIGHTPEARL
from brightpearl_pipelines.systems.contract import System

SYSTEMS: Mapping[str, System] = {system.name: system for system in (BRIGHTPEARL, BIGCOMMERCE)}

__all__ = ["SYSTEMS", "System"]
