"""Several writes in one request (brightpearl.md §4.2)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from brightpearl_pipelines.sandbox.brightpearl.wire import ApiError, Call, JsonObject, Reply, answer, dumps

if TYPE_CHECKING:
    from brightpearl_pipelines.sandbox.brightpearl.emulator import BrightpearlEmulator

FEWEST, MOST = 2, 10


def process(emulator: BrightpearlEmulator, call: Call) -> Reply:
    """Run the messages; 200 when all succeeded, 207 otherwise."""
    body = call.object()
    problems = _problems(body)
    if problems:  # the service's own codes for these are not documented
        raise ApiError(400, *(("CMNC-030", problem) for problem in problems))
    messages = list(body["messages"])
    if body["processingMode"] == "PARALLEL":  # no order is promised, so none may be relied upon
        emulator.rng.shuffle(messages)
    processed: list[JsonObject] = []
    unprocessed: list[str] = []
    for message in messages:
        if unprocessed or (processed and body["onFail"] == "STOP" and processed[-1]["statusCode"] >= 400):
            unprocessed.append(message["label"])
            continue
        reply = emulator.perform(_message_call(call, message))[0]
        content = dumps(reply.body, escape_html=bool(emulator.settings["escape_html"]))
        processed.append({"label": message["label"], "statusCode": reply.status, "body": {"content": content}})
    failed = unprocessed or any(message["statusCode"] >= 400 for message in processed)
    outcome = {"processedMessages": processed, "unprocessedMessages": unprocessed}
    return answer(outcome, 207 if failed else 200)


def _message_call(call: Call, message: JsonObject) -> Call:
    address = urlsplit(message["uri"])
    path = "/" + "/".join(part for part in address.path.split("/") if part)
    raw = json.dumps(message.get("body", {})).encode()
    return replace(call, method=message["httpMethod"], path=path, query=dict(parse_qsl(address.query)), raw=raw)


def _problems(body: JsonObject) -> list[str]:
    mode, on_fail, messages = body.get("processingMode"), body.get("onFail"), body.get("messages")
    problems = []
    if mode not in ("SEQUENTIAL", "PARALLEL"):
        problems.append("processingMode must be SEQUENTIAL or PARALLEL")
    if on_fail not in ("STOP", "CONTINUE"):
        problems.append("onFail must be STOP or CONTINUE")
    if (mode, on_fail) == ("PARALLEL", "STOP"):
        problems.append("onFail STOP cannot be used with processingMode PARALLEL")
    if not isinstance(messages, list) or not FEWEST <= len(messages) <= MOST:
        return [*problems, f"messages must hold {FEWEST} to {MOST} messages"]
    for position, message in enumerate(messages):
        problems += [f"message {position}: {problem}" for problem in _message_problems(message)]
    return problems


def _message_problems(message: object) -> list[str]:
    if not isinstance(message, dict):
        return ["must be an object"]
    problems = []
    if not isinstance(message.get("label"), str):
        problems.append("label is required")
    if not str(message.get("uri", "")).startswith("/"):
        problems.append("uri must start with /{service}-service/")
    if message.get("httpMethod") not in ("POST", "PUT", "DELETE"):
        problems.append("httpMethod must be POST, PUT or DELETE")
    return problems
