"""BigCommerce's webhooks: subscriptions, signatures, and what their calls say (bigcommerce.md §7).

A call is believed for either of two proofs: the signature by the app's client secret, or the header with our own secret
that each hook is registered with. Whether hooks of a store-level account are signed at all is not documented.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook

from brightpearl_pipelines.secrets import secret as secret_from_environment
from brightpearl_pipelines.systems.bigcommerce.settings import BigCommerceSettings
from brightpearl_pipelines.systems.bigcommerce.streams import client_of
from brightpearl_pipelines.systems.contract import (
    Hook,
    MalformedNoticeError,
    Notice,
    Session,
    Settings,
    Webhooks,
)
from brightpearl_pipelines.systems.notices import json_object

SECRET_HEADER = "x-webhook-secret"  # noqa: S105 - the header's name
TOLERANCE = timedelta(minutes=5)
"""How old, or how far ahead, a signed instant may be: the Standard Webhooks libraries' own measure."""

_SECONDS = re.compile(r"\d{1,11}")
_TOPIC = re.compile(r"[A-Za-z0-9_/*-]{1,120}")
_HASH = re.compile(r"[\x21-\x7e]{1,200}")


async def _existing(session: Session) -> list[Hook]:
    found = await client_of(session).all("v3/hooks")
    return [Hook(str(each["id"]), str(each["scope"]), str(each["destination"]), each) for each in found]


async def _subscribe(session: Session, topic: str, url: str, secret: str) -> None:
    await client_of(session).api.request("POST", "v3/hooks", json={"scope": topic, **_wanted(url, secret)})


async def _repair(session: Session, hook: Hook, url: str, secret: str) -> None:
    """A PUT, so that no event falls between; `is_active` also revives a hook that was given up (§7.1)."""
    body = {"scope": hook.topic, **_wanted(url, secret)}
    await client_of(session).api.request("PUT", f"v3/hooks/{hook.id}", json=body, idempotent=True)


async def _remove(session: Session, hook: Hook) -> None:
    await client_of(session).api.request("DELETE", f"v3/hooks/{hook.id}", idempotent=True, expected={404})


def _wanted(url: str, secret: str) -> dict[str, Any]:
    """`is_active` is always sent: left out, it has meant false (§7.1)."""
    return {"destination": url, "is_active": True, "headers": {SECRET_HEADER: secret}}


def _mismatches(hook: Hook, url: str, secret: str) -> list[str]:
    problems = []
    if hook.raw.get("is_active") is not True:
        problems.append("it was switched off: by the shop after failed deliveries or 90 days of silence, or by hand")
    if hook.url != url:
        problems.append("it calls another address")
    if not _carries(hook, secret):
        problems.append("its secret header is missing or another one")
    return problems


def _carries(hook: Hook, secret: str) -> bool:
    headers = hook.raw.get("headers") or {}
    return any(str(name).lower() == SECRET_HEADER and value == secret for name, value in headers.items())


def _authenticate(
    headers: Mapping[str, str],
    body: bytes,
    path_secret: str | None,
    *,
    secret: str,
    client_secret: str | None,
    now: datetime,
) -> bool:
    del path_secret
    if hmac.compare_digest(headers.get(SECRET_HEADER, "").encode(), secret.encode()):
        return True
    return client_secret is not None and _signed(headers, body, client_secret, now)


def _signed(headers: Mapping[str, str], body: bytes, client_secret: str, now: datetime) -> bool:
    """Standard Webhooks (§7.2), the key being the client secret's own bytes.

    The library's `verify` goes by the machine's clock, so the instant is checked here and the library only signs.
    """
    message_id, seconds, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not message_id or not _SECONDS.fullmatch(seconds):
        return False
    signed_at = datetime.fromtimestamp(int(seconds), UTC)
    if abs(now - signed_at) > TOLERANCE:
        return False
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    expected = Webhook(client_secret.encode()).sign(message_id, signed_at, text)
    return any(hmac.compare_digest(each.encode(), expected.encode()) for each in given.split(" "))


def _client_secret(connection: str, settings: Settings) -> str | None:
    """An emulator's secret is not asked for: its calls bear the header."""
    assert isinstance(settings, BigCommerceSettings)  # noqa: S101 - narrows the type for the checker
    if settings.auth is None or settings.auth.client_secret_env is None:
        return None
    return secret_from_environment(settings.auth.client_secret_env, connection)


def _read(body: bytes) -> Notice:
    """`hash` alone might repeat for two events with the same data (§7.2), so scope and instant belong to the key."""
    payload = json_object(body)
    topic, digest, created = (payload.get(name) for name in ("scope", "hash", "created_at"))
    if not isinstance(topic, str) or not _TOPIC.fullmatch(topic):
        raise MalformedNoticeError("scope is not the name of an event")
    if not isinstance(digest, str) or not _HASH.fullmatch(digest):
        raise MalformedNoticeError("hash is missing or not plain text")
    if created is not None and (not isinstance(created, int) or not 0 <= created < 10**12):
        raise MalformedNoticeError("created_at is not an instant in seconds")
    data = payload.get("data")
    if not isinstance(data, dict) or not re.fullmatch(r"\d{1,18}", str(data.get("id"))):
        raise MalformedNoticeError("data does not name the id of what changed")
    return Notice(f"{topic} {created or '-'} {digest}", topic, payload)


WEBHOOKS = Webhooks(
    existing=_existing,
    subscribe=_subscribe,
    repair=_repair,
    remove=_remove,
    mismatches=_mismatches,
    carries=_carries,
    authenticate=_authenticate,
    read=_read,
    client_secret=_client_secret,
)
