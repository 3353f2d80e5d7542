"""What stands before every call: the store's hash, the token, its scopes, the rate limit, then the route (§1).

A gateway answers exactly one shop. Everything after authentication is synchronous, so a call is applied whole or not at
all, and two calls never interleave.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    NOT_FOUND,
    STATUS_PAGE,
    Call,
    JsonObject,
    Refusal,
    json_answer,
)

Handler = Callable[[Shop, Call], Response]

WINDOW = timedelta(seconds=30)


@dataclass(frozen=True)
class Endpoint:
    """`path` below `/v2` or `/v3`; `{name}` takes digits, `{name:text}` anything. `scope` "" needs only a token."""

    method: str
    version: str
    path: str
    scope: str
    handler: Handler


def endpoint(method: str, path: str, scope: str, handler: Handler) -> Endpoint:
    """An endpoint from `/v2/…` or `/v3/…`."""
    version, rest = path[1:].split("/", 1)
    return Endpoint(method, version, f"/{rest}", scope, handler)


class RouteTable:
    """Endpoints by version and number of path segments, so that only a few patterns are tried."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._by_shape: dict[tuple[str, int], list[tuple[re.Pattern[str], Endpoint]]] = {}
        for each in endpoints:
            pattern = re.sub(r"\{(\w+):text\}", r"(?P<\1>[^/]+)", each.path)
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9]{1,19})", pattern)
            shape = (each.version, each.path.count("/"))
            self._by_shape.setdefault(shape, []).append((re.compile(pattern), each))

    def find(self, method: str, version: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """The endpoint and its path values; 404 for an unknown path, 405 for an unknown method, 501 for PATCH."""
        known = False
        for pattern, each in self._by_shape.get((version, path.count("/")), ()):
            match = pattern.fullmatch(path)
            if match is None:
                continue
            known = True
            if each.method == method:
                return each, match.groupdict()
        if known and method in ("PATCH", "TRACE"):
            raise Refusal(501, "Not Implemented")
        raise Refusal(405, "Method Not Allowed") if known else Refusal(404, NOT_FOUND)


class RateLimit:
    """A fixed window of 30 seconds a token, on the shop's clock (§1.3)."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[datetime, int]] = {}

    def take(self, token: str, now: datetime, quota: int) -> tuple[bool, dict[str, str]]:
        """Count one request; whether it may pass, and the headers to answer with."""
        start, used = self._windows.get(token, (now, 0))
        if not start <= now < start + WINDOW:
            start, used = now, 0
        allowed = quota <= 0 or used < quota
        used += 1 if allowed else 0
        self._windows[token] = (start, used)
        return allowed, rate_headers(quota or 100_000, used, start + WINDOW - now, limited=not allowed)


def rate_headers(quota: int, used: int, left: timedelta, *, limited: bool) -> dict[str, str]:
    """The four headers of every answer, and X-Retry-After on a refused one."""
    reset = max(0, math.ceil(left.total_seconds() * 1000))
    headers = {
        "X-Rate-Limit-Time-Window-Ms": str(int(WINDOW.total_seconds() * 1000)),
        "X-Rate-Limit-Time-Reset-Ms": str(reset),
        "X-Rate-Limit-Requests-Quota": str(quota),
        "X-Rate-Limit-Requests-Left": str(max(0, quota - used)),
    }
    if limited:
        headers["X-Retry-After"] = str(math.ceil(reset / 1000))
    return headers


def too_many() -> Response:
    """The body of a 429; the headers come from the limiter."""
    body = {
        "status": 429,
        "title": "Too many requests",
        "type": "/api-docs/getting-started/api-status-codes",
        "errors": {},
    }
    return json_answer(body, 429)


class Gateway:
    """Answers everything below `/stores/{store_hash}/`."""

    def __init__(self, shop: Shop, endpoints: Iterable[Endpoint]) -> None:
        self.shop = shop
        self.routes = RouteTable(endpoints)
        self.limit = RateLimit()

    async def endpoint(self, request: Request) -> Response:
        """The Starlette endpoint: the body is read first, the rest happens at once."""
        return self._respond(request, await request.body())

    def _respond(self, request: Request, body: bytes) -> Response:
        if request.path_params["store_hash"] != self.shop.hash:
            return HTMLResponse("<html><head><title>404 Not Found</title></head>openresty</html>", 404)
        version, path = _split(request.path_params["path"])
        headers: dict[str, str] = {}
        try:
            token = self._token(request, version)
            quota = int(self.shop.settings["requests_per_30_seconds"])
            allowed, headers = self.limit.take(token["access_token"], self.shop.clock.now(), quota)
            response = self._route(request, version, path, token, body) if allowed else too_many()
        except Refusal as refusal:
            response = refusal.answer(version, path)
        if not headers:
            headers = rate_headers(int(self.shop.settings["requests_per_30_seconds"]), 0, WINDOW, limited=False)
        for name, value in headers.items():
            response.headers[name] = value
        return response

    def _token(self, request: Request, version: str) -> JsonObject:
        """Who calls; 401 for a missing or unknown token."""
        token = self.shop.get("tokens", request.headers.get("x-auth-token", ""))
        if token is not None:
            return token
        title = (
            "Unauthorized - the v3 Auth client ID or token in the request are not a valid combination for this store."
        )
        body = self.shop.settings["v2_unauthorized"] if version == "v2" else None
        raise Refusal(401, title, body=body)

    def _route(self, request: Request, version: str, path: str, token: JsonObject, body: bytes) -> Response:
        if version not in ("v2", "v3"):
            raise Refusal(404, NOT_FOUND)
        if version == "v3" and path.endswith("/"):
            # Seen in the field (§1.1): the gateway takes the slash for another, guarded resource.
            slash = {"status": 403, "title": "Authentication Required", "type": STATUS_PAGE}
            raise Refusal(403, "Authentication Required", body=slash)
        if version == "v2":
            path = path.rstrip("/").removesuffix(".json").replace("/shippingaddresses", "/shipping_addresses")
        found, ids = self.routes.find(request.method, version, path)
        _check_scope(found, token)
        call = Call(
            request.method,
            version,
            path,
            ids,
            request.query_params,
            _decoded(request, version, path, body),
            token["client_id"],
            request.scope.get("sandbox_fault"),
        )
        return found.handler(self.shop, call)


def _split(path: str) -> tuple[str, str]:
    version, _, rest = path.partition("/")
    return version, f"/{rest}"


def _check_scope(found: Endpoint, token: JsonObject) -> None:
    """403 unless the token may do this; a token bound to no store may do nothing (§1.4)."""
    granted = token["scope"].split() if token["context"] else []
    wanted = {found.scope} | ({f"{found.scope}_read_only"} if found.method == "GET" else set())
    if not granted or (found.scope and not wanted & set(granted)):
        raise Refusal(403, "You don't have a required scope to access the endpoint")


def _decoded(request: Request, version: str, path: str, body: bytes) -> object:
    """The JSON body, None without one; 415 for another content type (hooks: 400), 400 for broken JSON."""
    if not body:
        return None
    if "json" not in request.headers.get("content-type", ""):
        raise Refusal(400 if path.startswith("/hooks") else 415, "The content type must be application/json.")
    try:
        decoded: object = json.loads(body.decode(), parse_float=_finite, parse_constant=_finite)
        if b"\\ud" in body.lower():
            # Half a character, which no answer could carry.
            json.dumps(decoded, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refusal(400, "Input is invalid" if version == "v3" else "The JSON in the request is invalid.") from None
    return decoded


def _finite(literal: str) -> float:
    """A number; ValueError for NaN, for Infinity, and for one beyond all bounds."""
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError(literal)
    return value
