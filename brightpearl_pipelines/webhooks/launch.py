"""Starts the delta run as soon as an event is stored, through Dagster's GraphQL.

It only saves seconds. A sensor looks at the inbox by itself, so a launch that fails, or is never tried, loses nothing.
"""

import asyncio
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

import httpx

from brightpearl_pipelines.clock import Clock

LOCATION = "brightpearl_pipelines"
REPOSITORY = "__repository__"
JOB = "sync_changes"
TAGS: Mapping[str, str] = MappingProxyType({"trigger": "webhook"})
RUN_CONFIG = {"resources": {"scope": {"config": {"reach": "events"}}}}
"""Only what webhooks named is read; the sweep looks at the rest."""
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0

# A run that is queued or starting has not read the inbox yet, so it will find what was stored meanwhile.
WAITING_RUNS = """
query WaitingRuns($filter: RunsFilter!) {
  runsOrError(filter: $filter, limit: 1) {
    __typename
    ... on Runs { results { runId } }
    ... on PythonError { message }
    ... on InvalidPipelineRunsFilterError { message }
  }
}
"""
LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on Error { message }
  }
}
"""

log = logging.getLogger(__name__)


class Launcher:
    """Launches the job for whatever events come: the first at once, those of the next second together.

    `url` is where Dagster's web server answers, e.g. `http://127.0.0.1:3000`. Use as an async context manager, in the
    event loop in which `notice` is called.
    """

    def __init__(self, url: str, *, clock: Clock, tags: Mapping[str, str] = TAGS) -> None:
        self._clock = clock
        self._tags = tags
        self._client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False)
        self._wanted = False
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])
        await self._client.aclose()

    def notice(self, connection: str, topic: str) -> None:
        """An event was stored: a run is wanted. Returns at once."""
        log.debug("%s: %s was stored", connection, topic)
        self._wanted = True
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(), name="launch runs")

    async def settled(self) -> None:
        """Wait until nothing is left to launch."""
        if self._working is not None:
            await self._working

    async def _work(self) -> None:
        while self._wanted:
            self._wanted = False
            await self._launch()
            await self._clock.sleep(PAUSE_SECONDS)

    async def _launch(self) -> None:
        try:
            if await self._is_waiting():
                return
            answer = await self._ask(LAUNCH, {"params": self._params()}, "launchRun")
        except (httpx.HTTPError, ValueError) as error:
            log.warning("no run was launched, the sensor will: %s: %s", type(error).__name__, error)
            return
        if answer["__typename"] == "LaunchRunSuccess":
            log.info("launched run %s", answer["run"]["runId"])
        else:
            log.warning("no run was launched, the sensor will: %s", answer.get("message", answer["__typename"]))

    async def _is_waiting(self) -> bool:
        """Whether a run of the job has yet to begin its work."""
        wanted = {"pipelineName": JOB, "statuses": ["NOT_STARTED", "QUEUED", "STARTING"]}
        answer = await self._ask(WAITING_RUNS, {"filter": wanted}, "runsOrError")
        if answer["__typename"] != "Runs":
            raise ValueError(str(answer.get("message", answer["__typename"])))
        return bool(answer["results"])

    def _params(self) -> dict[str, Any]:
        selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "jobName": JOB}
        # The job's assets are kept by day; a run on changes is recorded under the day on which it runs.
        tags = {**self._tags, "dagster/partition": f"{self._clock.now():%Y-%m-%d}"}
        return {
            "selector": selector,
            "runConfigData": RUN_CONFIG,
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }

    async def _ask(self, query: str, variables: dict[str, Any], field: str) -> dict[str, Any]:
        """The named field of the answer. Raises httpx.HTTPError, or ValueError when the answer is of another kind."""
        response = await self._client.post("/graphql", json={"query": query, "variables": variables})
        response.raise_for_status()
        body = response.json()
        data = body.get("data") if isinstance(body, dict) else None
        found = data.get(field) if isinstance(data, dict) else None
        if isinstance(found, dict):
            return found
        raise ValueError(f"the answer has no {field}: {str(body)[:300]}")
