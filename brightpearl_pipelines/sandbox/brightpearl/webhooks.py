"""Webhooks: subscriptions, events, grouped delivery by the emulator's clock, retries (brightpearl.md §10).

Deliveries under way are held in the collection `webhook_deliveries`, so that they survive a restart.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from brightpearl_pipelines.sandbox.brightpearl.routing import Endpoint
from brightpearl_pipelines.sandbox.brightpearl.wire import (
    DONE,
    ApiError,
    Call,
    IdSet,
    JsonObject,
    Reply,
    answer,
    id_set_text,
    not_found,
)

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

# What can be subscribed, by resource, lifecycle and specifier (§10.3). `order.created` and `contact.*` cannot.
SUBSCRIBABLE: dict[str, dict[str, tuple[str, ...]]] = {
    "drop-ship-note": {"created": (), "destroyed": (), "modified": ("shipped",)},
    "goods-in-note": {"created": ()},
    "quarantine-release": {"created": ()},
    "goods-out-note": {
        "created": (),
        "destroyed": (),
        "modified": ("printed", "picked", "packed", "un-printed", "un-picked", "un-packed", "shipped"),
    },
    "order": {"modified": ("order-status", "fully-shipped")},
    "sales-order": {"created": ()},
    "product": {"created": (), "modified": ("on-hand-modified",), "destroyed": ()},
}
_VARIABLE = re.compile(r"\$\{([a-z-]+)\}")
_WITH_BODY = ("POST", "PUT")
_STORED_FIELDS = (
    "subscribeTo",
    "httpMethod",
    "uriTemplate",
    "bodyTemplate",
    "contentType",
    "idSetAccepted",
    "qualityOfService",
)


class Webhooks:
    """The webhook resource and the delivery of events."""

    def __init__(self, emulator: BrightpearlEmulator) -> None:
        self.emulator = emulator
        self._open_groups: dict[tuple[int, str], str] = {}

    def endpoints(self) -> list[Endpoint]:
        root = "integration-service/webhook"
        return [
            Endpoint("POST", root, self.create, "post-webhook"),
            Endpoint("GET", f"{root}/{{ids?}}", self.get, "webhook-get"),
            Endpoint("DELETE", f"{root}/{{id}}", self.delete, "webhook-delete"),
            Endpoint("POST", f"{root}/{{id}}/simulate", self.simulate, "post-webhook-simulate"),
        ]

    # -- the resource ---------------------------------------------------------------------------------------------

    def create(self, call: Call) -> Reply:
        body = call.object()
        problems = [*self._event_problems(body.get("subscribeTo")), *self._call_problems(body)]
        problems += self._variable_problems(body)
        if problems:
            raise ApiError(400, *problems)
        webhook_id = self.emulator.next_id("webhook", 101)
        webhook: JsonObject = {"idSetAccepted": False, "qualityOfService": 0, **body, "id": webhook_id}
        stored = {name: webhook[name] for name in (*_STORED_FIELDS, "id") if name in webhook}
        self.emulator.put("webhooks", webhook_id, stored)
        return answer(webhook_id)

    def _event_problems(self, name: object) -> list[tuple[str, str]]:
        parts = name.split(".") if isinstance(name, str) else [""]
        lifecycles = SUBSCRIBABLE.get(parts[0])
        if lifecycles is None:
            return [("INTC-064", f"{parts[0]} either does not exist or cannot be subscribed too")]
        if len(parts) > 1 and parts[1] not in lifecycles:
            return [("INTC-062", f"{parts[1]} is not a valid lifecycle")]
        if len(parts) > 2 and (len(parts) > 3 or parts[2] not in lifecycles[parts[1]]):
            return [("INTC-064", f"{name} either does not exist or cannot be subscribed too")]
        return []

    def _call_problems(self, body: JsonObject) -> list[tuple[str, str]]:
        # The numbers of these codes are not documented; the rules are (§10.1).
        method, uri = body.get("httpMethod"), body.get("uriTemplate")
        problems = []
        if method not in ("GET", "POST", "PUT", "DELETE"):
            problems.append(("INTC-058", "httpMethod must be one of GET, POST, PUT, DELETE"))
        if not isinstance(uri, str) or not (urlsplit(uri).scheme in ("http", "https") and urlsplit(uri).netloc):
            problems.append(("INTC-059", "uriTemplate must be an absolute URI"))
        if method in _WITH_BODY:
            for name in ("bodyTemplate", "contentType"):
                if not isinstance(body.get(name), str) or not body[name]:
                    problems.append(("INTC-060", f"{name} is required for {method}"))
        if body.get("qualityOfService", 0) not in (0, 1):
            problems.append(("INTC-061", "qualityOfService must be 0 or 1"))
        return problems

    def _variable_problems(self, body: JsonObject) -> list[tuple[str, str]]:
        templates = f"{body.get('uriTemplate')} {body.get('bodyTemplate')}"
        mandatory = ["account-code", "resource-type", "lifecycle-event"]
        if self.emulator.settings["webhook_requires_resource_id"]:
            mandatory.append("resource-id")
        missing = (name for name in mandatory if f"${{{name}}}" not in templates)
        return [("INTC-057", f"The URI or body template must contatin ${{{name}}}") for name in missing]

    def get(self, _call: Call, ids: str | None) -> Reply:
        webhooks = self.emulator.collection("webhooks")
        found = IdSet.parse(ids).among(webhooks) if ids else list(map(int, webhooks))
        if not found:
            raise not_found(f"No webhooks available in ID Set {ids}" if ids else "No webhooks available")
        return answer([webhooks[str(number)] for number in found])

    def delete(self, _call: Call, id: str) -> Reply:
        self._existing(id)
        del self.emulator.collection("webhooks")[id]
        self.emulator.touch()
        return DONE

    def simulate(self, call: Call, id: str) -> Reply:
        """Send one filled template now, with the given values for the variables; at most 10 ids (§2.5)."""
        webhook = self._existing(id)
        values = call.object().get("testData")
        if not isinstance(values, dict):
            raise ApiError(400, ("INTC-066", "testData is required"))
        variables = {str(name).removeprefix("${").removesuffix("}"): str(value) for name, value in values.items()}
        ids = IdSet.parse(variables.get("resource-id", "1")).limited(10).ids()
        parts = (variables.get(name, "") for name in ("resource-type", "lifecycle-event", "resource-specifier"))
        event = ".".join(part for part in parts if part)
        self._queue(webhook, event, ids, variables)
        return DONE

    def _existing(self, webhook_id: str) -> JsonObject:
        webhook = self.emulator.collection("webhooks").get(webhook_id)
        if webhook is None:
            raise not_found(f"Cannot find webhook: {webhook_id}")
        return webhook

    # -- events ---------------------------------------------------------------------------------------------------

    def raise_event(self, event: str, resource_id: int) -> None:
        """Tell the subscribers of `event` or of a shorter name above it, e.g. `product.modified.on-hand-modified`."""
        for webhook in self.emulator.collection("webhooks").values():
            topic = webhook["subscribeTo"]
            if event == topic or event.startswith(f"{topic}."):
                self._join_group(webhook, event, resource_id)

    def _join_group(self, webhook: JsonObject, event: str, resource_id: int) -> None:
        """Events of one kind raised within the delay go out together: one call with an id set, or one call per id."""
        deliveries = self.emulator.collection("webhook_deliveries")
        key = self._open_groups.get((webhook["id"], event))
        if key is None or key not in deliveries:
            key = self._queue(webhook, event, [], {})
            self._open_groups[webhook["id"], event] = key
        ids = deliveries[key]["ids"]
        if resource_id not in ids:
            ids.append(resource_id)
            self.emulator.touch()

    def _queue(self, webhook: JsonObject, event: str, ids: list[int], variables: dict[str, str]) -> str:
        key = str(self.emulator.next_id("webhook_delivery"))
        now = self.emulator.clock.now()
        due = now + timedelta(seconds=float(self.emulator.settings["webhook_delay_seconds"]))
        delivery = {
            "deliveryId": int(key),
            "webhook": webhook,
            "event": event,
            "ids": ids,
            "variables": variables,
            "raisedOn": now.isoformat(),
            "dueOn": due.isoformat(),
            "attempts": 0,
            "state": "waiting",
        }
        self.emulator.put("webhook_deliveries", key, delivery)
        self._schedule(key, due)
        return key

    def _schedule(self, key: str, due: datetime) -> None:
        seconds = max(0.0, (due - self.emulator.clock.now()).total_seconds())
        self.emulator.after(seconds, lambda: self._fire(key))

    def rebuild(self) -> None:
        """After a restart: time what was waiting."""
        self._open_groups.clear()
        for key, delivery in self.emulator.collection("webhook_deliveries").items():
            if delivery["state"] == "waiting":
                self._schedule(key, datetime.fromisoformat(delivery["dueOn"]))

    # -- delivery -------------------------------------------------------------------------------------------------

    async def _fire(self, key: str) -> None:
        deliveries = self.emulator.collection("webhook_deliveries")
        delivery = deliveries[key]
        webhook = delivery["webhook"]
        self._open_groups = {group: other for group, other in self._open_groups.items() if other != key}
        if not webhook["idSetAccepted"] and len(delivery["ids"]) > 1:
            rest = delivery["ids"][1:]
            delivery["ids"] = delivery["ids"][:1]
            for number in rest:
                self._schedule(self._copy(delivery, [number]), self.emulator.clock.now())
        if delivery["attempts"] == 0 and not self._admitted(key, delivery):
            return
        sends = delivery.pop("sends", 1)
        statuses = [await self._send(webhook, self._variables(delivery)) for _ in range(sends)]
        delivery["attempts"] += 1
        self._settle(key, delivery, statuses[-1])

    def _copy(self, delivery: JsonObject, ids: list[int]) -> str:
        key = str(self.emulator.next_id("webhook_delivery"))
        self.emulator.put("webhook_deliveries", key, {**delivery, "deliveryId": int(key), "ids": ids})
        return key

    def _admitted(self, key: str, delivery: JsonObject) -> bool:
        """Apply the webhook faults to a first attempt; False when it is lost or held back."""
        if delivery.get("faulted"):
            return True
        fault = self.emulator.fault_for(delivery["webhook"]["httpMethod"], delivery["event"], webhook=True)
        if fault is None:
            return True
        delivery["faulted"] = True
        if fault.kind == "lose_webhook":
            del self.emulator.collection("webhook_deliveries")[key]
            return False
        if fault.kind == "reorder_webhook":
            due = self.emulator.clock.now() + timedelta(seconds=fault.seconds)
            delivery["dueOn"] = due.isoformat()
            self._schedule(key, due)
            return False
        delivery["sends"] = 2
        return True

    def _variables(self, delivery: JsonObject) -> dict[str, str]:
        resource, lifecycle, specifier = (*delivery["event"].split("."), "", "")[:3]
        raised = datetime.fromisoformat(delivery["raisedOn"])
        return {
            "account-code": self.emulator.settings["account"],
            "resource-type": resource,
            "resource-id": id_set_text(delivery["ids"]),
            "lifecycle-event": lifecycle,
            "resource-specifier": specifier,
            "full-event": delivery["event"],
            "raised-on": raised.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "brightpearl-version": self.emulator.settings["brightpearl_version"],
            **delivery["variables"],
        }

    async def _send(self, webhook: JsonObject, variables: dict[str, str]) -> int:
        """The receiver's status, 0 when it could not be reached."""

        def fill(template: str) -> str:
            return _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), template)

        client = self._client()
        method = webhook["httpMethod"]
        content = fill(webhook["bodyTemplate"]).encode() if method in _WITH_BODY else None
        headers = {"Content-Type": webhook["contentType"]} if method in _WITH_BODY else {}
        try:
            response = await client.request(method, fill(webhook["uriTemplate"]), content=content, headers=headers)
        except httpx.TransportError:
            return 0
        return response.status_code

    def _client(self) -> httpx.AsyncClient:
        if self.emulator.webhook_client is None:
            self.emulator.webhook_client = httpx.AsyncClient(timeout=5.0)
        return self.emulator.webhook_client

    def _settle(self, key: str, delivery: JsonObject, status: int) -> None:
        """QoS 0 goes again only after a 503, QoS 1 after everything but 2xx and 4xx; never beyond the limit (§10.2)."""
        settings = self.emulator.settings
        again = status == 503 or (delivery["webhook"]["qualityOfService"] == 1 and status // 100 not in (2, 4))
        raised = datetime.fromisoformat(delivery["raisedOn"])
        wait = min(
            float(settings["webhook_retry_first_seconds"]) * 2 ** (delivery["attempts"] - 1),
            float(settings["webhook_retry_most_seconds"]),
        )
        due = self.emulator.clock.now() + timedelta(seconds=wait)
        if not again:
            del self.emulator.collection("webhook_deliveries")[key]
        elif (due - raised).total_seconds() > float(settings["webhook_retry_stop_seconds"]):
            delivery["state"] = "given_up"
        else:
            delivery["dueOn"] = due.isoformat()
            self._schedule(key, due)
        self.emulator.touch()
