"""How calls prove who they are: fixed headers, or OAuth access tokens that renew themselves.

The token request is a plain form POST here and not authlib's: its httpx client reads the machine's clock, and it is
being moved to another library.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.http.answers import excerpt, read_json, retry_after
from brightpearl_pipelines.http.breaker import Breaker
from brightpearl_pipelines.http.call import Call, call_of, request_line
from brightpearl_pipelines.http.errors import AmbiguousError, AuthenticationError, TransientError
from brightpearl_pipelines.http.rules import ServerRules
from brightpearl_pipelines.http.transport import require_encryption
from brightpearl_pipelines.store import vault
from brightpearl_pipelines.store.database import Store

_POLL = 0.25
_CALM = timedelta(seconds=60)
"""After a failed renewal ahead of time the token at hand is used this long before the next attempt."""
_TOKEN_TRIES = 3
_TOKEN_RULES = ServerRules(
    limit=1,
    window_seconds=1,
    observe=lambda response: None,
    throttled=lambda response: 0.0 if response.status_code == 429 else None,
    transient=lambda response: response.status_code >= 500,
    request_id=lambda response: None,
)
_ADVICE = "Authorise the app again and configure its new refresh token; calls are held until then."


class HeaderAuth(httpx.Auth):
    """The same headers on every call: BigCommerce's X-Auth-Token, a Brightpearl private app."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers.update(self._headers)
        yield request


@dataclass(frozen=True, slots=True)
class _Token:
    """What the vault keeps. Instants are ISO 8601 texts, None when the server did not say how long the token lives."""

    access: str
    refresh: str
    renew_at: str | None
    expires_at: str | None

    def due(self, now: datetime) -> bool:
        return self.renew_at is not None and datetime.fromisoformat(self.renew_at) <= now

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and datetime.fromisoformat(self.expires_at) <= now


