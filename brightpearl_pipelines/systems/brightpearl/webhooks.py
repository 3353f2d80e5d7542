"""Brightpearl's webhooks: subscriptions, and the ids that their calls bring (brightpearl.md §10).

Calls are not signed, so the address that we register carries a secret.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from brightpearl_pipelines.systems.brightpearl.streams import client_of
from brightpearl_pipelines.systems.contract import Hook, MalformedNoticeError, Notice, Session, Webhooks
from brightpearl_pipelines.systems.notices import json_object

RESOURCE = "integration-service/webhook"
CONTENT_TYPE = "application/json"
_VARIABLES = {
    "accountCode": "account-code",
    "resourceType": "resource-type",
    "id": "resource-id",
    "lifecycleEvent": "lifecycle-event",
    "fullEvent": "full-event",
    "raisedOn": "raised-on",
    "brightpearlVersion": "brightpearl-version",
}
BODY_TEMPLATE = json.dumps({name: f"${{{variable}}}" for name, variable in _VARIABLES.items()})

_TOPIC = re.compile(r"[a-z-]{1,60}(?:\.[a-z-]{1,60}){1,2}")
_PART_OF_SET = re.compile(r"(\d{1,12})(?:-(\d{1,12}))?")
MOST_IDS = 10_000
"""No call names so many things; a set that claims to is not worked through."""


async def _existing(session: Session) -> list[Hook]:
    found = await client_of(session).get(RESOURCE)
    return [Hook(str(each["id"]), str(each["subscribeTo"]), str(each["uriTemplate"]), each) for each in found]


async def _subscribe(session: Session, topic: str, url: str, secret: str) -> None:
    await client_of(session).post(RESOURCE, {"subscribeTo": topic, **_wanted(url, secret)})


async def _repair(session: Session, hook: Hook, url: str, secret: str) -> None:
    """There is no PUT (§10.1). The new one comes first, so that no event falls between; what both tell is one event."""
    await _subscribe(session, hook.topic, url, secret)
    await _remove(session, hook)


async def _remove(session: Session, hook: Hook) -> None:
    await client_of(session).api.request("DELETE", f"{RESOURCE}/{hook.id}", idempotent=True, expected={404})


def _wanted(url: str, secret: str) -> dict[str, Any]:
    """At least once, and ids together: a call for each changed product would be a flood (§10.1, §10.2)."""
    return {
        "httpMethod": "POST",
        "uriTemplate": f"{url}/{secret}",
        "bodyTemplate": BODY_TEMPLATE,
        "contentType": CONTENT_TYPE,
        "idSetAccepted": True,
        "qualityOfService": 1,
    }


def _mismatches(hook: Hook, url: str, secret: str) -> list[str]:
    wanted = _wanted(url, secret)
    problems = []
    if hook.url != wanted["uriTemplate"]:
        known = hook.url.startswith(f"{url}/")
        problems.append("its address bears another secret" if known else "it calls another address")
    if not _same_template(hook.raw.get("bodyTemplate")):
        problems.append("its body template is another one")
    if not hook.raw.get("idSetAccepted"):
        problems.append("it calls once for each id")
    if hook.raw.get("qualityOfService") != 1:
        problems.append("it delivers at most once, not at least once")
    for name in ("httpMethod", "contentType"):
        if hook.raw.get(name) != wanted[name]:
            problems.append(f"its {name} is not {wanted[name]}")
    return problems


def _same_template(text: object) -> bool:
    """Compared as JSON: spaces that the server may add or take away make no other body."""
    try:
        return isinstance(text, str) and bool(json.loads(text) == json.loads(BODY_TEMPLATE))
    except ValueError:
        return False


def _carries(hook: Hook, secret: str) -> bool:
    return secret in hook.url


def _authenticate(
    headers: Mapping[str, str],
    body: bytes,
    path_secret: str | None,
    *,
    secret: str,
    client_secret: str | None,
    now: datetime,
) -> bool:
    """The secret in the registered address is the only proof there is (§10.2)."""
    del headers, body, client_secret, now
    return path_secret is not None and hmac.compare_digest(path_secret.encode(), secret.encode())


def _read(body: bytes) -> Notice:
    """One filled template. The same event, ids and instant are the same notice, whichever hook or retry brings it."""
    payload = json_object(body)
    topic, ids, raised = (payload.get(name) for name in ("fullEvent", "id", "raisedOn"))
    if not isinstance(topic, str) or not _TOPIC.fullmatch(topic):
        raise MalformedNoticeError("fullEvent is not the name of an event")
    if not isinstance(raised, str) or not _is_instant(raised):
        raise MalformedNoticeError("raisedOn is not an ISO 8601 instant")
    _check_ids(str(ids))
    # An id set can be longer than a key may be.
    digest = hashlib.sha256(str(ids).encode()).hexdigest()[:32]
    return Notice(f"{topic} {raised} {digest}", topic, payload)


def _is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return len(text) <= 40


def _check_ids(text: str) -> None:
    """An id set such as `1007,1010-1012` (§2.5, §10.2), ranges ascending, of a size that can be worked through."""
    count = 0
    for part in re.split(r"[,.]", text):
        match = _PART_OF_SET.fullmatch(part)
        if match is None:
            raise MalformedNoticeError("id is neither an id nor a set of ids")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise MalformedNoticeError("id holds a range that runs backwards")
        count += last - first + 1
    if count > MOST_IDS:
        raise MalformedNoticeError(f"id names more than {MOST_IDS} things")


WEBHOOKS = Webhooks(
    existing=_existing,
    subscribe=_subscribe,
    repair=_repair,
    remove=_remove,
    mismatches=_mismatches,
    carries=_carries,
    authenticate=_authenticate,
    read=_read,
    # Brightpearl repeats nothing that was answered with a 4xx (§10.2): a 429 would lose the event.
    too_many=503,
)
