"""Webhooks: what is told to whom, signed, retried and given up (bigcommerce.md §7)."""

import base64
import hashlib
import hmac
import json
from collections import deque
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

import httpx

from brightpearl_pipelines.sandbox.bigcommerce.wire import JsonObject, iso, parse_instant

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
    from brightpearl_pipelines.sandbox.kernel import Fault

RETRY_AFTER_SECONDS = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400)
"""Each counted from the failure before it; after the last the hook is deactivated (§7.2)."""

BLOCK_WINDOW = timedelta(minutes=2)
BLOCK_FOR = timedelta(minutes=3)
BLOCK_CALLS = 100
BLOCK_SUCCESS = 0.9
DELIVERY_EXCEPTION = "store/hook/deliveryException"
RETRYING, DISABLED, BLOCKED = 90001, 90002, 90003


class DomainHealth:
    """How a destination's domain has answered of late; a bad one is left alone for a while."""

    def __init__(self) -> None:
        self.recent: deque[tuple[datetime, bool]] = deque()
        self.blocked_until: datetime | None = None

    def note(self, now: datetime, ok: bool) -> bool:
        """Remember an outcome; True when it tips the domain into being blocked."""
        self.recent.append((now, ok))
        while self.recent and self.recent[0][0] < now - BLOCK_WINDOW:
            self.recent.popleft()
        good = sum(1 for _, each in self.recent if each)
        if len(self.recent) < BLOCK_CALLS or good / len(self.recent) >= BLOCK_SUCCESS:
            return False
        self.blocked_until = now + BLOCK_FOR
        self.recent.clear()
        return True

    def blocked(self, now: datetime) -> bool:
        return self.blocked_until is not None and now < self.blocked_until


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The Standard Webhooks signature: HMAC-SHA256 with the client secret's bytes over `id.timestamp.body`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def emit(shop: "Shop", scope: str, data: object) -> None:
    """Tell all active hooks whose scope covers `scope`."""
    matching = [
        hook
        for hook in shop.collections["hooks"].values()
        if hook["is_active"] and (hook["scope"] == scope or fnmatchcase(scope, hook["scope"]))
    ]
    if not matching:
        return
    payload: JsonObject = {
        "scope": scope,
        "store_id": shop.settings["store_id"],
        "data": data,
        "created_at": int(shop.clock.now().timestamp()),
        "producer": f"stores/{shop.hash}",
    }
    payload["hash"] = hashlib.sha1(json.dumps(payload, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
    for hook in matching:
        _queue(shop, hook, payload)


def _queue(shop: "Shop", hook: JsonObject, payload: JsonObject) -> None:
    """Lay one delivery into the queue, unless a fault says that it is lost, doubled or late."""
    fault: Fault | None = shop.fault_for("POST", payload["scope"], webhook=True)
    kind = fault.kind if fault else None
    if kind == "lose_webhook":
        return
    delay = float(shop.settings["webhook_delay_seconds"])
    if fault is not None and kind == "reorder_webhook":
        delay += fault.seconds
    id_ = shop.next_id("webhook")
    for copy in range(2 if kind == "duplicate_webhook" else 1):
        key = id_ if copy == 0 else shop.next_id("webhook")
        delivery = {
            "id": key,
            "hook_id": hook["id"],
            "message_id": f"msg_{id_:024x}",
            "failures": 0,
            "payload": payload,
        }
        _schedule(shop, delivery, delay)


def _schedule(shop: "Shop", delivery: JsonObject, seconds: float) -> None:
    delivery["due"] = iso(shop.clock.now() + timedelta(seconds=seconds))
    shop.put("pending_webhooks", delivery["id"], delivery)
    shop.after(seconds, partial(_attempt, shop, delivery["id"]))


def resume(shop: "Shop") -> None:
    """Set the timers of deliveries that a restart found waiting."""
    now = shop.clock.now()
    for delivery in shop.collection("pending_webhooks").values():
        wait = (parse_instant(delivery["due"]) - now).total_seconds()
        shop.after(max(0.0, wait), partial(_attempt, shop, delivery["id"]))


async def _attempt(shop: "Shop", delivery_id: int) -> None:
    """Try one delivery; on failure set the next try, or give the hook up."""
    delivery = shop.get("pending_webhooks", delivery_id)
    if delivery is None:
        return
    hook = shop.get("hooks", delivery["hook_id"])
    if hook is None or not hook["is_active"]:
        shop.drop("pending_webhooks", delivery_id)
        return
    domain = httpx.URL(hook["destination"]).netloc.decode()
    health = shop.domain_health.setdefault(f"{hook['client_id']} {domain}", DomainHealth())
    now = shop.clock.now()
    if health.blocked_until is not None and health.blocked(now):
        # Held back, not tried: the retry schedule does not advance.
        _schedule(shop, delivery, (health.blocked_until - now).total_seconds())
        return
    ok = await _post(shop, hook, delivery)
    if health.note(shop.clock.now(), ok):
        _complain(shop, hook, BLOCKED, f"The domain {domain} is blocked for three minutes.")
    if shop.get("pending_webhooks", delivery_id) is None:
        return
    if ok:
        shop.drop("pending_webhooks", delivery_id)
    else:
        _retry_or_give_up(shop, hook, delivery)


def _retry_or_give_up(shop: "Shop", hook: JsonObject, delivery: JsonObject) -> None:
    failures = delivery["failures"]
    if failures < len(RETRY_AFTER_SECONDS):
        delivery["failures"] = failures + 1
        _schedule(shop, delivery, RETRY_AFTER_SECONDS[failures])
        _complain(shop, hook, RETRYING, f"Delivery to {hook['destination']} failed and will be retried.")
        return
    shop.drop("pending_webhooks", delivery["id"])
    hook["is_active"] = False
    hook["updated_at"] = int(shop.clock.now().timestamp())
    hook["deactivated"] = True
    shop.touch()
    _complain(shop, hook, DISABLED, f"The hook was deactivated after {failures + 1} failed deliveries.")


def _complain(shop: "Shop", hook: JsonObject, code: int, message: str) -> None:
    """Tell a deliveryException hook, never about itself."""
    if hook["scope"] != DELIVERY_EXCEPTION:
        data = {"type": "webhook", "id": hook["id"], "error_code": code, "message": message}
        emit(shop, DELIVERY_EXCEPTION, data)


async def _post(shop: "Shop", hook: JsonObject, delivery: JsonObject) -> bool:
    """One POST; only a 2xx counts, redirects do not."""
    if shop.webhook_client is None:
        shop.webhook_client = httpx.AsyncClient()
    body = json.dumps(delivery["payload"], separators=(",", ":")).encode()
    timestamp = int(shop.clock.now().timestamp())
    headers = {
        **(hook["headers"] or {}),
        "content-type": "application/json",
        "webhook-id": delivery["message_id"],
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(shop.settings["client_secret"], delivery["message_id"], timestamp, body),
    }
    try:
        response = await shop.webhook_client.post(
            hook["destination"],
            content=body,
            headers=headers,
            timeout=float(shop.settings["webhook_timeout_seconds"]),
            follow_redirects=False,
        )
    except httpx.HTTPError:
        return False
    return response.is_success
