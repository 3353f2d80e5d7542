"""Other people's changes, made by the APIs that their tools use."""

import httpx


def put_to_shop(harness, path, body):
    """Somebody changes something in the shop."""
    login = harness.bigcommerce.credentials()
    headers = {"X-Auth-Token": login["access_token"], "Accept": "application/json"}
    _put(f"{login['base_url']}/{path}", body, headers)


def put_to_brightpearl(harness, path, body):
    """Somebody changes something in Brightpearl."""
    login = harness.brightpearl.credentials()
    headers = {"brightpearl-app-ref": login["app_ref"], "brightpearl-account-token": login["account_token"]}
    _put(f"{login['base_url']}/{path}", body, headers)


def _put(url, body, headers):
    answer = httpx.put(url, json=body, headers=headers, trust_env=False)
    assert answer.is_success, answer.text
