"""Speaks Brightpearl's API: envelopes, id sets, searches, multi-messages. Source: brightpearl.md."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from brightpearl_pipelines.http.client import Api, read_json
from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError, TransientError
from brightpearl_pipelines.http.rules import Observation, ServerRules
from brightpearl_pipelines.systems.paging import chunks, whole_numbers

IDS_PER_GET = 200
"""§2.5: order, sales-order, product and contact."""
ROWS_PER_SEARCH = 500
MESSAGES_PER_CALL = 10
MOST_LOST_TOGETHER = 2


def rules(requests_per_minute: int) -> ServerRules:
    """How Brightpearl limits, throttles and fails (§2.3, §4.1, §11.9)."""
    return ServerRules(
        limit=requests_per_minute,
        window_seconds=60.0,
        observe=_observe,
        throttled=_throttled,
        transient=_transient,
        request_id=lambda response: response.headers.get("Ruid"),
    )


def _observe(response: httpx.Response) -> Observation | None:
    remaining = response.headers.get("brightpearl-requests-remaining")
    period = response.headers.get("brightpearl-next-throttle-period")
    if remaining is None or period is None:
        return None
    return Observation(remaining=int(remaining), resets_in_seconds=int(period) / 1000)


def _throttled(response: httpx.Response) -> float | None:
    """A 503 is a throttle only when it says so; any other is an outage (§4.1)."""
    if response.status_code != 503 or "too many requests" not in response.text.lower():
        return None
    return int(response.headers.get("brightpearl-next-throttle-period", "60000")) / 1000


def _transient(response: httpx.Response) -> bool:
    """A 5xx is ours to correct when it carries a client code (CMNC-…), the server's fault otherwise (§11.9)."""
    if response.status_code < 500:
        return False
    return not any(code.split("-")[0].endswith("C") for code in _codes(response))


def _codes(response: httpx.Response) -> list[str]:
    try:
        body = response.json()
    except ValueError:
        return []
    errors = body.get("errors", []) if isinstance(body, dict) else []
    return [str(error.get("code", "")) for error in errors if isinstance(error, dict)]


def instant(value: str) -> datetime:
    """An instant as Brightpearl writes it, with the account's offset, in UTC."""
    return datetime.fromisoformat(value).astimezone(UTC)


def wire_instant(value: datetime) -> str:
    """Always UTC with Z: the vendor warns against computing offsets (§11.3)."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


@dataclass(frozen=True)
class Message:
    """One write: alone, or part of a multi-message."""

    method: str
    path: str
    body: Any


@dataclass(frozen=True)
class Reply:
    """What became of a message. `status` None: unknown, it may have been applied."""

    status: int | None
    body: Any

    @property
    def ok(self) -> bool:
        return self.status is not None and self.status < 300

    @property
    def error(self) -> str:
        """The server's own words, codes included."""
        if isinstance(self.body, dict) and "errors" in self.body:
            return "; ".join(f"{each.get('code')} {each.get('message')}" for each in self.body["errors"])
        return str(self.body)


