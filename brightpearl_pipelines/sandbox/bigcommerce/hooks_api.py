"""Managing webhooks: V3 in an envelope, V2 bare (bigcommerce.md §7.1)."""

import re

import httpx
from starlette.responses import Response

from brightpearl_pipelines.sandbox.bigcommerce.shop import Shop
from brightpearl_pipelines.sandbox.bigcommerce.wire import (
    Call,
    Json,
    JsonObject,
    Refusal,
    bool_filter,
    json_answer,
    nothing,
    page_and_limit,
    v2_list,
    v3_data,
    v3_slice,
)

HOOKS_PER_SCOPE = 10
MISSING = "error.path.missing."
NOT_VALID = "JSON data is missing or invalid"


def _shown(hook: JsonObject) -> JsonObject:
    return {name: value for name, value in hook.items() if name != "deactivated"}


def _own(shop: Shop, call: Call) -> list[JsonObject]:
    """Only the hooks of the same API account are visible."""
    return [hook for hook in shop.collections["hooks"].values() if hook["client_id"] == call.client_id]


def _one(shop: Shop, call: Call) -> JsonObject:
    hook = shop.get("hooks", call.ids["hook_id"])
    if hook is None or hook["client_id"] != call.client_id:
        raise Refusal(404, f"Webhook with id [{call.ids['hook_id']}] not found")
    return hook


def _answer(call: Call, hook: JsonObject, status: int = 200) -> Response:
    if call.version == "v2":
        return json_answer(_shown(hook), 201 if call.method == "POST" else status)
    return v3_data(_shown(hook), status)


def list_hooks(shop: Shop, call: Call) -> Response:
    """GET /v3/hooks (and /v2/hooks) with filters."""
    active = bool_filter(call, "is_active")
    scope, destination = call.query.get("scope"), call.query.get("destination")
    found = [
        _shown(hook)
        for hook in _own(shop, call)
        if (active is None or hook["is_active"] is active)
        and (scope is None or hook["scope"] == scope)
        and (destination is None or hook["destination"] == destination)
    ]
    if call.version == "v2":
        page, limit = page_and_limit(call)
        return v2_list(found[(page - 1) * limit : page * limit])
    return v3_slice(call, found)


def get_hook(shop: Shop, call: Call) -> Response:
    return _answer(call, _one(shop, call))


def create_hook(shop: Shop, call: Call) -> Response:
    """POST: 422 for a missing field, a destination that is not allowed, or more hooks than the limits."""
    body = call.object_body()
    missing = {name: MISSING for name in ("scope", "destination") if not isinstance(body.get(name), str)}
    if missing:
        raise Refusal(422, NOT_VALID, errors=missing)
    fields = _fields(shop, body)
    _check_limits(shop, call, fields["scope"], fields["destination"], besides=None)
    now = int(shop.clock.now().timestamp())
    hook: JsonObject = {
        "id": shop.next_id("hooks", 18_048_287),
        "client_id": call.client_id,
        "store_hash": shop.hash,
        "scope": fields["scope"],
        "destination": fields["destination"],
        "headers": fields.get("headers"),
        # Left out, it has historically meant false (§7.1).
        "is_active": fields.get("is_active", False),
        "created_at": now,
        "updated_at": now,
    }
    shop.add("hooks", hook)
    return _answer(call, hook)


def update_hook(shop: Shop, call: Call) -> Response:
    """PUT: partial; `is_active: true` revives a deactivated hook."""
    hook, fields = _one(shop, call), _fields(shop, call.object_body())
    after = {**hook, **fields}
    _check_limits(shop, call, after["scope"], after["destination"], besides=hook["id"])
    hook.update(fields)
    hook["updated_at"] = int(shop.clock.now().timestamp())
    if hook["is_active"]:
        hook.pop("deactivated", None)
    shop.touch()
    return _answer(call, hook)


def delete_hook(shop: Shop, call: Call) -> Response:
    hook = _one(shop, call)
    shop.drop("hooks", hook["id"])
    return _answer(call, hook)


