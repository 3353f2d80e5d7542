"""Access tokens (BP-01, BP-02, BP-03): renewed ahead of their end and on 401, by one process at a time, sealed."""

import base64
import itertools
from urllib.parse import parse_qsl

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http.auth import OAuthRefresh
from brightpearl_pipelines.http.errors import AuthenticationError, TransientError
from brightpearl_pipelines_tests.http.harness import Server, answers, audit, caught, client

WEEK = 604_800
REFRESH = "first+refresh/token=="


class Provider:
    """A token endpoint and an API in one app, as strict as RFC 6749: form-encoded, rotating refresh tokens."""

    def __init__(self, clock, *, life=WEEK, rotates=True, takes=0.0):
        self.clock = clock
        self.life = life
        self.rotates = rotates
        self.takes = takes
        self.refresh = REFRESH
        self.valid = set()
        self.forms = []
        self.used = []
        self.failure = None
        self.accepts = True
        self.numbers = itertools.count(1)
        routes = [Route("/token/north", self.token, methods=["POST"]), Route("/base/thing", self.thing)]
        self.inner = httpx.ASGITransport(Starlette(routes=routes))

    async def token(self, request):
        form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        self.forms.append(form)
        await self.clock.sleep(self.takes)
        if self.failure is not None:
            return JSONResponse({"error": "temporarily_unavailable"}, self.failure)
        if form["refresh_token"] != self.refresh:
            description = "The auth token has either expired or does not exist"
            return JSONResponse({"error": "invalid_grant", "error_description": description}, 400)
        access = base64.b64encode(f"access {next(self.numbers)}".encode()).decode()
        self.valid = {access}
        answer = {"access_token": access, "token_type": "Bearer"}
        if self.life is not None:
            answer["expires_in"] = self.life
        if self.rotates:
            self.refresh = answer["refresh_token"] = f"rotated {next(self.numbers)}"
        return JSONResponse(answer)

    async def thing(self, request):
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.used.append(token)
        if token not in self.valid or not self.accepts:
            return JSONResponse({"response": "Authorization token expired"}, 401)
        return JSONResponse({"response": request.headers["brightpearl-app-ref"]})


def opened(store, clock, provider, *, refresh_token=REFRESH, access_token=None):
    auth = OAuthRefresh(
        connection="north",
        store=store,
        clock=clock,
        token_url="https://oauth.example.com/token/north",
        client_id="app",
        client_secret="s3cr&t=",
        refresh_token=refresh_token,
        access_token=access_token,
        headers={"brightpearl-app-ref": "app"},
        form={"account_code": "north"},
    )
    return client(store, clock, provider.inner, auth=auth)


def get(api):
    return api.request("GET", "/thing")


def test_the_first_call_fetches_a_token_and_the_next_ones_use_it(store, clock):
    provider = Provider(clock)
    api = opened(store, clock, provider)
    assert clock.run(get(api)).json() == {"response": "app"}
    clock.run(get(api))
    assert provider.forms == [
        {
            "grant_type": "refresh_token",
            "refresh_token": REFRESH,
            "client_id": "app",
            "client_secret": "s3cr&t=",
            "account_code": "north",
        }
    ]
    assert api.calls == 2


def test_a_given_access_token_is_used_until_it_is_refused(store, clock):
    provider = Provider(clock)
    provider.valid = {"given"}
    api = opened(store, clock, provider, access_token="given")
    clock.run(get(api))
    assert provider.forms == []
    provider.valid = set()
    assert clock.run(get(api)).status_code == 200
    assert len(provider.forms) == 1


@pytest.mark.parametrize(("life", "leeway"), [(WEEK, 3600), (6_000, 600), (300, 60), (60, 30)])
def test_a_token_is_renewed_ahead_of_its_end_but_not_earlier(store, clock, life, leeway):
    provider = Provider(clock, life=life)
    api = opened(store, clock, provider)
    clock.run(get(api))
    clock.advance(life - leeway - 1)
    clock.run(get(api))
    assert len(provider.forms) == 1
    clock.advance(1)
    clock.run(get(api))
    assert len(provider.forms) == 2
    assert len(set(provider.used)) == 2


def test_a_token_without_a_stated_life_is_renewed_only_when_refused(store, clock):
    provider = Provider(clock, life=None)
    api = opened(store, clock, provider)
    clock.run(get(api))
    clock.advance(10 * WEEK)
    clock.run(get(api))
    assert len(provider.forms) == 1


