"""Everything that Dagster loads, and nothing else: the definitions, built from connections.yaml.

Loading reads that one file. It opens no database, calls no system, and needs no environment variable.
"""

import dagster as dg

from brightpearl_pipelines.alert_sensors import alert_sensors, freshness_checks
from brightpearl_pipelines.assets import all_assets
from brightpearl_pipelines.assets.report_store import REPORTS_IO, reports_io_manager
from brightpearl_pipelines.assets.reports import report_assets, report_checks
from brightpearl_pipelines.checks import schema_checks
from brightpearl_pipelines.configuration import Configuration, load_configuration
from brightpearl_pipelines.jobs import housekeeping, sync_jobs
from brightpearl_pipelines.keep_webhooks import catch_up_sensor, keep_webhooks, keep_webhooks_alive
from brightpearl_pipelines.resources import ScopeConfig, Sync, SyncResource
from brightpearl_pipelines.schedules import SCHEDULES
from brightpearl_pipelines.sensors import changes_sensor


def build_defs(
    configuration: Configuration | None = None, *, sync: Sync | SyncResource | dg.ResourceDefinition | None = None
) -> dg.Definitions:
    """Fresh definitions: from connections.yaml, or from the given configuration.

    `sync` replaces what opens the store and the connections, for tests. Raises ConfigurationError for a mistake in the
    file, with its line.
    """
    if configuration is None:
        configuration = load_configuration()
    assets = all_assets(configuration)
    fresh = freshness_checks(configuration)
    told = [spec.key for spec in fresh.check_specs]
    return dg.Definitions(
        assets=[*assets, *report_assets(configuration)],
        asset_checks=[*schema_checks(), *report_checks(), fresh],
        jobs=[*sync_jobs(told), housekeeping, keep_webhooks],
        sensors=[
            changes_sensor(configuration, assets),
            catch_up_sensor(configuration, assets),
            *alert_sensors(told),
        ],
        schedules=[*SCHEDULES, keep_webhooks_alive],
        resources={"sync": sync or SyncResource(), "scope": ScopeConfig(), REPORTS_IO: reports_io_manager},
        # A process of its own for each step would cost two seconds an asset; all of them wait for the network anyway.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What workspace.yaml points at."""
    return build_defs()
