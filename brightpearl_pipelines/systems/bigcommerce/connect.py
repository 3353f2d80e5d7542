"""Logs in to BigCommerce: the access token of a store-level API account (bigcommerce.md §1.1)."""

from collections.abc import Mapping
from typing import Any

from brightpearl_pipelines.clock import Clock
from brightpearl_pipelines.http.client import Api, HeaderAuth, open_client
from brightpearl_pipelines.http.limiter import Lane
from brightpearl_pipelines.secrets import secret
from brightpearl_pipelines.store.database import Store
from brightpearl_pipelines.systems.bigcommerce.client import rules
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings


def connect(
    *,
    connection: str,
    settings: BigCommerceSettings,
    credentials: Mapping[str, Any] | None,
    store: Store,
    clock: Clock,
    lane: Lane,
    run: str | None,
) -> tuple[Api, dict[str, Any]]:
    """An open client; nothing needs to be learnt at log-in."""
    login = credentials or _configured(connection, settings)
    api = open_client(
        connection=connection,
        base_url=str(login["base_url"]).rstrip("/") + "/",
        auth=HeaderAuth({"X-Auth-Token": str(login["access_token"])}),
        rules=rules(settings.requests_per_30_seconds),
        store=store,
        clock=clock,
        lane=lane,
        run=run,
    )
    return api, {}


def _configured(connection: str, settings: BigCommerceSettings) -> dict[str, str]:
    auth = settings.auth
    assert auth is not None  # noqa: S101 - the settings allow a connection either a sandbox or auth
    return {
        "base_url": f"https://api.bigcommerce.com/stores/{auth.store_hash}",
        "access_token": secret(auth.access_token_env, connection),
    }
