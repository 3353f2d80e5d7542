"""The client as a whole: where it sends to, what it sends, what it keeps, and the real wire."""

import asyncio
from decimal import Decimal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http import client as client_module
from brightpearl_pipelines.http.answers import read_json, write_json
from brightpearl_pipelines.http.auth import HeaderAuth
from brightpearl_pipelines.http.errors import AmbiguousError, RefusedError
from brightpearl_pipelines.http.redaction import redact
from brightpearl_pipelines_tests.http.harness import Server, answers, audit, caught, client, ok


def test_plain_http_to_another_machine_is_refused_before_anything_is_sent(store, clock):
    for base in ("http://api.example.com", "http://10.0.0.7:8080", "http://localhost.example.com", "ftp://x", "//x"):
        with pytest.raises(ConfigurationError, match="https"):
            client(store, clock, Server(clock, answers(ok())), base=base)


def test_encrypted_addresses_and_this_machine_itself_are_allowed(store, clock):
    for base in ("http://localhost:8901", "http://127.0.0.1:8901/x", "http://[::1]:8901", "https://a.example"):
        api = client(store, clock, Server(clock, answers(ok())), base=base)
        assert clock.run(api.request("GET", "/thing")).status_code == 200


def test_our_own_transport_speaks_tls_1_2_at_least():
    """X-61."""
    assert client_module.tls_context().minimum_version.name == "TLSv1_2"
    assert client_module.tls_context().verify_mode.name == "CERT_REQUIRED"


@pytest.mark.parametrize("path", ["https://evil.example.com/base/thing", "https://api.example.com:444/base/thing"])
def test_credentials_never_go_to_another_server(store, clock, path):
    server = Server(clock, answers(ok()))
    api = client(store, clock, server, auth=HeaderAuth({"X-Auth-Token": "t0p"}))
    assert isinstance(clock.run(caught(api.request("GET", path))), RefusedError)
    assert server.seen == []


def test_a_link_of_the_same_server_is_followed(store, clock):
    server = Server(clock, answers(ok()))
    api = client(store, clock, server, auth=HeaderAuth({"X-Auth-Token": "t0p"}), headers={"X-App": "bpp"})
    clock.run(api.request("GET", "https://api.example.com/base/thing?skip=2"))
    ((_, request),) = server.seen
    assert str(request.url) == "https://api.example.com/base/thing?skip=2"
    assert (request.headers["X-Auth-Token"], request.headers["X-App"]) == ("t0p", "bpp")


def test_an_expected_status_comes_back_as_it_is(store, clock):
    api = client(store, clock, Server(clock, answers(httpx.Response(404, json={"errors": []}))))
    assert clock.run(api.request("GET", "/thing", expected={404})).status_code == 404


def test_an_error_names_connection_request_status_and_the_id_to_quote(store, clock):
    body = {"errors": [{"code": "ORDC-005", "message": "no order for ann@example.com"}]}
    refusal = httpx.Response(400, json=body, headers={"X-Request-Id": "r-17"})
    api = client(store, clock, Server(clock, answers(refusal)))
    error = clock.run(caught(api.request("GET", "/thing", params={"email": "ann@example.com", "access_token": "x1y2"})))
    assert (error.connection, error.status, error.request_id) == ("north", 400, "r-17")
    assert error.request == "GET /base/thing?email=***&access_token=***"
    assert error.body == body
    assert str(error).startswith("north: GET /base/thing")
    assert "ORDC-005" in str(error)
    assert "[request id r-17]" in str(error)
    assert "ann" not in str(error)


def test_audit_rows_are_stored_at_two_hundred_on_request_and_at_the_end(store, clock):
    async def session():
        async with client(store, clock, Server(clock, answers(ok())), limits=None, run="run-1") as api:
            counts = []
            for calls in (1, 199, 1, 5):
                for _ in range(calls):
                    await api.request("GET", "/thing")
                counts.append(len(audit(store)))
            api.flush_calls()
            counts.append(len(audit(store)))
            await api.request("GET", "/thing")
        return counts, len(audit(store)), api.calls

    assert clock.run(session()) == ([0, 0, 200, 200, 206], 207, 207)
    assert {row.run for row in audit(store)} == {"run-1"}


def test_a_call_cut_off_by_its_task_is_in_the_audit_too(store, clock):
    async def session():
        api = client(store, clock, Server(clock, answers(ok()), travel=[100]))
        task = asyncio.create_task(api.request("GET", "/thing"))
        await clock.sleep(5)
        task.cancel()
        assert isinstance(await asyncio.gather(task, return_exceptions=True), list)
        await api.aclose()

    clock.run(session())
    ((status, duration, error),) = [(row.status, row.duration_ms, row.error) for row in audit(store)]
    assert (status, duration, error) == (None, 5000, "cut off before the answer came")


