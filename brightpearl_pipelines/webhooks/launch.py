"""Starts the delta run as soon as an event is stored, through Dagster's GraphQL: of the assets that it concerns.

Which these are says Dagster itself: the extracted asset of the stream, and all that is made of it. It only saves
seconds. A sensor looks at the inbox by itself, so a launch that fails, or is never tried, loses nothing.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import httpx

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.configuration import Configuration

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
  runsOrError(filter: $filter, limit: 10) {
    __typename
    ... on Runs { results { runId assetSelection { path } } }
    ... on PythonError { message }
    ... on InvalidPipelineRunsFilterError { message }
  }
}
"""
ASSETS = """
query Assets($pipeline: PipelineSelector!) {
  assetNodes(pipeline: $pipeline) { assetKey { path } dependencyKeys { path } isPartitioned }
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

Key = tuple[str, ...]

log = logging.getLogger(__name__)


class Launcher:
    """Launches the job for whatever events come: the first at once, those of the next second together.

    `url` is where Dagster's web server answers, e.g. `http://127.0.0.1:3000`. Use as an async context manager, in the
    event loop in which `notice` is called.
    """

    def __init__(self, url: str, *, clock: Clock, configuration: Configuration, tags: Mapping[str, str] = TAGS) -> None:
        self._clock = clock
        self._configuration = configuration
        self._tags = tags
        self._client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False)
        self._wanted: set[Key] = set()
        self._assets: _Assets | None = None
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
        stream = self._configuration.connection(connection).system.stream_of(topic)
        log.debug("%s: %s was stored", connection, topic)
        if stream is None:
            return
        self._wanted.add((connection, f"extracted_{stream.name}"))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(), name="launch runs")

    async def settled(self) -> None:
        """Wait until nothing is left to launch."""
        if self._working is not None:
            await self._working

    async def _work(self) -> None:
        while self._wanted:
            roots, self._wanted = self._wanted, set()
            await self._launch(roots)
            await self._clock.sleep(PAUSE_SECONDS)

    async def _launch(self, roots: set[Key]) -> None:
        try:
            chosen = await self._chosen(roots)
            if await self._is_waiting(chosen):
                return
            answer = await self._ask(LAUNCH, {"params": self._params(chosen)}, "launchRun")
        except (httpx.HTTPError, ValueError) as error:
            log.warning("no run was launched, the sensor will: %s: %s", type(error).__name__, error)
            return
        if answer["__typename"] == "LaunchRunSuccess":
            log.info("launched run %s", answer["run"]["runId"])
        else:
            self._assets = None  # perhaps there are other assets by now
            log.warning("no run was launched, the sensor will: %s", answer.get("message", answer["__typename"]))

    async def _chosen(self, roots: set[Key]) -> set[Key]:
        """The assets of these streams, and all that is made of them in the hub and for the same accounts."""
        if self._assets is None or not roots <= self._assets.partitioned.keys():
            nodes = await self._ask(ASSETS, {"pipeline": _selector("pipelineName")}, "assetNodes", list)
            self._assets = _Assets(nodes)
        concerned = self._configuration.concerned_by(connection for connection, _ in roots)
        return {key for key in self._assets.downstream(roots) if len(key) == 1 or key[0] in concerned}

    async def _is_waiting(self, chosen: set[Key]) -> bool:
        """Whether a run of the job that takes all these assets has yet to begin its work."""
        wanted = {"pipelineName": JOB, "statuses": ["NOT_STARTED", "QUEUED", "STARTING"]}
        answer = await self._ask(WAITING_RUNS, {"filter": wanted}, "runsOrError")
        if answer["__typename"] != "Runs":
            raise ValueError(str(answer.get("message", answer["__typename"])))
        return any(
            run["assetSelection"] is None or {tuple(key["path"]) for key in run["assetSelection"]} >= chosen
            for run in answer["results"]
        )

    def _params(self, chosen: set[Key]) -> dict[str, Any]:
        selector = {**_selector("jobName"), "assetSelection": [{"path": list(key)} for key in sorted(chosen)]}
        # Most assets are kept by day; a run on changes is recorded under the day on which it runs.
        tags = dict(self._tags)
        if self._assets is not None and any(self._assets.partitioned.get(key) for key in chosen):
            tags["dagster/partition"] = f"{self._clock.now():%Y-%m-%d}"
        return {
            "selector": selector,
            "runConfigData": RUN_CONFIG,
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }

    async def _ask(self, query: str, variables: dict[str, Any], field: str, kind: type = dict) -> Any:
        """The named field of the answer. Raises httpx.HTTPError, or ValueError when the answer is of another kind."""
        response = await self._client.post("/graphql", json={"query": query, "variables": variables})
        response.raise_for_status()
        body = response.json()
        data = body.get("data") if isinstance(body, dict) else None
        found = data.get(field) if isinstance(data, dict) else None
        if isinstance(found, kind):
            return found
        raise ValueError(f"the answer has no {field}: {str(body)[:300]}")


def _selector(job: str) -> dict[str, str]:
    """The job, by the field that names it in one kind of selector or the other."""
    return {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, job: JOB}


class _Assets:
    """The assets of the job: `partitioned` by key, and what is made of what."""

    def __init__(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        self.partitioned: dict[Key, bool] = {}
        self._children: dict[Key, set[Key]] = {}
        for node in nodes:
            key = _key(node["assetKey"])
            self.partitioned[key] = bool(node["isPartitioned"])
            for parent in node["dependencyKeys"]:
                self._children.setdefault(_key(parent), set()).add(key)

    def downstream(self, roots: Iterable[Key]) -> set[Key]:
        """Those of the roots that exist, and all that is made of them. Raises ValueError if none exists."""
        reached: set[Key] = set()
        wanted = set(roots) & self.partitioned.keys()
        if not wanted:
            raise ValueError(f"the job has none of the assets {sorted('/'.join(each) for each in roots)}")
        while wanted:
            reached |= wanted
            wanted = {child for key in wanted for child in self._children.get(key, ())} - reached
        return reached & self.partitioned.keys()


def _key(asset_key: Mapping[str, Sequence[str]]) -> Key:
    return tuple(asset_key["path"])