def _fields(shop: Shop, body: JsonObject) -> JsonObject:
    """The writable fields that are given, checked."""
    fields: JsonObject = {}
    if "scope" in body:
        if not isinstance(body["scope"], str) or not body["scope"].startswith("store/") or body["scope"].endswith("/"):
            raise Refusal(422, NOT_VALID, errors={"scope": "error.invalid.scope"})
        fields["scope"] = body["scope"]
    if "destination" in body:
        fields["destination"] = _destination(shop, body["destination"])
    if "is_active" in body:
        if not isinstance(body["is_active"], bool):
            raise Refusal(422, NOT_VALID, errors={"is_active": "error.expected.jsboolean"})
        fields["is_active"] = body["is_active"]
    if "headers" in body:
        fields["headers"] = _headers(body["headers"])
    return fields


def _headers(value: Json) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(_is_header(*each) for each in value.items()):
        raise Refusal(422, NOT_VALID, errors={"headers": "error.expected.jsobject"})
    return dict(value)


def _is_header(name: str, value: Json) -> bool:
    """Whether HTTP can carry it."""
    return bool(re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII)) and bool(
        isinstance(value, str) and re.fullmatch(r"[\t -~]*", value)
    )


def _destination(shop: Shop, value: Json) -> str:
    """A URL; the real shop takes only https on port 443."""
    strict = bool(shop.settings["require_https_destination"])
    try:
        parts = httpx.URL(value if isinstance(value, str) else "")
    except httpx.InvalidURL:
        parts = httpx.URL("")
    if not re.fullmatch(rb"[\w.:-]+", parts.raw_host) or parts.scheme not in ("https", *(() if strict else ("http",))):
        raise Refusal(422, NOT_VALID, errors={"destination": "error.invalid.url"})
    if strict and parts.port not in (None, 443):
        raise Refusal(422, NOT_VALID, errors={"destination": "error.invalid.port"})
    return str(value)


def _check_limits(shop: Shop, call: Call, scope: str, destination: str, *, besides: int | None) -> None:
    """10 hooks a scope, one of them a destination (§7.1)."""
    same = [hook for hook in _own(shop, call) if hook["scope"] == scope and hook["id"] != besides]
    status = int(shop.settings["duplicate_hook_status"])
    if any(hook["destination"] == destination for hook in same):
        raise Refusal(status, "A webhook with this scope and destination already exists", errors={"scope": "duplicate"})
    if len(same) >= HOOKS_PER_SCOPE:
        raise Refusal(
            status, f"Only {HOOKS_PER_SCOPE} webhooks are allowed for one scope", errors={"scope": "too many"}
        )


def admin(shop: Shop, call: Call) -> Response:
    """GET /v3/hooks/admin: who is mailed, all hooks with their state, and domains that are blocked."""
    now = shop.clock.now()
    active = bool_filter(call, "is_active")
    hooks = [
        {**_shown(hook), "status": _state(hook)}
        for hook in _own(shop, call)
        if active is None or hook["is_active"] is active
    ]
    blocked = [
        {
            "destination": key.split(" ", 1)[1],
            "time_left": int((health.blocked_until - now).total_seconds()),
            "reasons": [],
        }
        for key, health in shop.domain_health.items()
        if health.blocked_until is not None and health.blocked(now)
    ]
    record = shop.get("hook_emails", call.client_id)
    data = {"emails": record["emails"] if record else [], "hooks_list": hooks, "blocked_domains": blocked}
    return v3_data(data)


def _state(hook: JsonObject) -> str:
    if hook["is_active"]:
        return "active"
    return "deactivated" if hook.get("deactivated") else "inactive"


def put_admin(shop: Shop, call: Call) -> Response:
    """PUT /v3/hooks/admin: whom to mail about deactivated hooks."""
    emails = call.object_body().get("emails")
    if not isinstance(emails, list) or not all(isinstance(each, str) and "@" in each for each in emails):
        raise Refusal(422, NOT_VALID, errors={"emails": "error.expected.emails"})
    shop.put("hook_emails", call.client_id, {"id": call.client_id, "emails": emails})
    return nothing()
