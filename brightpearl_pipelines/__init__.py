"""Keeps Brightpearl in step with a retailer's shop, CRM and ERP, as a Dagster project."""
