"""Logs in to Brightpearl: an OAuth instance app, or a private app (brightpearl.md §1)."""

from collections.abc import Mapping
from typing import Any

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.http.client import Api, HeaderAuth, OAuthRefresh, open_client
from brightpearl_pipelines.http.limiter import Lane
from brightpearl_pipelines.secrets import secret
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.systems.brightpearl.client import rules
from brightpearl_pipelines.systems.brightpearl.settings import BrightpearlSettings, PrivateApp

Facts = dict[str, Any]


def connect(
    *,
    connection: str,
    settings: BrightpearlSettings,
    credentials: Mapping[str, Any] | None,
    store: Store,
    clock: Clock,
    lane: Lane,
    run: str | None,
) -> tuple[Api, Facts]:
    """An open client, and the integration instance id that makes our orders unique (§5.5)."""
    login = credentials or _configured(connection, settings)
    auth = (
        HeaderAuth({"brightpearl-app-ref": login["app_ref"], "brightpearl-account-token": login["account_token"]})
        if "refresh_token" not in login
        else OAuthRefresh(
            connection=connection,
            store=store,
            clock=clock,
            token_url=login["token_url"],
            client_id=login["app_ref"],
            client_secret=login.get("client_secret"),
            refresh_token=login["refresh_token"],
            access_token=login.get("access_token"),
            headers={"brightpearl-app-ref": login["app_ref"], "brightpearl-dev-ref": login["dev_ref"]},
        )
    )
    api = open_client(
        connection=connection,
        base_url=login["base_url"],
        auth=auth,
        rules=rules(settings.requests_per_minute),
        store=store,
        clock=clock,
        lane=lane,
        run=run,
    )
    return api, {"integration_instance_id": int(login["installation_instance_id"])}


def _configured(connection: str, settings: BrightpearlSettings) -> dict[str, Any]:
    auth = settings.auth
    assert auth is not None  # noqa: S101 - the settings allow a connection either a sandbox or auth
    host = f"https://{auth.datacentre}.brightpearlconnect.com"
    login: dict[str, Any] = {
        "base_url": f"{host}/public-api/{auth.account}/",
        "app_ref": auth.app_ref,
        "installation_instance_id": auth.integration_instance_id,
    }
    if isinstance(auth, PrivateApp):
        return {**login, "account_token": secret(auth.account_token_env, connection)}
    return {
        **login,
        "dev_ref": auth.dev_ref,
        "token_url": f"{host}/{auth.account}/oauth/token",
        "refresh_token": secret(auth.refresh_token_env, connection),
        "client_secret": secret(auth.client_secret_env, connection) if auth.client_secret_env else None,
    }