class BrightpearlClient:
    """The calls that the streams and writes are made of. Errors are those of `http.errors`."""

    def __init__(self, api: Api, *, multi_message: bool) -> None:
        self.api = api
        self.multi_message = multi_message
        self._lost_together = 0
        """Multi-messages in a row whose fate is unknown."""

    async def get(self, path: str, *, params: Mapping[str, str] | None = None) -> Any:
        """The `response` of a GET; an empty list where Brightpearl says 404 for "nothing found" (§2.4)."""
        answer = await self.api.request("GET", path, params=params, expected={404})
        return [] if answer.status_code == 404 else read_json(answer)["response"]

    async def post(self, path: str, body: Any) -> Any:
        """The `response` of a POST, usually the new id."""
        return read_json(await self.api.request("POST", path, json=body))["response"]

    async def get_many(self, pattern: str, ids: Iterable[str], *, size: int = IDS_PER_GET) -> list[Any]:
        """GET `pattern` with `{ids}` replaced by id sets of at most `size`; the array answers put together.

        A set that the server refuses as a whole is halved until the id that spoils it stands alone; that one is left
        out, so the caller sees it as missing (§2.4: one unknown id poisons a set).
        """
        found: list[Any] = []
        for chunk in chunks(whole_numbers(ids, self.api.connection), size):
            for part in await self._get_set(pattern, chunk):
                found.extend(part.values() if isinstance(part, dict) else part)
        return found

    async def get_map(self, pattern: str, ids: Iterable[str], *, size: int = IDS_PER_GET) -> dict[str, Any]:
        """As `get_many`, for the resources that answer with a map by id."""
        found: dict[str, Any] = {}
        for chunk in chunks(whole_numbers(ids, self.api.connection), size):
            for part in await self._get_set(pattern, chunk):
                found.update(part if isinstance(part, dict) else {})
        return found

    async def _get_set(self, pattern: str, ids: Sequence[str]) -> list[Any]:
        try:
            return [await self.get(pattern.replace("{ids}", ",".join(ids)))]
        except RefusedError as error:
            if error.status != 400:
                raise
            if len(ids) == 1:
                return []
        half = len(ids) // 2
        return [*await self._get_set(pattern, ids[:half]), *await self._get_set(pattern, ids[half:])]

    async def search_page(self, path: str, filters: Mapping[str, str], *, first: int = 1) -> list[dict[str, Any]]:
        """One page of at most 500 rows of a search, each row by column name (§3.3)."""
        params = {**filters, "pageSize": str(ROWS_PER_SEARCH), "firstResult": str(first)}
        answer = read_json(await self.api.request("GET", path, params=params))["response"]
        names = [column["name"] for column in answer["metaData"]["columns"]]
        return [dict(zip(names, row, strict=True)) for row in answer["results"]]

    async def search(self, path: str, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """All rows of a search over things that do not move while we read."""
        rows: list[dict[str, Any]] = []
        while True:
            page = await self.search_page(path, filters, first=len(rows) + 1)
            rows += page
            if len(page) < ROWS_PER_SEARCH:
                return rows

    async def write(self, messages: Sequence[Message]) -> list[Reply]:
        """Make the writes, ten a call where the connection allows it; one reply for each, in their order.

        The messages must not depend on each other: they go out in parallel. Raises only when nothing can be said of
        any of them (no permission, circuit open before the first); a message whose fate is unknown gets `status` None.
        """
        replies: list[Reply] = []
        size = MESSAGES_PER_CALL if self.multi_message else 1
        for start in range(0, len(messages), size):
            batch = messages[start : start + size]
            try:
                together = await self._together(batch) if len(batch) > 1 else None
                replies += together if together is not None else [await self._alone(each) for each in batch]
            except TransientError as error:
                if not replies and not isinstance(error, AmbiguousError):
                    raise
                unknown = isinstance(error, AmbiguousError)
                replies += [Reply(None if unknown else 503, str(error)) for _ in batch]
        return replies

    async def _alone(self, message: Message) -> Reply:
        try:
            answer = await self.api.request(message.method, message.path, json=message.body)
            return Reply(answer.status_code, read_json(answer))
        except RefusedError as error:
            return Reply(error.status, error.body)
        except AmbiguousError as error:
            return Reply(None, str(error))

    async def _together(self, batch: Sequence[Message]) -> list[Reply] | None:
        """One multi-message (§4.2); None when the server does not take it, so that single calls are made instead.

        Two of unknown fate in a row count as not taken: they were down for 17 hours once while single calls worked.
        """
        body = {
            "processingMode": "PARALLEL",
            "onFail": "CONTINUE",
            "messages": [
                {"label": str(i), "uri": "/" + each.path, "httpMethod": each.method, "body": each.body}
                for i, each in enumerate(batch)
            ],
        }
        try:
            answer = await self.api.request("POST", "multi-message", json=body)
        except RefusedError:
            self.multi_message = False
            return None
        except AmbiguousError as error:
            self._lost_together += 1
            self.multi_message = self._lost_together < MOST_LOST_TOGETHER
            return [Reply(None, str(error)) for _ in batch]
        self._lost_together = 0
        processed: dict[str, Reply] = {}
        for each in read_json(answer)["response"]["processedMessages"]:
            content = json.loads(each["body"]["content"] or "{}", parse_float=Decimal)
            processed[each["label"]] = Reply(each["statusCode"], content)
        return [processed.get(str(i), Reply(503, "the multi-message was not processed")) for i in range(len(batch))]