def test_a_refused_token_is_renewed_once_and_the_request_sent_again(store, clock):
    provider = Provider(clock)
    api = opened(store, clock, provider)
    clock.run(get(api))
    provider.valid = set()
    assert clock.run(get(api)).status_code == 200
    assert len(provider.forms) == 2
    assert [row.status for row in (api.flush_calls(), audit(store))[1]] == [200, 200, 401, 200, 200]


def test_a_second_refusal_pauses_the_connection(store, clock):
    provider = Provider(clock)
    api = opened(store, clock, provider)
    clock.run(get(api))
    provider.accepts = False
    error = clock.run(caught(get(api)))
    assert isinstance(error, AuthenticationError)
    assert (len(provider.forms), len(provider.used)) == (2, 3)
    assert isinstance(clock.run(caught(get(api))), AuthenticationError)
    assert (len(provider.forms), len(provider.used)) == (2, 3)


def test_a_rotated_refresh_token_replaces_the_one_before_and_survives_a_restart(store, other_store, clock):
    provider = Provider(clock)
    clock.run(get(opened(store, clock, provider)))
    clock.advance(WEEK)
    clock.run(get(opened(other_store, clock, provider)))
    assert [form["refresh_token"] for form in provider.forms] == [REFRESH, "rotated 2"]


def test_a_refresh_token_that_is_not_rotated_is_kept(store, clock):
    provider = Provider(clock, rotates=False)
    api = opened(store, clock, provider)
    for _ in range(3):
        clock.run(get(api))
        clock.advance(WEEK)
    assert [form["refresh_token"] for form in provider.forms] == [REFRESH] * 3


def test_when_the_rotated_refresh_token_is_refused_the_configured_one_is_tried(store, clock):
    provider = Provider(clock)
    api = opened(store, clock, provider)
    clock.run(get(api))
    provider.refresh, provider.valid = REFRESH, set()  # the provider was set back
    assert clock.run(get(api)).status_code == 200
    assert [form["refresh_token"] for form in provider.forms] == [REFRESH, "rotated 2", REFRESH]


def test_a_restart_uses_the_token_in_the_vault(store, other_store, clock):
    provider = Provider(clock)
    clock.run(get(opened(store, clock, provider)))
    clock.run(get(opened(other_store, clock, provider)))
    assert len(provider.forms) == 1


def test_tokens_lie_sealed_in_the_vault(store, clock):
    provider = Provider(clock)
    clock.run(get(opened(store, clock, provider)))
    with store.transaction() as tx:
        ((value,),) = tx.connection.execute("SELECT value FROM sync.vault").fetchall()
    assert provider.used[0].encode() not in value
    assert b"rotated" not in value


@pytest.mark.parametrize("how", ["first", "expired", "refused"])
def test_of_two_processes_that_need_a_token_one_renews_it(store, other_store, clock, how):
    provider = Provider(clock, takes=2.0)
    one, two = opened(store, clock, provider), opened(other_store, clock, provider)
    before = 0
    if how != "first":
        clock.run(get(one), get(two))
        before = 1
        clock.advance(WEEK if how == "expired" else 0)
        provider.valid = set()
    responses = clock.run(*(get(api) for api in (one, two) * 3))
    assert [response.status_code for response in responses] == [200] * 6
    assert len(provider.forms) == before + 1


def test_while_another_task_renews_ahead_of_time_the_token_at_hand_is_used(store, clock):
    provider = Provider(clock)
    api = opened(store, clock, provider)
    clock.run(get(api))
    clock.advance(WEEK - 60)
    provider.takes = 5.0
    started = clock.monotonic()

    async def meanwhile():
        await clock.sleep(1)
        await get(api)
        return clock.monotonic() - started

    assert clock.run(get(api), meanwhile())[1] == pytest.approx(1)


def test_while_another_process_renews_ahead_of_time_the_token_at_hand_is_used(store, other_store, clock):
    provider = Provider(clock)
    one, two = opened(store, clock, provider), opened(other_store, clock, provider)
    clock.run(get(one), get(two))
    clock.advance(WEEK - 60)
    provider.takes = 5.0
    started = clock.monotonic()

    async def meanwhile():
        await clock.sleep(1)
        await get(two)
        return clock.monotonic() - started

    _, done = clock.run(get(one), meanwhile())
    assert done == pytest.approx(1)
    assert len(provider.forms) == 2