class OAuthRefresh(httpx.Auth):
    """Bearer tokens from a refresh token (RFC 6749 §6), kept sealed in the vault and shared by all processes.

    A token is renewed ahead of its end (a tenth of its life, at least a minute, at most an hour) and once when the
    server answers 401. One process renews at a time; the others take over what it got. A refresh token that comes back
    replaces the one before (brightpearl.md §1.4: whether they rotate is unclear). When the token endpoint refuses, the
    connection pauses and AuthenticationError is raised.
    """

    def __init__(
        self,
        *,
        connection: str,
        store: Store,
        clock: Clock,
        token_url: str,
        client_id: str,
        refresh_token: str,
        client_secret: str | None = None,
        access_token: str | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> None:
        """`access_token`: a first one to begin with; `headers` go on every call, `form` into every token request.

        Raises ConfigurationError for a token URL that is not encrypted.
        """
        require_encryption(httpx.URL(token_url), connection)
        self._connection = connection
        self._store = store
        self._clock = clock
        self._token_url = token_url
        secret = {"client_secret": client_secret} if client_secret else {}
        self._form = {"client_id": client_id, **secret, **(form or {})}
        self._first = (access_token, refresh_token)
        self._headers = dict(headers or {})
        # Each configured refresh token has a place of its own: a newly configured one starts anew, and a process that
        # still runs with the former one does no harm.
        self._name = f"oauth:{connection}:{hashlib.sha256(refresh_token.encode()).hexdigest()[:16]}"
        self._breaker = Breaker(connection, store, clock)
        self._transport: httpx.AsyncBaseTransport | None = None
        self._token: _Token | None = None
        self._turn = asyncio.Lock()
        self._calm_until = clock.now()

    def attach(self, transport: httpx.AsyncBaseTransport) -> None:
        """Send token requests through `transport`, the stack of the client that this auth belongs to."""
        self._transport = transport

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        call = call_of(request)
        token, renewed = await self._current(call)
        response = yield self._signed(request, token)
        # A token that another process renewed may itself be stale by now: hence up to two more sends, the second of
        # them only with a token renewed here.
        for _ in range(2):
            if response.status_code != 401 or renewed:
                return
            token, renewed = await self._renewed(call, token, may_wait=True)
            response = yield self._signed(request, token)

    def _signed(self, request: httpx.Request, token: _Token) -> httpx.Request:
        request.headers.update(self._headers)
        request.headers["Authorization"] = f"Bearer {token.access}"
        return request

    async def _current(self, call: Call) -> tuple[_Token, bool]:
        """The token to send, and whether it was renewed just now."""
        now = self._clock.now()
        if self._token is None or self._token.due(now):
            self._token = self._stored()
        token = self._token
        if token.access and not token.due(now):
            return token, False
        usable = bool(token.access) and not token.expired(now)
        if usable and now < self._calm_until:
            return token, False
        try:
            return await self._renewed(call, token, may_wait=not usable)
        except TransientError:
            if not usable:
                raise
            self._calm_until = now + _CALM
            return token, False

    async def _renewed(self, call: Call, stale: _Token, *, may_wait: bool) -> tuple[_Token, bool]:
        """A token other than `stale`: another's, or one renewed here (then True).

        With `may_wait` False, `stale` itself comes back while another task or process is at it.
        """
        if self._turn.locked() and not may_wait:
            return stale, False
        async with self._turn:
            while True:
                with self._store.lock(self._name) as mine:
                    if mine:
                        self._token = self._stored()
                        if self._token.access and self._token.access != stale.access:
                            return self._token, False
                        self._token = await self._request_token(call, self._token.refresh)
                        self._keep(self._token)
                        return self._token, True
                if not may_wait:
                    return stale, False
                await self._clock.sleep(_POLL)

    def _stored(self) -> _Token:
        with self._store.transaction() as tx:
            found = vault.get(tx, self._name)
        if found is not None:
            return _Token(**found)
        access, refresh = self._first
        first = _Token(access=access or "", refresh=refresh, renew_at=None, expires_at=None)
        self._keep(first)
        self._breaker.resume()  # never seen before: what was held for want of it may go
        return first

    def _keep(self, token: _Token) -> None:
        with self._store.transaction() as tx:
            vault.put(tx, self._name, asdict(token))

    async def _request_token(self, parent: Call, refresh: str) -> _Token:
        if self._transport is None:
            raise RuntimeError("OAuthRefresh is used without open_client: nothing to send token requests with")
        call = Call(
            self._connection, _TOKEN_RULES, idempotent=True, counted=False, tries=_TOKEN_TRIES, probing=parent.probing
        )
        form = {"grant_type": "refresh_token", "refresh_token": refresh, **self._form}
        timeout = httpx.Timeout(30, connect=10).as_dict()
        request = httpx.Request(
            "POST", self._token_url, data=form, headers={"Accept": "application/json"}, extensions={"timeout": timeout}
        )
        try:
            response = await self._transport.handle_async_request(call.attach(request))
        except AmbiguousError as error:
            # What is uncertain is the token, not the call that it was for: that one was not sent.
            raise self._postponed(request, error.message, error.retry_after) from error
        response.request = request
        # A probe that the token request holds goes on to the call it is for.
        parent.probing = call.probing
        if response.is_success:
            return self._read(response, refresh)
        configured = self._first[1]
        if response.status_code == 400 and refresh != configured:
            # The server may have gone back in time (a restored backup), or the vault has: the configured one may do.
            return await self._request_token(parent, configured)
        raise self._failure(request, response)

    def _postponed(self, request: httpx.Request, message: str, wait: float | None = None) -> TransientError:
        return TransientError(
            f"not sent, the access token could not be renewed: {message}",
            connection=self._connection,
            request=request_line(request),
            retry_after=wait,
            advice="Nothing to do: it is tried again.",
        )

    def _failure(self, request: httpx.Request, response: httpx.Response) -> AuthenticationError | TransientError:
        status = response.status_code
        if status == 429 or status >= 500:
            wait = retry_after(response, self._clock.now())
            return self._postponed(request, f"the token endpoint answered {status}: {excerpt(response)}", wait)
        reason = f"the access token could not be renewed ({status}): {excerpt(response)}"
        self._breaker.pause(reason)
        return AuthenticationError(
            reason, connection=self._connection, request=request_line(request), status=status, advice=_ADVICE
        )

    def _read(self, response: httpx.Response, before: str) -> _Token:
        try:
            answer: Any = read_json(response)
        except AmbiguousError as error:
            raise self._postponed(response.request, error.message) from error
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise self._postponed(response.request, "the token endpoint's answer holds no access_token")
        now, life = self._clock.now(), answer.get("expires_in")
        renew_at = expires_at = None
        if life is not None:
            expires_at = now + timedelta(seconds=int(life))
            renew_at = expires_at - timedelta(seconds=_leeway(int(life)))
        return _Token(
            access=answer["access_token"],
            refresh=answer.get("refresh_token") or before,
            renew_at=renew_at.isoformat() if renew_at else None,
            expires_at=expires_at.isoformat() if expires_at else None,
        )


def _leeway(life: int) -> float:
    """Seconds before its end at which a token of `life` seconds is renewed.

    Never more than half its life: a server may answer an early renewal with the rest of the old life
    (brightpearl.md §1.4), and the last minute must not be spent renewing.
    """
    return min(max(life / 10, 60), 3600, life / 2)
