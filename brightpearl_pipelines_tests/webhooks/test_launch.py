"""Runs are launched at a real Dagster web server; whatever goes wrong there harms nothing."""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from brightpearl_pipelines.configuration import load_configuration
from brightpearl_pipelines.webhooks.launch import Launcher
from brightpearl_pipelines.webhooks.serve import listen
from brightpearl_pipelines_tests.webhooks.receiving import listening_port

# No daemon runs, so a queued run stays queued.
INSTANCE = """
telemetry: {enabled: false}
run_coordinator: {module: dagster.core.run_coordinator, class: QueuedRunCoordinator}
"""
RUNS = """
{ runsOrError { ... on Runs {
    results { runId status pipelineName assetSelection { path } tags { key value } }
} } }
"""
ASSETS = [{"assetKey": {"path": ["bigcommerce", "extracted_orders"]}, "dependencyKeys": [], "isPartitioned": True}]
CONFIGURATION = load_configuration(Path(__file__).parents[2] / "connections.yaml")


@pytest.fixture(scope="module")
def dagster(tmp_path_factory):
    """The address of a web server with the project's own definitions, on a free port."""
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "dagster.yaml").write_text(INSTANCE)
    (folder / "workspace.yaml").write_text(
        "load_from:\n"
        "  - python_module: {module_name: brightpearl_pipelines.definitions, location_name: brightpearl_pipelines}\n"
    )
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", "0", "-w", "workspace.yaml"]
    environment = {**os.environ, "DAGSTER_HOME": str(folder), "PYTHONWARNINGS": "ignore"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield f"http://127.0.0.1:{listening_port(server)}"
    finally:
        server.terminate()
        server.wait(30)


def ask(url, query):
    return httpx.post(f"{url}/graphql", json={"query": query}, timeout=30, trust_env=False).json()["data"]


def runs(url):
    return ask(url, RUNS)["runsOrError"]["results"]


def launch(url, clock, *bursts, topic="store/order/created"):
    """Notices in bursts of the given sizes, each after the one before was dealt with."""

    async def go():
        async with Launcher(url, clock=clock, configuration=CONFIGURATION) as launcher:
            for size in bursts:
                for _ in range(size):
                    launcher.notice("bigcommerce", topic)
                await launcher.settled()

    asyncio.run(go())


def test_many_events_launch_one_run_and_a_run_that_has_yet_to_start_is_enough(dagster, clock):
    launch(dagster, clock, 10)
    (run,) = runs(dagster)
    assert (run["pipelineName"], run["status"]) == ("sync_changes", "QUEUED")
    assert {"key": "trigger", "value": "webhook"} in run["tags"]
    launch(dagster, clock, 3, 3)
    assert len(runs(dagster)) == 1
    ask(dagster, f'mutation {{ terminateRun(runId: "{run["runId"]}") {{ __typename }} }}')
    assert runs(dagster)[0]["status"] == "CANCELED"
    launch(dagster, clock, 1)
    assert [each["status"] for each in runs(dagster)] == ["QUEUED", "CANCELED"]


def test_a_run_takes_the_assets_that_the_event_concerns_and_a_waiting_run_of_others_is_not_enough(dagster, clock):
    """BC-06: an order's run does without the steps that no order touches."""
    launch(dagster, clock, 1)
    order = chosen(runs(dagster)[0])
    assert {"bigcommerce/extracted_orders", "mapped_orders", "brightpearl/published_orders"} <= order
    assert "brightpearl/extracted_products" not in order
    assert "mapped_shipments" not in order
    before = len(runs(dagster))
    launch(dagster, clock, 1, topic="store/product/updated")
    newest, *others = runs(dagster)
    assert len(others) == before
    assert {"bigcommerce/extracted_products", "mapped_products"} <= chosen(newest)
    assert "bigcommerce/extracted_orders" not in chosen(newest)
    launch(dagster, clock, 1, topic="store/cart/abandoned")
    assert len(runs(dagster)) == before + 1


def chosen(run):
    return {"/".join(key["path"]) for key in run["assetSelection"]}


@pytest.fixture
def impostor():
    """Serves one answer to whatever is asked; returns its address."""
    ended = []

    def go(answer):
        async def reply(_):
            return answer

        listening = listen(0)
        app = Starlette(routes=[Route("/graphql", reply, methods=["POST"])])
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        ended.append((server, thread, listening))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield go
    for server, thread, listening in ended:
        server.should_exit = True
        thread.join(30)
        listening.close()


def test_events_of_one_second_are_looked_after_together(clock, impostor):
    whole = {"runId": "r", "assetSelection": None}
    waiting = JSONResponse({"data": {"assetNodes": ASSETS, "runsOrError": {"__typename": "Runs", "results": [whole]}}})
    started = clock.monotonic()

    async def go():
        async with Launcher(impostor(waiting), clock=clock, configuration=CONFIGURATION) as launcher:
            launcher.notice("bigcommerce", "store/order/created")
            await asyncio.sleep(0)
            for _ in range(50):
                launcher.notice("bigcommerce", "store/order/updated")
            await launcher.settled()

    asyncio.run(go())
    assert clock.monotonic() - started == 2, "two looks, a second each"


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("bad gateway", 502),
        PlainTextResponse("<html>log in first</html>"),
        JSONResponse([1]),
        JSONResponse({"data": None, "errors": [{"message": "out of order"}]}),
        JSONResponse({"data": {"assetNodes": []}}),
        JSONResponse({"data": {"assetNodes": ASSETS, "runsOrError": {"__typename": "PythonError", "message": "no"}}}),
        JSONResponse(
            {
                "data": {
                    "assetNodes": ASSETS,
                    "runsOrError": {"__typename": "Runs", "results": []},
                    "launchRun": {"__typename": "UnauthorizedError", "message": "read only"},
                }
            }
        ),
    ],
)
def test_a_launch_that_fails_is_told_and_harms_nothing(clock, caplog, impostor, answer):
    launch(impostor(answer), clock, 1, 1)
    assert [record.levelno for record in caplog.records if "the sensor will" in record.message] == [logging.WARNING] * 2


def test_nobody_at_the_address_harms_nothing(clock, caplog):
    listening = listen(0)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.close()
    launch(address, clock, 1)
    assert "no run was launched, the sensor will: ConnectError" in caplog.text
