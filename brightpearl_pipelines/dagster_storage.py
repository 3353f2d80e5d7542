"""Dagster's own history in the same Postgres as our state, so that one dagster.yaml serves laptop and production.

Here: the class that dagster.yaml names under `storage.custom`. Which server it is says the environment (DATABASE_URL,
else the embedded one). The instance's configuration travels on command lines; in this way no address ever does.
https://docs.dagster.io/deployment/oss/dagster-yaml
"""

from collections.abc import Mapping
from typing import Any, Self

from dagster._config import UserConfigSchema

# Dagster accepts only subclasses of its own class here, and has no public name for it; a test loads the instance.
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.runs.base import RunStorage
from dagster._core.storage.schedules.base import ScheduleStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_postgres.storage import DagsterPostgresStorage

from brightpearl_pipelines.store.database import libpq_url
from brightpearl_pipelines.store.embedded import database_url


class PostgresStorage(DagsterStorage[Any], ConfigurableClass):
    """Runs, events and schedules in the Postgres that `store.embedded.database_url` finds or starts."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        # Spelled out: SQLAlchemy 2.1 takes psycopg 3 for a plain postgresql://, dagster-postgres brings psycopg2.
        address = "postgresql+psycopg2://" + libpq_url(database_url()).partition("://")[2]
        self._postgres = DagsterPostgresStorage(postgres_url=address, should_autocreate_tables=True)
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        del config_value
        return cls(inst_data)

    @property
    def event_log_storage(self) -> EventLogStorage[Any]:
        return self._postgres.event_log_storage

    @property
    def run_storage(self) -> RunStorage[Any]:
        return self._postgres.run_storage

    @property
    def schedule_storage(self) -> ScheduleStorage[Any]:
        return self._postgres.schedule_storage