def test_a_renewal_that_fails_ahead_of_time_does_not_stop_the_token_at_hand(store, clock):
    provider = Provider(clock)
    api = opened(store, clock, provider)
    clock.run(get(api))
    clock.advance(WEEK - 600)
    provider.failure = 503
    for _ in range(10):
        assert clock.run(get(api)).status_code == 200
    assert len(provider.forms) == 1 + 3  # one attempt, repeated twice, then a minute of calm
    provider.failure = None
    clock.advance(60)
    clock.run(get(api))
    assert len(set(provider.used)) == 2


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(503),
        httpx.Response(429),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={}),
        httpx.ReadTimeout("no answer"),
        httpx.ConnectError("connection refused"),
    ],
)
def test_a_token_endpoint_that_fails_is_a_passing_trouble_and_the_call_itself_was_not_sent(store, clock, trouble):
    provider = Provider(clock)
    working, provider.inner = provider.inner, Server(clock, answers(trouble))
    api = opened(store, clock, provider)
    for _ in range(3):  # it may be another server than the API's: the circuit does not open
        error = clock.run(caught(api.request("POST", "/thing", json={})))
        assert type(error) is TransientError
        assert error.request == "POST /token/north"
    assert {request.url.path for _, request in provider.inner.seen} == {"/token/north"}
    provider.inner.script = answers(httpx.Response(400, json={"error": "invalid_grant"}))
    assert isinstance(clock.run(caught(get(api))), AuthenticationError)
    api.resume()
    provider.inner = working
    assert clock.run(get(opened(store, clock, provider))).status_code == 200


def test_a_refused_renewal_pauses_the_connection_and_says_what_to_do(store, clock):
    provider = Provider(clock)
    provider.refresh = "revoked elsewhere"
    api = opened(store, clock, provider)
    error = clock.run(caught(get(api)))
    assert isinstance(error, AuthenticationError)
    assert "invalid_grant" in error.message
    assert "new refresh token" in error.advice
    clock.run(caught(get(api)))
    assert (len(provider.forms), provider.used) == (1, [])
    clock.advance(300)
    provider.refresh = REFRESH
    assert clock.run(get(api)).status_code == 200


def test_a_newly_configured_refresh_token_takes_over_at_once(store, other_store, clock):
    provider = Provider(clock)
    provider.refresh = "fresh"
    clock.run(caught(get(opened(store, clock, provider))))
    assert clock.run(get(opened(other_store, clock, provider, refresh_token="fresh"))).status_code == 200


def test_a_process_that_still_has_the_former_refresh_token_does_not_disturb_the_new_one(store, other_store, clock):
    provider = Provider(clock)
    former, new = opened(store, clock, provider), opened(other_store, clock, provider, refresh_token="fresh")
    clock.run(get(former))
    provider.refresh = "fresh"
    provider.valid = set()
    clock.run(get(new))
    clock.run(caught(get(former)))  # its own token was replaced: refused, and the connection pauses
    clock.advance(300)
    assert clock.run(get(new)).status_code == 200
    assert [form["refresh_token"] for form in provider.forms if form["refresh_token"] == "fresh"] == ["fresh"]


def test_a_token_url_without_encryption_is_refused(store, clock):
    with pytest.raises(ConfigurationError):
        OAuthRefresh(
            connection="north",
            store=store,
            clock=clock,
            token_url="http://oauth.example.com/token",
            client_id="app",
            refresh_token=REFRESH,
        )


def test_token_requests_are_in_the_audit_but_take_nothing_of_the_limit(store, clock):
    provider = Provider(clock)
    api = opened(store, clock, provider)
    clock.run(get(api))
    clock.run(api.aclose())
    assert [(row.method, row.path) for row in audit(store)] == [("POST", "/token/north"), ("GET", "/base/thing")]
    assert api.calls == 1
    with store.transaction() as tx:
        assert tx.connection.execute("SELECT count(*) FROM sync.api_permit").fetchone() == (1,)


def test_no_error_shows_a_token(store, clock):
    def echo(request):
        sent = request.headers.get("Authorization", request.content.decode())
        return httpx.Response(401, json={"response": f"Invalid instance token: {sent}"})

    provider = Provider(clock)
    provider.valid = {"given-access-token"}
    clock.run(get(opened(store, clock, provider, access_token="given-access-token")))
    provider.inner = Server(clock, answers(echo))
    error = clock.run(caught(get(opened(store, clock, provider))))
    for secret in ("given-access-token", REFRESH, "first%2B", "s3cr"):
        assert secret not in str(error)