def test_money_comes_in_and_goes_out_to_the_digit(store, clock):
    server = Server(
        clock, answers(httpx.Response(200, content=b'{"price": 0.10, "tax": 1e2, "n": 12345678901234567890.01}'))
    )
    api = client(store, clock, server)
    money = {"price": Decimal("0.10"), "rows": [Decimal("1E+2"), Decimal("-0.0000001"), 7, None, True, "é"]}
    response = clock.run(api.request("POST", "/thing", json=money))
    assert server.seen[0][1].content == '{"price":0.10,"rows":[100,-0.0000001,7,null,true,"é"]}'.encode()
    assert server.seen[0][1].headers["Content-Type"] == "application/json"
    assert read_json(response) == {
        "price": Decimal("0.10"),
        "tax": Decimal(100),
        "n": Decimal("12345678901234567890.01"),
    }


@settings(max_examples=40)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    )
)
def test_json_survives_the_way_out_and_back(value):
    response = httpx.Response(200, content=write_json(value))
    assert read_json(response) == value


def test_no_content_is_none():
    assert read_json(httpx.Response(204)) is None


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("/v2/x?access_token=abc&page=2", "/v2/x?access_token=***&page=2"),
        ("/v2/x?page=2&X-Auth-Token=abc%3D", "/v2/x?page=2&X-Auth-Token=***"),
        ("/v2/customers?email=o'hara%2Bx%40example.co.uk&limit=5", "/v2/customers?email=***&limit=5"),
        ("no customer ann.b+c@example.com found", "no customer *** found"),
        ('{"client_secret":"s3", "n": 1}', '{"client_secret":"***", "n": 1}'),
        ("{'password': 's3'}", "{'password': '***'}"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("sent Bearer abcdefgh12", "sent Bearer ***"),
        ("https://user:pw@host/x", "https://***@host/x"),
        ("/callback?code=xyz&state=1", "/callback?code=***&state=1"),
        ('{"code":"ORDC-005"}', '{"code":"ORDC-005"}'),
        ("Authorization token expired", "Authorization token expired"),
        (
            "/order-service/order/1,2,5-9?includeOptional=customFields",
            "/order-service/order/1,2,5-9?includeOptional=customFields",
        ),
    ],
)
def test_redaction_takes_secrets_and_addresses_and_nothing_else(text, redacted):
    assert redact(text) == redacted


@given(st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?@[a-z]{1,8}\.(com|co\.uk)", fullmatch=True), st.text(max_size=20))
def test_no_email_address_survives_redaction(email, around):
    local = email.partition("@")[0]
    assert f"{local}@" not in redact(f"{around} {email} {around}")


# -- over a real socket ---------------------------------------------------------------------------------------------


class Wire:
    """A server that answers each connection with the next of these raw texts, then hangs up."""

    def __init__(self, *texts):
        self.texts = list(texts)
        self.requests = 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *trouble):
        self.server.close()
        await self.server.wait_closed()

    async def answer(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        writer.write(self.texts.pop(0))
        await writer.drain()
        writer.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\nConnection: close\r\n\r\n"
WHOLE = HEAD + b'{"response":[]}'
CUT = WHOLE[:-6]


class Hurried:
    """The real event loop, but nobody waits."""

    def __init__(self, clock):
        self.now, self.monotonic, self.advance = clock.now, clock.monotonic, clock.advance

    async def sleep(self, seconds):
        self.advance(seconds)
        await asyncio.sleep(0)


def test_an_answer_cut_on_the_wire_is_fetched_again_for_a_read_and_never_for_a_write(store, clock):
    async def session():
        wire = Wire(CUT, WHOLE, b"", WHOLE, CUT)
        async with wire as base, client(store, Hurried(clock), None, base=base) as api:
            assert read_json(await api.request("GET", "/thing")) == {"response": []}
            assert (await api.request("GET", "/thing")).status_code == 200
            error = await caught(api.request("POST", "/thing"))
        return error, wire.requests

    error, requests = asyncio.run(session())
    assert isinstance(error, AmbiguousError)
    assert requests == 5
    assert [row.status for row in audit(store)] == [200, 200, None, 200, 200]
    assert [row.error is None for row in audit(store)] == [False, True, False, True, False]
