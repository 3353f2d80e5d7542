"""dagster.yaml and workspace.yaml with the real thing: Dagster's history in the same Postgres as ours."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import dagster as dg
import httpx
import pytest
from dagster_postgres.run_storage import PostgresRunStorage

from brightpearl_pipelines.definitions import build_defs
from brightpearl_pipelines.store import embedded
from brightpearl_pipelines_tests.dagster_room.test_definitions import PROJECT


@pytest.fixture
def data_folder(data_folder_factory, monkeypatch):
    """A data folder of its own with an embedded server, and Dagster's home in it."""
    folder = data_folder_factory("dagster")
    home = folder / "dagster"
    home.mkdir()
    shutil.copyfile(PROJECT / "dagster.yaml", home / "dagster.yaml")
    monkeypatch.setenv("BPP_DATA_DIR", str(folder))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    yield folder
    embedded.stop_embedded()


def test_dagster_yaml_loads_an_instance_on_the_embedded_postgres_that_remembers(data_folder):
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.run_storage, PostgresRunStorage)
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        job = build_defs().resolve_job_def("housekeeping")
        run = instance.create_run_for_job(job)
        # What travels on the command lines of all children.
        told = str(instance.get_ref().to_dict())
        assert "postgresql" not in told
        assert str(data_folder / "postgres") not in told
    with dg.DagsterInstance.get() as instance:
        assert instance.get_run_by_id(run.run_id) is not None


def test_the_database_that_the_environment_names_is_used(data_folder, database_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs() == []
    assert not (data_folder / "postgres").exists()


# -- the services ------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_services_start_and_run_a_job_that_graphql_launches(data_folder):
    with _services(data_folder) as url:
        wanted = {
            "selector": {
                "repositoryLocationName": "brightpearl_pipelines",
                "repositoryName": "__repository__",
                "jobName": "housekeeping",
            }
        }
        launched = _ask(
            url,
            "mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) "
            "{ __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
            {"params": wanted},
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = launched["run"]["runId"]
        status = _until(lambda: _status(url, run), lambda found: found in {"SUCCESS", "FAILURE"})
        assert status == "SUCCESS"
        ticking = _until(lambda: _sensor_ticks(url), lambda ticks: any(tick["status"] == "SKIPPED" for tick in ticks))
        assert {tick["skipReason"] for tick in ticking if tick["status"] == "SKIPPED"} == {"no webhooks have come in"}


@contextmanager
def _services(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT / "workspace.yaml"), "-p", str(port)]
    log = folder / "dev.log"
    with log.open("w") as output:
        services = subprocess.Popen(
            command, cwd=PROJECT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env=dict(os.environ)
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _until(lambda: services.poll() is None and _answers(url), bool)
            yield url
        finally:
            services.terminate()
            _gone(services)


def _gone(services):
    """Nothing of the session is left: its leader may end before the code server that it started, or not end at all.

    Where SIGINT is ignored, as under a shell's `&`, Dagster ignores SIGTERM too.
    """
    with suppress(subprocess.TimeoutExpired):
        services.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(services.pid, signal.SIGKILL)
    services.wait(10)


def _answers(url):
    try:
        return httpx.get(f"{url}/server_info", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _ask(url, query, variables=None):
    answer = httpx.post(
        f"{url}/graphql", json={"query": query, "variables": variables or {}}, trust_env=False, timeout=60
    ).json()
    assert "errors" not in answer, answer
    return answer["data"]


def _status(url, run):
    query = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
    return _ask(url, query, {"id": run})["runOrError"]["status"]


def _sensor_ticks(url):
    query = (
        'query { sensorOrError(sensorSelector: {repositoryLocationName: "brightpearl_pipelines", '
        'repositoryName: "__repository__", sensorName: "changes"}) '
        "{ ... on Sensor { sensorState { ticks(limit: 5) { status skipReason } } } } }"
    )
    return _ask(url, query)["sensorOrError"]["sensorState"]["ticks"]


def _until(look, enough, seconds=120):
    """What `look` finds, as soon as it is enough; an AssertionError when it takes too long."""
    deadline = time.monotonic() + seconds
    while not enough(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found
