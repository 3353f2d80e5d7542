"""Addresses, who may call, how often, and the headers of each answer (brightpearl.md §1, §2.2, §4.1)."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

import pytest

from brightpearl_pipelines_tests.sandbox.brightpearl.desk import Desk

TAX_CODES = "/public-api/acme/accounting-service/tax-code"


def oauth_headers(desk: Desk, access_token: str | None = None) -> dict[str, str]:
    credentials = desk.account.credentials()
    return {
        "Authorization": f"Bearer {access_token or credentials['access_token']}",
        "brightpearl-app-ref": credentials["app_ref"],
        "brightpearl-dev-ref": credentials["dev_ref"],
    }


@pytest.mark.parametrize(
    "path",
    [
        "/public-api/acme/accounting-service/tax-code",
        "/public-api/acme/accounting-service/tax-code/",
        "/2.0.0/acme/accounting-service/tax-code",
        "/2.0.0/acme//accounting-service/tax-code",
    ],
)
def test_old_and_new_prefix_and_extra_slashes_reach_the_same_resource(desk, path):
    assert desk.raw("GET", path, headers=desk.headers()).status_code == 200


def test_every_answer_carries_the_headers_of_the_service(desk):
    first, second = (desk.call("GET", "order-service/order/1") for _ in range(2))
    assert first.headers["content-type"] == "application/json;charset=UTF-8"
    assert first.headers["message-type"] == "get-order"
    assert first.headers["cache-control"] == "no-cache, must-revalidate"
    assert first.headers["pragma"] == "no-cache"
    assert first.headers["ruid"] != second.headers["ruid"]
    assert "brightpearl-installed-integration-instance-id" not in first.headers


@pytest.mark.parametrize(
    ("path", "message_type"),
    [
        ("order-service/order-search", "bulk-data-search"),
        ("product-service/product/1007", "product-get"),
        ("integration-service/webhook/9", "get-webhook"),
        ("order-service/nonsense", "api-proxy"),
    ],
)
def test_message_types_follow_the_recordings(desk, path, message_type):
    assert desk.call("GET", path).headers["message-type"] == message_type


def test_an_unknown_address_is_a_404_that_names_it(desk):
    reply = desk.call("GET", "orders-service/order/5")
    assert reply.status_code == 404
    assert reply.json()["errors"] == [
        {"code": "CMNC-404", "message": "Cannot find the resource /app/orders-service/order/5"}
    ]


def test_a_uri_beyond_the_limit_is_refused_as_too_long(desk):
    ids = ",".join(str(number) for number in range(1, 3000))
    assert desk.call("GET", f"warehouse-service/product-availability/{ids}").status_code == 414


def test_oauth_staff_signed_and_oldest_headers_are_all_accepted(desk):
    credentials = desk.account.credentials()
    login = {"emailAddress": credentials["staff_email"], "password": credentials["staff_password"]}
    staff = desk.raw("POST", "/acme/authorise", json={"apiAccountCredentials": login}).json()["response"]
    key, message = credentials["client_secret"].encode(), credentials["account_token"].encode()
    signed = base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
    app = {"brightpearl-app-ref": credentials["app_ref"]}
    forms = [
        oauth_headers(desk),
        {**app, "brightpearl-staff-token": staff},
        {**app, "brightpearl-dev-ref": credentials["dev_ref"], "brightpearl-account-token": signed},
        {"brightpearl-auth": staff},
    ]
    assert [desk.raw("GET", TAX_CODES, headers=headers).status_code for headers in forms] == [200, 200, 200, 200]


def test_only_oauth_answers_name_the_installed_instance(desk):
    reply = desk.raw("GET", TAX_CODES, headers=oauth_headers(desk))
    assert reply.headers["brightpearl-installed-integration-instance-id"] == "13"


def test_refusals_are_401_with_a_text_and_use_up_quota(desk):
    app = {"brightpearl-app-ref": desk.account.credentials()["app_ref"]}
    replies = [
        desk.raw("GET", TAX_CODES),
        desk.raw("GET", TAX_CODES, headers={**app, "brightpearl-account-token": "abc="}),
        desk.raw("GET", "/public-api/other/accounting-service/tax-code", headers=desk.headers()),
    ]
    assert [reply.status_code for reply in replies] == [401, 401, 401]
    assert replies[0].text == ('{"response":"Not authenticated. You must provide a valid authentication token."}')
    assert replies[1].text == '{"response":"Invalid instance token: abc\\u003d"}'
    assert {reply.headers["message-type"] for reply in replies} == {"api-proxy"}
    assert "www-authenticate" not in replies[0].headers
    assert [reply.headers["brightpearl-requests-remaining"] for reply in replies] == ["199", "198", "197"]


def test_a_wrong_password_gets_no_staff_token(desk):
    login = {"emailAddress": "staff@acme.example", "password": "guess"}
    assert desk.raw("POST", "/acme/authorise", json={"apiAccountCredentials": login}).status_code == 401


# -- OAuth --------------------------------------------------------------------------------------------------------


def test_an_access_token_dies_after_its_lifetime_and_a_refresh_brings_the_next(desk):
    desk.clock.advance(604800 - 1)
    assert desk.raw("GET", TAX_CODES, headers=oauth_headers(desk)).status_code == 200
    desk.clock.advance(1)
    late = desk.raw("GET", TAX_CODES, headers=oauth_headers(desk))
    assert (late.status_code, late.json()) == (401, {"response": "Authorization token expired"})
    credentials = desk.account.credentials()
    form = {
        "grant_type": "refresh_token",
        "refresh_token": credentials["refresh_token"],
        "client_id": credentials["app_ref"],
    }
    reply = desk.raw("POST", "/token/acme", data=form)
    body = reply.json()
    assert (body["expires_in"], body["token_type"], body["api_domain"]) == (604800, "Bearer", "bp.test")
    assert "installation_instance_id" not in body
    assert desk.raw("GET", TAX_CODES, headers=oauth_headers(desk, body["access_token"])).status_code == 200


def test_an_early_refresh_hands_back_the_remaining_life_unless_switched_off(desk):
    desk.clock.advance(600_000)
    credentials = desk.account.credentials()
    form = {
        "grant_type": "refresh_token",
        "refresh_token": credentials["refresh_token"],
        "client_id": credentials["app_ref"],
        "account_code": "acme",
    }
    assert desk.raw("POST", "/oauth/token", data=form).json()["expires_in"] == 4800
    desk.account.settings["early_refresh_keeps_expiry"] = False
    assert desk.raw("POST", "/acme/oauth/token", data=form).json()["expires_in"] == 604800


def test_refresh_tokens_rotate_only_when_told_to(desk):
    credentials = desk.account.credentials()
    form = {
        "grant_type": "refresh_token",
        "refresh_token": credentials["refresh_token"],
        "client_id": credentials["app_ref"],
    }
    assert desk.raw("POST", "/token/acme", data=form).json()["refresh_token"] == form["refresh_token"]
    desk.account.settings["rotate_refresh_tokens"] = True
    assert desk.raw("POST", "/token/acme", data=form).json()["refresh_token"] != form["refresh_token"]
    spent = desk.raw("POST", "/token/acme", data=form)
    assert spent.status_code == 400
    assert spent.json() == {
        "error": "invalid_grant",
        "error_description": "The auth token has either expired or does not exist",
    }


def test_a_consent_code_is_good_once_and_for_its_own_redirect_uri(desk):
    app_ref = desk.account.credentials()["app_ref"]
    query = {"response_type": "code", "client_id": app_ref, "redirect_uri": "https://us.test/cb", "state": "s1"}
    page = desk.raw("GET", "/authorize/acme", params=query)
    back = parse_qs(urlsplit(page.headers["location"]).query)
    assert (page.status_code, back["state"]) == (302, ["s1"])
    form = {"grant_type": "authorization_code", "code": back["code"][0], "client_id": app_ref}
    wrong = desk.raw("POST", "/token/acme", data={**form, "redirect_uri": "https://other.test"})
    assert wrong.json()["error_description"] == "Redirect uri does not match that used to request auth token"
    right = {**form, "redirect_uri": "https://us.test/cb"}
    assert desk.raw("POST", "/token/acme", data=right).json()["installation_instance_id"] == "13"
    assert desk.raw("POST", "/token/acme", data=right).json()["error"] == "invalid_grant"


def test_an_unknown_client_or_a_wrong_secret_is_an_invalid_client(desk):
    credentials = desk.account.credentials()
    form = {"grant_type": "refresh_token", "refresh_token": credentials["refresh_token"]}
    for client in ({"client_id": "stranger"}, {"client_id": credentials["app_ref"], "client_secret": "guess"}):
        reply = desk.raw("POST", "/token/acme", data={**form, **client})
        assert (reply.status_code, reply.json()) == (400, {"error": "invalid_client"})


def test_tokens_need_url_encoding_so_careless_clients_are_found_out(desk):
    token = desk.account.credentials()["refresh_token"]
    assert "+" in token
    body = f"grant_type=refresh_token&client_id={desk.account.credentials()['app_ref']}&refresh_token={token}"
    reply = desk.raw("POST", "/token/acme", content=body)
    assert reply.json()["error"] == "invalid_grant"


# -- throttle -----------------------------------------------------------------------------------------------------


def test_the_window_is_a_fixed_minute_of_the_clock():
    desk = Desk(requests_per_minute=3)
    desk.clock.advance(20)
    replies = [desk.call("GET", "order-service/order-type") for _ in range(4)]
    assert [reply.headers["brightpearl-requests-remaining"] for reply in replies] == ["2", "1", "0", "0"]
    assert {reply.headers["brightpearl-next-throttle-period"] for reply in replies} == {"40000"}
    assert [reply.status_code for reply in replies] == [200, 200, 200, 503]
    assert replies[3].json() == {
        "response": "You have sent too many requests. Please wait before sending another request"
    }
    desk.clock.advance(40)
    fresh = desk.call("GET", "order-service/order-type")
    assert (fresh.status_code, fresh.headers["brightpearl-requests-remaining"]) == (200, "2")


def test_private_apps_share_a_pool_that_oauth_apps_do_not_touch():
    desk = Desk(requests_per_minute=2)
    for _ in range(3):
        private = desk.raw("GET", TAX_CODES, headers=desk.headers())
    assert private.status_code == 503
    oauth = desk.raw("GET", TAX_CODES, headers=oauth_headers(desk))
    assert (oauth.status_code, oauth.headers["brightpearl-requests-remaining"]) == (200, "1")
